"""`rtsep preset`: save what runs, load it again, list and show what was saved."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rtsep.cli.options import Instance, Json, say
from rtsep.cli.remote import line_to

if TYPE_CHECKING:
    from rtsep.control.presets import Preset

preset = typer.Typer(name="preset", help="Save, load, list and show presets.")
Name = Annotated[str, typer.Argument(help="Preset; `last` is the last state of the instance.")]


@preset.command()
def save(name: Name, instance: Instance = None, json_: Json = False) -> None:
    """Save the running instance: models, parameters, mappings and devices."""
    with line_to(instance) as line:
        path = line.ask(do="save", preset=name)["path"]
    print(json.dumps({"path": path}) if json_ else path)


@preset.command()
def load(name: Name, instance: Instance = None, json_: Json = False) -> None:
    """Crossfade the running instance to a preset.  A bad preset changes nothing."""
    with line_to(instance) as line:
        notes = line.ask(do="load", preset=name)["notes"]
    if json_:
        print(json.dumps({"notes": notes}))
        return
    for note in notes:
        say(note)


def row(name: str) -> str:
    """A preset's line; what is wrong with its file instead, where that is so."""
    from rtsep.control.presets import load as read

    try:
        found = read(name)
    except ValueError as error:
        return f"{name:16} {error}"
    return f"{name:16} {', '.join(found.models)}  {found.latency}  {len(found.mappings)} mappings"


@preset.command("list")
def list_(json_: Json = False) -> None:
    """List the presets, in the order of MIDI program changes."""
    from rtsep.control.presets import names

    if json_:
        print(json.dumps(names()))
        return
    for name in names():
        print(row(name))


@preset.command()
def show(name: Name, instance: Instance = None, json_: Json = False) -> None:
    """Print a preset's file."""
    from rtsep.control import presets

    found: Preset = presets.load(name, instance or "main")
    print(json.dumps(asdict(found)) if json_ else presets.to_toml(found).decode().strip())
