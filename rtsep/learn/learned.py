"""What every method starts from and ends in: spectra below a bandwidth, and bases of each mode."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rtsep.artefacts.basis import Basis
from rtsep.dsp.stream import StreamSpec
from rtsep.learn.corpus import Recording
from rtsep.learn.factors import Watch
from rtsep.learn.frames import Array, magnitudes
from rtsep.learn.reading import Progress, Specs

FIRST = "high"  # the mode that NMF starts with: its window is symmetric


@dataclass(frozen=True)
class Learned:
    """W for each mode over the bins below the bandwidth, and what was measured on the way."""

    W: dict[str, Array]
    bandwidth: float
    used: list[Recording]
    quality: dict[str, Any]


@dataclass(frozen=True)
class Watchers:
    """Who is told how the learning goes.  progress : with 0..1.  watch : with the objective."""

    progress: Progress
    watch: Watch

    def __call__(self, done: float) -> None:
        self.progress(done)


def unwatched(done: float) -> None:
    """Progress nobody looks at."""


def never(objective: float) -> bool:
    """A watcher for whom it is never enough."""
    return False


def part(progress: Progress, low: float, high: float) -> Progress:
    """Progress of a piece of the work that takes the whole from `low` to `high`."""
    return lambda done: progress(low + (high - low) * done)


def spectra(X: Array, specs: Specs, mode: str, bandwidth: float, power: int) -> Array:
    """V (F, T) below the bandwidth; frames sum to one on average."""
    V = magnitudes(X, specs[mode])[: bins_of(bandwidth, specs[mode])] ** power
    V /= V.sum(axis=0).mean()
    return V


def bandwidth_of(used: Sequence[Recording], specs: Specs, extend: Basis | None = None) -> float:
    """Hz up to which all of the material sounds."""
    own = min(*(each.rate for each in used), specs[FIRST].rate) / 2
    return min(own, extend.card.bandwidth) if extend else own


def bins_of(bandwidth: float, spec: StreamSpec) -> int:
    return min(int(bandwidth / spec.bin_hz) + 1, spec.bins)
