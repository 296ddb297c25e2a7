"""What `rtsep live` costs when there is nothing to hear, or nobody, and how soon sound comes back.

A JACK server of its own on a dummy device calls for `--block` samples; its microphone is digital
silence, as a muted one or an idle virtual speaker is.  The load is the processor time of the whole
process over real time, once silent and once with the work per hop not left out.  The answer to the
first sample after silence is counted in samples, without a device.  `rtsep live --virtual` is
measured as a process on a PulseAudio and a PipeWire of its own, with noise on the microphone, once
while nobody records it and once while somebody does, and how long a recorder then waits for sound.
Linux, with all three servers installed.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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
        engine._state["real_time"] = idle
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


PLAY = ["paplay", "--raw", "--rate=48000", "--channels=1", "--format=s16le", "--volume=20000",
        "--latency-msec=50", "-d", "mic_feed", "/dev/urandom"]  # fmt: skip
RECORD = ["parec", "-d", "rtsep_main_microphone", "--latency-msec=20", "--raw", "--channels=1",
          "--rate=48000", "--format=float32le"]  # fmt: skip
LIVE = [sys.executable, "-m", "rtsep.cli", "live", "--virtual", "--model", "rain", "--input",
        "mic_feed.monitor"]  # fmt: skip
SETTLING, STOPPING = 4.0, 8.0  # seconds
SERVERS = ("pulseaudio", "pipewire", "pipewire-pulse", "wireplumber")
LOUD, PIECE = 1e-3, 480  # of a piece of so many samples


@contextmanager
def started(
    words: list[str], env: dict[str, str], stdout: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, env=env, stdout=stdout, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def worked(pids: list[int]) -> float:
    """Processor time so far, in s."""
    words = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    ticks = sum(int(each[11]) + int(each[12]) for each in words)
    return ticks / os.sysconf("SC_CLK_TCK")


def shares(live: int, server: list[int], settling: float, seconds: float) -> list[float]:
    """% of a core from now on: rtsep, and the sound server."""
    time.sleep(settling)
    before, begin = [worked([live]), worked(server)], time.monotonic()
    time.sleep(seconds)
    after, passed = [worked([live]), worked(server)], time.monotonic() - begin
    return [100 * (b - a) / passed for a, b in zip(before, after, strict=True)]


def seconds_to_sound(env: dict[str, str]) -> float:
    """From the start of a recorder to the first sound that it hears."""
    begin = time.monotonic()
    with started(RECORD, env, subprocess.PIPE) as recorder:
        while len(piece := recorder.stdout.read(4 * PIECE)) == 4 * PIECE:
            if np.sqrt(np.mean(np.frombuffer(piece, np.float32) ** 2)) > LOUD:
                return time.monotonic() - begin
    return float("nan")


def unheard(
    server: Callable[[], AbstractContextManager[servers.Server]], seconds: float, times: int
) -> Row:
    """`rtsep live --virtual`, recorded by nobody, by somebody, and now and then again."""
    with server() as here, tempfile.TemporaryDirectory() as home:
        env = here.env | {f"XDG_{name}_HOME": home for name in ("DATA", "STATE", "CONFIG")}
        if server is servers.pulse:  # as on a desktop
            suspend = ["pactl", "load-module", "module-suspend-on-idle"]
            subprocess.run(suspend, env=env, check=True, stdout=subprocess.DEVNULL)
        pids = [child.pid for child in here.children if {*child.args} & {*SERVERS}]
        with started(PLAY, env):
            time.sleep(SETTLING)
            alone, begin = worked(pids), time.monotonic()
            time.sleep(seconds)
            alone = 100 * (worked(pids) - alone) / (time.monotonic() - begin)
            with started(LIVE, env) as live:
                nobody = shares(live.pid, pids, 2 * STOPPING, seconds)
                with started(RECORD, env):
                    somebody = shares(live.pid, pids, SETTLING, seconds)
                waits = []
                for _ in range(times):
                    time.sleep(STOPPING)
                    waits.append(1000 * seconds_to_sound(env))
    return {
        "server": server.__name__, "nobody records": nobody[0], "somebody": somebody[0],
        "the server alone": alone, "with nobody": nobody[1], "with somebody": somebody[1],
        "ms to sound, median": float(np.median(waits)), "worst": max(waits),
    }  # fmt: skip


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--block", type=int, default=480)
    parser.add_argument("--times", type=int, default=7)
    given = parser.parse_args()
    with measured(given.json) as report, servers.jack(given.block, RATE) as server:
        os.environ.update(server.env)
        rows = [
            load(rtsep.Engine(random_model(RANK)), given.block, given.seconds, idle)
            for idle in (True, False)
        ]
        report.table("silent microphone: work left out, and not", rows)
        report.table("and then sound", [answer(rtsep.Engine(random_model(RANK)), given.block)])
        rows = [
            unheard(kind, given.seconds, given.times) for kind in (servers.pulse, servers.pipewire)
        ]
        report.table("virtual microphone, % of a core", rows)


if __name__ == "__main__":
    main()
