"""One tree of everything that can be turned or read on an engine, by permanent ids.

Parameters have the ids of `rtsep.engine.parameters`; meters are `meters.` and their name, then a
source's name or a channel's number (from 1) where there are several.
"""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rtsep.engine.parameters import Parameter, Value, find_parameter

if TYPE_CHECKING:
    from rtsep.engine.engine import Engine

METERS = "meters."
WORDS = {"on": 1.0, "off": 0.0, "true": 1.0, "false": 0.0}


def _leaves(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((f"{name}.{key}", leaf) for key, leaf in value.items())
    elif isinstance(value, tuple):
        yield from ((f"{name}.{i}", leaf) for i, leaf in enumerate(value, 1))
    else:
        yield name, value


def meter_values(engine: "Engine") -> dict[str, float]:
    """All meters by id, one number each.  Any thread."""
    read = asdict(engine.meters())
    return dict(leaf for name, value in read.items() for leaf in _leaves(METERS + name, value))


def parameter_values(engine: "Engine") -> dict[str, Value]:
    """All parameters by id."""
    return {name: engine.get(name) for name in engine.parameters}


def value_of(engine: "Engine", name: str) -> Value:
    """A parameter or a meter; ValueError suggests the nearest id."""
    if name.startswith(METERS):
        meters = meter_values(engine)
        if name not in meters:
            raise ValueError(f"no meter {name[:80]!r} (known: {', '.join(meters)})")
        return meters[name]
    return engine.get(name)


def described(parameter: Parameter, value: Value) -> dict[str, Any]:
    """A parameter as it is told to other programs."""
    told = {"id": parameter.id, "name": parameter.name, "value": value, "unit": parameter.unit}
    if parameter.choices:
        return told | {"choices": list(parameter.choices), "default": parameter.default}
    limits = {"low": parameter.low, "high": parameter.high, "default": parameter.default}
    return told | limits | ({"switch": True} if parameter.switch else {})


def description(engine: "Engine") -> list[dict[str, Any]]:
    """Every parameter with its value, unit and range."""
    return [described(each, engine.get(name)) for name, each in engine.parameters.items()]


def meant(parameter: Parameter, value: Value) -> Value:
    """A value as the parameter takes it: a switch also by the words on, off, true, false."""
    if parameter.switch and isinstance(value, str):
        return WORDS.get(value.lower(), value)
    return value


def toggled(parameter: Parameter, value: Value) -> Value:
    """The other position of a switch, the next of several words, the far end of a range."""
    if parameter.choices:
        at = parameter.choices.index(str(value))
        return parameter.choices[(at + 1) % len(parameter.choices)]
    middle = (parameter.low + parameter.high) / 2
    return parameter.low if float(value) > middle else parameter.high


def turn(engine: "Engine", name: str, value: Value) -> Value:
    """Set a parameter and return what it became; ValueError or TypeError names what is allowed."""
    parameter = find_parameter(engine.parameters, name)
    engine.set(parameter.id, meant(parameter, value))
    return engine.get(parameter.id)
