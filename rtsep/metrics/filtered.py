"""BSS eval where a source may come through any filter of 512 taps (Vincent et al. 2006, v3).

e is the estimate, s_j the references, S all their delays 0..L-1, L taps: target = P_{s_j} e,
interference = P_S e - P_{s_j} e, artefacts = e - P_S e, all n + L - 1 samples long.  The SDR is
never lower than with one tap, for a scaling is a filter; do not compare the two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import LinAlgError, cho_factor, cho_solve, toeplitz

from rtsep.metrics.separation import BssEval, Signal, energy_ratio_db

Factor = tuple[Signal, bool]

TAPS = 512
SILENT = (float("nan"),) * 3
# Of the mean energy, where sources are narrow or twice there.
LOADS = (0, 1e-14, 1e-12, 1e-10, 1e-8)


def filtered_bss_eval(references: ArrayLike, estimates: ArrayLike, *, taps: int = TAPS) -> BssEval:
    """SDR, SIR and SAR in dB of estimates (k, n), each of the reference (sources, n) at its index.

    References beyond the k-th are other sources of the mixture.  With one reference the SIR is
    inf.  NaN for a silent reference or estimate; a silent reference takes part in nothing else.
    """
    S, E = np.asarray(references, np.float64), np.asarray(estimates, np.float64)
    if S.ndim != 2 or E.ndim != 2 or len(E) > len(S) or S.shape[1] != E.shape[1]:
        raise ValueError(
            f"references {S.shape} and estimates {E.shape} (wanted: (sources, n) and (k, n), "
            f"k <= sources)"
        )
    if taps < 1:
        raise ValueError(f"taps {taps} are out of range (wanted: 1 or more)")
    sounding = S[S.any(axis=1)]
    together = span(sounding, taps) if len(sounding) else None
    rows = [
        _bss(span(s[None], taps), together, e) if s.any() and e.any() and together else SILENT
        for s, e in zip(S, E, strict=False)
    ]
    return BssEval(*(np.array(column) for column in zip(*rows, strict=True)))


@dataclass(frozen=True)
class Span:
    """All delays of signals.  spectra : (sources, bins), from N points.  factor : of their gram."""

    spectra: NDArray[np.complex128]
    factor: Factor
    taps: int
    length: int
    N: int

    def project(self, e: Signal) -> Signal:
        """P e, e padded to n + L - 1."""
        correlated = irfft(self.spectra.conj() * rfft(e, self.N), self.N)[:, : self.taps]
        filters = cho_solve(self.factor, correlated.ravel()).reshape(len(self.spectra), self.taps)
        filtered: Signal = irfft((rfft(filters, self.N) * self.spectra).sum(axis=0), self.N)
        return filtered[: self.length + self.taps - 1]


def span(S: Signal, taps: int) -> Span:
    """The delays 0..taps-1 of S (sources, n), none silent."""
    N = next_fast_len(S.shape[1] + taps - 1, real=True)
    spectra = rfft(S, N)
    gram = np.block([[_delays(a, b, N, taps) for b in spectra] for a in spectra])
    return Span(spectra, _factored(gram), taps, S.shape[1], N)


def _delays(a: NDArray[np.complex128], b: NDArray[np.complex128], N: int, taps: int) -> Signal:
    """Products of two signals under all pairs of delays, (taps, taps)."""
    R = irfft(a.conj() * b, N)
    products: Signal = toeplitz(R[:taps], R[-np.arange(taps)])
    return products


def _factored(gram: Signal) -> Factor:
    """Cholesky; the diagonal is loaded just enough where delays of sources are dependent."""
    for load in LOADS:
        try:
            factor: Factor = cho_factor(
                gram + load * np.trace(gram) / len(gram) * np.eye(len(gram))
            )
        except LinAlgError:
            continue
        return factor
    raise ValueError(f"references are dependent beyond a load of {LOADS[-1]:g}")


def _bss(own: Span, together: Span, e: Signal) -> tuple[float, float, float]:
    target, known = own.project(e), together.project(e)
    padded = np.pad(e, (0, own.taps - 1))
    alone = len(together.spectra) == 1
    interference = np.zeros(1) if alone else known - target
    return (
        energy_ratio_db(target, padded - target),
        energy_ratio_db(target, interference),
        energy_ratio_db(known, padded - known),
    )
