"""How many threads matrix products may use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep the matrix products of the libraries imported so far to one thread.

    The matrices here are small.  Beside any other load, BLAS threads that wait for each other made
    learning ten times slower: 0.7 s of processor time in one thread, 5..11 s in two (2 cores, one
    of them busy, OpenBLAS of numpy 2.4).
    """
    with _libraries("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries(scipy: bool) -> Any:
    """The BLAS of numpy and, once it is imported, scipy's own; to find them takes 10 ms."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()
