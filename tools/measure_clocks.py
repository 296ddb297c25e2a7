"""An hour between two devices 400 ppm apart, in simulated time: how the delay moves, any click.

A sine of 1 kHz goes from a device whose clock is 200 ppm fast to one that is 200 ppm slow, called
for 480 samples with some milliseconds of jitter.  `worst` is the largest sample anywhere, from the
third second on, that is not this sine as the second clock tells it: a click would be.
"""

import sys
from pathlib import Path

import numpy as np
from circumstances import arguments, measured

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from two_clocks import Device, residual, run

RATE, HERTZ, LEVEL = 48000, 1000.0, 0.5
FIRST, PIECE = 2, 300  # s: where it has settled; looked at in one piece


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    given = parser.parse_args()
    source, sink = Device(200, (480,), 2e-3), Device(-200, (480,), 1e-3)
    seconds = round(60 * given.minutes)
    with measured(given.json) as report:
        heard = run(source, sink, seconds, rate=RATE, hertz=HERTZ, level=LEVEL)
        told = HERTZ * (1 + 1e-6 * source.ppm) / (1 + 1e-6 * sink.ppm)
        pieces = (heard.y[at * RATE : (at + PIECE) * RATE] for at in range(FIRST, seconds, PIECE))
        worst = max(np.abs(residual(y.astype(float), told, RATE)).max() for y in pieces)
        minute = [
            float(np.nanmean(heard.delay[(heard.seconds >= at) & (heard.seconds < at + 60)]))
            for at in (1, seconds - 60)
        ]
        row = {
            "minutes": given.minutes, "worst, dB to the sine": 20 * np.log10(worst / LEVEL),
            "delay in the first minute": minute[0], "in the last": minute[1],
            "ppm found": 1e6 * float(heard.record["integral"]),
            "starved": int(heard.record["starved"]), "restarts": int(heard.record["restarts"]),
        }  # fmt: skip
        report.table("two clocks", [row])


if __name__ == "__main__":
    main()
