"""Mel bands of spectra: what generators of latent mixtures draw, as published.

Magnitudes of the bands are means of the bins' under triangles between the neighbours' centres, a
bin to either side at least, for low bands lie closer than bins; back to the bins, what lies between
two centres is between their values.  2595 log10(1 + f / 700 Hz), O'Shaughnessy (1987).
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.learn.bands import between

Array = NDArray[np.float32]


def centres(bins: int, rate: float, bands: int) -> NDArray[np.float64]:
    """Where bands peak, in bins and parts of them, from the first to the last; (bands,)."""
    mel = np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), bands)
    return (bins - 1) * 700 * (10 ** (mel / 2595) - 1) / (rate / 2)


def pool(bins: int, rate: float, bands: int) -> Array:
    """(bins, bands): every column sums to one."""
    at = centres(bins, rate, bands)
    half = np.maximum(np.gradient(at), 1)
    weights = np.maximum(1 - np.abs(np.arange(bins)[:, None] - at) / half, 0)
    return np.asarray(weights / weights.sum(axis=0), np.float32)


def spread(bins: int, rate: float, bands: int) -> Array:
    """(bands, bins): every column sums to one."""
    return between(centres(bins, rate, bands), bins)
