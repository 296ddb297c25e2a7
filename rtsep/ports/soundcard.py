"""A live stream on a sound card: the engine's compiled callback, called by PortAudio.

No Python runs in the audio thread.  PortAudio calls into the engine's record for as long as a
stream runs, so the record is owned here until the stream has stopped, whatever becomes of the
`SoundcardStream`.  A sound server that dies leaves a stream that can neither be stopped nor
closed: both calls hang for ever.  Such a stream is abandoned, its memory kept.

Where nobody takes its sound for a while, a stream is stopped, so that neither this process nor
the sound server works for nothing, and started again as soon as anybody does.
"""

import atexit
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from rtsep.engine.engine import Engine
from rtsep.ports.pair import Pair
from rtsep.ports.portaudio import Route, asked_latency, open_stream, reason, sounddevice

STALL = 2.0  # seconds without a callback after which a sound server is taken for dead
GLANCE = 0.5  # seconds between two looks that count at most: we may have been halted ourselves
PATIENCE = 5.0  # seconds to stop and close
UNHEARD = 5.0  # seconds that nobody hears it before it is stopped
ABSURD_LATENCY = 10.0  # seconds; PortAudio's JACK reports some 90 000


class SoundServerLost(OSError):  # noqa: N818
    """The sound server no longer calls.

    PortAudio cannot be ended cleanly any more: leave the process by `os._exit`, or start another.
    """

    must_exit = True


@dataclass(eq=False)
class _Open:
    """A PortAudio stream with what it reads and writes.

    guard : held while it is stopped, started or shut.  lost : its server is dead.
    """

    stream: Any
    engine: Engine
    running: bool = field(default=False)
    lost: bool = field(default=False)
    guard: threading.Lock = field(default_factory=threading.Lock)


_open: set[_Open] = set()


def _counts(engine: Engine) -> tuple[int, ...]:
    """Blocks so far, of every device whose callbacks have to come."""
    meters = engine.meters()
    return (meters.blocks,) if engine.crossing is None else (meters.blocks, meters.deposits)


def _beats(engine: Engine) -> bool:
    """Whether all audio threads are alive: waits for their next blocks."""
    before, end = _counts(engine), time.monotonic() + STALL
    while any(now == then for now, then in zip(_counts(engine), before, strict=True)):
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def _within(seconds: float, act: Callable[[], None]) -> bool:
    """Whether it returned in time; it goes on in a thread of its own otherwise."""
    worker = threading.Thread(target=act, daemon=True)
    try:
        worker.start()
    except RuntimeError:  # no new threads once the interpreter is leaving (3.12)
        act()
        return True
    worker.join(seconds)
    return not worker.is_alive()


def _abandon(opened: _Open) -> None:
    """Leave a stream to itself, its memory kept."""
    opened.lost, opened.engine.live = True, False


def _shut(opened: _Open) -> None:
    """Stop and close, or abandon if the server is dead.  Any thread, once."""
    if opened.lost or opened not in _open:
        return
    free = opened.guard.acquire(timeout=PATIENCE)  # and never given back

    def end() -> None:
        if opened.running:
            opened.stream.stop()
        opened.stream.close()

    alive = not opened.running or _beats(opened.engine)
    if free and alive and _within(PATIENCE, end):
        _open.discard(opened)
        opened.engine.live = False
    else:
        _abandon(opened)


@cache
def _shut_at_exit() -> None:
    """Shut what is still open before sounddevice, imported by now, ends PortAudio under it."""
    atexit.register(_shut_all)


def _shut_all() -> None:
    for opened in list(_open):
        _shut(opened)


