"""Whether a program records the virtual microphone: told as often as that is looked at.

The sound server says when something changed; once a second it is looked at in any case.  Who is
connected without the server's PulseAudio face, as JACK's clients are on PipeWire, is seen by the
microphone's running.  What cannot be known counts as recorded.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rtsep.ports.presence import Presence
from rtsep.ports.virtual import Virtual, letters, modules_of, server

GLANCE = 1.0  # seconds between two looks where nothing seems to happen
LINGER = 1.0  # seconds after the last recorder in which the next one finds all at work
STEP = 0.25  # seconds to end at most
PATIENCE = 5.0  # seconds for what it does just then
CALM = 0.02  # seconds between two looks at least
Look = Callable[[Any], bool]
Tell = Callable[[bool, bool], None]  # whether anyone records, whether the real device is there


def names_of(virtual: Virtual, stems: Sequence[str]) -> list[str]:
    """The virtual microphones' names: the whole, then its stems."""
    return [virtual.name, *(f"{virtual.name}_{letters(stem)}" for stem in stems)]


def runs(pulse: Any, virtual: Virtual, stems: Sequence[str] = ()) -> bool:
    """Whether a virtual microphone is at work, for whomever."""
    names = names_of(virtual, stems)
    return any(each.state == "running" for each in pulse.source_list() if each.name in names)


def is_recorded(pulse: Any, virtual: Virtual, stems: Sequence[str] = ()) -> bool:
    """Whether anyone but ourselves takes what is played into a virtual microphone.

    Also true where what we play goes elsewhere: into another output, or to nowhere yet.
    """
    if runs(pulse, virtual, stems):
        return True
    names = {*names_of(virtual, stems), f"{virtual.sink}.monitor"}
    found = [each.index for each in pulse.source_list() if each.name in names]
    ours = {module.index for module in modules_of(pulse, virtual)}
    outputs = pulse.source_output_list()
    if any(each.source in found and each.owner_module not in ours for each in outputs):
        return True
    feeds = [sink.index for sink in pulse.sink_list() if sink.name == virtual.sink]
    return not any(each.sink in feeds for each in pulse.sink_input_list())


class _Stir:
    """Takes the server's events for one connection; the last look is over once one came."""

    def __init__(self, pulse: Any) -> None:
        self._pulse, self._came = pulse, False
        pulse.event_mask_set("source", "source_output", "sink", "sink_input")
        pulse.event_callback_set(self._hear)

    def _hear(self, _: Any) -> None:
        self._came = True
        self._pulse.event_listen_stop()

    def wait(self, ended: threading.Event) -> bool:
        """Until something changed, or for `GLANCE`, or to the end; whether something did."""
        due = time.monotonic() + GLANCE
        while not (self._came or ended.is_set()) and (left := due - time.monotonic()) > 0:
            self._pulse.event_listen(min(STEP, left), raise_on_disconnect=False)
            if not self._pulse.connected:
                raise OSError("the sound server is gone")
        ended.wait(CALM)
        came, self._came = self._came, False
        return came


def _follow(
    recorders: tuple[Look, Look], presence: Presence, tell: Tell, ended: threading.Event
) -> None:
    with server() as pulse:
        stir, last = _Stir(pulse), time.monotonic()
        look = recorders[0]
        while not ended.is_set():
            recorded, there = look(pulse), presence.look(pulse)
            if recorded:
                last = time.monotonic()
            tell(time.monotonic() - last < LINGER, there)
            look = recorders[0 if stir.wait(ended) or recorded else 1]


def recorders_of(virtual: Virtual, stems: Sequence[str], always: bool) -> tuple[Look, Look]:
    """How to see whether anyone records: where something changed, and where nothing seems to.

    always : as if somebody did.
    """
    if always:
        return lambda _: True, lambda _: True
    return (
        lambda pulse: is_recorded(pulse, virtual, stems), lambda pulse: runs(pulse, virtual, stems),
    )  # fmt: skip


@contextmanager
def listening(recorders: tuple[Look, Look], presence: Presence, tell: Tell) -> Iterator[None]:
    """For as long as it lasts, `tell` hears in a thread of its own who is there at both ends."""
    ended = threading.Event()

    def follow() -> None:
        while not ended.is_set():
            with suppress(OSError):
                _follow(recorders, presence, tell, ended)
            if not ended.is_set():
                tell(True, True)
            ended.wait(GLANCE)

    thread = threading.Thread(target=follow, name="rtsep-listeners", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(PATIENCE)
