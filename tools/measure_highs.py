"""What mask networks leave of voices that have more than 8 kHz of band, in dB by band of frequency.

    .venv/bin/python tools/measure_highs.py --data FOLDER NETWORK...

The voices are those of the set speech_fullband48, which the shipped networks but the one by Neural
Egg Separation learned from (there are no others): at most four seconds each, clean, by power; and
in rustling leaves at 10 dB, by the projection of what comes out on the voice.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
from circumstances import Row, arguments, measured
from numpy.typing import NDArray
from quality_set import RATE, Samples, listed, load

from rtsep.artefacts.network import Network, load_network
from rtsep.learn.offline import separated

EDGES = (300, 4000, 8000, 12000, 16000, 20000)  # Hz
NOISE, SNR, SECONDS = "cc0_ccby/noise_test/noisekun/leaves.opus", 10.0, 4


def levelled(x: Samples) -> Samples:
    return np.asarray(x * (0.1 / np.sqrt(np.mean(x**2))), np.float32)


def by_band(values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Sums of what belongs to the bins of a transform of n samples."""
    return np.add.reduceat(values, np.round(np.array(EDGES) * n / RATE).astype(int))[:-1]


def kept(network: Network, voice: Samples, noise: Samples) -> NDArray[np.float64]:
    """Decibels (2, bands): of the voice alone, and of the voice within the mixture."""
    noise = levelled(noise[RATE:][: len(voice)]) * np.float32(10 ** (-SNR / 20))
    x, alone, within = (
        np.fft.rfft(each)
        for each in (voice, separated(network, voice), separated(network, voice + noise))
    )
    power = by_band(np.abs(x) ** 2, len(voice))
    share = by_band((within * x.conj()).real, len(voice)) / power
    clean = by_band(np.abs(alone) ** 2, len(voice)) / power
    return np.stack([10 * np.log10(clean), 20 * np.log10(np.maximum(share, 1e-3))])


def main() -> None:
    parser: argparse.ArgumentParser = arguments(__doc__)
    parser.add_argument("networks", nargs="+", type=Path, metavar="NETWORK")
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    files = listed(given.data, "speech_fullband48", 0, 1e9, "cc0_ccby/")
    voices = [levelled(load(given.data / file)[: SECONDS * RATE]) for file in files]
    noise = load(given.data / NOISE)
    names = [f"{low}..{high} Hz" for low, high in pairwise(EDGES)]
    with measured(given.json, ("rtsep", "numpy", "onnxruntime")) as report:
        for path in given.networks:
            network = load_network(path)
            found = np.mean([kept(network, voice, noise) for voice in voices], axis=0)
            rows: list[Row] = [
                {"voice": what, **dict(zip(names, row.tolist(), strict=True))}
                for what, row in zip(("alone", f"in leaves, {SNR:g} dB"), found, strict=True)
            ]
            report.table(f"{path.stem}, {len(voices)} voices, dB kept", rows)


if __name__ == "__main__":
    main()
