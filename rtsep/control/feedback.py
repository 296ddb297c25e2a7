"""Values back to motor faders, rings and lamps, without going round in circles.

A control is told nothing it has just said, and what it says back after being told is no gesture.
"""

from dataclasses import dataclass, field

from rtsep.control.gestures import (
    BEND,
    CONTROL,
    DATA,
    DATA_FINE,
    FOURTEEN,
    NOTE_ON,
    NRPN,
    NRPN_FINE,
    SEVEN,
    Gesture,
)
from rtsep.control.mapping import Mapping, position_of
from rtsep.engine.parameters import Parameter, Value

TOPS = {"cc": SEVEN, "note": SEVEN, "cc14": FOURTEEN, "nrpn": FOURTEEN, "bend": FOURTEEN}


def _bytes(kind: str, channel: int, number: int, value: int) -> list[bytes]:
    """The messages that show a value, 0..127 or 0..16383 by kind."""
    coarse, fine, on = value >> 7, value & 0x7F, channel - 1
    if kind == "note":
        return [bytes((NOTE_ON | on, number, value))]
    if kind == "bend":
        return [bytes((BEND | on, fine, coarse))]
    pairs = {
        "cc": [(number, value)],
        "cc14": [(number, coarse), (number + 32, fine)],
        "nrpn": [(NRPN, number >> 7), (NRPN_FINE, number & 0x7F), (DATA, coarse),
                 (DATA_FINE, fine)],
    }[kind]  # fmt: skip
    return [bytes((CONTROL | on, *pair)) for pair in pairs]


def shown(mapping: Mapping, parameter: Parameter, value: Value) -> int:
    """What the control shows for a value; a button is lit or not."""
    position = position_of(mapping, parameter, value)
    if mapping.kind == "note" or mapping.action in ("toggle", "momentary"):
        position = float(position >= 0.5)
    return round(position * TOPS[mapping.kind])


@dataclass
class Echo:
    """What every control last said or was told.

    channels : where those for any were heard.  halves : of which the fine part is awaited.
    """

    last: dict[Mapping, int] = field(default_factory=dict)
    channels: dict[Mapping, int] = field(default_factory=dict)
    halves: set[Mapping] = field(default_factory=set)

    def is_echo(self, mapping: Mapping, gesture: Gesture) -> bool:
        """Whether a control says what it was told or has said; keeps it as its last otherwise."""
        self.channels[mapping] = gesture.channel
        if mapping.action != "absolute" or mapping.kind not in ("cc", "cc14", "nrpn", "bend"):
            return False
        if not mapping.feedback:
            return False
        if self._is_half(mapping, gesture):
            return True
        value = round(gesture.position * TOPS[mapping.kind])
        same = self.last.get(mapping) == value
        self.last[mapping] = value
        return same

    def _is_half(self, mapping: Mapping, gesture: Gesture) -> bool:
        """Whether it is the coarse part of what a control of 14 bits shows: its fine one will tell.

        Two of them in a row are what the control says.
        """
        coarse = gesture.value if gesture.top == SEVEN else gesture.value / 128
        shows = mapping.kind in ("cc14", "nrpn") and self.last.get(mapping, -1) >> 7 == coarse
        if shows and mapping not in self.halves:
            self.halves.add(mapping)
            return True
        self.halves.discard(mapping)
        return False

    def answer(self, mapping: Mapping, parameter: Parameter, value: Value) -> list[bytes]:
        """The messages that show a new value; none where the control shows it already."""
        if not mapping.feedback or mapping.kind not in TOPS:
            return []
        wanted = shown(mapping, parameter, value)
        if self.last.get(mapping) == wanted:
            return []
        self.last[mapping] = wanted
        self.halves.discard(mapping)
        channel = mapping.channel or self.channels.get(mapping, 1)
        return _bytes(mapping.kind, channel, mapping.number, wanted)
