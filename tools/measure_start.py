"""How long it takes to start, each time in a fresh process; medians, wall and processor time.

`rtsep live` to first sound: from starting the process to the return of the engine's first
callback, with a recording as the microphone.  Cold: with an empty folder for compiled kernels.
--imports lists what takes longest to import.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import soundfile
from circumstances import Row, arguments, measured
from specimens import babble, random_model

import rtsep

READY = "import os, rtsep, sys; rtsep.Engine(sys.argv[1]); os._exit(0)"  # its end is not a start
FIRST_SOUND = """
import os, sys
from rtsep.cli import main
from rtsep.ports import live
def first(engine, x, call=live.call_stream):
    call(engine, x)
    assert engine.meters().samples == len(x)
    os._exit(0)
live.call_stream = first
main.run()
sys.exit("no sound came")
"""


def children() -> float:
    """Processor seconds of all ended children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def seconds(words: Sequence[str | Path], kernels: str | None) -> tuple[float, float]:
    """Wall and processor seconds of a Python command.  kernels : folder of compiled ones."""
    environment = os.environ | ({"NUMBA_CACHE_DIR": kernels} if kernels else {})
    begin, spent = time.perf_counter(), children()
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)
    took = time.perf_counter() - begin, children() - spent
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    return took


def row(name: str, took: list[tuple[float, float]]) -> Row:
    wall, spent = (median(times) for times in zip(*took, strict=True))
    worst = max(wall for wall, _ in took)
    return {"what": name, "wall s": wall, "worst s": worst, "processor s": spent, "runs": len(took)}


def starts(folder: Path, runs: int) -> list[Row]:
    """Warm, in rounds of all, for the machine drifts; then one cold start."""
    model, noisy = folder / "model.npz", folder / "noisy.wav"
    rtsep.save(model, random_model(64))
    soundfile.write(noisy, babble(2)[0], 48000)
    live = ["-c", FIRST_SOUND, "live", "--input-file", noisy, "--model", model]
    warm: dict[str, list[str | Path]] = {
        "python -c pass": ["-c", "pass"],
        "import rtsep": ["-c", "import rtsep"],
        "rtsep --help": ["-m", "rtsep.cli", "--help"],
        "import numba": ["-c", "import numba"],
        "rtsep.Engine ready": ["-c", READY, model],
        "rtsep live, to first sound": live,
    }
    seconds(live, None)  # whatever is not compiled yet
    rounds = [{name: seconds(words, None) for name, words in warm.items()} for _ in range(runs)]
    cold = seconds(live, str(folder / "kernels"))
    rows = [row(name, [times[name] for times in rounds]) for name in warm]
    return [*rows, row("rtsep live, to first sound, cold", [cold])]


def slowest_imports(words: Sequence[str | Path], most: int) -> list[Row]:
    """Modules by their own import time in ms, those they import not counted."""
    command = [sys.executable, "-X", "importtime", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = []
    for line in done.stderr.splitlines():
        own, total, name = line.removeprefix("import time:").split("|")
        if own.strip().isdecimal():
            rows.append(
                {"module": name.strip(), "own ms": int(own) / 1000, "ms": int(total) / 1000}
            )
    return sorted(rows, key=lambda row: -row["ms"])[:most]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--imports", type=int, default=0, metavar="N", help="list N modules")
    given = parser.parse_args()
    with measured(given.json) as report, tempfile.TemporaryDirectory() as folder:
        report.table("from start", starts(Path(folder), given.runs))
        if given.imports:
            words = ["-c", READY, Path(folder) / "model.npz"]
            report.table("slowest imports", slowest_imports(words, given.imports))


if __name__ == "__main__":
    main()
