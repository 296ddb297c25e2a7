"""What can be turned on a running engine: permanent ids, units, ranges, glides."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

LISTEN = ("source", "residual", "all")
OFF_DB = -80.0  # a source's gain at the bottom of its range is off, not merely low

Value = float | str | bool


@dataclass(frozen=True)
class Parameter:
    """One control.  id : permanent.  low, high, default : in `unit`.  glide : s to a new value.

    choices : the words a parameter takes instead of numbers.  switch : takes 0 and 1 only.
    """

    id: str
    name: str
    unit: str
    low: float
    high: float
    default: Value
    glide: float = 0.02
    choices: tuple[str, ...] = ()
    switch: bool = False

    def check(self, value: Value) -> Value:
        """The value as it is kept; ValueError or TypeError names it and what is allowed."""
        if self.choices:
            if value not in self.choices:
                raise ValueError(f"{self.id}={value!r} is none of {', '.join(self.choices)}")
            return value
        if not isinstance(value, (Real, np.bool_)):
            raise TypeError(f"{self.id} takes a number, not {value!r}")
        if not self.low <= value <= self.high:
            raise ValueError(
                f"{self.id}={value} is outside {self.low:g}..{self.high:g} {self.unit}"
            )
        if self.switch and value not in (0, 1):
            raise ValueError(f"{self.id}={value} is neither 0 nor 1")
        return float(value)


ENGINE = (
    Parameter("strength", "Strength", "", 0, 1, 1.0),
    Parameter("max_attenuation", "Maximal attenuation", "dB", 0, 100, 24.0),
    Parameter("noise_floor", "Noise floor left standing", "dBFS", -120, -20, -120.0),
    Parameter("release", "Time a mask takes to fall", "s", 0, 2, 0.0),
    Parameter("bypass", "Bypass", "", 0, 1, 0.0, switch=True),
    Parameter("listen", "Listen to", "", 0, 2, "source", choices=LISTEN),
    Parameter("input_gain", "Input gain", "dB", -60, 24, 0.0),
    Parameter("output_gain", "Output gain", "dB", -60, 24, 0.0),
    Parameter("blend", "From the bases' masks (0) to the network's (1)", "", 0, 1, 0.5),
    Parameter("freeze", "Hold the unknown source's basis", "", 0, 1, 0.0, switch=True),
)


def source_parameters(name: str, kept: bool) -> tuple[Parameter, ...]:
    """The controls of one source.  A source that is to be removed starts with its gain off."""
    default = 0.0 if kept else OFF_DB
    return (
        Parameter(f"{name}.gain", f"Gain of {name}", "dB", OFF_DB, 24, default),
        Parameter(f"{name}.mute", f"Mute {name}", "", 0, 1, 0.0, switch=True),
        Parameter(f"{name}.solo", f"Solo {name}", "", 0, 1, 0.0, switch=True),
    )


def parameters_of(sources: Sequence[str], keep: Sequence[str]) -> dict[str, Parameter]:
    """All parameters of an engine with these sources, by id."""
    own = [p for name in sources for p in source_parameters(name, name in keep)]
    return {parameter.id: parameter for parameter in (*ENGINE, *own)}


def find_parameter(parameters: dict[str, Parameter], name: str) -> Parameter:
    """A parameter by its id; ValueError suggests the nearest."""
    if name in parameters:
        return parameters[name]
    near = difflib.get_close_matches(name, parameters, n=1)
    raise ValueError(f"no parameter {name!r}" + (f" (nearest: {near[0]!r})" if near else ""))


def amplitude(db: float) -> float:
    """Linear factor of a level in dB."""
    return float(10 ** (db / 20))


def source_gains(values: dict[str, Value], sources: Sequence[str]) -> list[float]:
    """Linear gain of every source from gain and solo; a soloed source is never off."""
    solo = any(values[f"{name}.solo"] for name in sources)

    def gain(name: str) -> float:
        db = float(values[f"{name}.gain"])
        if solo and not values[f"{name}.solo"]:
            return 0.0
        return amplitude(0.0 if solo and db <= OFF_DB else db) if solo or db > OFF_DB else 0.0

    return [gain(name) for name in sources]
