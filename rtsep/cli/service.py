"""`rtsep service`: rtsep from login on, by a systemd user unit."""

import json
import shlex
from typing import Annotated, Any

import typer

from rtsep.cli.options import Instance, Json, MidiPort, OscPort, PresetName, say
from rtsep.cli.route import DefaultDevice, Playback

service = typer.Typer(name="service", help="Start rtsep at login, by systemd.")
Start = Annotated[bool, typer.Option(help="Also start it now, if systemd runs.")]


def words(
    instance: str, preset: str | None, playback: bool, default: bool, **ways: str | None
) -> list[str]:
    """What `rtsep live` is told."""
    told = ["live", "--playback" if playback else "--virtual", "--instance", instance]
    if default:
        told.append("--default")
    for name, value in {"preset": preset, **ways}.items():
        if value is not None:
            told += [f"--{name}", value]
    return told


def to_do(name: str, command: list[str]) -> list[str]:
    """What is left to do by hand where systemd does not answer."""
    return [
        "no systemd of yours runs here; where one does, it starts at the next login, or now by",
        f"  systemctl --user daemon-reload && systemctl --user restart {name}",
        "without systemd, let your desktop start at login",
        f"  {shlex.join(command)}",
    ]


@service.command()
def install(
    preset: PresetName = None,
    playback: Playback = False,
    default: DefaultDevice = False,
    midi: MidiPort = None,
    osc: OscPort = None,
    instance: Instance = None,
    start: Start = True,
) -> None:
    """Install and start the service.

    Writes and enables a systemd user unit that runs `rtsep live --virtual`.  To let it run even
    while you are not logged in: loginctl enable-linger.
    """
    from rtsep.control import presets, systemd

    unit = systemd.Unit(instance or "main")
    if preset is not None:
        presets.load(preset, unit.instance)
    told = words(unit.instance, preset, playback, default, midi=midi, osc=osc)
    title = f"virtual {'speaker' if playback else 'microphone'} {unit.instance}"
    contents = systemd.text(title, told)
    systemd.check_interpreter()
    systemd.write(unit, contents)
    print(f"{unit.name}: written to {unit.path}, starts at login")
    if systemd.systemctl("daemon-reload") is None:
        for line in to_do(unit.name, systemd.command(told)):
            say(line)
    elif start:
        systemd.systemctl("restart", unit.name)
        print(f"{unit.name}: started (what it says: journalctl --user -u {unit.name})")


@service.command()
def uninstall(instance: Instance = None) -> None:
    """Stop the service and remove it.  Presets and models stay."""
    from rtsep.control import systemd

    unit = systemd.Unit(instance or "main")
    if systemd.is_ours(unit.path):
        stopped = systemd.systemctl("stop", unit.name) is not None
        systemd.remove(unit)
        systemd.systemctl("daemon-reload")
        print(f"{unit.name}: {'stopped and ' if stopped else ''}removed")
    else:
        systemd.remove(unit)
        print(f"{unit.name}: was not there")


def state(instance: str) -> dict[str, Any]:
    """Whether a unit is installed, enabled and active, and whether an rtsep of its name answers."""
    from rtsep.control import places, systemd

    unit = systemd.Unit(instance)
    return {
        "name": unit.name, "path": str(unit.path), "installed": systemd.is_ours(unit.path),
        "enabled": unit.link.is_symlink(), "active": systemd.systemctl("is-active", unit.name),
        "answers": instance in places.running(),
    }  # fmt: skip


@service.command()
def status(instance: Instance = None, json_: Json = False) -> None:
    """Tell whether the service is installed, enabled and running."""
    told = state(instance or "main")
    if json_:
        print(json.dumps(told))
        return
    if not told["installed"]:
        print(f"{told['name']}: not installed (rtsep service install)")
        return
    enabled = "starts at login" if told["enabled"] else "does not start at login"
    active = told["active"] or "systemd does not answer"
    answers = "answers" if told["answers"] else "does not answer"
    print(f"{told['name']}: {active}, {enabled}; rtsep {instance or 'main'} {answers}")
    print(told["path"])
