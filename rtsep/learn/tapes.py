"""Recordings end to end in one file on the disk, from which random excerpts are read.

A tape is memory-mapped int16 with the places of its recordings: more of it than fits the memory
can be trained on.  It is written once for a corpus and a rate and found again by its digest.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.whole import write_whole
from rtsep.learn.cache import cached, digest, stamps
from rtsep.learn.corpus import Recording, Samples, resampled, usable

FULL = 32767
SILENCE = 1e-4  # of full scale, RMS of an excerpt under which another is drawn
TRIES = 20
PART = 1 << 20  # samples that are in memory at once
FORM = 2  # of the files


@dataclass(frozen=True)
class Tape:
    """samples : int16 (n,), on the disk.  edges : (recordings + 1,), where each begins and ends.

    rate : Hz.  bandwidths : Hz, (recordings,), up to which each sounds.  places : (recordings,), of
    each in the corpus, of which silent ones are left out.  mixtures : int16 (n,), where the samples
    are estimates of a part of them.
    """

    samples: NDArray[np.int16]
    edges: NDArray[np.int64]
    bandwidths: NDArray[np.float64]
    places: NDArray[np.int64]
    rate: int
    mixtures: NDArray[np.int16] | None = None

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def excerpt(self, n: int, rng: np.random.Generator) -> tuple[Samples, float]:
        """Samples (n,) that sound, of one recording, repeated where it is shorter; its bandwidth.

        Recordings are drawn by the roots of their lengths: long ones do not drown short ones.
        """
        (found, *_), bandwidth = self.excerpts(n, rng)
        return found, bandwidth

    def excerpts(self, n: int, rng: np.random.Generator) -> tuple[list[Samples], float]:
        """The same, and where the tape has mixtures as much of them, which is what sounds."""
        lengths = np.sqrt(np.diff(self.edges))
        for _ in range(TRIES):
            i = int(rng.choice(len(lengths), p=lengths / lengths.sum()))
            found = self._pieces(i, n, rng)
            if np.sqrt(np.mean(found[-1] ** 2)) > SILENCE:
                break
        return found, float(self.bandwidths[i])

    def _pieces(self, i: int, n: int, rng: np.random.Generator) -> list[Samples]:
        first, last = self.edges[i], self.edges[i + 1]
        start = first + rng.integers(max(1, last - first - n + 1))
        sounds = [self.samples] if self.mixtures is None else [self.samples, self.mixtures]
        taken = [each[start : min(start + n, last)].astype(np.float32) / FULL for each in sounds]
        return [np.resize(each, n) for each in taken]


def tape(
    corpus: Sequence[Recording], rate: int, folder: Path, what: str, skip: Callable[[str], None],
    scale: float | None = None,
) -> Tape:  # fmt: skip
    """The tape of a corpus, made in `folder` where it is not there yet; ValueError for silence.

    what : the name of this part of the files, for the same file may be cut into several.
    scale : what all are multiplied by, silence and all; unless told each goes from its first sound
    to its last with a peak of one half.
    """
    key = [FORM, what, rate, *([each.length] for each in corpus), *_stamps(corpus)]
    key += [] if scale is None else [scale]
    path = folder / f"{what}-{digest(key)}.pcm"
    told = cached(folder, what, key, lambda: _written(corpus, rate, path, skip, scale))
    samples = np.memmap(path, np.int16, "r")
    if len(samples) != told["edges"][-1]:
        raise ValueError(f"{path}: {len(samples)} samples (wanted: {told['edges'][-1]})")
    return Tape(samples, told["edges"], told["bandwidths"], told["places"], rate)


def _stamps(corpus: Sequence[Recording]) -> list[list[Any]]:
    files = stamps(each.name for each in corpus if Path(each.name).is_file())
    return files + [[each.content] for each in corpus if each.content]


def _written(
    corpus: Sequence[Recording], rate: int, path: Path, skip: Callable[[str], None],
    scale: float | None,
) -> dict[str, NDArray[Any]]:  # fmt: skip
    lengths: list[int] = []
    bandwidths: list[float] = []
    places: list[int] = []

    def write(file: IO[bytes]) -> None:
        def add(place: int) -> None:
            each = corpus[place]
            begin = file.tell()
            _write_sounding(each, rate, file, path.parent, scale)
            lengths.append((file.tell() - begin) // 2)
            bandwidths.append(min(each.rate, rate) / 2)
            places.append(place)

        usable(range(len(corpus)), add, skip)

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, write)
    edges = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return {"edges": edges, "bandwidths": np.array(bandwidths), "places": np.array(places)}


def _write_sounding(
    recording: Recording, rate: int, file: IO[bytes], folder: Path, scale: float | None
) -> None:
    """A recording as int16, however long it is."""
    with TemporaryFile(dir=folder) as held:
        for block in resampled(recording.blocks(), recording.rate, rate):
            held.write(block.astype(np.float32).tobytes())
        held.flush()
        samples = np.memmap(held, np.float32, "r") if held.tell() else np.zeros(0, np.float32)
        peak = max((float(np.abs(part).max()) for part in _parts(samples)), default=0.0)
        if not np.isfinite(peak):
            raise ValueError(f"{recording.name}: peak {peak:g} (wanted: a number)")
        if scale is None:
            if not peak > 1e-6:
                raise ValueError(f"{recording.name}: silent (peak {peak:g})")
            first, last = _heard(samples, 1e-3 * peak)
            samples, scale = samples[first : last + 1], 0.5 / peak
        for part in _parts(samples):
            numbers = np.rint(part * (scale * FULL)).clip(-FULL, FULL)
            file.write(numbers.astype(np.int16).tobytes())


def _parts(samples: Samples) -> Iterator[Samples]:
    return (samples[at : at + PART] for at in range(0, len(samples), PART))


def _heard(samples: Samples, least: float) -> tuple[int, int]:
    """Places of the first and the last sample that are louder."""
    places = [
        n * PART + loud[[0, -1]]
        for n, part in enumerate(_parts(samples))
        if len(loud := np.flatnonzero(np.abs(part) > least))
    ]
    return int(places[0][0]), int(places[-1][1])
