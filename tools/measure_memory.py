"""Resident memory: of a live stream over an hour of sound, and of files short and long.

The stream runs in a process of its own that imports what `rtsep live` imports and hands the
engine's callback block after block, faster than real time.  Files go through the commands
themselves; the long one is a hole on the disk.  Linux only: read from /proc.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile
from circumstances import Row, arguments, measured
from specimens import babble, random_model

import rtsep

RATE, BLOCK, PIECE = 48000, 128, 10  # Hz, samples, seconds


def resident(process: int | str, field: str) -> int:
    """KiB in memory now (VmRSS) or at most so far (VmHWM); 0 for a process that has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    return 0


def stream(minutes: int) -> Iterator[Row]:
    """Resident memory of this process after the first piece and every tenth of the stream."""
    import sounddevice  # noqa: F401  # what a live stream needs beside the engine

    import rtsep.cli.main
    from rtsep.ports.live import call_stream, running

    engine = rtsep.Engine(random_model(64))
    x, pieces = np.ascontiguousarray(babble(PIECE).T), minutes * 60 // PIECE
    with running(engine):
        for piece in range(pieces):
            for start in range(0, len(x), BLOCK):
                call_stream(engine, x[start : start + BLOCK])
            if piece == 0 or (piece + 1) % max(1, pieces // 10) == 0:
                minute = engine.meters().samples / RATE / 60
                now, most = resident("self", "VmRSS"), resident("self", "VmHWM")
                yield {"minutes heard": minute, "KiB": now, "most KiB": most}


def stream_apart(minutes: int) -> list[Row]:
    command = [sys.executable, __file__, "--inside", str(minutes)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rows: list[Row] = json.loads(done.stdout)
    return rows


def most_resident(*words: str | Path) -> int:
    """Greatest KiB of a command while it ran.

    The rusage of a child will not do: it counts the parent it was forked from.
    """
    command = [sys.executable, "-m", "rtsep.cli", *words]
    quiet = subprocess.DEVNULL
    process, most = subprocess.Popen(command, stdout=quiet, stderr=quiet), 0
    while process.poll() is None:
        most = max(most, resident(process.pid, "VmHWM"))
        time.sleep(0.02)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: rtsep {' '.join(map(str, words))}")
    return most


def hole(path: Path, seconds: int) -> None:
    """Silence as a sound file that takes no room on the disk: Sun AU, 16 bit, one channel."""
    size = 2 * seconds * RATE
    head = [0x2E736E64, 24, size, 3, RATE, 1]
    path.write_bytes(b"".join(number.to_bytes(4, "big") for number in head))
    with path.open("r+b") as file:
        file.truncate(24 + size)


def commands(folder: Path, minutes: int) -> Iterator[Row]:
    """The commands, by the length of what they are given."""
    model, noisy = folder / "model.npz", folder / "noisy.wav"
    rtsep.save(model, random_model(64))
    soundfile.write(noisy, babble(10)[0], RATE)
    used = ("--model", model)
    live = most_resident("live", "--input-file", noisy, "--seconds", "5", *used)
    yield {"command": "live --input-file", "seconds": 5, "most KiB": live}
    for seconds in (10, 60 * minutes):
        hole(folder / "in.au", seconds)
        most = most_resident("denoise", folder / "in.au", folder / f"out{seconds}.flac", *used)
        written = soundfile.info(folder / f"out{seconds}.flac").frames
        if written != seconds * RATE:
            raise RuntimeError(f"{written} samples were written of {seconds * RATE}")
        yield {"command": "denoise", "seconds": seconds, "most KiB": most}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=int, default=60, help="of stream")
    parser.add_argument("--file-minutes", type=int, default=60, help="of the long file")
    parser.add_argument("--inside", type=int, metavar="MINUTES", help="only stream, in here")
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(list(stream(given.inside))))
        return
    with measured(given.json) as report, tempfile.TemporaryDirectory() as folder:
        report.table("the commands", list(commands(Path(folder), given.file_minutes)))
        title = f"a stream like `rtsep live`, blocks of {BLOCK}"
        report.table(title, stream_apart(given.minutes))


if __name__ == "__main__":
    main()
