"""MIDI ports, by python-rtmidi: ALSA, then JACK, or what the system has.  rtmidi's only importer.

A controller that is pulled and put back is found again by its name, and so is a subsystem that
was not there yet.
"""

import ctypes
import difflib
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from rtsep.control.surface import Surface

VIRTUAL = "virtual"
OWN = "rtsep"  # what our ports' names begin with
CLIENT = "rtsep-midi"
GLANCE = 0.25  # seconds between two looks at the ports
RARELY = 8  # looks from one doubt whether the server is still alive to the next
SEQUENCER = "/dev/snd/seq"
INSTALL = "python-rtmidi is missing: pip install 'rtsep[midi]'"
NONE = "no MIDI subsystem answers (ALSA sequencer, JACK)"
Say = Callable[[str], None]


class NoSubsystem(OSError):  # noqa: N818
    """Nothing that MIDI could go through; it may come yet."""


def rtmidi() -> Any:
    """The library; ImportError with the command that installs it."""
    try:
        import rtmidi as library
    except ImportError:
        raise ImportError(INSTALL) from None
    return library


@cache
def _quiet() -> None:
    """Keep rtmidi's own JACK library from telling in five lines what is told here in one."""
    with suppress(OSError, AttributeError):
        maps = Path("/proc/self/maps").read_text()
        harmless = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)
        for path in set(re.findall(r"/\S*rtmidi\S*libjack\S*", maps)):
            ctypes.CDLL(path).jack_set_error_function(harmless)


def _candidates(library: Any) -> list[int]:
    apis = list(library.get_compiled_api())
    if sys.platform == "linux" and not os.path.exists(SEQUENCER):
        apis = [api for api in apis if api != library.API_LINUX_ALSA]
    return apis


def opened(kind: str) -> Any:
    """An rtmidi "MidiIn" or "MidiOut" of the first API that works; NoSubsystem if none does."""
    library = rtmidi()
    _quiet()
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    for api in _candidates(library):
        try:
            return getattr(library, kind)(api, name=CLIENT)
        except (library.RtMidiError, SystemError):
            continue
    raise NoSubsystem(NONE)


def plain(port: str) -> str:
    """A port's name without the client numbers that ALSA appends, which change by the plug."""
    return re.sub(r" \d+:\d+$", "", port)


def others(ports: Sequence[str]) -> list[str]:
    return [port for port in ports if not port.startswith(OWN)]


def find_port(ports: Sequence[str], wanted: str) -> str:
    """The one port with that in its name; ValueError lists several, or names the nearest."""
    names = {plain(port): port for port in ports}
    if wanted in names:
        return names[wanted]
    found = [port for port in names if wanted.casefold() in port.casefold()]
    if len(found) == 1:
        return names[found[0]]
    if found:
        raise ValueError(f"MIDI port {wanted!r} is ambiguous: {', '.join(found)}")
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.3)
    there = f"nearest: {near[0]!r}" if near else f"there are: {', '.join(names) or 'none'}"
    raise ValueError(f"no MIDI port {wanted!r} ({there})")


def ports() -> dict[str, list[str]]:
    """Names of all ports by direction, "in" and "out"."""
    found = {}
    for direction, kind in {"in": "MidiIn", "out": "MidiOut"}.items():
        probe = opened(kind)
        found[direction] = others(probe.get_ports())
        probe.delete()
    return found


