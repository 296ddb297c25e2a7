"""An hour of live stream in real time: late blocks beside what the host stole, delay, memory.

A JACK server of its own on a dummy device calls for a block of 128 samples every 2.67 ms, or of as
many as --block says, through two streams as for two devices on two clocks, with a default model and
its unknown source learning, or with another model, in another mode.  The dummy device is silent, so
the input's callback is handed prepared noise; what is played is compared with it: `delay` is how
many samples it is behind, exactly.  --trace, as root and for a quarter of an hour at most: what the
cores did meanwhile.  Linux, with jackd installed.
"""

import argparse
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pauses
from circumstances import Row, arguments, host_time, measured
from measure_memory import resident
from numba import carray, types
from specimens import babble, random_model
from tracing import traced

import rtsep
from rtsep.dsp.machine import call, pointer_to
from rtsep.engine import ends
from rtsep.engine.crossing import CROSSING_POINTER
from rtsep.ports import pair
from rtsep.ports.portaudio import find_route
from rtsep.ports.soundcard import SoundcardStream

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import servers

RATE, RANK = 48000, 64
PERIOD = 128 * 1024  # samples of noise, again and again: whole blocks of any power of two
noise = np.ascontiguousarray(babble(PERIOD / RATE)[0])
played = np.zeros(PERIOD, np.float32)
ours, control = np.zeros((2, pauses.BOOK), np.int64)  # books of what was late
OURS = ours.ctypes.data
HEARD, PLAYED = noise.ctypes.data, played.ctypes.data
TAKE, GIVE = ends.input_callback.address, ends.output_callback.address
ADDRESS, floats_at = types.voidptr, pointer_to(types.float32)
SHAPE = types.int32(
    ADDRESS, types.CPointer(types.float32), types.uint64, ADDRESS, types.uint64, CROSSING_POINTER
)


def duration(block: int) -> int:
    """Of a block, in ns."""
    return block * 1_000_000_000 // RATE


@numba.cfunc(SHAPE)
def take(x: Any, y: Any, n: int, times: Any, flags: int, pointer: Any) -> int:
    """The input's callback, on the next n samples of noise."""
    cross = carray(pointer, (1,))[0]
    at = cross.deposits * np.int64(n) % PERIOD
    call(TAKE, HEARD + 4 * at, y, n, times, flags, pointer)
    return 0


@numba.cfunc(SHAPE)
def give(x: Any, y: Any, n: int, times: Any, flags: int, pointer: Any) -> int:
    """The output's callback; what it played is kept, and what was late noted."""
    state = carray(ends.state_at(carray(pointer, (1,))[0].engine), (1,))[0]
    kept = carray(floats_at(PLAYED), (PERIOD,))
    at, so_far = state.blocks * np.int64(n) % PERIOD, state.late_blocks
    pauses.look(OURS, pauses.BEFORE)
    call(GIVE, x, y, n, times, flags, pointer)
    pauses.look(OURS, pauses.AFTER)
    if state.late_blocks > so_far:
        pauses.note(OURS, 0)
    for i in range(n):
        kept[at + i] = y[i]
    return 0


def lag(engine: rtsep.Engine, block: int) -> int:
    """How many samples the last second played is behind the noise, by where they agree best."""
    meters = [engine.meters() for _ in range(20)]
    ahead = min(
        each.deposits - each.blocks for each in meters
    )  # blocks heard before any was played
    here, y = meters[-1].blocks * block % PERIOD, np.zeros(PERIOD, np.float32)
    last = np.arange(here - RATE, here) % PERIOD
    y[last] = played[last]
    shift = int(np.argmax(np.fft.irfft(np.fft.rfft(y) * np.conj(np.fft.rfft(noise)))))
    return (shift + ahead * block) % PERIOD


