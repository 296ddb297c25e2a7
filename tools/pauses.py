"""What held a block that took too long: told by its own thread, and by a bare loop beside it.

A thread looks at itself before and after a block: the time, its own processor time, how long it
was ready and on no core, its page faults and its switches.  Processor time leaves out what the host
stole and booked, and the time on no core: the share of both is `held`, of the first alone `stolen`
(at least: what is stolen while a thread is ready counts as ready).  What neither covers, the thread
was held for while it seemed to run.  The bare loop is a control without Python and with nothing of
rtsep: it wakes as often, computes as long and reads as much memory, in a thread of the same
priority.  Linux only.
"""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
import numpy as np
from circumstances import Row
from numba import carray
from tracing import Window

from rtsep.dsp.machine import call, call_for, pointer_to

SECOND = 1_000_000_000  # ns
MONOTONIC, OWN, THREAD, ABSOLUTE = 1, 3, 1, 1  # of clock_gettime, getrusage, clock_nanosleep
MEMORY, STEP = 1 << 18, 4  # floats that the bare loop walks over, and its step: some 0.1 ms
COUNT, TIMES, SELF, FILE, SCRATCH = 0, 1, 2, 3, 8  # places in a book, in longs
BEFORE, AFTER, ROWS = 32, 40, 64
WIDE, ROOM = 10, 1 << 14  # of its rows
TEXT = 8 * (BEFORE - SCRATCH)  # bytes of scratch
BOOK = ROWS + WIDE * ROOM
longs_at, bytes_at = pointer_to(numba.int64), pointer_to(numba.uint8)


def _place(name: str) -> int:
    return int(ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value or 0)


CLOCK, USAGE, SLEEP = map(_place, ("clock_gettime", "getrusage", "clock_nanosleep"))
CORE, TASK, READ = map(_place, ("sched_getcpu", "gettid", "pread"))


@numba.njit
def ready(book: int) -> int:
    """How many ns the followed thread was ready and on no core, by its schedstat."""
    scratch = book + 8 * SCRATCH
    size = call_for(READ, carray(longs_at(book), (BOOK,))[FILE], scratch, TEXT, 0)
    text, delay, numbers = carray(bytes_at(scratch), (TEXT,)), 0, 0
    for i in range(size):
        if text[i] == ord(" "):
            numbers += 1
        elif numbers == 1:
            delay = 10 * delay + np.int64(text[i]) - ord("0")
    return delay


@numba.njit
def look(book: int, seen: int) -> None:
    """What the calling thread has had so far, into such a place of the book at an address."""
    longs, scratch = carray(longs_at(book), (BOOK,)), book + 8 * SCRATCH
    for i, clock in enumerate((MONOTONIC, OWN)):
        call(CLOCK, clock, scratch)
        longs[seen + i] = longs[SCRATCH] * SECOND + longs[SCRATCH + 1]
    call(USAGE, THREAD, scratch)
    for i, field in enumerate((8, 9, 16, 17)):  # minor and major faults, waits, preemptions
        longs[seen + 2 + i] = longs[SCRATCH + field]
    longs[seen + 7] = ready(book) if longs[FILE] else 0
    longs[seen + 6], longs[SELF] = call_for(CORE) & 0xFFFF, call_for(TASK) & 0xFFFFFFFF


@numba.njit
def note(book: int, woken: int) -> None:
    """Keep what passed between the two looks: when, woken how late, the differences, the core."""
    longs = carray(longs_at(book), (BOOK,))
    row = ROWS + WIDE * (longs[COUNT] % ROOM)
    longs[row], longs[row + 1], longs[row + 9] = longs[BEFORE], woken, longs[AFTER + 6]
    longs[row + 8] = longs[AFTER + 7] - longs[BEFORE + 7]
    for i in range(6):
        longs[row + 2 + i] = longs[AFTER + i] - longs[BEFORE + i]
    longs[COUNT] += 1


