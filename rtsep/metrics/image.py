"""PSNR, for what is separated in pictures."""

import numpy as np
from numpy.typing import ArrayLike


def psnr(reference: ArrayLike, estimate: ArrayLike, *, peak: float | None = None) -> float:
    """Peak signal to noise ratio in dB, arrays of any one shape: inf for equal ones.

    peak : the largest value there can be; the reference's own unless given.  NaN where the peak
    is not over zero.
    """
    s, e = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    if s.shape != e.shape:
        raise ValueError(f"reference {s.shape} and estimate {e.shape} (wanted: one shape)")
    top = (s.max() if s.size else 0.0) if peak is None else peak
    if not top > 0:
        return float("nan")
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(top**2 / np.mean((s - e) ** 2)))