class SoundcardStream:
    """A live stream from one device to another, or through one, by way of an engine.

    block : samples a callback, 0 leaves it to the device.  latency : seconds to ask of the
    devices, None is their lowest.  force : ask plugins for less than 0.03 s too.
    Control thread only; `with` starts and closes it.
    """

    def __init__(
        self,
        engine: Engine,
        route: Route,
        *,
        block: int = 0,
        latency: float | None = None,
        force: bool = False,
    ) -> None:
        if (engine.rate, engine.channels) != (route.rate, route.channels):
            raise ValueError(
                f"the engine runs {engine.channels} channels at {engine.rate} Hz, "
                f"the route {route.channels} at {route.rate} Hz"
            )
        engine.check_block(block)
        self.engine, self.route = engine, route
        self._silent, self._looked = [0.0, 0.0], 0.0
        self._seen: tuple[int, ...] = (-1, -1)
        self._stopped, self._heard = False, time.monotonic()
        self._failure: OSError | None = None
        asked = asked_latency(route, latency, force)
        opening = Pair if route.clocks == 2 else open_stream
        self._opened = _Open(opening(engine, route, block, asked), engine)
        _open.add(self._opened)
        _shut_at_exit()
        self._finalizer = weakref.finalize(self, _shut, self._opened)
        self._finalizer.atexit = False

    @property
    def device_latency(self) -> tuple[float, ...] | None:
        """What the devices add, in s, in and out, as PortAudio tells; None where that is absurd."""
        told = tuple(self._opened.stream.latency)
        return told if all(0 <= seconds < ABSURD_LATENCY for seconds in told) else None

    def start(self) -> None:
        """Let the device call the engine."""
        sd = sounddevice()
        self._silent, self._looked = [0.0, 0.0], time.monotonic()
        self._stopped = False
        self._opened.running = self.engine.live = True
        try:
            self._opened.stream.start()
        except sd.PortAudioError as error:
            self._opened.running = self.engine.live = False
            raise OSError(f"{self.route} does not start: {reason(error)}") from error

    @property
    def stopped(self) -> bool:
        """Whether it is stopped because nobody hears it.  Any thread."""
        return self._stopped

    def heed(self, heard: bool, there: bool = True) -> None:
        """Told at least once a second whether anybody hears it.  One thread, any.

        there : whether its devices are there; where not it stops at once, and goes on with them.
        """
        self.engine.unheard = not heard
        now = time.monotonic()
        if not there:
            self._turn(stopped=True)
        elif heard or self.engine.attended:
            self._heard = now
            self._turn(stopped=False)
        elif now - self._heard > UNHEARD:
            self._turn(stopped=True)

    def lose(self, why: str) -> None:
        """Let `check` say that it is lost.  Any thread."""
        self._failure = SoundServerLost(why)

    def _turn(self, stopped: bool) -> None:
        """Stop it or let it go on.  What fails is for `check` to tell."""
        if stopped == self._stopped or not self._opened.guard.acquire(blocking=False):
            return
        try:
            self._stop() if stopped else self.start()
        except OSError as error:
            self._failure = error
        finally:
            self._opened.guard.release()

    def _stop(self) -> None:
        """The server may die meanwhile: then it hangs, and no callback comes."""
        if _within(PATIENCE, self._opened.stream.stop):
            self._stopped, self._opened.running = True, False
            self.engine.halt()

    def check(self) -> None:
        """Raise SoundServerLost after 2 s without a callback.  Call it several times a second.

        The stream is abandoned by then: it is never stopped, its memory stays.
        """
        if self._stopped and not self._failure:
            return
        now, counts = time.monotonic(), _counts(self.engine)
        passed = min(now - self._looked, GLANCE)
        self._silent = [
            silent + passed if count == before else 0.0
            for silent, count, before in zip(self._silent, counts, self._seen, strict=False)
        ]
        self._looked, self._seen = now, counts
        if self._failure or max(self._silent) > STALL:
            _abandon(self._opened)
            if isinstance(self._failure, SoundServerLost):
                raise self._failure
            lost = SoundServerLost(f"the sound server of {self.route} no longer answers")
            raise lost from self._failure

    def close(self) -> None:
        """Stop and close.  Returns within some seconds even if the server is dead."""
        self._finalizer()

    def __enter__(self) -> "SoundcardStream":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
