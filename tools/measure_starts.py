"""What each method that NES may begin with brings to noisy speech by itself, before any network.

    .venv/bin/python tools/measure_starts.py --data FOLDER --folder FOLDER [--limit N] [METHOD...]

As `rtsep train nes --init METHOD` has them: half of the train noises are heard alone, speech in
mixtures with the other half; gass hears the speech alone, too.  Gains are of SI-SDR over the
mixture's, on test voices in test noises at 0, 5 and 10 dB.  --folder keeps tapes.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from circumstances import Row, arguments, measured
from quality_set import Mixture, mixtures
from train_networks import Material

from rtsep.dsp.stream import stream_spec
from rtsep.learn.estimates import Mask
from rtsep.learn.offline import filtered
from rtsep.learn.scenes import RATE
from rtsep.learn.starts import BY, STARTS, Heard
from rtsep.metrics import si_sdr


def gain(mask: Mask, test: Mixture) -> float:
    """In dB."""
    found = filtered(test.mixture, stream_spec(RATE, "high"), mask)
    return si_sdr(test.speech, found) - si_sdr(test.speech, test.mixture)


def row(method: str, heard: Heard, tests: list[Mixture]) -> Row:
    begun = time.process_time()
    mask = BY[method](heard)
    learning = time.process_time() - begun
    gains = [gain(mask, test) for test in tests]
    low, middle, high = np.percentile(gains, [10, 50, 90])
    return {
        "method": method, "gain, dB, median": float(middle), "10 %": float(low),
        "90 %": float(high), "learning, processor seconds": learning,
    }  # fmt: skip


def main() -> None:
    parser: argparse.ArgumentParser = arguments(__doc__)
    parser.add_argument("methods", nargs="*", default=STARTS, metavar="METHOD")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=14, help="noises to judge by")
    given = parser.parse_args()
    material = Material(given.data, given.folder)
    noise, _ = material.noises(2)
    heard = Heard(noise[0], material.mixtures(), material.voices()[0][0])
    tests = list(mixtures(given.data, "test", given.limit))
    with measured(given.json, ("rtsep", "numpy", "torch")) as report:
        rows = [row(method, heard, tests) for method in given.methods]
        report.table(f"gain over the mixture, {len(tests)} mixtures", rows)


if __name__ == "__main__":
    main()
