"""The live engine without a sound card: a recording is the microphone, a file the speaker.

The engine's own stream callback is called by its address, block by block as a device would, when
the clock says that the block has been recorded.  What is written is what a speaker would have
played: `latency` samples later than the recording, and as long as it.
"""

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtsep.artefacts.whole import whole
from rtsep.engine.engine import Engine
from rtsep.ports.files import fit, refuse_overlap
from rtsep.ports.formats import format_for
from rtsep.ports.recordings import Recording, Samples, read, writer

PIECE = 100  # blocks read from the file at once
StreamCallback = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p,
    ctypes.c_uint64, ctypes.c_void_p,
)  # fmt: skip
Tell = Callable[[float, float], None]  # seconds played, seconds in all


@dataclass(frozen=True)
class Played:
    """What a run came to.  late_starts : blocks begun more than one period after their time."""

    seconds: float
    wall_seconds: float
    late_starts: int
    ended_early: bool


class Clock:
    """Absolute deadlines, so that no delay adds up.  pace : 1 is real time, None waits never."""

    def __init__(self, rate: int, pace: float | None) -> None:
        self.second = rate * pace if pace else None
        self.begin = time.monotonic()
        self.late = 0

    def wait(self, samples: int, block: int) -> None:
        """Sleep until so many samples have been recorded."""
        if self.second is None:
            return
        early = self.begin + samples / self.second - time.monotonic()
        self.late += early < -block / self.second
        if early > 0:
            time.sleep(early)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.begin


def device_blocks(recording: Recording, block: int, samples: int) -> Iterator[Samples]:
    """The first `samples`, interleaved: float32 (n, channels), n = block but at the end."""
    left = samples
    for piece in read(recording, block * PIECE):
        for start in range(0, piece.shape[1], block):
            taken = min(block, piece.shape[1] - start, left)
            if taken == 0:
                return
            left -= taken
            yield np.ascontiguousarray(piece[:, start : start + taken].T)


def call_stream(engine: Engine, x: Samples) -> Samples:
    """One turn of the engine's compiled callback, as PortAudio makes it."""
    y = np.empty_like(x)
    callback = StreamCallback(engine.callback.address)
    callback(x.ctypes.data, y.ctypes.data, len(x), None, 0, engine.address)
    return y


def silent(_: object, __: object = None) -> None:
    """Tell nobody; play to nobody."""


@contextmanager
def running(engine: Engine, freewheel: bool = False) -> Iterator[None]:
    """Mark an engine as live, and compile nothing meanwhile."""
    engine.freewheel = freewheel
    engine.live = True
    try:
        with engine.seal():
            yield
    finally:
        engine.live = engine.freewheel = False


@contextmanager
def speaker(target: Path | None, recording: Recording) -> Iterator[Callable[[Samples], None]]:
    """What takes the played blocks, (channels, n): a file like the recording, or nothing."""
    if target is None:
        yield silent
        return
    refuse_overlap(recording.path, [target])
    form = format_for(target, recording.format, recording.length * recording.channels)
    with (
        whole(target) as (draft,),
        writer(draft, form, recording.rate, recording.channels) as played,
    ):
        yield played.write


def play(
    recording: Recording,
    target: Path | None,
    engine: Engine,
    *,
    block: int = 480,
    pace: float | None = 1.0,
    seconds: float | None = None,
    tell: Tell = silent,
    ended: Callable[[], bool] = lambda: False,
) -> Played:
    """Play a recording through the live engine, into a file if there is one.

    block : samples a callback.  pace : 1 is real time, None as fast as it goes.  seconds : end
    sooner than the recording.  tell : called ten times per second of sound.  ended : asked before
    each block; once it is true the stream ends, and what has been played is kept.
    """
    if block < 1:
        raise ValueError(f"block={block} is not positive")
    engine.check_block(block)
    fit(recording, engine)
    length = recording.length
    if seconds is not None:
        length = min(length, round(seconds * recording.rate))
    done = due = 0
    with speaker(target, recording) as write, running(engine, freewheel=pace is None):
        clock = Clock(recording.rate, pace)
        for x in device_blocks(recording, block, length):
            if ended():
                break
            clock.wait(done + len(x), len(x))
            write(call_stream(engine, x).T)
            done += len(x)
            if done >= due:
                tell(done / recording.rate, length / recording.rate)
                due += recording.rate // 10
        return Played(done / recording.rate, clock.elapsed, clock.late, done < length)
