"""The stream callback as PortAudio calls it, in JACK's freewheel: exact, and faster than time.

Run as a program, this file is the child that plays: a JACK client that feeds the device it is,
records what comes back, and holds it against the same engine offline.
"""

import json
import math
import subprocess
import sys
import time

import networks
import numpy as np
import pytest

import models

RATE, PERIOD, SECONDS = 48000, 128, 5
KINDS = {
    "bypass": "bypass", "nmf": models.model("fan"), "asvd": models.model("fan", "asvd"),
    "network": networks.network("gru"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("block", "kind", "mode"),
    [
        (0, "bypass", "high"),
        (0, "nmf", "low"),
        (480, "nmf", "medium"),
        (128, "asvd", "low"),
        (0, "network", "low"),
    ],
)
def test_callback_equals_offline(jack_server, warm, block, kind, mode):
    child = subprocess.run(
        [sys.executable, __file__, str(block), kind, mode], env=jack_server.env,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    assert found["error"] <= 1e-7
    assert found["loud"] > 0.01
    assert found["delay"] <= 2 * max(block, PERIOD) + PERIOD  # of the device, beside the engine's
    assert found["wall_seconds"] < SECONDS


class Loop:
    """A JACK client with one port each way, by which PortAudio takes it for a device."""

    def __init__(self, x):
        import jack

        self.client = jack.Client("loop")
        self.x, self.y, self.at, self.engine = x, np.zeros_like(x), -1, None
        self.heard = 0  # samples the engine had seen when x began
        self.source = self.client.outports.register("out")
        self.sink = self.client.inports.register("in")
        self.client.set_process_callback(self.turn)
        self.client.activate()

    def turn(self, frames):
        out = self.source.get_array()
        out[:] = 0
        if self.engine is None or self.at + frames > len(self.x):
            return
        if self.at < 0:
            self.at, self.heard = 0, self.engine.meters().samples
        out[:] = self.x[self.at : self.at + frames]
        self.y[self.at : self.at + frames] = self.sink.get_array()
        self.at += frames


def offline(make, x, zeros):
    """What a new engine makes of x after some silence, from x on."""
    return make().process(np.concatenate([np.zeros(zeros, np.float32), x]))[zeros:]


def distance(y, reference):
    """Largest difference at the best delay of the device, and that delay."""
    n = len(reference)
    delays = range(0, 2048, 16)
    return min((float(np.abs(y[d:n] - reference[: n - d]).max()), d) for d in delays)


def agreement(make, loop, block):
    """How far the recording is from what an engine makes offline, and the device's delay.

    How much silence the engine heard before x is known to a block or two, and decides where its
    hops fall: it is the right one where the first half second agrees, and then all has to.
    """
    step, reach = math.gcd(PERIOD, block or PERIOD), 2 * max(block, PERIOD)
    silences = range(max(0, loop.heard - reach), loop.heard + reach + 1, step)
    short = loop.x[: RATE // 2]
    _, silence = min((distance(loop.y, offline(make, short, n)), n) for n in silences)
    return distance(loop.y, offline(make, loop.x, silence))


def main(block, kind, mode):
    x = models.babble(RATE * SECONDS)
    x = x[: len(x) // PERIOD * PERIOD]
    loop = Loop(x)  # before PortAudio looks for devices

    import rtsep
    from rtsep.ports.portaudio import find_route
    from rtsep.ports.soundcard import SoundcardStream

    def make():
        return rtsep.Engine(KINDS[kind], rate=RATE, latency=mode)

    engine = make()
    with SoundcardStream(engine, find_route("loop", "loop", host_api="jack"), block=block):
        loop.client.set_freewheel(True)
        begin, loop.engine = time.monotonic(), engine
        while loop.at + PERIOD <= len(x):
            time.sleep(0.01)
        wall = time.monotonic() - begin
        loop.client.set_freewheel(False)
    error, delay = agreement(make, loop, block)
    loud = float(np.sqrt(np.mean(loop.y**2)))
    print(json.dumps({"error": error, "delay": delay, "loud": loud, "wall_seconds": wall}))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
