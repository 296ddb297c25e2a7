"""Sound files through the engine: streamed, in time with the input, whole or not at all.

Output sample n answers input sample n: the engine's latency is taken off the beginning and made
up for with as many zeros after the end.  Memory does not grow with the file.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from rtsep.artefacts.whole import Draft, whole
from rtsep.engine.engine import Engine
from rtsep.ports.formats import SoundFormat, format_for
from rtsep.ports.recordings import Recording, Samples, Writer, read, writer

Progress = Callable[[int, int], None]  # samples done, samples in all
STEM_FORMAT = SoundFormat("WAV", "FLOAT")


@dataclass(frozen=True)
class Written:
    """One file that was made.  length : samples a channel.  clipped : samples cut at full scale."""

    path: Path
    source: str
    format: SoundFormat
    rate: int
    channels: int
    length: int
    clipped: int


def stem_paths(folder: Path, sources: Sequence[str]) -> list[Path]:
    """One WAV file per source, named after it."""
    for name in sources:
        if Path(name).name != name or name in ("", ".", ".."):
            raise ValueError(f"source {name!r} cannot name a file")
    return [folder / f"{name}.wav" for name in sources]


def refuse_overlap(source: Path, targets: Sequence[Path]) -> None:
    """ValueError if an output is the input, be it through links, or two outputs are one file."""
    for target in targets:
        place = Path(os.path.realpath(target))  # what will be replaced
        if place.exists() and place.samefile(source):
            raise ValueError(f"output {target} is the input {source}")
    places = [target.resolve() for target in targets]
    for i, place in enumerate(places):
        if place in places[:i]:
            raise ValueError(
                f"outputs {targets[places.index(place)]} and {targets[i]} are one file"
            )


@contextmanager
def folder(path: Path | None) -> Iterator[None]:
    """Make a folder, and take it away again if what goes into it fails."""
    new = path is not None and not path.exists()
    if path is not None:
        path.mkdir(exist_ok=True)
    try:
        yield
    except BaseException:
        if path is not None and new:
            with suppress(OSError):
                path.rmdir()
        raise


def aligned(blocks: Iterable[Samples], latency: int) -> Iterator[Samples]:
    """The blocks without their first `latency` samples.  Blocks are (..., n)."""
    for block in blocks:
        skip = min(latency, block.shape[-1])
        latency -= skip
        if skip < block.shape[-1]:
            yield block[..., skip:]


def through(
    recording: Recording, engine: Engine, step: Callable[[Samples], Samples]
) -> Iterator[Samples]:
    """What the engine makes of a recording, in time with it.

    step : `engine.process` or `engine.separate`.
    """
    engine.reset()
    flush = np.zeros((recording.channels, engine.latency), np.float32)
    return aligned(map(step, chain(read(recording), [flush])), engine.latency)


def _described(made: Writer, source: str, recording: Recording) -> Written:
    return Written(
        made.file.draft.target, source, made.format, recording.rate, recording.channels,
        recording.length, made.clipped,
    )  # fmt: skip


class _Count:
    """Samples done, told to whoever wants to know."""

    def __init__(self, total: int, tell: Progress | None) -> None:
        self.done, self.total, self.tell = 0, total, tell

    def add(self, samples: int) -> None:
        self.done += samples
        if self.tell:
            self.tell(self.done, self.total)


def _fill(makers: list[Writer], blocks: Iterator[Samples], count: _Count) -> None:
    """Deal blocks (writers, channels, n) out to the writers."""
    for block in blocks:
        for made, samples in zip(makers, block, strict=True):
            made.write(samples)
        count.add(block.shape[-1])


def fit(recording: Recording, engine: Engine) -> None:
    """ValueError if the engine is made for another rate or number of channels."""
    if (engine.rate, engine.channels) != (recording.rate, recording.channels):
        raise ValueError(
            f"{recording.path} is {recording.rate} Hz with {recording.channels} channels, "
            f"the engine {engine.rate} Hz with {engine.channels}"
        )


def denoise(
    recording: Recording,
    target: Path,
    engine: Engine,
    *,
    stems: Path | None = None,
    progress: Progress | None = None,
) -> list[Written]:
    """Write what the engine keeps of a recording to `target`, and every source below `stems`.

    Stems are 32-bit float WAV by raw masks, whatever strength and faders are; their sum is the
    recording, times the input gain.  All files appear together at the end, or none does.  The
    folder `stems` is made.
    """
    fit(recording, engine)
    samples = recording.length * recording.channels
    forms = [format_for(target, recording.format, samples)]
    targets, names = [target], [" + ".join(engine.keep)]
    if stems is not None:
        targets += stem_paths(stems, engine.sources)
        names += engine.sources
        forms += [format_for(path, STEM_FORMAT, samples) for path in targets[1:]]
    refuse_overlap(recording.path, targets)
    count = _Count(recording.length * (1 if stems is None else 2), progress)
    with folder(stems), whole(*targets) as drafts:
        made = _write_all(recording, engine, drafts, forms, count)
        return [_described(m, name, recording) for m, name in zip(made, names, strict=True)]


def _write_all(
    recording: Recording,
    engine: Engine,
    drafts: list[Draft],
    forms: list[SoundFormat],
    count: _Count,
) -> list[Writer]:
    """The kept sound into the first draft, the sources into the others."""
    with ExitStack() as files:
        made = [
            files.enter_context(writer(draft, form, recording.rate, recording.channels))
            for draft, form in zip(drafts, forms, strict=True)
        ]
        kept = through(recording, engine, engine.process)
        _fill(made[:1], (block[np.newaxis] for block in kept), count)
        if made[1:]:
            _fill(made[1:], through(recording, engine, engine.separate), count)
    return made
