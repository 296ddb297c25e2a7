"""What a matrix to learn from must be, checked once; the blocks of columns of a basis."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]
HUGE = 1e30  # of a weight: sums of such are float32 still


def matrix(U: ArrayLike, name: str, *, negative: bool = False) -> Array:
    """U as float32 (m, N), F order; ValueError unless finite, not empty, somewhere not zero.

    Entries under zero are refused as well, unless `negative`.
    """
    return np.asfortranarray(checked(U, name, negative=negative), np.float32)


def rows(U: ArrayLike, name: str) -> Array:
    """The same in C order, 0 or more."""
    return np.ascontiguousarray(checked(U, name), np.float32)


def checked(U: ArrayLike, name: str, *, negative: bool = False) -> NDArray[Any]:
    """U as it is, once it is known to be what `matrix` says."""
    array = np.asarray(U)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} is {array.dtype} (wanted: real numbers)")
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{name} has shape {array.shape} (wanted: rows x columns, one at least)")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds {array[~np.isfinite(array)][0]} (wanted: finite numbers)")
    if not negative and array.min() < 0:
        raise ValueError(f"{name} holds {array.min():g} (wanted: 0 or more)")
    if not array.any():
        raise ValueError(f"{name} is zero everywhere (wanted: something to learn from)")
    return array


def matrices(each: Sequence[ArrayLike], name: str) -> list[Array]:
    return [matrix(U, f"{name}[{at}]") for at, U in enumerate(each)]


def blocks_of(ranks: Sequence[int]) -> list[slice]:
    """Columns of each source in bases that stand side by side."""
    return [slice(*edges) for edges in pairwise(accumulate(ranks, initial=0))]


def one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} is {value!r} (wanted: {', '.join(known)})")


def at_least(least: float, **values: float) -> None:
    """ValueError for a value that is less, too much for float32 or no number."""
    for name, value in values.items():
        if not least <= value <= HUGE:
            more = f"to {HUGE:g}" if value > HUGE else "or more"
            raise ValueError(f"{name} is {value:g} (wanted: {least:g} {more})")
