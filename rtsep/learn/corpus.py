"""Recordings to learn from, streamed as mono blocks: files, what names many, or arrays.

Memory stays that of one block, however long a recording is.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.stream import MAX_RATE, MIN_RATE
from rtsep.learn.listing import NOT_STATED, sound_files

Samples = NDArray[np.float32]
Source = str | PathLike[str] | tuple[NDArray[Any], int]
S = TypeVar("S")
T = TypeVar("T")

BLOCK = 1 << 16  # samples a channel
MAX_CHANNELS = 8


@dataclass(frozen=True)
class Recording:
    """One recording.  rate : Hz.  length : samples a channel.  blocks : mono float32, in order.
    licence : as a manifest states it.  content : of an array and its rate, by which
    others are told apart.

    Iterating over `blocks()` raises ValueError where the material cannot be used after all.
    """

    name: str
    rate: int
    length: int
    blocks: Callable[[], Iterator[Samples]]
    licence: str = NOT_STATED
    content: str = ""

    @property
    def seconds(self) -> float:
        return self.length / self.rate


def recordings(sources: Source | Sequence[Source], skip: Callable[[str], None]) -> list[Recording]:
    """All that can be opened; `skip` gets a line for each that cannot, ValueError if all.

    A source is a file, a folder (searched through with its subfolders), a glob, a CSV manifest
    or (samples, rate) with float samples (n,) or (channels, n).
    """

    def examined(listed: tuple[Source, str]) -> Recording:
        source, licence = listed
        return replace(_examine(source), licence=licence)

    return usable(_listed(sources), examined, skip)


def usable(each: Iterable[S], use: Callable[[S], T], skip: Callable[[str], None]) -> list[T]:
    """What `use` makes of all it does not refuse by ValueError, in order.

    `skip` gets a line for each refused at once, unless it is the only one; where all are refused,
    ValueError with the first one's.
    """
    made: list[T] = []
    refused: list[str] = []
    each = list(each)
    for one in each:
        try:
            made.append(use(one))
        except ValueError as error:
            refused.append(str(error))
            if len(each) > 1:
                skip(refused[-1])
    if not made:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise ValueError(
            f"{refused[0]}{more}" if refused else "no recording is given (wanted: one at least)"
        )
    return made


def resampled(blocks: Iterable[Samples], rate: int, target: int) -> Iterator[Samples]:
    """Mono blocks at another rate, as a stream."""
    if rate == target:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate, target, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _listed(sources: Source | Sequence[Source]) -> Iterator[tuple[Source, str]]:
    if isinstance(sources, str | PathLike) or _is_array_source(sources):
        sources = [sources]  # type: ignore[list-item]
    for source in sources:
        if isinstance(source, str | PathLike):
            yield from sound_files(Path(source)).items()
        else:
            yield source, NOT_STATED  # type: ignore[misc]


def _is_array_source(source: object) -> bool:
    return isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], np.ndarray)


def _examine(source: Source) -> Recording:
    if isinstance(source, str | PathLike):
        return _from_file(Path(source))
    if _is_array_source(source):
        return _from_array(*source)
    raise TypeError(f"a recording is a path or (samples, rate), not {type(source).__name__}")


def _from_array(samples: NDArray[Any], rate: int) -> Recording:
    if not np.issubdtype(samples.dtype, np.floating):
        raise TypeError(f"samples are {samples.dtype} (wanted: float32 or float64)")
    if samples.ndim not in (1, 2):
        raise ValueError(f"samples have shape {samples.shape} (wanted: (n,) or (channels, n))")
    channels = np.atleast_2d(samples)
    _check("samples", len(channels), rate, channels.shape[1])
    mono = channels.mean(axis=0, dtype=np.float32)
    content = hashlib.sha256(mono.tobytes() + str(rate).encode()).hexdigest()[:16]
    return Recording(
        "samples", rate, mono.size, lambda: _finite("samples", [mono]), content=content
    )


def _from_file(path: Path) -> Recording:
    import soundfile

    _check_file(path)
    try:
        with soundfile.SoundFile(_name(path)) as file:
            _check(str(path), file.channels, file.samplerate, file.frames)
            rate, length = file.samplerate, file.frames
    except (soundfile.LibsndfileError, TypeError) as error:
        raise ValueError(_unreadable(path, error)) from None
    return Recording(str(path), rate, length, lambda: _finite(str(path), _decoded(path)))


def _name(path: Path) -> Path | bytes:
    """Its bytes: soundfile refuses a name that is not UTF-8."""
    return path if os.name == "nt" else os.fsencode(path)


def _check_file(path: Path) -> None:
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    if not path.is_file():
        raise ValueError(f"{path}: neither a file nor a folder")
    if not path.stat().st_size:
        raise ValueError(f"{path}: empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path}: may not be read (permission denied)")


def _check(name: str, channels: int, rate: int, length: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise ValueError(f"{name}: {channels} channels (wanted: 1..{MAX_CHANNELS})")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise ValueError(f"{name}: rate {rate} Hz (wanted: {MIN_RATE}..{MAX_RATE} Hz)")
    if length < 1:
        raise ValueError(f"{name}: {length} samples (wanted: some)")


def _decoded(path: Path) -> Iterator[Samples]:
    import soundfile

    try:
        with soundfile.SoundFile(_name(path)) as file:
            while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                yield block.mean(axis=1)
    except soundfile.LibsndfileError as error:
        raise ValueError(_unreadable(path, error)) from None


def _unreadable(path: Path, error: BaseException) -> str:
    reason = getattr(error, "error_string", "a headerless format").rstrip(".")
    return f"{path}: no sound file that can be read ({reason})"


def _finite(name: str, blocks: Iterable[Samples]) -> Iterator[Samples]:
    start = 0
    for block in blocks:
        if not np.isfinite(block).all():
            first = int(np.argmin(np.isfinite(block)))
            raise ValueError(f"{name}: sample {start + first} is {block[first]} (wanted: finite)")
        start += len(block)
        yield block
