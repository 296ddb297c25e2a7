"""Between which devices of the sound server a stream runs, one of them virtual.

The other end is the real device that was asked for, or the server's default.  Control thread only.
"""

import difflib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from rtsep.ports.virtual import OURS, Virtual, default_of, hardware, release, server, up


@dataclass(frozen=True)
class Routing:
    """Names of the server's source and sink that a stream runs between."""

    source: str
    sink: str
    virtual: Virtual


def find_device(devices: Sequence[Any], wanted: str, what: str) -> str:
    """The one device whose name or description holds what is wanted.

    What an output plays has its name, too, and is meant only where nothing else is.
    """
    exact = [each.name for each in devices if wanted in (each.name, each.description)]
    found = exact or [
        each.name
        for each in devices
        if wanted.lower() in each.name.lower() or wanted.lower() in each.description.lower()
    ]
    if len(found) > 1:
        found = [name for name in found if not name.endswith(".monitor")] or found
    if len(found) == 1:
        return str(found[0])
    if found:
        raise ValueError(f"{what} {wanted!r} could be {', '.join(found)}")
    names = [each.name for each in devices]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.3) or names[:3]
    raise ValueError(f"no {what} {wanted!r} (nearest: {', '.join(map(repr, near))})")


def _other(devices: Sequence[Any], default: str, wanted: str | None, what: str) -> str:
    """The real device at the other end: the one wanted, or the default, never one of ours."""
    real = [each for each in devices if not each.name.startswith(OURS)]
    if wanted is not None:
        return find_device(real, wanted, what)
    names = [each.name for each in real]
    if not names:
        raise OSError(f"the sound server has no {what} beside rtsep's own")
    return default if default in names else str(hardware(names, default) or names[0])


def route(virtual: Virtual, wanted: str | None = None) -> Routing:
    """From the microphone into the virtual one, or from the virtual speaker to the real one.

    wanted : the real device by part of its name or description; the default otherwise.
    """
    with server() as pulse:
        if virtual.playback:
            sink = _other(pulse.sink_list(), default_of(pulse, "sink"), wanted, "output")
            return Routing(f"{virtual.sink}.monitor", sink, virtual)
        source = _other(pulse.source_list(), default_of(pulse, "source"), wanted, "input")
        return Routing(source, virtual.sink, virtual)


def _wait(done: Callable[[], bool], seconds: float = 2.0) -> None:
    """For what PipeWire's session manager does in its own time."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.02)


@contextmanager
def default_device(virtual: Virtual) -> Iterator[None]:
    """While it lasts, programs that ask for no device get this one."""
    kind = "sink" if virtual.playback else "source"

    def default(pulse: Any) -> str:
        return str(getattr(pulse.server_info(), f"default_{kind}_name"))

    def turn(name: str) -> str:
        with server() as pulse:
            before = default_of(pulse, kind)
            for device in getattr(pulse, f"{kind}_list")():
                if device.name == name:
                    getattr(pulse, f"{kind}_default_set")(device)
                    _wait(lambda: default(pulse) == name)
            return before

    before = turn(virtual.name)
    try:
        yield
    finally:
        with suppress(OSError):  # a dead one has nothing to give back
            with server() as pulse:
                ours = default(pulse) == virtual.name
            if ours:
                turn(before)


@contextmanager
def routed(
    virtual: Virtual, wanted: str | None = None, channels: int = 1, stems: Sequence[str] = ()
) -> Iterator[Routing]:
    """A virtual device for as long as a stream uses it; a lasting one stays."""
    chosen = route(virtual, wanted)
    up(virtual, channels=channels, stems=stems)
    try:
        yield chosen
    finally:
        release(virtual)
