"""The one thread that turns an engine's parameters; all others send to it.

Jobs wait in a bounded queue.  Who waits for an answer `ask`s and hears when the queue is full; who
cannot wait `post`s, and what finds no room is counted and dropped.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rtsep.control.tree import parameter_values, toggled, turn
from rtsep.engine.parameters import Value, find_parameter

if TYPE_CHECKING:
    from rtsep.control.surface import Surface
    from rtsep.engine.engine import Engine

LONGEST = 1024  # jobs waiting at most
PATIENCE = 5.0  # seconds to end
Answer = TypeVar("Answer")


class Busy(OSError):  # noqa: N818
    """More is asked of the control thread than it does."""


@dataclass(frozen=True)
class Change:
    """A parameter became another.  origin : which way it came in, such as "midi" or "socket"."""

    id: str
    value: Value
    origin: str


Listener = Callable[[Change], None]


class Desk:
    """Owns the targets of an engine from `start` to `close`.

    models : names or paths of the models that the engine runs, as a preset keeps them.
    surface : the MIDI controller's side, once there is one.
    """

    def __init__(self, engine: "Engine", models: Sequence[str] = ()) -> None:
        self.engine, self.models = engine, list(models)
        self.dropped = 0
        self.surface: Surface | None = None
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(LONGEST)
        self._listeners: list[Listener] = []
        self._thread = threading.Thread(target=self._run, name="rtsep-control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Finish what waits, then end.  Within seconds even where a job hangs."""
        with contextlib.suppress(queue.Full):
            self._jobs.put(None, timeout=PATIENCE)
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    # any thread

    def ask(self, act: Callable[..., Answer], *arguments: Any) -> "Future[Answer]":
        """Have the control thread do something; the future has what it returns or raises."""
        future: Future[Answer] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(act(*arguments))
            except Exception as error:
                future.set_exception(error)

        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise Busy(f"{LONGEST} requests wait already") from None
        return future

    def post(self, act: Callable[..., Any], *arguments: Any) -> None:
        """As `ask`, but nobody waits: what finds no room or goes wrong is counted as dropped."""
        try:
            self.ask(act, *arguments).add_done_callback(self._count)
        except Busy:
            self.dropped += 1

    def _count(self, future: "Future[Any]") -> None:
        if future.exception() is not None:
            self.dropped += 1

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Hear of every change, in the control thread; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # control thread only

    def tell(self, change: Change) -> None:
        for listener in list(self._listeners):
            listener(change)

    def turn(self, name: str, value: Value, origin: str) -> Value:
        """Set a parameter; returns what it became."""
        before = self.engine.get(name)
        after = turn(self.engine, name, value)
        if after != before:
            self.tell(Change(name, after, origin))
        return after

    def toggle(self, name: str, origin: str) -> Value:
        parameter = find_parameter(self.engine.parameters, name)
        return self.turn(name, toggled(parameter, self.engine.get(name)), origin)

    def swap(self, models: Sequence[str], keep: Sequence[str] | None, origin: str) -> None:
        """Crossfade to other models; parameters of sources with equal names stay."""
        self.engine.swap(list(models), keep=keep)
        self.models = list(models)
        for name, value in parameter_values(self.engine).items():
            self.tell(Change(name, value, origin))
