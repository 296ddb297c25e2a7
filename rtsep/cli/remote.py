"""`rtsep get`, `set`, `watch`, `bypass`, `teach`: a running instance, from another terminal."""

import contextlib
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtsep.cli.learn import Role
from rtsep.cli.options import Instance, Json, given, say

if TYPE_CHECKING:
    from rtsep.control.wire import Line

RESERVE = 120.0  # seconds for learning, beyond the recording


class Bypass(StrEnum):
    on = "on"
    off = "off"
    toggle = "toggle"


def line_to(instance: str | None, seconds: float | None = 10) -> "Line":
    """A connection to the instance that is meant."""
    from rtsep.control.places import chosen, socket_path
    from rtsep.control.wire import Line

    return Line(socket_path(chosen(instance)), seconds)


def number_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def row(parameter: dict[str, Any]) -> str:
    if "choices" in parameter:
        span = ", ".join(parameter["choices"])
    elif parameter.get("switch"):
        span = "0 or 1"
    else:
        span = f"{parameter['low']:g}..{parameter['high']:g} {parameter['unit']}"
    return f"{parameter['id']:20} {shown(parameter['value']):>9}  {span:22} {parameter['name']}"


def get(
    parameter: Annotated[
        str | None, typer.Argument(metavar="ID", help="As in strength or meters.load. [all]")
    ] = None,
    instance: Instance = None,
    json_: Json = False,
) -> None:
    """Print parameters and meters of the running instance."""
    with line_to(instance) as line:
        if parameter is not None:
            value = line.ask(do="get", id=parameter)["value"]
            print(json.dumps(value) if json_ else shown(value))
            return
        found = line.ask(do="describe")
    if json_:
        print(json.dumps({name: found[name] for name in ("parameters", "meters", "resting")}))
        return
    for each in found["parameters"]:
        print(row(each))
    for name, value in found["meters"].items():
        print(f"{name:28} {shown(value)}")
    if found["resting"]:
        print(f"resting: {found['resting']}")


def set_(
    parameter: Annotated[str, typer.Argument(metavar="ID", help="As in strength or fan.gain.")],
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="A number, or a word such as on or residual.")
    ],
    instance: Instance = None,
    json_: Json = False,
) -> None:
    """Set a parameter of the running instance."""
    with line_to(instance) as line:
        now = line.ask(do="set", id=parameter, value=number_or_word(value))["value"]
    print(json.dumps(now) if json_ else shown(now))


def bypass(
    how: Annotated[Bypass, typer.Argument(help="What to do.")] = Bypass.toggle,
    instance: Instance = None,
    json_: Json = False,
) -> None:
    """Turn bypass on or off.  The sound passes unchanged with the same latency.

    Made for a hotkey of your desktop.
    """
    with line_to(instance) as line:
        if how is Bypass.toggle:
            value = line.ask(do="toggle", id="bypass")["value"]
        else:
            value = line.ask(do="set", id="bypass", value=how.value)["value"]
    print(json.dumps(value) if json_ else "on" if value else "off")


def event_line(event: dict[str, Any]) -> str:
    if event["event"] == "change":
        return f"{event['id']} {shown(event['value'])}  ({event['from']})"
    return "  ".join(f"{name}={shown(value)}" for name, value in event["values"].items())


def watch(
    meters: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Also print the meters at this interval."),
    ] = None,
    instance: Instance = None,
    json_: Json = False,
) -> None:
    """Print every parameter change, whoever makes it.  Ctrl-C ends it."""
    with contextlib.suppress(KeyboardInterrupt), line_to(instance, None) as line:
        line.ask(do="watch", **given(meters=meters))
        for event in line.messages():
            print(json.dumps(event) if json_ else event_line(event), flush=True)


def teach(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name for the sound, as in fan.")],
    seconds: Annotated[
        float, typer.Option(min=0.5, max=600, help="How long to listen, in seconds.")
    ] = 5,
    role: Annotated[Role | None, typer.Option(help="What to do with the sound. [remove]")] = None,
    add: Annotated[
        bool, typer.Option(help="Keep the running models too, or replace them.")
    ] = False,
    instance: Instance = None,
    json_: Json = False,
) -> None:
    """Learn a sound from the running microphone.  It is then swapped in without a gap."""
    with line_to(instance, seconds + RESERVE) as line:
        say(f"listening {seconds:g} s: nothing but {name} should sound")
        told = line.ask(
            do="teach", name=name, seconds=seconds, add=add, **given(role=role and role.value)
        )
    if json_:
        print(json.dumps({name: told[name] for name in ("path", "models", "sources")}))
    else:
        print(f"{told['path']}: now separating {', '.join(told['sources'])}")
