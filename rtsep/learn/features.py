"""What a mask network hears of a frame: the logarithms of its bands, against a running level.

P (T, bands) powers of the bands, p (T,) mean power of all bins.  The level L_t is the mean of p
so far, forgotten exponentially: s_t = a s_{t-1} + (1 - a) [p_t, 1], L_t = s_t[0] / s_t[1], so that
the first frame's level is its own power.  f = log10((P + d) / (L + d)) / 2, within LOWEST..HIGHEST.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float32]

NAME = "log10 of band power over causal level, halved"
SECONDS = 1.0  # in which the level forgets
FLOOR = 1e-9  # d, of |X|^2: digital silence, far under any microphone
LOWEST, HIGHEST = -4.0, 2.0
HOP_SECONDS = 256 / 48000  # of a frame at pace 1


def forgetting(pace: int = 1) -> float:
    """The share that is kept, a, from one frame of `pace` hops to the next."""
    return float(np.exp(-pace * HOP_SECONDS / SECONDS))


def levels(p: Array, pace: int = 1) -> Array:
    """L of p (..., T), along the last axis from a start at zero."""
    a = forgetting(pace)
    raised = lfilter([1 - a], [1, -a], p.astype(np.float64), axis=-1)
    weight = 1 - a ** np.arange(1, p.shape[-1] + 1)
    found: Array = (raised / weight).astype(np.float32)
    return found


def features(power: Array, pool: Array, pace: int = 1) -> Array:
    """What is heard, f (..., T, bands), of |X|^2 (..., T, bins)."""
    P = power @ pool
    L = levels(power.mean(axis=-1), pace)[..., None]
    return np.clip(0.5 * np.log10((P + FLOOR) / (L + FLOOR)), LOWEST, HIGHEST).astype(np.float32)
