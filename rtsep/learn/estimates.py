"""What another method makes of the mixtures: recordings of its estimates, written once to a tape.

However slow it is, a streaming network learns from it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.stream import stream_spec
from rtsep.learn.corpus import Recording, Samples
from rtsep.learn.offline import filtered
from rtsep.learn.scenes import RATE, length, spectra
from rtsep.learn.tapes import FULL, Tape, tape

Array = NDArray[np.float32]
Mask = Callable[[Array], Array]  # of |X| (T, F), m (T, F) of the unobserved source

SECONDS = 10.0  # of mixture that a method sees at once


def estimates(mixtures: Tape, method: Callable[[], Mask], folder: Path, what: str) -> Tape:
    """A tape of x = m(y) y of all mixtures, sample for sample at their scale; ValueError for none.

    method : learns the mask; called only where the tape is not there yet.  `what` names it and all
    that it hangs on.
    """
    spec, learned = stream_spec(RATE, "high"), cache(method)

    def estimate(y: NDArray[np.int16]) -> Iterator[Samples]:
        yield filtered(y.astype(np.float32) / np.float32(FULL), spec, learned())

    corpus = [
        Recording(f"estimate {i}", RATE, len(y), partial(estimate, y))
        for i, y in enumerate(pieces(mixtures))
    ]
    made = tape(corpus, RATE, folder, what, refuse, scale=1)
    if not any(piece.any() for piece in pieces(made)):
        raise ValueError(f"all {len(corpus)} estimates are silent (wanted: one that sounds)")
    bandwidth = float(mixtures.bandwidths.min())
    return replace(
        made, bandwidths=np.full(len(made.bandwidths), bandwidth), mixtures=mixtures.samples
    )


def refuse(reason: str) -> None:
    """Estimates are as long as their mixtures: none can be left out."""
    raise ValueError(reason)


def pieces(mixtures: Tape) -> Iterator[NDArray[np.int16]]:
    """All recordings, long ones in parts."""
    n = round(SECONDS * mixtures.rate)
    for first, last in zip(mixtures.edges[:-1], mixtures.edges[1:], strict=True):
        yield from np.array_split(mixtures.samples[first:last], -(-(last - first) // n))


def excerpts(source: Tape, count: int, frames: int, seed: int) -> Array:
    """|X| (count, frames, F) of random places."""
    rng, n = np.random.default_rng(seed), length(frames, "high")
    found = [np.abs(spectra(source.excerpt(n, rng)[0], "high", frames)) for _ in range(count)]
    return np.stack(found)
