"""Speech in noise to measure with: which recordings, which parts of them, how loud.

The data folder holds `manifest.csv` (columns file, set, seconds) and the recordings it names.
Noise is learned from the first ten seconds of a recording and met in a later part of it.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RATE = 48000
ENROLMENT = 10  # seconds
LONGEST = 6  # seconds of speech
SNRS = (0, 5, 10)
UNSEEN_SNRS = (0, 5, 10, 15)


@dataclass(frozen=True)
class Mixture:
    """One test: speech + noise, both (n,) at RATE, and `enrolment`, the noise alone before.

    Of a short noise there is none, (0,).
    """

    name: str
    snr: int
    speech: Samples
    noise: Samples
    enrolment: Samples

    @property
    def mixture(self) -> Samples:
        return self.speech + self.noise


def load(path: Path) -> Samples:
    """Mono float32 at RATE."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1, dtype=np.float32)
    return mono if rate == RATE else soxr.resample(mono, rate, RATE)


def active_power(samples: Samples) -> float:
    """Mean square over the 20 ms frames within 40 dB of the loudest."""
    frames = samples[: len(samples) // 960 * 960].reshape(-1, 960).astype(np.float64)
    energy = np.mean(frames**2, axis=1)
    return float(energy[energy > 1e-4 * energy.max()].mean())


def listed(data: Path, name: str, least: float, most: float, folder: str) -> list[str]:
    """Recordings of a set with a length in seconds within bounds, below one folder."""
    with (data / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == name]
    fits = [row["file"] for row in rows if least <= float(row["seconds"]) <= most]
    return sorted(file for file in fits if file.startswith(folder))


def mix(speech: Samples, noise: Samples, enrolment: Samples, name: str, snr: int) -> Mixture:
    """Speech and noise at an SNR over the frames with speech, peak one half."""
    gain = np.sqrt(active_power(speech) / (np.mean(noise.astype(np.float64) ** 2) + 1e-12))
    gain *= 10 ** (-snr / 20)
    scale = 0.5 / max(1e-3, float(np.abs(speech + gain * noise).max()))
    parts = (speech * scale, noise * (gain * scale), enrolment * (gain * scale))
    return Mixture(name, snr, *(part.astype(np.float32) for part in parts))


def mixtures(data: Path, split: str, limit: int, seed: int = 0) -> Iterator[Mixture]:
    """Every noise recording of 20 s or more, once per SNR, each time with another speaker.

    split : "train" to choose settings by, "test" to report, "unseen" as well, by short noises that
    no setting was ever chosen or reported by.  limit : noise recordings at most.
    """
    if split == "unseen":
        yield from _unseen(data, limit, seed)
        return
    random = np.random.default_rng(seed)
    folder = "cc0_ccby/" if split == "test" else ""
    noises = listed(data, f"noise_{split}", 20, 1e9, folder)
    voices = listed(data, f"speech_{split}", 3, 15, "cc0_ccby/")
    chosen = sorted(random.permutation(len(noises))[:limit])
    for file in (noises[i] for i in chosen):
        recording = load(data / file)
        for snr in SNRS:
            speech = load(data / voices[random.integers(len(voices))])[: LONGEST * RATE]
            room = len(recording) - ENROLMENT * RATE - len(speech)
            start = ENROLMENT * RATE + int(random.integers(max(room, 1)))
            noise = recording[start : start + len(speech)]
            enrolment = recording[: ENROLMENT * RATE]
            yield mix(speech[: len(noise)], noise, enrolment, Path(file).stem, snr)


def _unseen(data: Path, limit: int, seed: int) -> Iterator[Mixture]:
    """Every short noise recording of the test set once, at one SNR after another."""
    random = np.random.default_rng(seed)
    noises = listed(data, "noise_test", 4, 19.9, "cc0_ccby/")
    voices = listed(data, "speech_test", 3, 15, "cc0_ccby/")
    for i, chosen in enumerate(random.permutation(len(noises))[:limit]):
        file, snr = noises[chosen], UNSEEN_SNRS[i % len(UNSEEN_SNRS)]
        noise = load(data / file)
        speech = load(data / voices[random.integers(len(voices))])[: len(noise)]
        yield mix(speech, noise[: len(speech)], noise[:0], Path(file).stem, snr)
