"""How good mask networks are: each beside RNNoise, DTLN, DeepFilterNet3 and the mixture.

    .venv/bin/python tools/measure_networks.py --data FOLDER [--split test] [--dnsmos] [--card]
                                              NETWORK...

NETWORK : an .onnx file, or a checkpoint (.pt) of a training, so that a row of them is the curve of
quality over training time.  Figures and mixtures are those of measure_quality.py; `--split unseen`
takes speech of the test set in its short noises, which no setting was ever chosen by.  Networks run
by onnxruntime frame by frame, outside the engine.  Settings are chosen on `--split train` only.
--card writes what a frame costs and, with --dnsmos, the figures of `high` on `--split test` to the
cards in the files.
"""

import argparse
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from circumstances import arguments
from measure_quality import COMPARED, FIGURES, Method, compare
from peers import deep_filter_net, dtln, rnnoise
from quality_set import Mixture, Samples

from rtsep.artefacts.network import Network, load_network, save_network
from rtsep.learn.export import carded
from rtsep.learn.offline import cost, separated


def network(path: Path) -> Network:
    """Of a file or a checkpoint."""
    if path.suffix == ".onnx":
        return load_network(path)
    from rtsep.learn.export import exported
    from rtsep.learn.training import restored

    sources = [{"name": "speech", "role": "keep"}]
    return exported(restored(path), name=path.stem, sources=sources)


def cleaned(test: Mixture, by: Network, latency: str, limit: float) -> Samples:
    """With the mask, held over `limit` dB of attenuation by the mixture that is let through."""
    found = separated(by, test.mixture, latency)
    floor = np.float32(10 ** (-limit / 20))
    return found + floor * (test.mixture - found)


def methods(paths: list[Path], latencies: list[str], limit: float) -> dict[str, Method]:
    table: dict[str, Method] = {
        "noisy": lambda test: test.mixture,
        "RNNoise": rnnoise,
        "DTLN": dtln,
        "DeepFilterNet3": deep_filter_net,
    }
    for path in paths:
        loaded = network(path)
        for latency in latencies:
            table[f"{path.stem} {latency}"] = partial(
                cleaned, by=loaded, latency=latency, limit=limit
            )
    return table


def put_on_card(path: Path, noisy: dict[str, Any], found: dict[str, Any]) -> None:
    """What was measured, beside what else the card says of quality."""
    made = load_network(path)
    quality = dict(made.card.quality)
    for figure in FIGURES:
        digits = 3 if figure in ("PESQ", "ESTOI") else 2
        for when, row in (("in", noisy), ("out", found)):
            quality[f"{figure} {when}"] = round(row[figure], digits)
    quality["SI-SDR of"] = "test speech in test noise, 0, 5 and 10 dB, 42 mixtures, latency high"
    save_network(path, carded(made, quality=quality, cost=cost(made)))


def main() -> None:
    parser: argparse.ArgumentParser = arguments(__doc__)
    parser.add_argument("networks", nargs="+", type=Path, metavar="NETWORK")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=("train", "test", "unseen"), default="test")
    parser.add_argument("--limit", type=int, default=1000, help="noise recordings at most")
    parser.add_argument("--latency", nargs="+", default=["high"])
    parser.add_argument("--attenuation", type=float, default=100.0, help="dB, at most")
    parser.add_argument("--dnsmos", action="store_true")
    parser.add_argument("--card", action="store_true", help="write the figures to the cards")
    given = parser.parse_args()
    whole = given.dnsmos and (given.split, given.limit, given.attenuation) == ("test", 1000, 100)
    if given.card and not (whole and "high" in given.latency):
        parser.error("--card goes with --dnsmos and high on all of the split test")
    warnings.filterwarnings("ignore")
    table = methods(given.networks, given.latency, given.attenuation)
    noisy, *others = compare(table, given, (*COMPARED, "torch"))
    for path in given.networks if given.card else []:
        found = next(row for row in others if row["method"] == f"{path.stem} high")
        put_on_card(path, noisy, found)


if __name__ == "__main__":
    main()