@numba.njit(nogil=True)
def bare(book: int, stop: Any, period: int, memory: Any) -> float:
    """Until told to stop: wake every so many ns, compute for a while, note what was late."""
    longs, z = carray(longs_at(book), (BOOK,)), 0.5
    look(book, BEFORE)
    due = longs[BEFORE]
    while stop[0] == 0:
        due += period
        longs[SCRATCH], longs[SCRATCH + 1] = due // SECOND, due % SECOND
        call(SLEEP, MONOTONIC, ABSOLUTE, book + 8 * SCRATCH, 0)
        look(book, BEFORE)
        for i in range(0, memory.size, STEP):
            z += memory[i] * z
        look(book, AFTER)
        longs[TIMES] += 1
        if longs[BEFORE] - due > period or longs[AFTER] - longs[BEFORE] > period:
            note(book, longs[BEFORE] - due)
            due = longs[AFTER]
    return z


def priority() -> int:
    """The highest real-time priority among this process's threads; 0 is none."""
    threads = [int(each.name) for each in Path("/proc/self/task").iterdir()]
    return max(os.sched_getparam(each).sched_priority for each in threads)


@contextmanager
def bare_loop(book: Any, period: int) -> Iterator[None]:
    """Beside what is measured, at the highest priority that is there.  Control thread only."""
    stop, memory = np.ones(1, np.int64), np.ones(MEMORY, np.float32) * np.float32(1e-9)
    bare(book.ctypes.data, stop, period, memory)  # compiled before it counts
    book[COUNT], stop[0], level = 0, 0, priority()

    def loop() -> None:
        if level:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(level))
        bare(book.ctypes.data, stop, period, memory)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop[0] = 1
        thread.join()


def follow(book: Any) -> None:
    """From now on the time that its thread is ready is looked at, too.  Control thread only."""
    if book[SELF] and not book[FILE]:
        book[FILE] = os.open(f"/proc/self/task/{book[SELF]}/schedstat", os.O_RDONLY)


def waited(book: Any) -> float:
    """Seconds that the book's thread was ready and on no core, so far."""
    return int(os.pread(int(book[FILE]), TEXT, 0).split()[1]) * 1e-9 if book[FILE] else 0.0


def _rows(book: Any) -> Any:
    return book[ROWS:].reshape(ROOM, WIDE)[: book[COUNT]]


def too_long(book: Any, period: int) -> int:
    """How often it took longer than so many ns, and was not only woken late."""
    return int(np.count_nonzero(_rows(book)[:, 2] > period))


def unheld(book: Any, period: int) -> tuple[int, int]:
    """Of those that took too long: how many were held, and stolen, for less than 1 % of it."""
    _, _, wall, own, *_, ready, _ = _rows(book).T
    held, stolen = wall - own, wall - own - ready
    few = ((wall > period) & (each < 0.01 * wall) for each in (held, stolen))
    held_little, stolen_little = map(int, map(np.count_nonzero, few))
    return held_little, stolen_little


def windows(book: Any) -> list[Window]:
    """When and where what is in the book happened."""
    ends = ((int(row[0]), int(row[0] + row[2]), int(row[9])) for row in _rows(book))
    return [Window(*each, thread=int(book[SELF])) for each in ends]


def late(book: Any, begin: float) -> list[Row]:
    """What was late, in order, since a moment of the monotonic clock."""
    return [
        {
            "minute": (at * 1e-9 - begin) / 60, "ms": wall * 1e-6, "own ms": cpu * 1e-6,
            "ready ms": ready * 1e-6, "stolen %": 100 * (wall - cpu - ready) / max(wall, 1),
            "woken late, ms": woken * 1e-6, "faults": int(minor), "from disk": int(major),
            "waits": int(waits), "preempted": int(preempted), "core": int(core),
        }
        for at, woken, wall, cpu, minor, major, waits, preempted, ready, core in _rows(book)
    ]  # fmt: skip
