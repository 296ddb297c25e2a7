"""What makes one recording many: speed and pitch, rooms, colour; and noises made from nothing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from rtsep.learn.corpus import Samples

Array = NDArray[np.float32]


def faster(x: Samples, n: int) -> Samples:
    """All of x in n samples: speed and pitch change together."""
    if len(x) == n:
        return x
    import soxr

    found = soxr.resample(x, len(x), n, quality="LQ")
    return np.resize(found, n).astype(np.float32)


def room(rate: int, rng: np.random.Generator) -> Samples:
    """A room's answer to an impulse: itself, and noise that decays by 60 dB within 0.1..0.6 s."""
    seconds = rng.uniform(0.1, 0.6)
    t = np.arange(int(0.5 * seconds * rate)) / rate
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / seconds)
    tail[: int(rng.uniform(0.001, 0.01) * rate)] = 0
    tail *= 10 ** (-rng.uniform(0, 15) / 20) / np.linalg.norm(tail)
    tail[0] = 1
    return tail.astype(np.float32)


def reverberant(x: Samples, answer: Samples) -> Samples:
    """Sound in a room, as long as without."""
    heard: Samples = fftconvolve(x, answer)[: len(x)].astype(np.float32)
    return heard


def colour(bins: int, depth: float, rng: np.random.Generator) -> Array:
    """Gains (bins,) along a random curve of up to `depth` dB either way."""
    at = np.array([0.0, 0.02, 0.06, 0.15, 0.4, 1.0]) * (bins - 1)
    levels = rng.uniform(-depth, depth, len(at))
    return (10 ** (np.interp(np.arange(bins), at, levels) / 20)).astype(np.float32)


def swells(frames: int, bins: int, rng: np.random.Generator) -> Array:
    """Gains (frames, bins) that swell in time and frequency: any noise becomes a hundred others.

    Levels in dB are drawn on a coarse grid of 30 ms to 2 s by 2 to 24 bands, and joined by lines.
    """
    rows = max(2, int(frames / np.exp(rng.uniform(np.log(6), np.log(375)))) + 1)
    columns = int(rng.integers(2, 25))
    depth = rng.uniform(3, 20)
    levels = np.clip(rng.standard_normal((rows, columns)), -2, 2) * depth / 2
    across = np.linspace(0, columns - 1, bins)
    edges = np.minimum(across.astype(int), columns - 2)
    share = (across - edges).astype(np.float32)
    over = levels[:, edges] * (1 - share) + levels[:, edges + 1] * share
    along = np.linspace(0, rows - 1, frames)
    before = np.minimum(along.astype(int), rows - 2)
    later = (along - before).astype(np.float32)[:, None]
    both = over[before] * (1 - later) + over[before + 1] * later
    gains: Array = np.exp(both * np.log(10) / 20).astype(np.float32)
    return gains


def synthetic(n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Noise made from nothing: coloured hiss, swelling or not, with or without hum or clicks."""
    if rng.random() < 0.3:
        return np.float32(0.1) * _levelled(
            _drops(n, rate, rng) + _hiss(n, rng) * rng.uniform(0, 0.3)
        )
    x = _hiss(n, rng)
    if rng.random() < 0.5:
        x = x * _swell(n, rate, rng)
    if rng.random() < 0.3:
        x = x + _hum(n, rate, rng) * np.float32(rng.uniform(0.3, 3))
    if rng.random() < 0.2:
        x = x + _clicks(n, rate, rng)
    return np.float32(0.1) * _levelled(x)


def _levelled(x: NDArray[Any]) -> Samples:
    levelled: Samples = (x / np.sqrt(np.mean(x**2))).astype(np.float32)
    return levelled


def _hiss(n: int, rng: np.random.Generator) -> Samples:
    spectrum = np.fft.rfft(rng.standard_normal(n).astype(np.float32))
    slope = rng.uniform(0, 1.2)
    f = np.arange(1, len(spectrum) + 1) / len(spectrum)
    spectrum *= f**-slope * colour(len(spectrum), 12, rng)
    x = np.fft.irfft(spectrum, n)
    return _levelled(x)


def _swell(n: int, rate: int, rng: np.random.Generator) -> Samples:
    steps = max(2, int(rng.uniform(0.5, 12) * n / rate))
    levels = rng.uniform(-rng.uniform(0, 25), 0, steps)
    return (10 ** (np.interp(np.arange(n), np.linspace(0, n, steps), levels) / 20)).astype(
        np.float32
    )


def _hum(n: int, rate: int, rng: np.random.Generator) -> Samples:
    pitch, count = rng.uniform(45, 400), int(rng.integers(2, 20))
    t = np.arange(n) / rate
    drift = pitch * (t + 0.002 * np.sin(2 * np.pi * rng.uniform(0.05, 3) * t))
    gains = rng.uniform(0, 1, count) / np.arange(1, count + 1) ** rng.uniform(0, 1.5)
    waves = [g * np.sin(2 * np.pi * k * drift) for k, g in enumerate(gains, 1)]
    x = np.sum(waves, axis=0)
    return _levelled(x)


def _drops(n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Short tones that glide and die away, few or many: water, birds, crackling, bells."""
    x = np.zeros(n + rate, np.float32)
    count = int(np.exp(rng.uniform(np.log(2), np.log(100))) * n / rate) + 1
    low, span = np.exp(rng.uniform(np.log(150), np.log(4000))), rng.uniform(0.1, 2)
    longest, glide = rng.uniform(0.01, 0.4), rng.uniform(-0.8, 0.8)
    for start in rng.integers(0, n, count):
        t = np.arange(int(longest * rng.uniform(0.2, 1) * rate)) / rate
        pitch = low * np.exp(span * rng.uniform(0, 1))
        turns = pitch * t * (1 + glide * t / t[-1])
        fade = np.exp(-t / t[-1] * 4) * np.minimum(1, t * 500)
        x[start : start + len(t)] += rng.exponential() * fade * np.sin(2 * np.pi * turns)
    return x[:n]


def _clicks(n: int, rate: int, rng: np.random.Generator) -> Samples:
    x = np.zeros(n, np.float32)
    at = rng.integers(0, n, max(1, int(rng.uniform(1, 12) * n / rate)))
    x[at] = rng.uniform(5, 40, len(at))
    ring = rng.standard_normal(int(rng.uniform(0.001, 0.03) * rate))
    ring *= np.exp(-np.linspace(0, 5, len(ring)))
    clicks: Samples = fftconvolve(x, ring)[:n].astype(np.float32)
    return clicks
