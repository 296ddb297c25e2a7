"""What a port has of an engine: the record, the callback, and how its stream runs."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NoReturn

import numpy as np

from rtsep.dsp.kernel import sealed
from rtsep.dsp.records import zeroed
from rtsep.dsp.stream import StreamSpec, stream_spec, whole_number
from rtsep.engine import state as layout
from rtsep.engine.blocks import Samples
from rtsep.engine.evaluations import Evaluations
from rtsep.engine.process import stream_callback
from rtsep.engine.requests import wait_until
from rtsep.engine.stems import stems_callback
from rtsep.separators.slot import CHANNELS, SOURCES

AWAKENING_SECONDS = 10.0  # for a stopped stream to go on
BLOCK_SECONDS = 512 / 48000  # of the blocks a network's delay allows for, unless told


class Stream:
    """A stream of blocks, live or halted, heard or not.

    What it separates, and the arguments' meaning, are those of `rtsep.engine.engine.Engine`.
    """

    def __init__(
        self, rate: int, channels: int, latency: str, linked: bool, max_block: int | None
    ) -> None:
        channels = whole_number("channels", channels)
        max_block = max_block if max_block is None else whole_number("max_block", max_block)
        if not 1 <= channels <= CHANNELS:
            raise ValueError(f"channels={channels} is outside 1..{CHANNELS}")
        if max_block is not None and max_block < 1:
            raise ValueError(f"max_block={max_block} is not positive")
        self.spec: StreamSpec = stream_spec(rate, latency)
        self.channels, self.linked = channels, linked
        self.max_block: int = max_block or round(BLOCK_SECONDS * rate)
        self.crossing: Any = None  # record between two devices' clocks, where there are two
        self._lock = threading.RLock()  # of control's threads; sound never takes it
        self._live, self._freewheel = False, False
        self._halted, self._attending = False, 0
        self._stems, self._slot = 0, 0  # the slot that was filled last
        self._evaluations = Evaluations()
        self._record = zeroed(layout.STATE)
        self._state: Any = self._record[0]

    def __reduce__(self) -> NoReturn:
        raise TypeError("an engine holds addresses: it cannot be copied or pickled; make another")

    # what it is

    @property
    def rate(self) -> int:
        """Samples per second and channel."""
        return self.spec.rate

    @property
    def latency(self) -> int:
        """Delay in samples, exact and constant: output[n] answers input[n - latency]."""
        return self.spec.synthesis + int(self._state["slot"][self._slot]["delay"]) * self.spec.hop

    @property
    def lanes(self) -> int:
        """Masks in use: one, or one per channel."""
        return 1 if self.linked else self.channels

    @property
    def address(self) -> int:
        """Address of the record, userdata of `callback`; keep the engine while it is in use."""
        return int(self._record.ctypes.data)

    @property
    def callback(self) -> Any:
        """PortAudio's stream callback for interleaved float32; its `.address` is what to pass."""
        return stems_callback if self._stems else stream_callback

    @property
    def stems(self) -> int:
        """How many sources `callback` gives out, each on channels of its own; 0 for their mix.

        Set before the stream starts.
        """
        return self._stems

    @stems.setter
    def stems(self, stems: int) -> None:
        if self.live:
            raise RuntimeError("a running stream keeps its stems")
        if not 0 <= stems <= SOURCES:
            raise ValueError(f"stems={stems} is outside 0..{SOURCES}")
        self._stems = self._state["stems"] = stems

    @property
    def live(self) -> bool:
        """Whether a device's thread runs it.  Set before the stream starts and after it ends."""
        return self._live

    @live.setter
    def live(self, live: bool) -> None:
        with self._lock:
            self._live, self._halted = live, False
            self._employ()

    @property
    def halted(self) -> bool:
        """Whether its stream is stopped until it is needed again.  Any thread."""
        return self._halted

    def halt(self) -> None:
        """A live stream has been stopped: until it goes on all is as offline, and it is silent."""
        with self._lock:
            self.live, self._halted = False, True
            for field in (*layout.LEVELS, *layout.SOUND):
                self._state[field] = 0

    @property
    def attended(self) -> bool:
        """Whether somebody needs the input itself, heard or not.  Any thread."""
        return self._attending > 0

    @contextmanager
    def attend(self) -> Iterator[None]:
        """Have the input come in, also where nobody hears the output; it may take a second.

        TimeoutError where it does not.  Any thread but the one that runs the stream.
        """
        with self._lock:
            self._attending += 1
        try:
            wait_until(lambda: not self._halted, "the input", AWAKENING_SECONDS)
            yield
        finally:
            with self._lock:
                self._attending -= 1

    @property
    def freewheel(self) -> bool:
        """Whether a live stream runs as fast as it can: networks then answer in place."""
        return self._freewheel

    @freewheel.setter
    def freewheel(self, freewheel: bool) -> None:
        self._freewheel = freewheel
        self._employ()

    @property
    def unheard(self) -> bool:
        """Whether nobody takes what a live stream gives out: it then rests.  Any thread sets it."""
        return bool(self._state["unheard"])

    @unheard.setter
    def unheard(self, unheard: bool) -> None:
        self._state["unheard"] = unheard

    def _employ(self) -> None:
        """The ladder and networks' worker threads are there for a stream in real time alone."""
        real_time = self._live and not self._freewheel
        self._state["real_time"] = real_time
        self._evaluations.employ(real_time)

    def check_block(self, block: int) -> None:
        """ValueError where a live stream's blocks are larger than a network's delay allows for."""
        if block > self.max_block and self._state["slot"][self._slot]["delay"]:
            raise ValueError(f"block={block} exceeds the engine's max_block={self.max_block}")

    def seal(self) -> AbstractContextManager[None]:
        """Context in which nothing may compile, for as long as a stream runs."""
        return sealed()

    def capture(self, seconds: float) -> Samples:
        """The next raw input samples of a running stream, mixed to one channel, float32 (n,)."""
        ring, size = self._state["capture"], layout.CAPTURE
        here = int(self._state["samples"])
        end, pieces = here + round(seconds * self.rate), []
        while here < end:
            wait_until(lambda: int(self._state["samples"]) > here, "the input")  # noqa: B023
            there = min(int(self._state["samples"]), end)
            if there - here > size:
                raise TimeoutError(f"the input ran {there - here} samples ahead of {size}")
            pieces.append(ring[np.arange(here, there) % size])
            here = there
            time.sleep(0.01)
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
