"""`rtsep route`: the virtual devices that programs see, with or without a stream."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from rtsep.cli.options import Instance, Json, say

if TYPE_CHECKING:
    from rtsep.ports.soundcard import SoundcardStream
    from rtsep.ports.virtual import Virtual

PLUGIN = {"source": "pulse", "sink": "pulse", "host_api": "ALSA"}  # of libasound2-plugins
PLUGIN_MISSING = "PortAudio finds no device 'pulse': apt install libasound2-plugins"

Playback = Annotated[
    bool, typer.Option("--playback", help="A virtual speaker instead: clean what you hear.")
]
DefaultDevice = Annotated[
    bool, typer.Option("--default", help="Make it the system's default device while it exists.")
]

route = typer.Typer(name="route", help="Make, remove and list virtual devices.")


def named(instance: str | None, playback: bool) -> "Virtual":
    from rtsep.control.places import checked
    from rtsep.ports.virtual import Virtual

    return Virtual(checked(instance or "main", "instance"), playback)


@contextmanager
def devices_for(
    virtual: "Virtual", wanted: str | None, channels: int, default: bool, stems: Sequence[str] = ()
) -> Iterator[str]:
    """Lead PortAudio through a virtual device, before it starts; the real device's name."""
    from rtsep.ports.routing import default_device, routed

    with ExitStack() as stack:
        found = stack.enter_context(routed(virtual, wanted, channels, stems))
        if default:
            stack.enter_context(default_device(virtual))
        os.environ |= {"PULSE_SOURCE": found.source, "PULSE_SINK": found.sink}
        beside = f", and each of {', '.join(stems)}" if stems else ""
        say(f"programs find it as {virtual.title!r}{beside}; from {found.source} to {found.sink}")
        yield found.sink if virtual.playback else found.source


@contextmanager
def heeding(
    virtual: "Virtual", stems: Sequence[str], real: str, always: bool, once: bool,
    stream: "SoundcardStream",
) -> Iterator[None]:  # fmt: skip
    """Let the stream rest, and stop, while no program records the virtual microphone.

    It stops as well while the real device is not there.  always : whoever records.  once : it is
    lost with the real device.
    """
    from rtsep.ports.listeners import listening, recorders_of
    from rtsep.ports.presence import Presence

    presence, said = Presence(real, virtual.playback), "back"

    def tell(heard: bool, there: bool) -> None:
        nonlocal said
        if once and not there:
            stream.lose(f"{real} is gone")
            return
        taken = f"gone; {presence.instead} takes its place" if presence.instead else "back"
        if (now := taken if there else "gone; waiting for it") != said:
            say(f"{real} is {now}")
        said = now
        stream.heed(heard, there)

    recorders = recorders_of(virtual, stems, always)
    with listening(recorders, presence, tell):
        yield


@route.command()
def up(playback: Playback = False, instance: Instance = None, json_: Json = False) -> None:
    """Make the virtual device and leave it there.  `rtsep live --virtual` then uses it."""
    from rtsep.cli.serving import runs
    from rtsep.ports import virtual

    device = named(instance, playback)
    made = virtual.up(device, lasting=True, running=runs(device.instance))
    if json_:
        print(json.dumps({"name": device.name, "title": device.title, "made": made}))
    else:
        print(f"{device.title}: {'made' if made else 'is there already'}")


@route.command()
def down(playback: Playback = False, instance: Instance = None, json_: Json = False) -> None:
    """Remove the virtual device unless it is in use.  No other device is touched."""
    from rtsep.cli.serving import runs
    from rtsep.ports import virtual

    device = named(instance, playback)
    removed = virtual.down(device, runs(device.instance))
    if json_:
        print(json.dumps({"name": device.name, "title": device.title, "removed": removed}))
    else:
        print(f"{device.title}: {'removed' if removed else 'was not there'}")


@route.command()
def status(json_: Json = False) -> None:
    """List rtsep's virtual devices.  Says how many programs use each."""
    from rtsep.ports import virtual

    found = virtual.status()
    if json_:
        print(json.dumps(found))
        return
    for each in found:
        stays = ", stays" if each["lasting"] else ""
        print(f"{each['title']} ({each['name']}): {each['users']} programs{stays}")
    if not found:
        print("no virtual device of rtsep here")
