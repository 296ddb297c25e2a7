"""Whether the real device of a stream is there, on a server that leads streams elsewhere.

Where a device goes, its streams are led to the server's default one.  That may be rtsep's own: it
would hear itself.  And where the device comes back, they stay where they are.
"""

import os
from typing import Any

OURS = "rtsep_"  # what the names of rtsep's own devices begin with


class Presence:
    """The real device of this process's stream, by the server's name.  Any one thread.

    playback : it is an output, else an input.
    """

    def __init__(self, device: str, playback: bool = False) -> None:
        self._device, self._away = device, False
        self._end = "sink" if playback else "source"
        self._stream = "sink_input" if playback else "source_output"

    def look(self, pulse: Any) -> bool:
        """Whether our streams have it, or another real one in its place; brings them back to it."""
        names = {each.index: each.name for each in getattr(pulse, f"{self._end}_list")()}
        led = {each.index: names.get(getattr(each, self._end), "") for each in self._ours(pulse)}
        if self._device not in names.values():
            self._away = True
            return any(led.values()) and not any(name.startswith(OURS) for name in led.values())
        if self._away:
            self._bring_back(pulse, names, led)
        self._away = False
        return True

    def _ours(self, pulse: Any) -> list[Any]:
        process = str(os.getpid())
        streams = getattr(pulse, f"{self._stream}_list")()
        return [each for each in streams if each.proplist.get("application.process.id") == process]

    def _bring_back(self, pulse: Any, names: dict[int, str], led: dict[int, str]) -> None:
        there = next(index for index, name in names.items() if name == self._device)
        for stream, name in led.items():
            if name != self._device:
                getattr(pulse, f"{self._stream}_move")(stream, there)
