"""Samples between samples: a windowed sinc in phases, straight lines between the phases.

    y(p) = sum_t c_t x[w - HALF + 1 + t],   p = w + part,   0 <= part < 1
    c = (1 - a) C[i] + a C[i + 1],   i + a = PHASES part
C is a Kaiser-windowed sinc whose cut-off is the Nyquist frequency, every phase of it scaled to sum
to one (J. O. Smith, Digital Audio Resampling).  It serves rates that differ by parts in ten
thousand; at part = 0 it is the sample itself, bit for bit.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.kernel import kernel

TAPS, PHASES = 48, 512
HALF = TAPS // 2  # samples that must follow the one asked for
KAISER = 9.5


def phases() -> NDArray[np.float32]:
    """C : float32, shape (PHASES + 1, TAPS); rows sum to one."""
    part = np.arange(PHASES + 1)[:, None] / PHASES
    t = np.arange(TAPS)[None, :] - (HALF - 1) - part
    edge = np.sqrt(np.maximum(0, 1 - (t / HALF) ** 2))
    C = np.sinc(t) * np.i0(KAISER * edge)
    C[0], C[PHASES] = np.eye(TAPS)[HALF - 1], np.eye(TAPS)[HALF]
    rows: NDArray[np.float32] = (C / C.sum(axis=1, keepdims=True)).astype(np.float32)
    return rows


@kernel(exact=True)
def weigh_phases(C, part, c):
    """Write the filter for a part of a sample to c.  C : (PHASES + 1, TAPS); c : (TAPS,)."""
    place = part * PHASES
    i = min(int(place), PHASES - 1)
    a = np.float32(place - i)
    for t in range(TAPS):
        c[t] = C[i, t] + a * (C[i + 1, t] - C[i, t])


@kernel
def filtered(c, x, start):
    """The sum of TAPS samples of x from `start` on by their weights c."""
    total = np.float32(0)
    for t in range(TAPS):
        total += c[t] * x[start + t]
    return total
