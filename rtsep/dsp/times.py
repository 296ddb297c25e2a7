"""Durations in a logarithmic histogram: eight steps an octave, from 2^8 ns on."""

from typing import Any

import numpy as np

from rtsep.dsp.kernel import kernel

HISTOGRAM = 160  # steps
STEPS_PER_OCTAVE = 8
FIRST_OCTAVE = 8  # the histogram begins at 2^8 ns


@kernel
def enter(histogram, duration):
    """Count a duration in ns.  histogram : int64 (HISTOGRAM,)."""
    step = np.int64(STEPS_PER_OCTAVE * (np.log2(np.float64(max(duration, 1))) - FIRST_OCTAVE))
    histogram[min(max(step, 0), HISTOGRAM - 1)] += 1


def quantile_us(histogram: Any, q: float) -> float:
    """Upper edge in us of the step where a share q of all is reached; 0 where nothing is."""
    total = int(histogram.sum())
    if total == 0:
        return 0.0
    step = int(np.searchsorted(np.cumsum(histogram), q * total))
    return float(2.0 ** (FIRST_OCTAVE + (step + 1) / STEPS_PER_OCTAVE)) / 1000
