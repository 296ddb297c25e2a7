"""MIDI to parameters: which control turns what, how far, and when a fader takes hold.

A control's position p in [0, 1] becomes low + (high - low) p^c in the parameter's own unit, c the
curve's exponent; equal steps of a fader are equal steps in dB where that is the unit.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from rtsep.control.gestures import Gesture, Reading
from rtsep.control.tree import toggled
from rtsep.engine.parameters import Parameter, Value

KINDS = ("cc", "cc14", "nrpn", "note", "program", "bend")
RELATIVE: dict[str, Callable[[int], int]] = {
    "twos": lambda v: v - 128 if v >= 64 else v,  # 1 is up, 127 down
    "offset": lambda v: v - 64,  # 65 is up, 63 down
    "sign": lambda v: 64 - v if v >= 64 else v,  # 1 is up, 65 down
}
ACTIONS = ("absolute", "toggle", "momentary", *RELATIVE)
TAKEOVERS = ("jump", "pickup", "scale")
CURVES = {"linear": 1.0, "square": 2.0, "cube": 3.0, "root": 0.5}
MOST = 512  # mappings of a table
PRESET = "preset"  # as a parameter: what a program change loads
NEAR = 1.5 / 127  # so close a fader has found its value
PRESSED = 0.5
LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Mapping:
    """One control and the parameter it turns.

    parameter : its id, or "preset".  kind, number : as in `Gesture`; a program's number -1 is any.
    channel : 1..16, 0 is all.  action : absolute, toggle, momentary, or how relative steps are
    coded.  takeover : jump goes where the fader is, pickup waits until it passes the value, scale
    moves in proportion to the way left.  low, high : in the parameter's unit, its own range unless
    given; low over high turns it round.  step : share of the range a relative step goes.
    feedback : whether the control is told of changes.  preset : its name; "" is by number.
    ValueError or TypeError, both values named, where that cannot be.
    """

    parameter: str
    kind: str = "cc"
    number: int = 0
    channel: int = 0
    action: str = "absolute"
    takeover: str = "jump"
    low: float | None = None
    high: float | None = None
    curve: str = "linear"
    step: float = 1 / 127
    feedback: bool = True
    preset: str = ""

    def __post_init__(self) -> None:
        for name, allowed in ONE_OF.items():
            if getattr(self, name) not in allowed:
                value = str(getattr(self, name))[:40]
                raise ValueError(f"mapping: {name}={value!r} is none of {', '.join(allowed)}")
        least = -1 if self.kind == "program" else 0
        _whole("number", self.number, least, 16382 if self.kind == "nrpn" else 127)
        _whole("channel", self.channel, 0, 16)
        if self.kind == "cc14" and self.number > 31:
            raise ValueError(f"mapping: number={self.number} is outside 0..31 (14 bit)")
        if not isinstance(self.parameter, str) or not isinstance(self.preset, str):
            raise TypeError(f"mapping: parameter={self.parameter!r:.40} is no word")
        for name in ("low", "high", "step"):
            _finite(name, getattr(self, name))
        if self.action in RELATIVE and self.kind != "cc":
            raise ValueError(f"mapping: action={self.action!r} needs kind 'cc', not {self.kind!r}")

    def hears(self, gesture: Gesture) -> bool:
        """Whether a gesture is of this control."""
        if self.kind != gesture.kind or self.channel not in (0, gesture.channel):
            return False
        return self.number == gesture.number or self.kind == "bend" or self.number == -1

    def same_control(self, other: "Mapping") -> bool:
        mine = (self.kind, self.number, self.channel)
        return mine == (other.kind, other.number, other.channel)


ONE_OF = {"kind": KINDS, "action": ACTIONS, "takeover": TAKEOVERS, "curve": tuple(CURVES)}


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"mapping: {name}={value!r:.40} is no whole number in {low}..{high}")


def _finite(name: str, value: Any) -> None:
    if value is None and name != "step":
        return
    if not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        raise ValueError(f"mapping: {name}={value!r:.40} is no number")


def mapping_from(told: dict[str, Any]) -> Mapping:
    """A mapping as a preset or a request has it; ValueError for a field there is not."""
    if surplus := told.keys() - {field.name for field in fields(Mapping)}:
        raise ValueError(f"mapping: {min(surplus)[:40]!r} is unknown")
    if "parameter" not in told:
        raise ValueError("mapping: no parameter is named")
    return Mapping(**told)


# positions and values


def _span(mapping: Mapping, parameter: Parameter) -> tuple[float, float]:
    """The values at a control's two ends, inside the parameter's range."""
    ends = (mapping.low, parameter.low), (mapping.high, parameter.high)
    low, high = (own if end is None else end for end, own in ends)
    return (
        min(max(low, parameter.low), parameter.high), min(max(high, parameter.low), parameter.high),
    )  # fmt: skip


def value_at(mapping: Mapping, parameter: Parameter, position: float) -> Value:
    """The parameter's value with the control at a position in [0, 1]."""
    low, high = _span(mapping, parameter)
    value = low + (high - low) * float(position ** CURVES[mapping.curve])
    value = min(max(value, min(low, high)), max(low, high))
    if parameter.choices:
        return parameter.choices[min(round(value), len(parameter.choices) - 1)]
    return float(value >= PRESSED) if parameter.switch else value


