"""What `rtsep live` opens so that it can be turned from outside."""

import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsep.cli.options import given, say

if TYPE_CHECKING:
    from rtsep.control.desk import Desk
    from rtsep.control.presets import Preset
    from rtsep.engine.engine import Engine

LONGEST = 300.0  # seconds that learning may take
GENTLY = "import os; os.nice(10); from rtsep.cli.main import run; run()"


def last_line(words: str) -> str:
    lines = words.strip().splitlines()
    return lines[-1].removeprefix("rtsep: ") if lines else "learning ended without a word"


def write_take(path: Path, samples: Any, rate: int) -> None:
    from rtsep.artefacts.whole import whole
    from rtsep.ports.formats import SoundFormat
    from rtsep.ports.recordings import writer

    with whole(path) as (draft,), writer(draft, SoundFormat("WAV", "FLOAT"), rate, 1) as take:
        take.write(samples[None])


def learn_apart(samples: Any, rate: int, name: str, role: str | None) -> Path:
    """Learn a model in a process of its own, at low priority; the file among the user's models.

    samples : float32 (n,).  ValueError with what it said where it fails.
    """
    from rtsep.artefacts.library import user_folder

    with tempfile.TemporaryDirectory(prefix="rtsep-") as folder:
        take = Path(folder) / f"{name}.wav"
        write_take(take, samples, rate)
        words = ["learn", str(take), "--name", name, *(["--role", role] if role else [])]
        try:
            done = subprocess.run(
                [sys.executable, "-c", GENTLY, *words], timeout=LONGEST,
                capture_output=True, text=True, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ValueError(f"learning {name!r} took over {LONGEST:g} s") from None
    if done.returncode != 0:
        raise ValueError(last_line(done.stderr))
    return user_folder() / f"{name}.npz"


def starting_preset(name: str | None, instance: str | None, **told: Any) -> "Preset":
    """What a stream starts from: a preset, if one is named, and over it what was said.

    told : fields of a preset, its devices by their own names; None leaves the preset's.
    """
    from rtsep.control import presets

    base = presets.load(name, instance or "main") if name else _as_mapped(instance)
    told = given(**told)
    devices = {key: told.pop(key) for key in ("input", "output", "host_api") if key in told}
    lists: dict[str, Any] = {key: tuple(told.pop(key)) for key in ("models", "keep") if key in told}
    return replace(base, devices=base.devices | devices, **lists, **told)


def as_left(
    instance: str | None, start: "Preset", values: dict[str, Any]
) -> tuple["Preset", dict[str, Any]]:
    """What a stream goes on from once its server is back: as it was, or as it was begun."""
    from rtsep.control import presets

    try:
        return starting_preset(presets.LAST, instance), {}
    except presets.PresetError as error:
        say(f"the last state is left out: {error}")
        return start, values


def _as_mapped(instance: str | None) -> "Preset":
    """Nothing but the mappings of the last time."""
    from rtsep.control import presets

    try:
        last = presets.load(presets.LAST, instance or "main")
    except presets.PresetError as error:
        if presets.path_of(presets.LAST, instance or "main").exists():
            say(f"the last state is left out: {error}")
        return presets.Preset()
    return presets.Preset(mappings=last.mappings)


def runs(instance: str) -> bool:
    """Whether an instance of that name answers."""
    from rtsep.control.places import running

    try:
        return instance in running()
    except OSError:  # sockets have no folder
        return False


def free_instance(wanted: str | None = None) -> str | None:
    """A name that no other instance has, held to the end of this process; None where sockets have
    no folder.

    OSError where one has the name that is wanted: they would share devices and the last state.
    """
    from rtsep.control.places import claim, free_name, running

    try:
        taken = running()
    except OSError:
        return wanted
    if wanted is None:
        return free_name(claim)
    if wanted in taken or not claim(wanted):
        raise OSError(f"instance {wanted!r} is running already (running: {', '.join(taken)})")
    return wanted


def engine_arguments(preset: "Preset") -> dict[str, Any]:
    """An engine's arguments."""
    return {
        "models": list(preset.models), "keep": list(preset.keep) or None,
        "latency": preset.latency, "remembered": dict(preset.parameters),
    }  # fmt: skip


def route_arguments(preset: "Preset") -> dict[str, Any]:
    """A route's arguments."""
    names = {"input": "source", "output": "sink", "host_api": "host_api"}
    return {names[key]: value for key, value in preset.devices.items()}


def served(
    engine: "Engine", preset: "Preset", instance: str | None, osc: str | None = None
) -> AbstractContextManager["Desk"]:
    """All ways into a running engine."""
    from rtsep.control.serve import serve

    return serve(
        engine, preset=preset, instance=instance, midi=preset.midi or None, osc=osc,
        learn=learn_apart, say=say,
    )  # fmt: skip
