"""Ctrl-C: the normal end of a live stream, and of a search with the best so far."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType

from rtsep.cli.options import say

Enough = Callable[[float], bool]


class Stop:
    """What a signal's handler may set and the main thread waits for.

    It is no threading.Event, whose `set` wants a lock that its `wait` holds now and then: a handler
    runs in the midst of the main thread's `wait`, and would wait for itself for ever.
    """

    def __init__(self) -> None:
        self._set = False
        self._wake: SimpleQueue[None] = SimpleQueue()  # its `put` may come in the midst of a `get`

    def set(self) -> None:
        self._set = True
        self._wake.put(None)

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float) -> None:
        """Until it is set, or for so long."""
        if not self._set:
            with suppress(Empty):
                self._wake.get(timeout=seconds)


@contextmanager
def ended_by_signals() -> Iterator[Stop]:
    """Set by Ctrl-C and by SIGTERM, the normal ends of a live stream."""
    stop = Stop()
    names = (signal.SIGINT, signal.SIGTERM)
    before = {name: signal.signal(name, lambda *_: stop.set()) for name in names}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextmanager
def stoppable(told: Callable[[float], None]) -> Iterator[Enough]:
    """A watcher that passes the objective on and answers whether Ctrl-C has been pressed.

    Before it has heard anything there is nothing to keep, and when pressed again nothing is
    wanted: then it is KeyboardInterrupt.
    """
    heard = pressed = said = False

    def watch(objective: float) -> bool:
        nonlocal heard, said
        heard = True
        told(objective)
        if pressed and not said:  # by no handler, which may come while this thread is writing
            said = True
            say("stopping: the best so far is kept (Ctrl-C again keeps nothing)")
        return pressed

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed or not heard:
            raise KeyboardInterrupt
        pressed = True

    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    before = signal.signal(signal.SIGINT, press)
    try:
        yield watch
    finally:
        signal.signal(signal.SIGINT, before)