class Controller:
    """One controller, connected whenever it is there, from `start` to `close`.

    wanted : part of a port's name, or "virtual" for a port that others connect to.
    ImportError where the library is missing.
    """

    def __init__(self, surface: Surface, wanted: str, say: Say) -> None:
        self._surface, self._wanted, self._say = surface, wanted, say
        self._virtual = wanted == VIRTUAL
        self._label = "control" if self._virtual else f"control-{os.getpid()}"
        self._ends: tuple[Any, Any] | None = None
        self._port: str | None = None
        self._said = ""
        self._looks = -1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rtsep-midi", daemon=True)
        rtmidi()

    @property
    def port(self) -> str | None:
        """The port that is connected now.  Any thread."""
        return self._port

    def start(self) -> None:
        """Connect if the controller is there, and go on looking.  OSError without virtual ports."""
        try:
            self._look()
        except NoSubsystem as error:
            self._tell(f"MIDI: {error}; waiting for it")
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2)
        self._let_go()

    # the thread that looks

    def _watch(self) -> None:
        while not self._stop.wait(GLANCE):
            try:
                self._look()
            except (OSError, SystemError, RuntimeError) as error:
                self._tell(f"MIDI: {error}; waiting for it")

    def _look(self) -> None:
        self._looks += 1
        if self._looks % RARELY == 0 and self._ends is not None and self._stale():
            self._abandon(self._ends)
        if self._ends is None:
            if self._looks % RARELY:
                return
            self._ends = (opened("MidiIn"), opened("MidiOut"))
        there = others(self._ends[0].get_ports())
        if not self._virtual and self._port is not None and self._port not in there:
            self._tell(f"MIDI: {plain(self._port)} is gone; waiting for it")
            self._disconnect(*self._ends)
        if self._port is None:
            self._connect(*self._ends, there)

    def _stale(self) -> bool:
        """Whether a JACK server died under us: a new client of it does not see our port then.

        Our own client still lists the ports of the dead one, out of memory it shared with it.
        """
        if self._ends is None or self._ends[0].get_current_api() != rtmidi().API_UNIX_JACK:
            return False
        try:
            probe = opened("MidiOut")
        except OSError:
            self._tell("MIDI: the JACK server is gone; waiting for it")
            return True
        seen = any(port.endswith(f":{self._label}") for port in probe.get_ports())
        probe.delete()
        return not seen

    def _tell(self, words: str) -> None:
        """Once, until something else is to be said."""
        if words != self._said:
            self._said = words
            self._say(words)

    def _connect(self, source: Any, sink: Any, there: list[str]) -> None:
        if self._virtual:
            self._open_virtual(source, sink)
            return
        try:
            port = find_port(there, self._wanted)
        except ValueError as error:
            self._tell(f"{error}; waiting for it")
            self._wait_visibly(source)
            return
        source.close_port()
        self._listen(source)
        try:
            source.open_port(source.get_ports().index(port), self._label)
            self._answer_to(sink, port)
        except ValueError:  # between two looks
            self._tell(f"MIDI: {plain(port)} is gone; waiting for it")
            self._disconnect(source, sink)
            return
        self._connected(port)

    def _wait_visibly(self, source: Any) -> None:
        """A port of ours in JACK, by which to see that its server still lives."""
        if source.get_current_api() == rtmidi().API_UNIX_JACK and not source.is_port_open():
            self._listen(source)
            source.open_virtual_port(self._label)

    def _connected(self, port: str) -> None:
        self._port, self._surface.port = port, plain(port)
        self._tell(f"MIDI from {plain(port)}")
        self._surface.desk.post(self._surface.show_all)

    def _open_virtual(self, source: Any, sink: Any) -> None:
        self._listen(source)
        try:
            source.open_virtual_port(self._label)
            sink.open_virtual_port("feedback")
        except NotImplementedError:
            raise OSError(f"this system has no virtual MIDI ports ({sys.platform})") from None
        self._surface.send = sink.send_message
        self._connected(f"whoever connects to {CLIENT}:{self._label}")

    def _listen(self, source: Any) -> None:
        """Before every opening: closing a port also takes the callback away."""
        desk, hear = self._surface.desk, self._surface.hear
        source.ignore_types(sysex=True, timing=True, active_sense=True)
        source.set_callback(lambda event, _: desk.post(hear, event[0]))

    def _answer_to(self, sink: Any, port: str) -> None:
        """Feedback goes to the output of the same name, where there is one."""
        sinks = sink.get_ports()
        same = [each for each in sinks if plain(each) == plain(port)]
        if not same:
            same = [each for each in others(sinks) if self._wanted.casefold() in each.casefold()]
        if same:
            sink.open_port(sinks.index(same[0]), "feedback")
            self._surface.send = sink.send_message

    def _disconnect(self, source: Any, sink: Any) -> None:
        self._surface.send = lambda message: None
        self._port, self._surface.port = None, ""
        source.close_port()
        sink.close_port()

    def _abandon(self, ends: tuple[Any, Any]) -> None:
        """Leave a dead server's clients to themselves for good: closing them crashes in libjack."""
        self._surface.send = lambda message: None
        self._port, self._ends, self._surface.port = None, None, ""
        for end in ends:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(end))

    def _let_go(self) -> None:
        """Of the subsystem altogether."""
        if self._ends is not None:
            self._disconnect(*self._ends)
            for end in self._ends:
                end.delete()
            self._ends = None
