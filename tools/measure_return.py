"""How soon the sound is back after a sound server was killed: from the server's first answer.

The stream is a fresh process of `rtsep live` that goes on from the last state (the same number,
new memory), so this holds starting Python, loading the model and opening the devices; and what is
left of the pause between two tries, which grows while the server stays away (--away, in seconds).
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import median

from circumstances import Row, arguments, measured

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import servers

BACK, LOST = "from ", "waiting for it\n"
LIVE = [sys.executable, "-m", "rtsep.cli", "live", "--model", "rain"]
KINDS = {
    "JACK": (servers.jack, ["jack_lsp"],
             ["--input", "system", "--output", "system", "--host-api", "jack"]),
    "PulseAudio, virtual microphone": (servers.pulse, ["pactl", "info"],
                                       ["--virtual", "--input", "mic_feed.monitor"]),
}  # fmt: skip


@contextmanager
def live(env: dict[str, str], words: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*LIVE, *words], env=env, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def when(process: subprocess.Popen[str], words: str) -> float:
    """The moment it says a line with such a beginning or end."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(words) or line.endswith(words):
            return time.monotonic()
    raise RuntimeError(f"ended with {process.wait()} before it said {words!r}")


def returns(
    kind: AbstractContextManager[servers.Server],
    answer: list[str],
    words: list[str],
    times: int,
    away: float,
) -> list[float]:
    took = []
    with kind as server, tempfile.TemporaryDirectory() as home:
        home_env = {f"XDG_{name}_HOME": home for name in ("DATA", "STATE", "CONFIG")}
        runtime = {} if "XDG_RUNTIME_DIR" in server.env else {"XDG_RUNTIME_DIR": home}
        with live(server.env | home_env | runtime, words) as process:
            when(process, BACK)
            for _ in range(times):
                time.sleep(1)
                server.kill()
                when(process, LOST)
                time.sleep(away)
                server.start_again(*answer)
                answered = time.monotonic()
                took.append(when(process, BACK) - answered)
    return took


def row(name: str, took: list[float]) -> Row:
    return {"server": name, "median s": median(took), "worst s": max(took), "times": len(took)}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--away", type=float, default=0.0)
    given = parser.parse_args()
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    with measured(given.json, ("rtsep", "sounddevice", "pulsectl")) as report:
        rows = [row(name, returns(kind(), answer, words, given.times, given.away))
                for name, (kind, answer, words) in KINDS.items()]  # fmt: skip
        report.table("from the server's first answer to the stream", rows)


if __name__ == "__main__":
    main()