def position_of(mapping: Mapping, parameter: Parameter, value: Value) -> float:
    """Where the control would stand for a value; at the nearer end where it cannot reach it."""
    low, high = _span(mapping, parameter)
    number = parameter.choices.index(str(value)) if parameter.choices else float(value)
    if high == low:
        return 0.0
    share = min(max((number - low) / (high - low), 0.0), 1.0)
    return float(share ** (1 / CURVES[mapping.curve]))


# hands on the controls


@dataclass
class Grip:
    """position : of the control when last heard.  value : what it then made of the parameter."""

    position: float | None = None
    value: Value | None = None


@dataclass
class Hands:
    """What has to be remembered from message to message."""

    reading: Reading = field(default_factory=Reading)
    grips: dict[Mapping, Grip] = field(default_factory=dict)


def taken(takeover: str, last: float | None, now: float, current: float) -> float | None:
    """Where a fader that does not hold the value takes it, or None.  All in [0, 1].

    last, now : the fader's positions.  current : the parameter's.  A fader that jumps over the
    value has passed it, however far it goes.
    """
    if takeover == "jump" or abs(now - current) <= NEAR:
        return now
    if last is None:
        return None
    if takeover == "pickup":
        return now if (last - current) * (now - current) <= 0 else None
    if now == last:
        return None
    way, left = (1 - last, 1 - current) if now > last else (last, current)
    return min(max(current + (now - last) * left / way, 0.0), 1.0)


def _absolute(
    mapping: Mapping, parameter: Parameter, grip: Grip, position: float, current: Value
) -> Value | None:
    last, grip.position = grip.position, position
    held = mapping.takeover != "scale" and grip.value == current
    where: float | None = position
    if not held:
        at = position_of(mapping, parameter, current)
        where = taken(mapping.takeover, last, position, at)
    return None if where is None else value_at(mapping, parameter, where)


def _relative(mapping: Mapping, parameter: Parameter, gesture: Gesture, current: Value) -> Value:
    steps = RELATIVE[mapping.action](gesture.value)
    at = position_of(mapping, parameter, current)
    step = mapping.step
    if parameter.choices or parameter.switch:  # one click, one word
        steps = (steps > 0) - (steps < 0)
        step = 1 / max(len(parameter.choices) - 1, 1)
    return value_at(mapping, parameter, min(max(at + steps * step, 0.0), 1.0))


def _turned(
    mapping: Mapping, parameter: Parameter, grip: Grip, gesture: Gesture, current: Value
) -> Value | None:
    """What a gesture makes of its parameter; None leaves it."""
    pressed, before = gesture.position >= PRESSED, (grip.position or 0) >= PRESSED
    if gesture.kind == "note":
        pressed = gesture.value > 0
    if gesture.kind == "program":  # nobody lets go of it
        before = False
    if mapping.action in RELATIVE:
        return _relative(mapping, parameter, gesture, current)
    if mapping.action == "toggle":
        grip.position = float(pressed)
        return toggled(parameter, current) if pressed and not before else None
    if mapping.action == "momentary":
        return value_at(mapping, parameter, float(pressed))
    if gesture.kind == "note" and not pressed:
        return None
    return _absolute(mapping, parameter, grip, gesture.position, current)


def turned(
    gesture: Gesture,
    table: Iterable[Mapping],
    hands: Hands,
    parameters: dict[str, Parameter],
    current: Callable[[str], Value],
) -> list[tuple[str, Value]]:
    """What one gesture sets: (parameter id, value) in its own unit, as the table has it.

    ("preset", name) or ("preset", "#3") : a preset to load.  current : the value that a parameter
    of that id has now.
    """
    found: list[tuple[str, Value]] = []
    for mapping in table:
        if not mapping.hears(gesture):
            continue
        if mapping.parameter == PRESET:
            if gesture.value > 0:
                found.append((PRESET, mapping.preset or f"#{gesture.number}"))
            continue
        parameter = parameters.get(mapping.parameter)
        if parameter is None:  # of a source that is not there now
            continue
        grip = hands.grips.setdefault(mapping, Grip())
        value = _turned(mapping, parameter, grip, gesture, current(parameter.id))
        if value is not None:
            grip.value = value
            found.append((parameter.id, value))
    return found
