"""Sound and models to measure with, made of chance: figures of speed do not need real ones."""

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.card import Card
from rtsep.dsp.stream import MODES, stream_spec

Samples = NDArray[np.float32]


def random_model(rank: int, rate: int = 48000, seed: int = 0) -> Basis:
    """A KL-NMF basis of `rank` peaky components, made for `rate`."""
    chance = np.random.default_rng(seed)
    specs = {mode: stream_spec(rate, mode) for mode in MODES}
    peaky = {mode: chance.gamma(0.3, 1, (spec.bins, rank)) for mode, spec in specs.items()}
    card = Card(
        name="chance", kind="nmf", source="chance", role="keep", rate=rate, divergence="kl",
        power=1, bandwidth=rate / 2, rank=rank,
        windows={mode: [spec.window, spec.hop, spec.synthesis] for mode, spec in specs.items()},
    )  # fmt: skip
    return Basis(card, {m: (w / w.sum(axis=0)).astype(np.float32) for m, w in peaky.items()})


def babble(seconds: float, rate: int = 48000, channels: int = 1, seed: int = 1) -> Samples:
    """Noise that swells four times a second, like speech: float32 (channels, n), within -1..1."""
    n = round(seconds * rate)
    noise = np.random.default_rng(seed).standard_normal((channels, n), np.float32)
    swell = np.sin(2 * np.pi * 4 * np.arange(n) / rate, dtype=np.float32) ** 2
    return (np.float32(0.2) * noise * (swell + np.float32(0.01))).clip(-1, 1)
