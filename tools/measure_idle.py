"""What `rtsep live` costs when there is nothing to hear, and how soon sound comes back.

A JACK server of its own on a dummy device calls for `--block` samples; its microphone is digital
silence, as a muted one or an idle virtual speaker is.  The load is the processor time of the whole
process over real time, once silent and once with the work per hop not left out.  The answer to the
first sample after silence is counted in samples, without a device.  Linux, with jackd installed.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
from circumstances import Row, arguments, measured
from specimens import babble, random_model

import rtsep
from rtsep.ports.live import call_stream, running
from rtsep.ports.portaudio import find_route
from rtsep.ports.soundcard import SoundcardStream

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import servers

RATE, RANK = 48000, 64


def load(engine: rtsep.Engine, block: int, seconds: float, idle: bool) -> Row:
    """Share of a core that a silent stream takes."""
    route = find_route("system", "system", host_api="jack")
    with SoundcardStream(engine, route, block=block), engine.seal():
        engine._state["ladder"] = idle
        time.sleep(2)
        hops, spent, begin = engine.meters().idle_hops, time.process_time(), time.monotonic()
        time.sleep(seconds)
        share = (time.process_time() - spent) / (time.monotonic() - begin)
        return {
            "block": block, "hops left out": engine.meters().idle_hops - hops,
            "% of a core": 100 * share,
        }  # fmt: skip


def answer(engine: rtsep.Engine, block: int) -> Row:
    """Samples from the first sound after a minute of silence to the first that comes out."""
    silence = np.zeros((block, 1), np.float32)
    sound = np.ascontiguousarray(babble(1).T) + np.float32(0.1)
    with running(engine):
        for _ in range(60 * RATE // block):
            call_stream(engine, silence)
        y = [call_stream(engine, sound[i : i + block]) for i in range(0, RATE - block, block)]
    return {
        "block": block, "first sample out after": int(np.flatnonzero(np.concatenate(y))[0]),
        "latency": engine.latency,
    }  # fmt: skip


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--block", type=int, default=480)
    given = parser.parse_args()
    with measured(given.json) as report, servers.jack(given.block, RATE) as server:
        os.environ.update(server.env)
        rows = [
            load(rtsep.Engine(random_model(RANK)), given.block, given.seconds, idle)
            for idle in (True, False)
        ]
        report.table("silent microphone: work left out, and not", rows)
        report.table("and then sound", [answer(rtsep.Engine(random_model(RANK)), given.block)])


if __name__ == "__main__":
    main()
