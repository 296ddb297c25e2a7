"""An engine that runs, a desk that turns it, and a socket to it, for the tests of control."""

import contextlib
import threading
import time

import numpy as np

import rtsep
from models import babble
from rtsep.control.desk import Desk
from rtsep.control.places import socket_path
from rtsep.control.presets import Preset
from rtsep.control.serve import serve
from rtsep.control.wire import Line
from rtsep.ports.live import call_stream, running


@contextlib.contextmanager
def sounding(engine, block=480):
    """The engine as a device would run it, as fast as it goes, until the context ends."""
    x, stop = babble(48000), threading.Event()
    outputs = []

    def play():
        at = 0
        while not stop.is_set():
            piece = np.ascontiguousarray(np.resize(x[at : at + block], (block, 1)))
            y = call_stream(engine, piece)
            outputs.append(y[:, 0]) if len(outputs) < 4000 else None
            at = (at + block) % 48000
            stop.wait(0.002)

    with running(engine):
        thread = threading.Thread(target=play)
        thread.start()
        try:
            yield outputs
        finally:
            stop.set()
            thread.join()


@contextlib.contextmanager
def desk_for(engine=None, models=("bypass",)):
    desk = Desk(engine or rtsep.Engine("bypass"), models)
    desk.start()
    try:
        yield desk
    finally:
        desk.close()


@contextlib.contextmanager
def served_line(engine=None, models=("bypass",), **how):
    """A running control and a client of it."""
    made = Preset(models=tuple(models))
    served = serve(engine or rtsep.Engine("bypass"), **{"preset": made, **how})
    with served as desk, Line(socket_path(how.get("instance") or "main")) as line:
        yield desk, line


def until(done, seconds=20):
    """Wait for something that another thread or process does."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.01)
