/* Counts what a thread asks of the heap while it counts.  Preload it:
   gcc -O2 -shared -fPIC malloc_counter.c -o malloc_counter.so -ldl
   LD_PRELOAD=./malloc_counter.so python ...
   `drive` calls a PortAudio callback many times and returns how often it asked. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef int Callback(const float *, float *, unsigned long, const void *, unsigned long, void *);

static __thread long asked, counting __attribute__((tls_model("initial-exec")));
static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void *(*real_aligned)(size_t, size_t);
static void (*real_free)(void *);

/* dlsym itself asks for memory before the real functions are known. */
static char early[1 << 16];
static size_t taken;

static void *take_early(size_t size)
{
    void *place = early + taken;
    taken += (size + 15) & ~(size_t)15;
    return taken <= sizeof early ? place : NULL;
}

static int is_early(void *p) { return (char *)p >= early && (char *)p < early + sizeof early; }

__attribute__((constructor)) static void find(void)
{
    real_calloc = dlsym(RTLD_NEXT, "calloc");
    real_realloc = dlsym(RTLD_NEXT, "realloc");
    real_aligned = dlsym(RTLD_NEXT, "aligned_alloc");
    real_free = dlsym(RTLD_NEXT, "free");
    real_malloc = dlsym(RTLD_NEXT, "malloc");
}

void *malloc(size_t size)
{
    asked += counting;
    return real_malloc ? real_malloc(size) : take_early(size);
}

void *calloc(size_t n, size_t size)
{
    asked += counting;
    return real_calloc ? real_calloc(n, size) : take_early(n * size);
}

void *realloc(void *p, size_t size)
{
    asked += counting;
    if (real_realloc && !is_early(p))
        return real_realloc(p, size);
    void *moved = malloc(size);
    if (moved && p)
        memcpy(moved, p, size);
    return moved;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    asked += counting;
    return real_aligned(alignment, size);
}

void *memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }

int posix_memalign(void **place, size_t alignment, size_t size)
{
    void *p = aligned_alloc(alignment, size);
    if (!p)
        return ENOMEM;
    *place = p;
    return 0;
}

void free(void *p)
{
    asked += counting;
    if (real_free && !is_early(p))
        real_free(p);
}

long drive(Callback *callback, const float *in, float *out, unsigned long n, long channels,
           long times, void *userdata)
{
    asked = 0;
    for (long i = 0; i < times; i++) {
        counting = 1;
        callback(in + i * n * channels, out, n, NULL, 0, userdata);
        counting = 0;
    }
    return asked;
}

/* One call of each kind, to see that the counter counts: 9. */
int greedy(const float *in, float *out, unsigned long n, const void *t, unsigned long f, void *u)
{
    void *volatile a = malloc(n), *volatile b = calloc(n, 2), *c = NULL;
    a = realloc(a, 4 * n);
    (void)in, (void)out, (void)t, (void)f, (void)u;
    if (posix_memalign(&c, 64, n))
        return 1;
    void *volatile d = aligned_alloc(64, 64 * n);
    free(a), free(b), free(c), free(d);
    return 0;
}
