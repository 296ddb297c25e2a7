"""MIDI bytes to gestures: a controller, pitch bend, note or program that took a value.

After the MIDI 1.0 Detailed Specification 4.2: a status byte may be left out while it stays the
same (running status), controllers 0..31 have their fine part at 32..63, and controllers 99 and 98
choose a non-registered parameter (NRPN) that 6 and 38 set and 96 and 97 step.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

SEVEN, FOURTEEN = 127, 16383
NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0
LENGTH = {0x80: 3, 0x90: 3, 0xA0: 3, 0xB0: 3, 0xC0: 2, 0xD0: 2, 0xE0: 3}
SYSEX, REAL_TIME = 0xF0, 0xF8
DATA, DATA_FINE, INCREMENT, DECREMENT = 6, 38, 96, 97
NRPN_FINE, NRPN, RPN_FINE, RPN = 98, 99, 100, 101
NOTHING = FOURTEEN  # the number that chooses no parameter


@dataclass(frozen=True)
class Gesture:
    """kind : cc, cc14, nrpn, note, program or bend.  channel : 1..16.  value : 0..top."""

    kind: str
    channel: int
    number: int
    value: int
    top: int = SEVEN

    @property
    def position(self) -> float:
        """0..1."""
        return self.value / self.top


@dataclass
class Reading:
    """What has to be remembered from byte to byte of one port."""

    status: int = 0
    data: list[int] = field(default_factory=list)
    coarse: dict[tuple[str, int, int], int] = field(default_factory=dict)
    fine: set[tuple[str, int, int]] = field(default_factory=set)
    chosen: dict[int, int] = field(default_factory=dict)  # NRPN by channel


def messages(stream: Iterable[int], reading: Reading) -> Iterator[tuple[int, ...]]:
    """Whole channel messages of any piece of the stream; SysEx and the system's are left out."""
    for byte in stream:
        if byte >= REAL_TIME:
            continue
        if byte >= NOTE_OFF:
            reading.status = byte if byte < SYSEX else 0
            reading.data = []
        elif reading.status:
            reading.data.append(byte)
            if len(reading.data) == LENGTH[reading.status & 0xF0] - 1:
                yield (reading.status, *reading.data)
                reading.data = []


def gestures(stream: Iterable[int], reading: Reading) -> Iterator[Gesture]:
    """What the bytes mean.  A controller is told twice: by itself, and as half of a 14-bit one."""
    for status, *data in messages(stream, reading):
        kind, channel = status & 0xF0, (status & 0x0F) + 1
        if kind == CONTROL:
            yield from _controller(channel, data[0], data[1], reading)
        elif kind == BEND:
            yield Gesture("bend", channel, 0, data[0] | data[1] << 7, FOURTEEN)
        elif kind == PROGRAM:
            yield Gesture("program", channel, data[0], SEVEN)
        elif kind in (NOTE_ON, NOTE_OFF):
            yield Gesture("note", channel, data[0], data[1] if kind == NOTE_ON else 0)


def _controller(channel: int, number: int, value: int, reading: Reading) -> Iterator[Gesture]:
    if number in (NRPN, NRPN_FINE, RPN, RPN_FINE):
        _choose(channel, number, value, reading)
        return
    if channel in reading.chosen and number in (DATA, DATA_FINE, INCREMENT, DECREMENT):
        yield from _entered(channel, number, value, reading)
        return
    yield Gesture("cc", channel, number, value)
    if number < 64:
        yield from _halves("cc14", channel, number % 32, value, number >= 32, reading)


def _choose(channel: int, number: int, value: int, reading: Reading) -> None:
    if number in (RPN, RPN_FINE):
        reading.chosen.pop(channel, None)
        return
    before = reading.chosen.get(channel, 0)
    after = value << 7 | before & 0x7F if number == NRPN else before & 0x3F80 | value
    reading.chosen[channel] = after
    if after == NOTHING:
        del reading.chosen[channel]


def _entered(channel: int, number: int, value: int, reading: Reading) -> Iterator[Gesture]:
    parameter = reading.chosen[channel]
    if number in (DATA, DATA_FINE):
        yield from _halves("nrpn", channel, parameter, value, number == DATA_FINE, reading)
        return
    key = ("nrpn", channel, parameter)
    step = 1 if number == INCREMENT else -1
    reading.coarse[key] = min(max(reading.coarse.get(key, 0) + step, 0), FOURTEEN)
    reading.fine.add(key)
    yield Gesture(*key, reading.coarse[key], FOURTEEN)


def _halves(
    kind: str, channel: int, number: int, value: int, fine: bool, reading: Reading
) -> Iterator[Gesture]:
    """A coarse value stands for itself until a fine one has ever come: many send no other."""
    key = (kind, channel, number)
    if fine:
        reading.fine.add(key)
        reading.coarse[key] = reading.coarse.get(key, 0) & 0x3F80 | value
    else:
        reading.coarse[key] = value << 7
    if key in reading.fine:
        yield Gesture(*key, reading.coarse[key], FOURTEEN)
    else:
        yield Gesture(*key, value)
