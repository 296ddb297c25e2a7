"""Options that several commands share, and the engine they describe."""

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rtsep.engine.engine import Engine


class Latency(StrEnum):
    low = "low"
    medium = "medium"
    high = "high"


Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help="Model by name or path; may be given again. [for speech]"),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(help="Source to keep: speech, noise, or a name; may be given again."),
]
Strength = Annotated[float | None, typer.Option(help="0 changes nothing, 1 removes all it can.")]
MaxAttenuation = Annotated[float | None, typer.Option(help="Never take away more, in dB.")]
NoiseFloor = Annotated[float | None, typer.Option(help="Level left standing, in dBFS.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any parameter, as in speech.gain=3; may be given again."),
]
InputDevice = Annotated[
    str | None, typer.Option("--input", "-i", help="Device: index or part of its name.")
]
Instance = Annotated[
    str | None, typer.Option(help="Name of the running rtsep, where there are several. [main]")
]
PresetName = Annotated[
    str | None, typer.Option("--preset", help="Start as a preset has it; `last`: as it ended.")
]
MidiPort = Annotated[
    str | None,
    typer.Option("--midi", metavar="PORT", help="Controller by part of its name, or `virtual`."),
]
OscPort = Annotated[
    str | None, typer.Option("--osc", metavar="PORT", help="Listen to OSC; HOST:PORT for others.")
]
Json = Annotated[bool, typer.Option("--json", help="Report as JSON on standard output.")]


def parsed(settings: list[str] | None) -> dict[str, float | str]:
    """Words like `speech.gain=3` as values by parameter id."""
    values: dict[str, float | str] = {}
    for setting in settings or []:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"--set {setting!r} is not of the form NAME=VALUE")
        try:
            values[name] = float(value)
        except ValueError:
            values[name] = value
    return values


def refuse_pipe(target: Path | None) -> None:
    """Sound is written whole or not at all: never to standard output."""
    if target is not None and str(target) == "-":
        raise ValueError("output '-': sound goes into a file, not to standard output")


def given(**values: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


listeners: list[Callable[[str], None]] = []


def say(words: str) -> None:
    """A remark, beside the report."""
    print(words, file=sys.stderr, flush=True)
    for listener in list(listeners):
        listener(words)


def load_kernels() -> None:
    """Import the compiled part; the first time on a machine takes a while and says so."""
    from rtsep.dsp.kernel import is_compiled

    if not is_compiled():
        say("compiling for this processor, this once (up to a minute)")


def make_engine(
    models: list[str], remembered: dict[str, Any] | None = None, **arguments: Any
) -> "Engine":
    """An engine with the models.

    remembered : values by id where the engine has such a parameter and nothing else is said.
    """
    load_kernels()
    from rtsep.engine.engine import Engine

    engine = Engine(models, **arguments)
    for name, value in (remembered or {}).items():
        if name in engine.parameters and name not in arguments:
            engine.set(name, value)
    if remembered:
        engine.reset()
    if engine.note:
        say(engine.note)
    return engine
