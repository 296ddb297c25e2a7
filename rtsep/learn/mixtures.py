"""Mixtures made of two corpora at given ratios, and corpora parted for learning and judging.

A mixture is s + g o, s an excerpt of the source and o one of the other sound, with g such that
their powers over their own sounding parts are `snr` dB apart: silence in one of them changes
nothing.  The same seed and files give the same mixtures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.learn.corpus import Recording, Samples, resampled

FRAME = 0.02  # s, of which a part sounds or not
GATE_DB = 40.0  # below the loudest frame
FEW = 5  # recordings below which they are parted in time, each of them
TRIES = 20  # excerpts looked at for one that sounds


@dataclass(frozen=True)
class Mixture:
    """source, other : float32 (n,), as they stand in the mixture, their sum.  snr : dB."""

    source: Samples
    other: Samples
    snr: float

    @property
    def mixture(self) -> Samples:
        return self.source + self.other


def sounding_power(x: Samples, rate: int) -> float:
    """Mean square over the frames within 40 dB of the loudest; 0 for silence."""
    size = max(1, min(len(x), round(FRAME * rate)))
    powers = np.square(x[: len(x) // size * size], dtype=np.float64).reshape(-1, size).mean(axis=1)
    loudest = powers.max(initial=0)
    return float(powers[powers > loudest * 10 ** (-GATE_DB / 10)].mean()) if loudest else 0.0


def mix(source: Samples, other: Samples, snr: float, rate: int) -> Mixture:
    """The sum of s and g o, (n,), at `snr` dB; ValueError where either is silent."""
    if source.shape != other.shape or source.ndim != 1:
        raise ValueError(f"source {source.shape} and other {other.shape} (wanted: (n,) both)")
    powers = sounding_power(source, rate), sounding_power(other, rate)
    if not min(powers) > 0:
        raise ValueError(f"powers {powers[0]:g} and {powers[1]:g} make no ratio (wanted: over 0)")
    gain = np.float32(np.sqrt(powers[0] / powers[1]) * 10 ** (-snr / 20))
    return Mixture(source, gain * other, snr)


def mixtures(
    sources: Sequence[Recording],
    others: Sequence[Recording],
    *,
    rate: int,
    snrs: Sequence[float] = (-5.0, 0.0, 5.0),
    count: int = 6,
    seconds: float = 4.0,
    seed: int = 0,
) -> list[Mixture]:
    """`count` mixtures of random excerpts, the ratios in turn; one channel at `rate` Hz.

    ValueError where a corpus holds no excerpt that sounds.
    """
    if not snrs:
        raise ValueError("0 signal to noise ratios are given (wanted: one or more, in dB)")
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    pairs = ((excerpt(sources, n, rate, rng), excerpt(others, n, rate, rng)) for _ in range(count))
    return [mix(s, o, snrs[i % len(snrs)], rate) for i, (s, o) in enumerate(pairs)]


def excerpt(corpus: Sequence[Recording], n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Samples (n,) that sound, of any recording, repeated where it is shorter."""
    for _ in range(TRIES):
        recording = corpus[int(rng.integers(len(corpus)))]
        most = max(0, recording.seconds - n / rate)
        begin = rng.uniform(0, most)
        found = _resampled(part(recording, begin, begin + n / rate), rate)
        if found.any():
            return np.resize(found, n).astype(np.float32)
    names = ", ".join(recording.name for recording in corpus[:3])
    raise ValueError(f"{names}: {TRIES} excerpts are silent (wanted: one that sounds)")


def part(recording: Recording, begin: float, end: float) -> Recording:
    """The same recording between two times in seconds."""
    first, last = (round(t * recording.rate) for t in (begin, end))
    first, last = max(0, first), min(recording.length, max(last, first + 1))

    def blocks() -> Iterator[Samples]:
        at = 0
        for block in recording.blocks():
            piece = block[max(0, first - at) : max(0, last - at)]
            if len(piece):
                yield piece
            at += len(block)
            if at >= last:
                return

    return replace(recording, length=last - first, blocks=blocks)


def parted(
    corpus: Sequence[Recording], shares: Sequence[float], seed: int = 0
) -> list[list[Recording]]:
    """A corpus in disjoint parts of these shares, which sum to one.

    Whole recordings go to one part, drawn by the seed; fewer than five are each cut in time.
    """
    edges = np.concatenate([[0], np.cumsum(shares)])
    if len(corpus) < FEW:
        return [[part(r, a * r.seconds, b * r.seconds) for r in corpus] for a, b in _pairs(edges)]
    order = np.random.default_rng(seed).permutation(len(corpus))
    places = np.rint(edges * len(corpus)).astype(int)
    return [[corpus[i] for i in sorted(order[a:b])] for a, b in _pairs(places)]


def material(corpus: Sequence[Recording], rate: int, seconds: float) -> Samples:
    """Up to so many seconds spread evenly over a corpus, mono at `rate` Hz."""
    share = seconds / len(corpus)
    return np.concatenate([_resampled(part(each, 0, share), rate) for each in corpus])


def _resampled(recording: Recording, rate: int) -> Samples:
    blocks = [*resampled(recording.blocks(), recording.rate, rate)]
    return np.concatenate([np.zeros(0, np.float32), *blocks])


def _pairs(edges: NDArray[Any]) -> list[tuple[float, float]]:
    return [*zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
