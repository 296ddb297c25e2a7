"""Sound files read and written block by block."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from rtsep.artefacts.whole import Draft, naming
from rtsep.dsp.stream import LOUDEST, MAX_RATE, MIN_RATE
from rtsep.ports.formats import SoundFormat, encode
from rtsep.separators.slot import CHANNELS

Samples = NDArray[np.float32]
BLOCK = 1 << 15  # samples a channel
SAMPLED = (1, 3, 6, 7, 0xFFFE)  # WAV's formats with as many bytes for every sample
UNTOLD = 0x7FFF0000  # bytes; sox, arecord and ffmpeg tell of more into a pipe
CHUNKS = 64  # before the samples, that are looked through at most


@dataclass(frozen=True)
class Recording:
    """A readable sound file.  rate : Hz.  length : samples a channel.

    promised : samples a channel that its header tells of where it is a WAV file, 0 if unknown.
    """

    path: Path
    rate: int
    channels: int
    length: int
    format: SoundFormat
    promised: int = 0

    @property
    def seconds(self) -> float:
        return self.length / self.rate


def _open(path: Path) -> sf.SoundFile:
    with path.open("rb"):  # what the system has to say against it, in its own words
        mode = path.stat()
    if not stat.S_ISREG(mode.st_mode):
        raise ValueError(f"{path} is not a regular file")
    if mode.st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes)")
    try:
        # Its bytes: soundfile refuses a name that is not UTF-8.
        return sf.SoundFile(path if os.name == "nt" else os.fsencode(path))
    except (sf.LibsndfileError, TypeError) as error:
        reason = getattr(error, "error_string", "a headerless format").rstrip(".")
        raise ValueError(f"{path} is not a sound file that can be read: {reason}") from error


def promised(path: Path) -> int:
    """Samples a channel that a WAV file's header tells of; 0 where it tells of none.

    Programs that write into a pipe tell of none, or of as many as the header can.
    """
    wide = 0  # bytes of a sample of all channels
    with path.open("rb") as file:
        name = file.read(12)
        if (name[:4], name[8:]) != (b"RIFF", b"WAVE"):
            return 0
        for _ in range(CHUNKS):
            head = file.read(8)
            if len(head) < 8:
                return 0
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                return size // wide if wide and size < UNTOLD else 0
            body = file.read(16) if head[:4] == b"fmt " else b""
            if body and int.from_bytes(body[:2], "little") in SAMPLED:
                wide = int.from_bytes(body[12:14], "little")
            file.seek(size + size % 2 - len(body), os.SEEK_CUR)
    return 0


def examine(path: str | os.PathLike[str]) -> Recording:
    """What a file holds; ValueError or OSError says why it cannot be used."""
    place = Path(path)
    with _open(place) as file:
        form = SoundFormat(file.format, file.subtype)
        recording = Recording(
            place, file.samplerate, file.channels, file.frames, form, promised(place)
        )
    if not 1 <= recording.channels <= CHANNELS:
        raise ValueError(f"{path} has {recording.channels} channels, outside 1..{CHANNELS}")
    if not MIN_RATE <= recording.rate <= MAX_RATE:
        raise ValueError(
            f"{path} has a rate of {recording.rate} Hz, outside {MIN_RATE}..{MAX_RATE}"
        )
    if recording.length < 1:
        raise ValueError(f"{path} holds no samples (length 0)")
    return recording


def refuse_nonfinite(samples: Samples, start: int, recording: Recording) -> None:
    """ValueError with the place of the first NaN, Inf or sample that no engine takes.

    samples : (channels, n) from `start`.
    """
    broken = ~(np.abs(samples) <= LOUDEST)  # also true of NaN
    if broken.any():
        i = int(np.argmax(broken.any(axis=0)))
        channel = int(np.argmax(broken[:, i]))
        place = f"sample {start + i} ({(start + i) / recording.rate:.3f} s), channel {channel + 1}"
        words = f"{recording.path} holds {samples[channel, i]:g} at {place}"
        raise ValueError(f"{words} (full scale is 1, at most {LOUDEST:g})")


def read(recording: Recording, block: int = BLOCK) -> Iterator[Samples]:
    """All its samples in blocks, float32 (channels, n), refusing what no engine takes."""
    start = 0
    with _open(recording.path) as file:
        while len(samples := _next(file, recording, block)):
            refuse_nonfinite(samples.T, start, recording)
            start += len(samples)
            yield np.ascontiguousarray(samples.T)
    if start != recording.length:
        raise ValueError(f"{recording.path} ends at sample {start} of {recording.length}")


def _next(file: sf.SoundFile, recording: Recording, block: int) -> Samples:
    try:
        samples: Samples = file.read(block, dtype="float32", always_2d=True)
    except sf.LibsndfileError as error:
        raise ValueError(f"{recording.path} is damaged: {error.error_string}") from error
    return samples


class VirtualFile:
    """A draft as libsndfile's virtual files are: to read, write, seek and tell.

    These are called from C, which cannot pass an exception on: the first one is kept, Ctrl-C
    included, and `check` raises it.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.error: BaseException | None = None

    def _try(self, act: Any, *arguments: Any) -> int:
        if self.error is None:
            try:
                with naming(self.draft.target):
                    return int(act(*arguments))
            except BaseException as error:
                self.error = error
        return 0

    def write(self, piece: bytes) -> int:
        return self._try(self.draft.file.write, piece)

    def readinto(self, piece: Any) -> int:
        return self._try(self.draft.file.readinto, piece)  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._try(self.draft.file.seek, offset, whence)

    def tell(self) -> int:
        return self._try(self.draft.file.tell)

    def check(self) -> None:
        """Raise the first exception, a full disk for one."""
        if self.error is not None:
            raise self.error


@dataclass
class Writer:
    """Takes blocks of float32 (channels, n), counts the samples it has to clip."""

    file: VirtualFile
    format: SoundFormat
    write_encoded: Callable[[NDArray[np.float32]], None]
    clipped: int = field(default=0)

    def write(self, samples: Samples) -> None:
        encoded, clipped = encode(samples, self.format.subtype)
        self.clipped += clipped
        try:
            self.write_encoded(encoded)
        except (sf.LibsndfileError, AssertionError):
            self.file.check()
            raise
        self.file.check()


@contextmanager
def writer(draft: Draft, form: SoundFormat, rate: int, channels: int) -> Iterator[Writer]:
    """Write a sound file into a draft.  A full disk is an OSError, at the latest on leaving."""
    virtual = VirtualFile(draft)
    try:
        file = sf.SoundFile(
            virtual, "w", rate, channels, subtype=form.subtype, format=form.container
        )
    except sf.LibsndfileError as error:
        virtual.check()
        wish = f"{form} at {rate} Hz with {channels} channels"
        raise ValueError(f"{draft.target} cannot be {wish}: {error.error_string}") from error
    try:
        with file:
            yield Writer(virtual, form, file.write)
    except sf.LibsndfileError:
        virtual.check()
        raise
    virtual.check()
