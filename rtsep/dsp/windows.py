"""Analysis and synthesis windows with perfect reconstruction.

Notation: K analysis length, M half the synthesis length, hop R dividing M, all in samples.
The product of both windows is Hann_2M on the last 2M samples, scaled by R / M, so frames R apart
add up to one.  Formulas: Mauler & Martin (EUSIPCO 2007) low-delay pair, half-sample Hann.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.stream import StreamSpec

Window = NDArray[np.float64]


def hann(length: int) -> Window:
    """Half-sample Hann window, shape (length,): no zero at either end."""
    phase = (np.arange(length) + 0.5) / length
    return np.sin(np.pi * phase) ** 2


def root_hann(length: int) -> Window:
    """Square root of `hann`, its own dual at 50 % overlap."""
    return np.sqrt(hann(length))


def low_delay_analysis(window: int, half: int) -> Window:
    """Rising half of a long root-Hann, falling half of a short one; shape (window,).

    `half` is M.  With 2M == window this is the symmetric root-Hann.
    """
    rise = root_hann(2 * (window - half))[: window - half]
    return np.concatenate([rise, root_hann(2 * half)[half:]])


def low_delay_synthesis(analysis: Window, half: int, hop: int) -> Window:
    """The dual of `analysis`: zero but for the last 2M samples; shape like `analysis`."""
    synthesis = np.zeros_like(analysis)
    synthesis[-2 * half :] = hann(2 * half) / analysis[-2 * half :] * (hop / half)
    return synthesis


def window_pair(spec: StreamSpec) -> tuple[Window, Window]:
    """Analysis and synthesis window of a stream, each float64 of shape (spec.window,).

    Overlap-added every `spec.hop` samples their product is one to within 2e-15.
    ValueError where hop does not divide M, for then no such pair exists.
    """
    half = spec.synthesis // 2
    if half % spec.hop or spec.synthesis > spec.window:
        raise ValueError(
            f"synthesis={spec.synthesis} needs a hop that divides {half} and a window of at least "
            f"its length (hop={spec.hop}, window={spec.window})"
        )
    analysis = low_delay_analysis(spec.window, half)
    return analysis, low_delay_synthesis(analysis, half, spec.hop)
