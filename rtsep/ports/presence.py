"""Whether the real device of a stream is there, on a server that leads streams elsewhere.

Where a device goes, its streams are led to the server's default one.  That may be rtsep's own: it
would hear itself, and takes another instead.  And where the device comes back, they stay where they
are.  One that comes back between two looks has another index than before.
"""

import os
from typing import Any

from rtsep.ports.virtual import OURS, default_of, hardware

GONE = -1  # no server's index


class Presence:
    """The real device of this process's stream, by the server's name.  Any one thread.

    playback : it is an output, else an input.  instead : what had its place at the last look.
    """

    def __init__(self, device: str, playback: bool = False) -> None:
        self._device, self.instead = device, ""
        self._index: int | None = None  # of the device at the last look, before which there is none
        self._end = "sink" if playback else "source"
        self._stream = "sink_input" if playback else "source_output"

    def look(self, pulse: Any) -> bool:
        """Whether our streams have it, or another real one in its place; brings them back to it."""
        names = {each.index: each.name for each in getattr(pulse, f"{self._end}_list")()}
        led = {each.index: names.get(getattr(each, self._end), "") for each in self._ours(pulse)}
        index = next((each for each, name in names.items() if name == self._device), GONE)
        if index == GONE:
            self._index = GONE
            real = [name for name in led.values() if self._may_stand_in(name)]
            if len(real) == len(led):
                self.instead = next(iter(real), "")
            else:
                other = hardware(names.values(), default_of(pulse, self._end)) or ""
                self.instead = other if self._bring(pulse, names, led, other) else ""
            return bool(self.instead)
        if self._index not in (index, None):
            self._bring(pulse, names, led, self._device)
        self._index, self.instead = index, ""
        return True

    def _may_stand_in(self, name: str) -> bool:
        """For the device that is gone; a monitor only for a monitor."""
        heard = name.endswith(".monitor") and not self._device.endswith(".monitor")
        return bool(name) and not name.startswith(OURS) and not heard

    def _ours(self, pulse: Any) -> list[Any]:
        process = str(os.getpid())
        streams = getattr(pulse, f"{self._stream}_list")()
        return [each for each in streams if each.proplist.get("application.process.id") == process]

    def _bring(self, pulse: Any, names: dict[int, str], led: dict[int, str], to: str) -> bool:
        """Our streams to a device; whether there are both."""
        there = next((index for index, name in names.items() if name == to), None)
        if there is None:
            return False
        for stream, name in led.items():
            if name != to:
                getattr(pulse, f"{self._stream}_move")(stream, there)
        return bool(led)
