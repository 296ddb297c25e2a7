"""What the separator costs, in percent of one core: processor time over time of sound.

A compiled loop hands blocks of 128 samples to the engine's own stream callback, so Python is not in
the figures, which are medians of runs by the thread's processor clock.  "Real time" sleeps between
blocks as beside a sound card, so that caches and clock rates fall back in between, and waking
counts too.  --growth lets rank, bins and channels grow, --plot draws that.
"""

import ctypes
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import numba
import numpy as np
from circumstances import Row, arguments, measured
from specimens import babble, random_model

import rtsep
from rtsep.dsp.machine import call
from rtsep.dsp.stream import MODES

BLOCK, RANK = 128, 64
RANKS, RATES, CHANNELS = (8, 16, 32, 64, 96, 128, 192, 224), (16000, 48000, 96000), (1, 2, 4, 8)
usleep = ctypes.CDLL(None).usleep
usleep.argtypes = [ctypes.c_uint32]


@numba.njit(nogil=True)
def stream(callback, state, x, y, blocks, channels, pause):
    """Hand interleaved blocks to the callback; callback, state, x and y are addresses.

    pause : us of sleep after every block, or 0.
    """
    none = np.int64(0)
    for i in range(blocks):
        offset = i * np.int64(4 * BLOCK) * channels
        call(callback, x + offset, y + offset, np.int64(BLOCK), none, none, state)
        if pause > 0:
            usleep(pause)


def thread_seconds(work: Callable[[], object]) -> float:
    """Processor time of this thread."""
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


def load(engine: rtsep.Engine, seconds: float, runs: int, pause: int = 0) -> Row:
    """Median load of an engine that hears babble.  pause : us between blocks."""
    x = np.ascontiguousarray(babble(seconds, engine.rate, engine.channels).T)
    y, blocks = np.zeros_like(x), len(x) // BLOCK
    addresses = (engine.callback.address, engine.address, x.ctypes.data, y.ctypes.data)

    def turn(pause: int) -> None:
        before = engine.meters().samples
        stream(*addresses, blocks, engine.channels, pause)
        done = engine.meters().samples - before
        if done != blocks * BLOCK:  # a call by address is checked by nobody else
            raise RuntimeError(f"{done} samples were processed of {blocks * BLOCK}")

    turn(0)  # compiles, and lets the unknown source's basis settle
    share = median(thread_seconds(lambda: turn(pause)) for _ in range(runs)) / seconds
    return {"load %": 100 * share, "us a hop": 1e6 * share * engine.spec.hop / engine.rate}


def engine_of(rank: int = RANK, rate: int = 48000, **how: Any) -> rtsep.Engine:
    return rtsep.Engine(random_model(rank, rate), rate=rate, **how)


def by_mode(seconds: float, runs: int) -> Iterable[Row]:
    for mode in MODES:
        yield {"latency": mode, "pace": "none"} | load(engine_of(latency=mode), seconds, runs)
    period = 1000000 * BLOCK // 48000
    row = {"latency": "low", "pace": "real time"}
    yield row | load(engine_of(), seconds / 4, max(1, runs // 2), period)


def by_rank(seconds: float, runs: int) -> Iterable[Row]:
    for mode in MODES:
        for rank in RANKS:
            row = {"latency": mode, "known K": rank}
            yield row | load(engine_of(rank, latency=mode), seconds, runs)


def by_rate(seconds: float, runs: int) -> Iterable[Row]:
    for mode in MODES:
        for rate in RATES:
            engine = engine_of(rate=rate, latency=mode)
            row = {"latency": mode, "bins F": engine.spec.bins, "rate": rate}
            yield row | load(engine, seconds, runs)


def by_channels(seconds: float, runs: int) -> Iterable[Row]:
    for linked in (True, False):
        for channels in CHANNELS:
            engine = engine_of(channels=channels, linked=linked)
            row = {"masks": "linked" if linked else "unlinked", "channels": channels}
            yield row | load(engine, seconds, runs)


def draw(path: Path, tables: dict[str, list[Row]]) -> None:
    """One panel a table: its second column below, the load above, a line per first column."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(tables), figsize=(4 * len(tables), 3.4), layout="tight")
    for axis, (title, rows) in zip(axes, tables.items(), strict=True):
        group, growing = list(rows[0])[:2]
        for name in dict.fromkeys(row[group] for row in rows):
            points = [(row[growing], row["load %"]) for row in rows if row[group] == name]
            axis.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name)
        axis.set(title=title, xlabel=growing, ylabel="% of one core")
        axis.set(xlim=(0, None), ylim=(0, None))
        axis.legend(frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of sound a run")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--growth", action="store_true", help="and how it grows")
    parser.add_argument("--plot", type=Path, help="PNG of the growth")
    given = parser.parse_args()
    with measured(given.json) as report:
        default = f"48 kHz, {RANK} known + 16 unknown components, blocks of {BLOCK}"
        report.table(default, list(by_mode(given.seconds, given.runs)))
        if given.growth or given.plot:
            how = (given.seconds / 4, max(1, given.runs // 2))
            growth = {"rank grows": by_rank, "rate grows": by_rate, "channels grow": by_channels}
            tables = {f"as {name}": list(rows(*how)) for name, rows in growth.items()}
            for title, rows in tables.items():
                report.table(title, rows)
            if given.plot:
                draw(given.plot, tables)


if __name__ == "__main__":
    main()
