"""How many threads matrix products may use."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep the matrix products of the libraries imported so far to one thread.

    The matrices here are small.  Beside any other load, BLAS threads that wait for each other made
    learning ten times slower: 0.7 s of processor time in one thread, 5..11 s in two (2 cores, one
    of them busy, OpenBLAS of numpy 2.4).
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1, "blas"):
        yield
