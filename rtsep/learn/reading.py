"""A corpus read once, from end to end, into what a method learns from."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rtsep.dsp.stream import StreamSpec
from rtsep.learn.asvd import Moments, moments
from rtsep.learn.corpus import Recording, resampled, usable
from rtsep.learn.frames import SILENCE, Array, Excerpt, energies, framed, magnitudes

Specs = dict[str, StreamSpec]
Report = Callable[[str], None]
Progress = Callable[[float], None]
T = TypeVar("T")


def read_excerpt(
    corpus: Sequence[Recording], spec: StreamSpec, skip: Report, progress: Progress
) -> tuple[Array, list[Recording]]:
    """Frames X (T, window) spread evenly over the corpus, and the recordings they are from."""
    excerpt = Excerpt(spec.window)

    def add(recording: Recording) -> int:
        return _sounding(recording, excerpt.add(_frames(recording, spec)))

    counts, used = _each(corpus, spec, add, skip, progress)
    return excerpt.levelled(), [r for r, count in zip(used, counts, strict=True) if count]


def read_moments(
    corpus: Sequence[Recording], specs: Specs, skip: Report, progress: Progress
) -> tuple[dict[str, Moments], list[Recording]]:
    """Second moments over all frames for each mode, every recording at a mean energy of one."""
    spec = next(iter(specs.values()))
    total = {mode: moments([], spec.bins) for mode, spec in specs.items()}

    def add(recording: Recording) -> None:
        found = _moments(recording, specs)
        _sounding(recording, found[spec.mode].frames)
        for mode, each in found.items():
            total[mode] += each.levelled()

    _, used = _each(corpus, spec, add, skip, progress)
    return total, used


def _each(
    corpus: Sequence[Recording],
    spec: StreamSpec,
    read: Callable[[Recording], T],
    skip: Report,
    progress: Progress,
) -> tuple[list[T], list[Recording]]:
    seconds, done = sum(each.seconds for each in corpus), 0.0

    def use(recording: Recording) -> tuple[T, Recording]:
        nonlocal done
        done += recording.seconds
        try:
            _long_enough(recording, spec)
            return read(recording), recording
        finally:
            progress(done / seconds)

    found = usable(corpus, use, skip)
    return [result for result, _ in found], [recording for _, recording in found]


def _frames(recording: Recording, spec: StreamSpec) -> Iterator[Array]:
    blocks = resampled(recording.blocks(), recording.rate, spec.rate)
    return framed(blocks, spec.window, spec.window // 4)


def _moments(recording: Recording, specs: Specs) -> dict[str, Moments]:
    total = {mode: moments([], spec.bins) for mode, spec in specs.items()}
    for X in _frames(recording, next(iter(specs.values()))):
        loud = X[energies(X) > SILENCE]
        for mode, spec in specs.items():
            total[mode] += moments([magnitudes(loud, spec)], spec.bins)
    return total


def _long_enough(recording: Recording, spec: StreamSpec) -> None:
    seconds = spec.window / spec.rate
    if recording.seconds < seconds:
        raise ValueError(
            f"{recording.name}: {recording.length} samples, {1e3 * recording.seconds:.1f} ms "
            f"(wanted: one window of {1e3 * seconds:.1f} ms at least)"
        )


def _sounding(recording: Recording, count: int) -> int:
    if not count:
        raise ValueError(
            f"{recording.name}: silent, 0 of its {recording.length} samples' frames "
            f"are over -120 dBFS (wanted: one at least)"
        )
    return count
