"""Bands of a mask network: single bins where hearing resolves them, half an ERB each above.

P_b = sum_f pool[f, b] |X_f|^2 is the power of band b, and m_f = sum_b spread[b, f] g_b the mask of
bin f from the bands' gains: triangles that sum to one over the bands, scaled to a mean for P.
ERB(f) = 24.7 (1 + 4.37 f / 1000) Hz, Glasberg and Moore (1990).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

STEP = 0.5  # ERB a band, where that is more than a bin


def erb(hz: float) -> float:
    """Equivalent rectangular bandwidth in Hz."""
    return 24.7 * (1 + 4.37 * hz / 1000)


def centres(bins: int, bin_hz: float) -> NDArray[np.int64]:
    """Bins at which bands peak, ascending, the first and the last bin among them; (bands,)."""
    found = [0]
    while found[-1] < bins - 1:
        found.append(found[-1] + max(1, round(STEP * erb(found[-1] * bin_hz) / bin_hz)))
    last = bins - 1
    kept = [each for each in found if each < last - 1]
    return np.array([*kept, last])


def spread(bins: int, bin_hz: float) -> Array:
    """(bands, bins): every column sums to one, linear between the centres."""
    return between(centres(bins, bin_hz), bins)


def between(at: NDArray[Any], bins: int) -> Array:
    """(bands, bins): what each bin takes of the bands that peak at bins `at` to its sides."""
    hats = [np.interp(np.arange(bins), at, row) for row in np.eye(len(at))]
    return np.array(hats, np.float32)


def pool(bins: int, bin_hz: float) -> Array:
    """(bins, bands): every column sums to one."""
    weights = spread(bins, bin_hz).T
    return np.ascontiguousarray(weights / weights.sum(axis=0))
