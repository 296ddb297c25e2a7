"""The stream callback while other Python threads spin, allocate and collect garbage.

A JACK server of its own on a dummy device calls for 128 samples every 2.67 ms: the compiled
callback and an ordinary Python one around the same engine, in turns within one run.  Each is timed
from outside the interpreter, waiting for its lock included.  Late means longer than the period;
"of" is how many periods went by.  The dummy device is silent, so prepared noise is its input.
"""

import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
from circumstances import Row, arguments, host_time, measured
from numba import carray, types
from specimens import babble, random_model

import rtsep
from rtsep.dsp.machine import call, nanoseconds
from rtsep.ports.portaudio import Route, find_route, sounddevice
from rtsep.ports.soundcard import SoundcardStream

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import servers

RATE, BLOCK, RANK, TURNS = 48000, 128, 64, 3
PERIOD_US = 1e6 * BLOCK / RATE
INNER, USERDATA, NOISE, TURN, COUNT, FLAGS, FIRST = range(7)  # of a table; durations from FIRST on
ADDRESS = types.voidptr


@numba.cfunc(
    types.int32(ADDRESS, ADDRESS, types.uint64, ADDRESS, types.uint64, types.CPointer(types.int64))
)
def timed(x: Any, y: Any, n: int, times: Any, flags: int, pointer: Any) -> int:
    """A stream callback that calls another on prepared noise, and notes how long that took."""
    head = carray(pointer, (FIRST,))
    table = carray(pointer, (FIRST + head[TURN],))
    at = head[COUNT] % head[TURN]
    begin = nanoseconds()
    call(head[INNER], head[NOISE] + at % 1024 * 4 * BLOCK, y, n, times, flags, head[USERDATA])
    table[FIRST + at] = nanoseconds() - begin
    head[COUNT] += 1
    head[FLAGS] += flags != 0
    return 0


def in_python(engine: rtsep.Engine) -> Any:
    """The callback one would write in Python; keep it as long as it may be called."""
    ffi = sounddevice()._ffi

    def turn(x: Any, y: Any, n: int, times: Any, flags: int, userdata: Any) -> int:
        heard = np.frombuffer(ffi.buffer(x, 4 * n), np.float32)
        np.frombuffer(ffi.buffer(y, 4 * n), np.float32)[:] = engine.process(heard)
        return 0

    return ffi.callback("PaStreamCallback", turn)


def run(inner: int, userdata: int, noise: Any, route: Route, seconds: float) -> tuple[Any, float]:
    """Let the server call for some seconds; the table that `timed` filled, and how long it took."""
    table = np.zeros(FIRST + round(4 * seconds * RATE / BLOCK) + 4096, np.int64)
    table[[INNER, USERDATA, NOISE, TURN]] = inner, userdata, noise.ctypes.data, len(table) - FIRST
    stand_in: Any = SimpleNamespace(
        callback=timed, address=table.ctypes.data, rate=RATE, channels=1, stems=0, live=False,
        crossing=None, meters=lambda: SimpleNamespace(blocks=int(table[COUNT])),
        check_block=lambda block: None,
    )  # fmt: skip
    with SoundcardStream(stand_in, route, block=BLOCK):
        begin = time.monotonic()
        while (left := begin + seconds - time.monotonic()) > 0:
            time.sleep(left)
        return table.copy(), time.monotonic() - begin


@contextmanager
def stress() -> Iterator[None]:
    """Three threads that leave Python no peace."""
    ended = threading.Event()

    def spin() -> None:
        while not ended.is_set():
            sum(i * i for i in range(10000))

    def allocate() -> None:
        while not ended.is_set():
            [{"x": [i]} for i in range(20000)]

    def collect() -> None:
        while not ended.is_set():
            gc.collect()

    threads = [threading.Thread(target=work, daemon=True) for work in (spin, allocate, collect)]
    for thread in threads:
        thread.start()
    yield
    ended.set()
    for thread in threads:
        thread.join()


def row(name: str, runs: list[tuple[Any, float]], steal: float) -> Row:
    tables, seconds = [table for table, _ in runs], sum(took for _, took in runs)
    spent = np.concatenate([table[FIRST:][: table[COUNT]] for table in tables]) / 1000
    p50, p99, p999 = np.percentile(spent, (50, 99, 99.9))
    return {
        "callback": name, "callbacks": len(spent), "of": round(seconds * RATE / BLOCK),
        "late": int(np.count_nonzero(spent > PERIOD_US)), "p50 us": float(p50),
        "p99 us": float(p99), "p99.9 us": float(p999), "max us": float(spent.max()),
        "xrun flags": int(sum(table[FLAGS] for table in tables)), "steal %": 100 * steal,
    }  # fmt: skip


def compare(seconds: float, stressed: bool, turns: int) -> list[Row]:
    """Both callbacks in turns, and what became of each."""
    engine = rtsep.Engine(random_model(RANK))
    noise = np.ascontiguousarray(babble(1024 * BLOCK / RATE)[0])
    python = in_python(engine)
    address = int(sounddevice()._ffi.cast("intptr_t", python))
    kinds = {"compiled": (engine.callback.address, engine.address), "Python": (address, 0)}
    runs: dict[str, list[tuple[Any, float]]] = {name: [] for name in kinds}
    steals: dict[str, list[tuple[int, int]]] = {name: [] for name in kinds}
    route = find_route("system", "system", host_api="jack")
    for _ in range(turns):
        for name, (inner, userdata) in kinds.items():
            before = host_time()
            with stress() if stressed else nullcontext():
                runs[name].append(run(inner, userdata, noise, route, seconds / turns))
            after = host_time()
            steals[name].append((after[0] - before[0], after[1] - before[1]))
    return [row(name, runs[name], share(steals[name])) for name in kinds]


def share(steals: list[tuple[int, int]]) -> float:
    stolen, total = map(sum, zip(*steals, strict=True))
    return stolen / max(total, 1)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each callback")
    parser.add_argument("--calm", action="store_true", help="also without the other threads")
    options = parser.parse_args()
    packages = ("rtsep", "numpy", "numba", "sounddevice")
    with measured(options.json, packages) as report, servers.jack(BLOCK, RATE) as server:
        os.environ.update(server.env)
        if options.calm:
            report.table("calm", compare(options.seconds, False, TURNS))
        report.table("beside three busy threads", compare(options.seconds, True, TURNS))


if __name__ == "__main__":
    main()
