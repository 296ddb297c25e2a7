"""What `rtsep live` costs when there is nothing to hear, or nobody, and how soon sound comes back.

A JACK server of its own on a dummy device calls for `--block` samples; its microphone is digital
silence, as a muted one or an idle virtual speaker is.  The load is the processor time of the whole
process over real time, once silent and once with the work per hop not left out.  The answer to the
first sample after silence is counted in samples, without a device.  `rtsep live --virtual` is
measured as a process on a PulseAudio and a PipeWire of its own, with noise on the microphone, once
while nobody records it and once while somebody does.  Linux, with all three servers installed.
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


PLAY = ["paplay", "--raw", "--rate=48000", "--channels=1", "--format=s16le", "--volume=20000",
        "--latency-msec=50", "-d", "mic_feed", "/dev/urandom"]  # fmt: skip
RECORD = ["parec", "-d", "rtsep_main_microphone", "--latency-msec=20", "--raw"]
LIVE = [sys.executable, "-m", "rtsep.cli", "live", "--virtual", "--model", "rain", "--input",
        "mic_feed.monitor"]  # fmt: skip
SETTLING = 4.0  # seconds


@contextmanager
def started(words: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, env=env, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def worked(process: subprocess.Popen[bytes]) -> float:
    """Processor time so far, in s."""
    words = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def share(process: subprocess.Popen[bytes], seconds: float) -> float:
    """% of a core from now on."""
    time.sleep(SETTLING)
    spent, begin = worked(process), time.monotonic()
    time.sleep(seconds)
    return 100 * (worked(process) - spent) / (time.monotonic() - begin)


def unheard(
    server: Callable[[], AbstractContextManager[servers.Server]], words: list[str], seconds: float
) -> Row:
    """`rtsep live --virtual`, recorded by nobody, by somebody, and by nobody again."""
    with server() as here, tempfile.TemporaryDirectory() as home:
        env = here.env | {f"XDG_{name}_HOME": home for name in ("DATA", "STATE", "CONFIG")}
        with started(PLAY, env), started([*LIVE, *words], env) as live:
            nobody = share(live, seconds)
            with started(RECORD, env):
                somebody = share(live, seconds)
            again = share(live, seconds)
    return {
        "server": server.__name__, "with": " ".join(words), "nobody records": nobody,
        "somebody": somebody, "nobody again": again,
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
        ways = ((servers.pulse, []), (servers.pulse, ["--clocks", "2"]), (servers.pipewire, []))
        report.table("virtual microphone, % of a core",
                     [unheard(kind, words, given.seconds) for kind, words in ways])  # fmt: skip


if __name__ == "__main__":
    main()
