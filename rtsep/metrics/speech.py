"""Perceived quality and intelligibility of speech, by the packages of `rtsep[metrics]`.

All work at 16 kHz; other rates are resampled.  NaN for a silent reference.
"""

import warnings
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

RATE = 16000  # Hz
SHORTEST = 0.4  # s, of which the intelligibility measure makes one segment


class DnsMos(NamedTuple):
    """Predicted opinions 1..5: overall (P.835), of the speech, of the background, and P.808."""

    overall: float
    speech: float
    background: float
    p808: float


def pesq(reference: ArrayLike, estimate: ArrayLike, rate: int) -> float:
    """Wideband PESQ (ITU-T P.862.2), 1.04..4.64; NaN where it finds no utterance."""
    package = _package("pesq")
    s, e = _pair(reference, estimate, rate)
    if not (s.any() and e.any()):
        return float("nan")
    try:
        return float(package.pesq(RATE, s, e, "wb"))
    except (package.NoUtterancesError, package.BufferTooShortError):
        return float("nan")


def estoi(reference: ArrayLike, estimate: ArrayLike, rate: int) -> float:
    """Extended short-time objective intelligibility, up to 1; NaN below 0.4 s of speech."""
    package = _package("pystoi")
    s, e = _pair(reference, estimate, rate)
    if len(s) < SHORTEST * RATE or not s.any():
        return float("nan")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Not enough STFT frames", RuntimeWarning)
        try:
            return float(package.stoi(s, e, RATE, extended=True))
        except RuntimeWarning:
            return float("nan")


def dnsmos(samples: ArrayLike, rate: int) -> DnsMos:
    """DNSMOS of a signal by itself, without a reference."""
    package = _package("speechmos.dnsmos")
    x = _resampled(np.asarray(samples, np.float32), rate)
    if not x.any():
        return DnsMos(*[float("nan")] * 4)
    found = package.run(x / max(1.0, float(np.abs(x).max())), RATE)
    keys = ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")
    return DnsMos(*(float(found[key]) for key in keys))


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        missing = (error.name or name).partition(".")[0]
        raise ImportError(
            f"{missing} is not installed: pip install 'rtsep[metrics]'", name=missing
        ) from None


def _pair(
    reference: ArrayLike, estimate: ArrayLike, rate: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    s, e = np.asarray(reference, np.float32), np.asarray(estimate, np.float32)
    if s.ndim != 1 or s.shape != e.shape:
        raise ValueError(f"reference {s.shape} and estimate {e.shape} (wanted: (n,) both)")
    return _resampled(s, rate), _resampled(e, rate)


def _resampled(x: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    if x.ndim != 1:
        raise ValueError(f"samples have shape {x.shape} (wanted: (n,))")
    if rate == RATE:
        return x
    import soxr

    resampled: NDArray[np.float32] = soxr.resample(x, rate, RATE)
    return resampled