def minute(engine: rtsep.Engine, block: int, before: Row, begin: float) -> Row:
    """What the meters have counted since the row before."""
    meters, (stolen, total) = engine.meters(), host_time()
    now = {"blocks": meters.blocks, "late": meters.late_blocks, "flags": meters.device_flags,
           "starved": meters.starved, "late bare": pauses.too_long(control, duration(block)),
           "bare woken late": int(control[pauses.COUNT]), "ready ms": 1000 * pauses.waited(ours),
           "stolen": stolen, "ticks": total}  # fmt: skip
    now["bare woken late"] -= now["late bare"]
    passed = {name: value - before.get(name, 0) for name, value in now.items()}
    share = 100 * passed.pop("stolen") / max(1, passed.pop("ticks"))
    before.update(now)
    return {
        "minutes": (time.monotonic() - begin) / 60, **passed, "restarts": meters.restarts,
        "delay": lag(engine, block), "drift ppm": meters.drift_ppm, "rung": meters.rung,
        "p99 us": meters.hop_p99_us, "max us": meters.hop_max_us, "steal %": share,
        "KiB": resident("self", "VmRSS"),
    }  # fmt: skip


def listen(given: argparse.Namespace) -> tuple[list[Row], float]:
    """A row a minute, and when it began."""
    block = given.block
    engine = rtsep.Engine(given.model or random_model(RANK), latency=given.latency)
    pair.input_callback, pair.output_callback = take, give  # type: ignore[attr-defined]
    route = find_route("system", "system", host_api="jack", clocks=2)
    beside = pauses.bare_loop(control, duration(block))
    with SoundcardStream(engine, route, block=block), beside, engine.seal():
        begin, rows, before = time.monotonic(), [], Row()
        time.sleep(10)  # clocks are learned
        for book in (ours, control):
            pauses.follow(book)
            book[pauses.COUNT] = 0
        minute(engine, block, before, begin)
        while (left := begin + 60 * given.minutes - time.monotonic()) > 0:
            time.sleep(min(60, left))
            rows.append(minute(engine, block, before, begin))
            print(rows[-1], file=sys.stderr, flush=True)
        return rows, begin


def summary(rows: list[Row], block: int) -> Row:
    calm = [row for row in rows if row["steal %"] < 1]
    return {
        "minutes": rows[-1]["minutes"], "blocks": sum(row["blocks"] for row in rows),
        "late": sum(row["late"] for row in rows), "of the bare loop": int(control[pauses.TIMES]),
        "late bare": sum(row["late bare"] for row in rows),
        "woken late": sum(row["bare woken late"] for row in rows), "calm minutes": len(calm),
        "late there": sum(row["late"] for row in calm),
        "late bare there": sum(row["late bare"] for row in calm),
        "held / stolen under 1 %": "{} / {}".format(*pauses.unheld(ours, 0)),
        "bare": "{} / {}".format(*pauses.unheld(control, duration(block))),
        "first delay": rows[0]["delay"], "last delay": rows[-1]["delay"],
        "KiB first": rows[0]["KiB"], "KiB last": rows[-1]["KiB"],
    }  # fmt: skip


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--block", type=int, default=128, help="samples, a power of two")
    parser.add_argument("--model", help="a noise of 64 components otherwise")
    parser.add_argument("--latency", default="low")
    parser.add_argument("--trace", action="store_true", help="what the cores did, by the kernel")
    given = parser.parse_args()
    trace = traced() if given.trace else nullcontext(lambda windows: [Row() for _ in windows])
    with (
        measured(given.json) as report,
        servers.jack(given.block, RATE) as server,
        trace as meanwhile,
    ):
        os.environ.update(server.env)
        rows, begin = listen(given)
        report.table("every minute", rows)
        report.table("in all", [summary(rows, given.block)])
        for whose, book in (("late blocks", ours), ("late in the bare loop", control)):
            if book[pauses.COUNT]:
                pairs = zip(pauses.late(book, begin), meanwhile(pauses.windows(book)), strict=True)
                report.table(whose, [row | more for row, more in pairs])


if __name__ == "__main__":
    main()
