"""How good it sounds: rtsep's separators beside other denoisers on the same mixtures.

    .venv/bin/python tools/measure_quality.py --data FOLDER [--split test] [--dnsmos] [--json]

rtsep learns each noise from ten seconds before the mixture begins ("nmf", "asvd"), or is given a
speech basis and no noise at all ("speech"), the shipped mask network ("network"), or this and the
noise.  noisereduce gets the same ten seconds; logMMSE takes its noise from the enrolment's last
second; RNNoise, DTLN and DeepFilterNet3 know noises in general.  What these come with is told in
peers.py.  SI-SDR at 48 kHz, PESQ-wb and ESTOI at 16 kHz, DNSMOS P.835 overall (slow, so on the
mixtures at 5 dB alone).  Settings are chosen on `--split train` only.
"""

import argparse
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from circumstances import arguments, measured
from peers import PACKAGES, deep_filter_net, dtln, log_mmse, noisereduced, rnnoise
from quality_set import RATE, Mixture, Samples, mixtures

import rtsep
from rtsep.learn import learn_basis
from rtsep.metrics.separation import si_sdr
from rtsep.metrics.speech import dnsmos, estoi, pesq

COMPARED = ("rtsep", "numpy", "numba", "onnxruntime", *PACKAGES, "pesq", "pystoi", "speechmos")
Method = Callable[[Mixture], Samples]
NETWORK = "nes-speech-medium"
DNSMOS_SNR = 5  # dB; it takes ten times as long as all else
FIGURES = ["SI-SDR", "PESQ", "ESTOI", f"DNSMOS at {DNSMOS_SNR} dB"]


def streamed(model: Any, mixture: Samples, latency: str, **settings: Any) -> Samples:
    """Through an engine, its delay taken off."""
    engine = rtsep.Engine(model, rate=RATE, latency=latency, **settings)
    flush = np.zeros(engine.latency, np.float32)
    return engine.process(np.concatenate([mixture, flush]))[engine.latency :]


def enrolled(
    test: Mixture,
    latency: str,
    method: str,
    rank: int | None = None,
    options: dict[str, Any] | None = None,
) -> Samples:
    """The noise known, the speech unknown."""
    basis = learn_basis([(test.enrolment, RATE)], name="noise", method=method, rank=rank)
    return streamed(basis, test.mixture, latency, options=options)


def unenrolled(test: Mixture, latency: str, options: dict[str, Any] | None = None) -> Samples:
    """The speech known, the noise unknown."""
    return streamed("speech", test.mixture, latency, options=options)


def networked(test: Mixture, latency: str, beside: str | None = None) -> Samples:
    """The shipped network; beside : also the noise known, by this method."""
    if beside is None:
        return streamed(NETWORK, test.mixture, latency)
    basis = learn_basis([(test.enrolment, RATE)], name="noise", method=beside)
    return streamed([NETWORK, basis], test.mixture, latency)


def methods(latencies: Sequence[str]) -> dict[str, Method]:
    """Every method by the name it has in the table."""
    table: dict[str, Method] = {
        "noisy": lambda test: test.mixture,
        "noisereduce": noisereduced,
        "logMMSE": log_mmse,
        "RNNoise": rnnoise,
        "DTLN": dtln,
        "DeepFilterNet3": deep_filter_net,
    }
    for latency in latencies:
        table[f"nmf {latency}"] = partial(enrolled, latency=latency, method="nmf")
        table[f"asvd {latency}"] = partial(enrolled, latency=latency, method="asvd")
        table[f"speech {latency}"] = partial(unenrolled, latency=latency)
        table[f"network {latency}"] = partial(networked, latency=latency)
        table[f"network and nmf {latency}"] = partial(networked, latency=latency, beside="nmf")
    return table


def ablation(latency: str) -> dict[str, Method]:
    """The enrolled noise with one thing changed at a time."""
    base: Method = partial(enrolled, latency=latency, method="nmf")
    changes: dict[str, dict[str, Any]] = {
        "plain Wiener masks": {"decision": 0.0},
        "no slow variance": {"slow_share": 0.0},
        "half slow variance": {"slow_share": 0.5},
        "slow variance only": {"slow_share": 1.0},
        "decision 0.96": {"decision": 0.96},
        "decision 0.99": {"decision": 0.99},
        "unknown rank 8": {"unknown_rank": 8},
        "unknown rank 24": {"unknown_rank": 24},
        "sparse unknown 0.1": {"unknown_sparsity": 0.1},
        "forgetting 0.5 s": {"forgetting": 0.5},
        "one alternation": {"alternations": 1},
    }
    table = {"as shipped": base}
    table |= {
        name: partial(enrolled, latency=latency, method="nmf", options=options)
        for name, options in changes.items()
    }
    for rank in (1, 2, 3, 8, 16, 32):
        table[f"rank {rank}"] = partial(enrolled, latency=latency, method="nmf", rank=rank)
    return table


def figures(estimate: Samples, speech: Samples, with_dnsmos: bool) -> list[float]:
    """SI-SDR, PESQ, ESTOI and perhaps DNSMOS of one estimate."""
    heard, clean = (soxr.resample(x, RATE, 16000) for x in (estimate, speech))
    values = [si_sdr(speech, estimate), pesq(clean, heard, 16000), estoi(clean, heard, 16000)]
    return [*values, dnsmos(heard, 16000).overall if with_dnsmos else float("nan")]


def rows(
    scores: dict[str, list[list[float]]], names: list[str], chosen: Sequence[int]
) -> list[dict[str, Any]]:
    """Mean figures of every method over the mixtures chosen."""
    means = {
        name: np.nanmean([values[i] for i in chosen], axis=0) for name, values in scores.items()
    }
    return [
        {"method": name, **dict(zip(names, mean.tolist(), strict=True))}
        for name, mean in means.items()
    ]


def compare(
    table: dict[str, Method], given: argparse.Namespace, packages: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Every method on every mixture, a table over all and one a mixing ratio; the first's rows.

    given : json, data, split, limit and dnsmos of the command line.
    """
    scores: dict[str, list[list[float]]] = {name: [] for name in table}
    snrs = []
    with measured(given.json, packages) as report:
        for test in mixtures(given.data, given.split, given.limit):
            snrs.append(test.snr)
            opinion = given.dnsmos and test.snr == DNSMOS_SNR
            for name, method in table.items():
                scores[name].append(figures(method(test), test.speech, opinion))
        title = f"{len(snrs)} mixtures of {given.split}"
        overall = rows(scores, FIGURES, range(len(snrs)))
        report.table(f"{title}, mean over all", overall)
        for snr in sorted(set(snrs)):
            chosen = [i for i, value in enumerate(snrs) if value == snr]
            report.table(f"{title}, at {snr} dB", rows(scores, FIGURES, chosen))
    return overall


def main() -> None:
    parser: argparse.ArgumentParser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=("train", "test"), default="test")
    parser.add_argument("--limit", type=int, default=1000, help="noise recordings at most")
    parser.add_argument("--latency", nargs="+", default=["low", "medium", "high"])
    parser.add_argument("--dnsmos", action="store_true")
    parser.add_argument("--ablation", action="store_true", help="settings instead of methods")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    table = ablation(given.latency[0]) if given.ablation else methods(given.latency)
    compare(table, given, COMPARED)


if __name__ == "__main__":
    main()
