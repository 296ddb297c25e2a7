"""Blocks as callers bring them, checked and laid out for compiled code."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def planes(block: NDArray[Any], channels: int) -> Samples:
    """A block (n,) or (channels, n) as contiguous float32 (channels, n).

    TypeError for what is no array of floats, ValueError for another number of channels.
    """
    if not isinstance(block, np.ndarray) or block.dtype not in (np.float32, np.float64):
        kind = block.dtype if isinstance(block, np.ndarray) else type(block).__name__
        raise TypeError(f"a block is a float32 array, not {kind}")
    mono = channels == 1 and block.ndim == 1
    if not mono and (block.ndim != 2 or block.shape[0] != channels):
        wanted = "(n,) or (1, n)" if channels == 1 else f"({channels}, n)"
        raise ValueError(f"block has shape {block.shape}, the engine takes {wanted}")
    with np.errstate(over="ignore"):  # what float32 cannot hold is Inf, which the engine counts
        return np.ascontiguousarray(np.atleast_2d(block), dtype=np.float32)


def room_for(block: NDArray[Any], out: Samples | None) -> Samples:
    """Where to write a block's answer: `out` if it fits, a new array without one."""
    if out is None:
        return np.empty(block.shape, np.float32)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is a float32 array, not {type(out).__name__}")
    if out.shape != block.shape or out.dtype != np.float32:
        raise ValueError(f"out is {out.dtype} {out.shape}, the block {block.shape}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError("out is not a writeable, C contiguous array")
    return out
