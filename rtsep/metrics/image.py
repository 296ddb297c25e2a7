"""PSNR and SSIM, for what is separated in pictures."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter

WINDOW = 7  # pixels a side, of SSIM


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


def ssim(reference: ArrayLike, estimate: ArrayLike, *, peak: float = 1.0) -> float:
    """Structural similarity, -1..1, of pictures (rows, columns) or the mean over (N, ...) such.

    A uniform 7 x 7 window and sample covariances, the means over windows that lie inside.
    peak : the range that pixels can have.  Wang, Bovik, Sheikh & Simoncelli (2004).
    """
    s, e = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    if s.shape != e.shape or min(s.shape[-2:], default=0) < WINDOW or s.ndim < 2:
        raise ValueError(
            f"reference {s.shape} and estimate {e.shape} "
            f"(wanted: one shape, {WINDOW} x {WINDOW} pixels at least)"
        )
    means, sample = (_local(s), _local(e)), WINDOW**2 / (WINDOW**2 - 1)
    power = sample * (_local(s * s) + _local(e * e) - means[0] ** 2 - means[1] ** 2)
    shared = sample * (_local(s * e) - means[0] * means[1])
    c, d = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    structure = (2 * shared + d) / (power + d)
    return float(
        np.mean(structure * (2 * means[0] * means[1] + c) / (means[0] ** 2 + means[1] ** 2 + c))
    )


def _local(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over the windows inside each picture."""
    edge, flat = WINDOW // 2, (0,) * (x.ndim - 2)
    means: NDArray[np.float64] = uniform_filter(x, (*flat, WINDOW, WINDOW))
    return means[..., edge:-edge, edge:-edge]
