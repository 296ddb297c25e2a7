"""What a mask network costs live: microseconds a run, load, memory, time to load.

A JACK server with a dummy device calls the engine in mode low, on noise that swells like speech,
for in silence it would rest; the network runs in the audio thread or, by onnxruntime, in its worker
thread, and three Python threads spin, allocate and collect beside it.  Then onnxruntime's own
Python face runs the same network in a Python thread beside them.  Load is processor time over time
of sound, all in one thread, by a compiled loop.  Memory and loading are those of a fresh process.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from circumstances import Row, arguments, host_time, measured
from measure_callback import BLOCK, RATE, run, share, stress
from measure_load import load
from measure_memory import resident
from specimens import babble

import rtsep
from rtsep.artefacts.library import find
from rtsep.artefacts.runtime import python_session
from rtsep.dsp.stream import MODES
from rtsep.ports.portaudio import find_route

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import networks
import servers

HIDDEN, BANDS = 96, 64  # of the random network that stands in where none is named


def stand_in(folder: str) -> str:
    """A random network of two recurrent layers, as live ones are."""
    path = Path(folder) / f"random-gru-{HIDDEN}.onnx"
    networks.saved(path, networks.gru(HIDDEN, BANDS, initialiser_bytes=1 << 24))
    return str(path)


def in_the_stream(model: str, worker: int, stressed: bool, seconds: float) -> Row:
    """A live stream for some seconds, by the engine's own meters."""
    engine = rtsep.Engine(model, max_block=BLOCK, options={"worker": worker})
    noise = np.ascontiguousarray(babble(1024 * BLOCK / RATE)[0])
    route = find_route("system", "system", host_api="jack")
    before, begin = host_time(), time.process_time()
    engine.live = True
    with stress() if stressed else nullcontext():
        run(engine.callback.address, engine.address, noise, route, seconds)
    after, spent = host_time(), time.process_time() - begin
    engine.live, meters = False, engine.meters()
    return {
        "by": "onnxruntime, worker" if meters.latency_ms > 6 else "audio thread",
        "latency ms": meters.latency_ms, "beside": "busy" if stressed else "-",
        "runs": meters.network_runs, "p50 us": meters.network_p50_us,
        "p99.9 us": meters.network_p999_us, "max us": meters.network_max_us,
        "masks late": meters.network_late, "of hops": meters.hops,
        "blocks late": meters.late_blocks, "of": meters.blocks,
        "process %": "" if stressed else f"{100 * spent / seconds:.2f}",
        "steal %": 100 * share([(after[0] - before[0], after[1] - before[1])]),
    }  # fmt: skip


def in_python(model: str, stressed: bool, seconds: float) -> Row:
    """The Python session, once a hop of 256 samples."""
    network: Any = rtsep.load(model)
    session = python_session(network.content)
    shapes = {each.name: each.shape for each in session.get_inputs()}
    given = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    names, spent = [each.name for each in session.get_outputs()], []
    with stress() if stressed else nullcontext():
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.perf_counter()
            session.run(names, given)
            spent.append(1e6 * (time.perf_counter() - begin))
            time.sleep(256 / RATE)
    p50, p999 = np.percentile(spent, (50, 99.9))
    return {
        "beside": "busy" if stressed else "-", "runs": len(spent), "p50 us": float(p50),
        "p99.9 us": float(p999), "max us": max(spent),
    }  # fmt: skip


def by_load(model: str, runs: int, seconds: float) -> list[Row]:
    return [
        {"latency": mode} | load(rtsep.Engine(model, latency=mode), seconds, runs) for mode in MODES
    ]


def fresh(model: str) -> Row:
    """Inside a process of its own: memory before and after, and how long loading took."""
    rtsep.Engine("bypass").process(np.zeros(BLOCK, np.float32))
    before, begin = resident("self", "VmHWM"), time.perf_counter()
    engine = rtsep.Engine(model)
    loaded = time.perf_counter() - begin
    engine.process(np.zeros(RATE, np.float32))
    most = resident("self", "VmHWM")
    return {
        "file bytes": os.path.getsize(find(model)),
        "load ms": 1000 * loaded, "peak MiB": most / 1024, "without MiB": before / 1024,
    }  # fmt: skip


def apart(model: str) -> list[Row]:
    command = [sys.executable, __file__, "--inside", model]
    ran = [subprocess.run(command, check=True, stdout=subprocess.PIPE) for _ in range(3)]
    rows: list[Row] = [json.loads(each.stdout) for each in ran]
    return [min(rows, key=lambda row: row["load ms"])]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("model", nargs="?", help="name or path; a random network unless given")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each stream")
    parser.add_argument("--runs", type=int, default=5, help="of which the load is the median")
    parser.add_argument("--inside", help="one measurement in this process")
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(fresh(given.inside)))
        return
    packages = ("rtsep", "numpy", "numba", "onnxruntime", "sounddevice")
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or stand_in(folder)
        with measured(given.json, packages) as report, servers.jack(BLOCK, RATE) as server:
            os.environ.update(server.env)
            rows = [
                in_the_stream(model, worker, stressed, given.seconds)
                for worker in (0, 1)
                for stressed in (False, True)
            ]
            report.table(f"{Path(model).name} in a live stream, blocks of {BLOCK}", rows)
            rows = [in_python(model, stressed, given.seconds / 2) for stressed in (False, True)]
            report.table("the same network by the Python session", rows)
            report.table("load of one core, all in one thread", by_load(model, given.runs, 10))
            report.table("a fresh process", apart(model))


if __name__ == "__main__":
    main()
