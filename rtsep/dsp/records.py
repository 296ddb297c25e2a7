"""Structured records: the fixed-shape memory that compiled code and Python share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LINE = 64  # bytes of a cache line; no two fields share one unless both are single numbers


def _aligned(offset: int, shape: tuple[int, ...]) -> int:
    return -(-offset // LINE) * LINE if shape else -(-offset // 8) * 8


def record_type(*fields: tuple[Any, ...]) -> np.dtype[np.void]:
    """A record of (name, type) and (name, type, shape) fields, arrays aligned to cache lines."""
    names, formats, offsets, end = [], [], [], 0
    for name, kind, *shape in fields:
        form = np.dtype((kind, shape[0])) if shape else np.dtype(kind)
        start = _aligned(end, form.shape or ((1,) if form.names else ()))
        names.append(name)
        formats.append(form)
        offsets.append(start)
        end = start + form.itemsize
    layout = {
        "names": names,
        "formats": formats,
        "offsets": offsets,
        "itemsize": _aligned(end, (1,)),
    }
    return np.dtype(layout)  # type: ignore[call-overload,no-any-return]


def zeroed(kind: np.dtype[np.void]) -> NDArray[np.void]:
    """One record of zeros, shape (1,), aligned to a cache line; untouched pages take no memory."""
    memory = np.zeros(kind.itemsize + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + kind.itemsize].view(kind)
