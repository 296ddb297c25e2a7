"""SI-SDR and BSS eval by plain projections, in dB.

e is the estimate, s_j the reference, s all references.  BSS eval (Vincent et al. 2006) with one
tap: target = P_{s_j} e, interference = P_s e - P_{s_j} e, artefacts = e - P_s e.  These are not to
be compared with the 512-tap figures of mir_eval, which are never lower.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Signal = NDArray[np.float64]


class BssEval(NamedTuple):
    """Signal to distortion, interference and artefacts, each in dB, shape (sources,)."""

    sdr: Signal
    sir: Signal
    sar: Signal


def si_sdr(reference: ArrayLike, estimate: ArrayLike) -> float:
    """Scale-invariant SDR in dB, of signals (n,): inf for a perfect estimate.

    NaN where either is silent, for then no scale exists (Le Roux et al. 2019, means kept).
    """
    s, e = _pair(reference, estimate)
    target = _projected(s[None], e)
    return energy_ratio_db(target, e - target) if s.any() and e.any() else float("nan")


def bss_eval(references: ArrayLike, estimates: ArrayLike) -> BssEval:
    """One-tap SDR, SIR and SAR of estimates (sources, n), each of the reference at its index.

    With one reference the SIR is inf.  NaN for a silent reference or estimate.
    """
    S, E = _pair(references, estimates, ndim=2)
    rows = [_bss(S, s, e) for s, e in zip(S, E, strict=True)]
    return BssEval(*(np.array(column) for column in zip(*rows, strict=True)))


def _bss(S: Signal, s: Signal, e: Signal) -> tuple[float, float, float]:
    if not (s.any() and e.any()):
        return (float("nan"),) * 3
    target, known = _projected(s[None], e), _projected(S, e)
    interference = known - target if len(S) > 1 else np.zeros(1)
    return (
        energy_ratio_db(target, e - target),
        energy_ratio_db(target, interference),
        energy_ratio_db(known, e - known),
    )


def _projected(S: Signal, e: Signal) -> Signal:
    """The part of e (n,) in the span of the rows of S (sources, n)."""
    gains = np.linalg.lstsq(S @ S.T, S @ e, rcond=None)[0]
    return gains @ S


def energy_ratio_db(signal: Signal, error: Signal) -> float:
    """Energy of a signal over that of an error, in dB; inf without an error."""
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(np.vdot(signal, signal) / np.vdot(error, error)))


def _pair(reference: ArrayLike, estimate: ArrayLike, ndim: int = 1) -> tuple[Signal, Signal]:
    s, e = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    if s.ndim != ndim or s.shape != e.shape:
        shape = "(n,)" if ndim == 1 else "(sources, n)"
        raise ValueError(f"reference {s.shape} and estimate {e.shape} (wanted: {shape} both)")
    return s, e
