"""Presets of a running desk: taken from it, put onto it, and its last state kept on disk."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rtsep.artefacts.library import load as load_model
from rtsep.control import presets
from rtsep.control.desk import Desk
from rtsep.control.presets import LAST, Preset, PresetError
from rtsep.control.surface import Surface
from rtsep.control.tree import parameter_values
from rtsep.control.verbs import Verb, field
from rtsep.control.wire import Message

OFTEN = 2.0  # seconds between two writings of the last state


class Shelf:
    """start : what of a preset does not change while it runs: latency, devices, midi."""

    def __init__(self, desk: Desk, surface: Surface, start: Preset, instance: str) -> None:
        self._desk, self._surface = desk, surface
        self._start, self._instance = start, instance

    # control thread only

    def capture(self) -> Preset:
        """The desk as it is now."""
        engine = self._desk.engine
        return replace(
            self._start,
            models=tuple(map(presets.absolute, self._desk.models)), keep=tuple(engine.keep),
            parameters=parameter_values(engine), mappings=tuple(self._surface.table),
        )  # fmt: skip

    def apply(self, preset: Preset, origin: str) -> list[str]:
        """Make the desk as a preset has it; returns what of it has to wait or has no place.

        Everything is checked before anything changes; ValueError leaves all as it was.
        """
        desk, engine = self._desk, self._desk.engine
        models = [presets.absolute(model) for model in preset.models]
        for model in models:
            if model != "bypass":
                load_model(model)
        if models != [presets.absolute(model) for model in desk.models] or (
            preset.keep and set(preset.keep) != set(engine.keep)
        ):
            desk.swap(models, preset.keep or None, origin)
        for name, value in preset.parameters.items():
            if name in engine.parameters:
                desk.turn(name, value, origin)
        self._surface.use(preset.mappings)
        return self._notes(preset)

    def _notes(self, preset: Preset) -> list[str]:
        here = self._desk.engine.parameters
        missing = sorted(name for name in preset.parameters if name not in here)
        notes = [f"no source has {', '.join(missing)}"] if missing else []
        later = [name for name in ("latency", "devices", "midi")
                 if getattr(preset, name) != getattr(self._start, name)]  # fmt: skip
        return notes + ([f"at the next start: {', '.join(later)}"] if later else [])

    def load(self, name: str, origin: str = "midi") -> list[str]:
        """A preset by its name, or by its place in their order as in "#0"."""
        if name.startswith("#"):
            known, at = presets.names(), int(name[1:])
            if not 0 <= at < len(known):
                raise PresetError(f"no preset {at} (there are {len(known)})")
            name = known[at]
        return self.apply(presets.load(name, self._instance), origin)

    def verbs(self) -> dict[str, Verb]:
        """What can be asked by name."""

        def load(desk: Desk, request: Message, origin: str) -> Message:
            return {"notes": self.load(field(request, "preset", str, "its name"), origin)}

        def save(desk: Desk, request: Message, origin: str) -> Message:
            name = field(request, "preset", str, "its name")
            if name == LAST:
                raise ValueError(f"preset {LAST!r} is written by itself (choose another name)")
            return {"path": str(presets.save(name, self.capture()))}

        return {"load": load, "save": save}


class Memory:
    """Writes a desk's last state now and then while it changes, and when it ends."""

    def __init__(self, desk: Desk, shelf: Shelf, instance: str, say: Callable[[str], None]) -> None:
        self._desk, self._shelf, self._instance, self._say = desk, shelf, instance, say
        self._changed, self._stop = threading.Event(), threading.Event()
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="rtsep-memory", daemon=True)

    def start(self) -> None:
        self._desk.listen(lambda change: self.note())
        self._changed.set()
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(OFTEN)
        self._write()

    def note(self) -> None:
        """Something is to be remembered.  Any thread."""
        self._changed.set()

    def _run(self) -> None:
        while not self._stop.wait(OFTEN):
            self._write()

    def _write(self) -> None:
        """What fails is told once, and tried again."""
        if not self._changed.is_set():
            return
        self._changed.clear()
        try:
            state: Any = self._desk.ask(self._shelf.capture).result(OFTEN)
            presets.save(LAST, state, self._instance)
            self._said = ""
        except (OSError, TimeoutError) as error:
            self._changed.set()
            words = " ".join(str(error).split()) or f"no answer within {OFTEN:g} s"
            if words != self._said:
                self._say(f"the last state is not kept: {words}")
            self._said = words
