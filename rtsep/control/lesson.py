"""Learning from the running microphone: capture, learn in another process, swap in.

The audio thread goes on meanwhile: the input's ring is read, learning is a process of its own.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rtsep.control.desk import Desk
from rtsep.control.places import checked
from rtsep.control.verbs import field
from rtsep.control.wire import Message

SECONDS = (0.5, 600.0)
PATIENCE = 10.0  # seconds for the swap
# (samples float32 (n,), rate in Hz, name, role or None) to the learned model's file.
Learn = Callable[[NDArray[Any], int, str, str | None], Path]


class Lesson:
    """One lesson at a time.  Any thread but the control thread."""

    def __init__(self, desk: Desk, learn: Learn) -> None:
        self._desk, self._learn = desk, learn
        self._one = threading.Lock()

    def teach(self, request: Message, gone: Callable[[], bool] = lambda: False) -> Message:
        """Fields: name, seconds, role ("keep", "remove"), add (beside the models that run).

        gone : whether nobody waits for it any more: then nothing is swapped in.
        """
        name = checked(field(request, "name", str, "the sound's name"), "name")
        seconds = field(request, "seconds", (int, float), "seconds of sound")
        if not SECONDS[0] <= seconds <= SECONDS[1]:
            raise ValueError(f"seconds={seconds} is outside {SECONDS[0]:g}..{SECONDS[1]:g}")
        role = request.get("role")
        if role not in (None, "keep", "remove"):
            raise ValueError(f"role={str(role)[:40]!r} is neither 'keep' nor 'remove'")
        if not self._one.acquire(blocking=False):
            raise ValueError(f"another sound is being learned; {name!r} must wait")
        try:
            path = self._learned(name, float(seconds), role, gone)
            return self._swapped(path, name, bool(request.get("add")), gone)
        finally:
            self._one.release()

    def _learned(
        self, name: str, seconds: float, role: str | None, gone: Callable[[], bool]
    ) -> Path:
        engine = self._desk.engine
        if not (engine.live or engine.halted):
            raise ValueError(f"no sound runs that {name!r} could be learned from")
        with engine.attend():
            samples = engine.capture(seconds)
        peak = float(abs(samples).max(initial=0))
        if peak == 0:
            raise ValueError(f"the microphone gave {len(samples)} samples of silence (peak 0)")
        _refuse_gone(gone)
        return self._learn(samples, engine.rate, name, role)

    def _swapped(self, path: Path, name: str, add: bool, gone: Callable[[], bool]) -> Message:
        _refuse_gone(gone)
        models = self._models(path, name, add)
        self._desk.ask(self._desk.swap, models, None, "teach").result(PATIENCE)
        return {"path": str(path), "models": models, "sources": list(self._desk.engine.sources)}

    def _models(self, path: Path, name: str, add: bool) -> list[str]:
        others = [model for model in self._desk.models if Path(model).stem not in (name, "bypass")]
        return [*(others if add else []), str(path)]


def _refuse_gone(gone: Callable[[], bool]) -> None:
    if gone():
        raise ValueError("nobody waits for it any more")
