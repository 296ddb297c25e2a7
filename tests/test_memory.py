"""Twenty minutes of stream in simulated time: no memory is gathered, of Python or of C."""

import gc
import resource

import numpy as np
from control_room import desk_for

import rtsep
from models import babble, model
from rtsep.control import verbs
from rtsep.ports.live import call_stream

RATE, BLOCK = 8000, 400
PAGE = resource.getpagesize()


def resident():
    """Bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE


def second(engine, desk, x, now):
    """What a second of a turned, watched, taught stream is."""
    for start in range(0, RATE, BLOCK):
        call_stream(engine, x[start : start + BLOCK])
    desk.ask(verbs.turn, desk, {"id": "strength", "value": now % 2}, "midi").result(5)
    desk.ask(verbs.describe, desk, {}, "socket").result(5)
    engine.spectra(71)
    if now % 60 == 30:
        engine.restore(engine.snapshot())
    if now % 60 == 59:
        engine.swap(model(f"fan{now // 60}", rate=RATE))


def test_twenty_minutes_gather_nothing():
    engine = rtsep.Engine(model(rate=RATE), rate=RATE, latency="medium")
    x, measured = np.ascontiguousarray(babble(RATE)[:, None]), []
    with desk_for(engine) as desk, engine.seal():
        for now in range(20 * 60):
            second(engine, desk, x, now)
            if now in (119, 1199):
                gc.collect()
                measured.append((resident(), len(gc.get_objects())))
    (early, few), (late, many) = measured
    print(f"resident {early} then {late}, objects {few} then {many}")
    assert late - early < 1 << 20
    assert many - few < 100
