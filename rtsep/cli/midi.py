"""`rtsep midi`: what controllers there are, and which control turns what."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from rtsep.cli.options import Instance, Json, given, say
from rtsep.cli.remote import line_to

midi = typer.Typer(name="midi", help="List MIDI controllers and map their controls.")


class Action(StrEnum):
    absolute = "absolute"
    toggle = "toggle"
    momentary = "momentary"
    twos = "twos"
    offset = "offset"
    sign = "sign"


class Takeover(StrEnum):
    jump = "jump"
    pickup = "pickup"
    scale = "scale"


class Curve(StrEnum):
    linear = "linear"
    square = "square"
    cube = "cube"
    root = "root"


def line(mapping: dict[str, Any]) -> str:
    where = f"channel {mapping['channel']}" if mapping["channel"] else "any channel"
    control = f"{mapping['kind']} {mapping['number']}, {where}"
    return f"{mapping['parameter']:20} {control:24} {mapping['action']}, {mapping['takeover']}"


@midi.command("list")
def list_(json_: Json = False) -> None:
    """List the MIDI ports."""
    from rtsep.control.midi import ports

    found = ports()
    if json_:
        print(json.dumps(found))
        return
    for name in found["in"]:
        print(f"{name}{'  (shows values too)' if name in found['out'] else ''}")
    if not found["in"]:
        say("no MIDI controller is connected")


@midi.command()
def learn(
    parameter: Annotated[str, typer.Argument(metavar="ID", help="Parameter's id, or `preset`.")],
    action: Annotated[
        Action | None,
        typer.Option(help="What a move does; twos, offset and sign are for endless knobs."),
    ] = None,
    takeover: Annotated[
        Takeover, typer.Option(help="How a fader takes over a value that it does not stand at.")
    ] = Takeover.jump,
    low: Annotated[float | None, typer.Option(help="Value at the control's lower end.")] = None,
    high: Annotated[float | None, typer.Option(help="Value at the control's upper end.")] = None,
    curve: Annotated[Curve, typer.Option(help="Shape between the ends.")] = Curve.linear,
    any_channel: Annotated[
        bool, typer.Option("--any-channel", help="Listen on all MIDI channels.")
    ] = False,
    preset: Annotated[
        str | None, typer.Option(help="With ID `preset`: the preset to load.")
    ] = None,
    instance: Instance = None,
    json_: Json = False,
) -> None:
    """Map a parameter of the running instance to the control you move next."""
    told = given(
        action=action and action.value, low=low, high=high, preset=preset,
        channel=0 if any_channel else None,
    )  # fmt: skip
    with line_to(instance, 40) as connection:
        if deaf := connection.ask(do="mappings")["deaf"]:
            raise ValueError(deaf)
        say(f"move the control for {parameter}")
        answer = connection.ask(
            do="learn", parameter=parameter, takeover=takeover.value, curve=curve.value, **told
        )
    print(json.dumps(answer["mapping"]) if json_ else line(answer["mapping"]))


@midi.command()
def mappings(instance: Instance = None, json_: Json = False) -> None:
    """List which control of the running instance moves which parameter."""
    with line_to(instance) as connection:
        found = connection.ask(do="mappings")["mappings"]
    if json_:
        print(json.dumps(found))
        return
    for mapping in found:
        print(line(mapping))


@midi.command()
def forget(
    parameter: Annotated[str, typer.Argument(metavar="ID", help="Parameter's id, or `preset`.")],
    instance: Instance = None,
    json_: Json = False,
) -> None:
    """Remove a parameter's mappings."""
    with line_to(instance) as connection:
        gone = connection.ask(do="forget", parameter=parameter)["forgotten"]
    print(json.dumps({"forgotten": gone}) if json_ else f"{gone} forgotten")
