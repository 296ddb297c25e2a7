"""Spectra as few bands, equally wide on a logarithmic scale of frequency, for the eye.

    power of a band = P(upper edge) - P(lower edge),  P the running sum of the bins' power,
linear between them, so that a band narrower than a bin has its share of it.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.engine.meters import SILENT_DB, parseval

LOWEST, HIGHEST = 60.0, 20000.0  # Hz


@cache
def edges(bands: int, rate: float) -> NDArray[np.float64]:
    """Where bands begin and end, in Hz, float64 (bands + 1,)."""
    found = np.geomspace(LOWEST, min(HIGHEST, rate / 2), bands + 1)
    found.flags.writeable = False
    return found


def band_levels(power: NDArray[Any], bands: int, rate: float, scale: float) -> list[float]:
    """Levels in dBFS of bands.

    power : float (bins,), |X|^2 from 0 Hz to half the rate.  scale : of a sum of it to a mean
    square.
    """
    width = rate / 2 / (len(power) - 1)
    ends = (np.arange(len(power) + 1) - 0.5) * width
    running = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    found = scale * np.diff(np.interp(edges(bands, rate), ends, running))
    quiet = np.float64(10 ** (SILENT_DB / 10))
    return [float(level) for level in 10 * np.log10(np.maximum(found, quiet))]


def read_spectra(record: Any, bands: int) -> tuple[list[float], list[float]]:
    """Read what came in and what goes out from a record.  Any thread."""
    if bands < 1:
        raise ValueError(f"bands={bands} is not positive")
    count, rate, scale = int(record["bins"]), float(record["rate"]), parseval(record)

    def levels(name: str) -> list[float]:
        return band_levels(record[name][:count], bands, rate, scale)

    return levels("taken_power"), levels("given_power")
