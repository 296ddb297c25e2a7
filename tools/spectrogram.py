"""Spectrograms as a picture, dark as in a studio."""

from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def draw(path: Path, rate: int, rows: dict[str, NDArray[np.float32]]) -> None:
    """Signals (n,) by title, below one another, in one scale of dB."""
    plt.style.use("dark_background")
    figure, axes = plt.subplots(len(rows), 1, figsize=(12, 3.2 * len(rows)), sharex=True)
    for axis, (title, samples) in zip(axes, rows.items(), strict=True):
        # A noise below hearing, for the logarithm of silence.
        faint = 1e-7 * np.random.default_rng(0).standard_normal(len(samples))
        *_, image = axis.specgram(
            samples + faint, NFFT=1024, noverlap=512, Fs=rate, cmap="magma", vmin=-130, vmax=-50
        )
        axis.set_title(title, loc="left")
        axis.set(ylim=(0, 8000), ylabel="kHz")
        axis.set_yticks(range(0, 8001, 2000), labels=range(0, 9, 2))
    axes[-1].set_xlabel("seconds")
    figure.colorbar(image, ax=axes, label="dB", pad=0.01)
    figure.savefig(path, dpi=110, bbox_inches="tight")
