"""Options that several commands share, and the engine they describe."""

import sys
from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
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
    typer.Option(
        "--model", "-m", help="Model, by name or path; repeatable. [a network for speech]"
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(help="Source to keep: speech, noise or a source's name; repeatable."),
]
Strength = Annotated[
    float | None, typer.Option(help="0 changes nothing, 1 removes as much as it can.")
]
MaxAttenuation = Annotated[
    float | None, typer.Option(help="Never attenuate by more than this, in dB.")
]
NoiseFloor = Annotated[
    float | None, typer.Option(help="Leave noise standing at this level, in dBFS.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set any parameter, as in speech.gain=3; repeatable."),
]
InputDevice = Annotated[
    str | None, typer.Option("--input", "-i", help="Input device: its index or part of its name.")
]
Instance = Annotated[str | None, typer.Option(help="Name of the instance, if several run. [main]")]
PresetName = Annotated[
    str | None,
    typer.Option("--preset", help="Start from this preset; `last` is the state at the last exit."),
]
MidiPort = Annotated[
    str | None,
    typer.Option("--midi", metavar="PORT", help="MIDI controller: part of its name, or `virtual`."),
]
OscPort = Annotated[
    str | None,
    typer.Option(
        "--osc", metavar="PORT", help="Accept OSC on this port; HOST:PORT lets other machines in."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def parsed(settings: list[str] | None) -> dict[str, float | str]:
    """Words like `speech.gain=3` as values by parameter id; ValueError where it can be none."""
    from rtsep.engine.parameters import ENGINE, find_parameter

    common = {parameter.id: parameter for parameter in ENGINE}
    values: dict[str, float | str] = {}
    for setting in settings or []:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"--set {setting!r} is not of the form NAME=VALUE")
        if "." not in name:  # a source's parameters have one
            find_parameter(common, name)
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


def one_line(error: Exception) -> str:
    """What went wrong, with the file's name first where there is one."""
    if isinstance(error, OSError) and error.strerror:
        words = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    else:
        words = str(error)
    return " ".join(words.split())


def load_kernels() -> None:
    """Compile all there is to compile, the first time on a machine, and say so."""
    from rtsep.dsp.kernel import is_compiled

    if not is_compiled():
        say("compiling for this processor, this once (up to a minute)")
        import_module("rtsep.engine.engine")


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
