"""MIDI ports, by python-rtmidi: ALSA, then JACK, or what the system has.  rtmidi's only importer.

A controller that is pulled and put back is found again by its name.
"""

import difflib
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rtsep.control.surface import Surface

VIRTUAL = "virtual"
OWN = "rtsep"  # what our ports' names begin with
GLANCE = 0.25  # seconds between two looks at the ports
LEAST_MEMORY = 8  # looks without any port after which the subsystem is asked anew
SEQUENCER = "/dev/snd/seq"
INSTALL = "python-rtmidi is missing: pip install 'rtsep[midi]'"
NONE = "no MIDI subsystem answers (ALSA sequencer, JACK)"
Say = Callable[[str], None]


def rtmidi() -> Any:
    """The library; ImportError with the command that installs it."""
    try:
        import rtmidi as library
    except ImportError:
        raise ImportError(INSTALL) from None
    return library


def _candidates(library: Any) -> list[int]:
    apis = list(library.get_compiled_api())
    if sys.platform == "linux" and not os.path.exists(SEQUENCER):
        apis = [api for api in apis if api != library.API_LINUX_ALSA]
    return apis


def opened(kind: str) -> Any:
    """An rtmidi "MidiIn" or "MidiOut" of the first API that works; OSError if none does."""
    library = rtmidi()
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    for api in _candidates(library):
        try:
            return getattr(library, kind)(api, name=OWN)
        except (library.RtMidiError, SystemError):
            continue
    raise OSError(NONE)


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
    ImportError or OSError where there is no MIDI at all.
    """

    def __init__(self, surface: Surface, wanted: str, say: Say) -> None:
        self._surface, self._wanted, self._say = surface, wanted, say
        self._input, self._output = opened("MidiIn"), opened("MidiOut")
        self._port: str | None = None
        self._said = ""
        self._barren = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rtsep-midi", daemon=True)

    @property
    def port(self) -> str | None:
        """The port that is connected now.  Any thread."""
        return self._port

    def start(self) -> None:
        """Connect if the controller is there, and go on looking."""
        if self._wanted == VIRTUAL:
            self._listen()
            self._open_virtual()
        else:
            self._look()
            self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2)
        self._surface.send = lambda message: None
        self._input.close_port()
        self._output.close_port()

    def _listen(self) -> None:
        self._input.ignore_types(sysex=True, timing=True, active_sense=True)
        self._input.set_callback(
            lambda event, _: self._surface.desk.post(self._surface.hear, event[0])
        )

    def _open_virtual(self) -> None:
        try:
            self._input.open_virtual_port("control")
            self._output.open_virtual_port("feedback")
        except NotImplementedError:
            raise OSError(f"this system has no virtual MIDI ports ({sys.platform})") from None
        self._port = VIRTUAL
        self._surface.send = self._send

    def _send(self, message: bytes) -> None:
        self._output.send_message(message)

    # the thread that looks

    def _watch(self) -> None:
        while not self._stop.wait(GLANCE):
            try:
                self._look()
            except (OSError, SystemError, RuntimeError) as error:
                self._tell(f"MIDI: {error}")

    def _look(self) -> None:
        there = others(self._input.get_ports())
        if self._port is not None and self._port not in there:
            self._disconnect()
        if self._port is None:
            self._connect(there)
        self._barren = 0 if there else self._barren + 1
        if self._barren >= LEAST_MEMORY:  # the server may be another by now
            self._barren = 0
            self._renew()

    def _renew(self) -> None:
        fresh = opened("MidiIn"), opened("MidiOut")
        self._input.delete()
        self._output.delete()
        self._input, self._output = fresh

    def _tell(self, words: str) -> None:
        """Once, until something else is to be said."""
        if words != self._said:
            self._said = words
            self._say(words)

    def _connect(self, there: list[str]) -> None:
        try:
            port = find_port(there, self._wanted)
        except ValueError as error:
            self._tell(f"{error}; waiting for it")
            return
        self._listen()  # closing a port also takes the callback away
        self._input.open_port(self._input.get_ports().index(port), "control")
        self._answer_to(port)
        self._port = port
        self._tell(f"MIDI from {plain(port)}")
        self._surface.desk.post(self._surface.show_all)

    def _answer_to(self, port: str) -> None:
        """Feedback goes to the output of the same name, where there is one."""
        sinks = self._output.get_ports()
        same = [sink for sink in sinks if plain(sink) == plain(port)]
        if not same:
            same = [sink for sink in others(sinks) if self._wanted.casefold() in sink.casefold()]
        if same:
            self._output.open_port(sinks.index(same[0]), "feedback")
            self._surface.send = self._send

    def _disconnect(self) -> None:
        self._tell(f"MIDI: {plain(self._port or '')} is gone; waiting for it")
        self._surface.send = lambda message: None
        self._port = None
        self._input.close_port()
        self._output.close_port()
