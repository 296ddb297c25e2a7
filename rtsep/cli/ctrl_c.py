"""Ctrl-C that ends a search with the best so far."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rtsep.cli.options import say

Enough = Callable[[float], bool]


@contextmanager
def stoppable(told: Callable[[float], None]) -> Iterator[Enough]:
    """A watcher that passes the objective on and answers whether Ctrl-C has been pressed.

    Before it has heard anything there is nothing to keep, and when pressed again nothing is
    wanted: then it is KeyboardInterrupt.
    """
    heard = pressed = False

    def watch(objective: float) -> bool:
        nonlocal heard
        heard = True
        told(objective)
        return pressed

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed or not heard:
            raise KeyboardInterrupt
        pressed = True
        say("stopping: the best so far is kept (Ctrl-C again keeps nothing)")

    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    before = signal.signal(signal.SIGINT, press)
    try:
        yield watch
    finally:
        signal.signal(signal.SIGINT, before)
