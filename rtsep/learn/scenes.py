"""Endless scenes to train a mask network on: a kept source in something else, mixed as spectra.

A scene is X = S + N, frames of one latency mode's analysis window.  Rows of S and N wait in a
bank; every batch renews a few, pairs the rows anew and draws their levels, so that the dear work
(reading, speed, rooms, transforms) is shared by several mixtures.  All follows from the seed.

A source may be estimated from mixtures y, where none is clean.  Then N is as loud as its own part
in y would be at the ratio `snr`, |y|^2 / |N|^2 = 1 + 10^(snr/10), and S keeps its level under y.

What a loss needs is kept in *units*: the bins up to 8 kHz, and the bands above.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from rtsep.dsp.stream import MODES, stream_spec
from rtsep.dsp.windows import window_pair
from rtsep.learn import bands
from rtsep.learn.corpus import Samples
from rtsep.learn.features import features
from rtsep.learn.mixing import Recipe
from rtsep.learn.rooms import colour, faster, reverberant, room, swells, synthetic
from rtsep.learn.tapes import Tape

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]
Refine = Callable[[Spectra], Spectra]

RATE, WINDOW, BINS = 48000, 1024, 513
HOPS = {"low": 240, "medium": 256, "high": 256}  # at pace 1; every second hop of low
SPLIT_HZ = 8000.0  # where units change from bins to bands
LOUDNESS = (-31.0, -20.0)  # dB over full scale that recordings of speech have, from and to
LATE = (0.1, 0.8)  # seconds, from and to
NARROW = 0.1  # weight of what lies above a recording's own bandwidth


@dataclass(frozen=True)
class Batch:
    """What one step of training takes.

    f (rows, T, bands); X, S, R (rows, T, units): |X|^2, |S|^2, Re(S conj X); weight (rows, units).
    """

    f: Array
    X: Array
    S: Array
    R: Array
    weight: Array


@dataclass
class Units:
    """The bins below 8 kHz and the bands above: where the loss is taken."""

    pool: Array = dataclasses.field(init=False)
    spread: Array = dataclasses.field(init=False)
    bins: int = dataclasses.field(init=False)
    upper: NDArray[np.bool_] = dataclasses.field(init=False)
    hz: Array = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        step = RATE / WINDOW
        centre = bands.centres(BINS, step) * step
        self.pool, self.spread = bands.pool(BINS, step), bands.spread(BINS, step)
        self.bins = int(SPLIT_HZ / step) + 1
        self.upper = centre > SPLIT_HZ + step
        self.hz = np.concatenate([np.arange(self.bins) * step, centre[self.upper]])

    def of(self, values: Array) -> Array:
        """Powers (..., 513) to units."""
        above = values[..., self.bins :] @ self.pool[self.bins :, self.upper]
        return np.concatenate([values[..., : self.bins], above], axis=-1)

    def gains(self) -> Array:
        """(bands, units): from the bands' gains to the units'."""
        return np.hstack([self.spread[:, : self.bins], np.eye(len(self.upper))[:, self.upper]])


UNITS = Units()


def spectra(x: Samples, mode: str, frames: int, pace: int = 1) -> Spectra:
    """X (frames, 513) of samples, as the engine's own transform of that mode makes them."""
    window = window_pair(stream_spec(RATE, mode))[0].astype(np.float32)
    framed = np.lib.stride_tricks.sliding_window_view(x, WINDOW)[:: pace * HOPS[mode]][:frames]
    return scipy.fft.rfft(framed * window, axis=-1)  # type: ignore[no-any-return]


def length(frames: int, mode: str, pace: int = 1) -> int:
    """Samples that so many frames take."""
    return WINDOW + (frames - 1) * pace * HOPS[mode]


class Scenes:
    """Batches without end; equal seeds make equal ones.

    sources, others : tapes, each drawn from with its weight.  refine : where sources
    are mixtures or tapes of `estimates`, what makes the estimate to be mixed of a row's spectra
    (T, 513).  modes : of latency, that take turns.
    """

    def __init__(
        self, sources: list[tuple[Tape, float]], others: list[tuple[Tape, float]], recipe: Recipe,
        seed: Any, refine: Refine | None = None, modes: tuple[str, ...] = MODES,
    ) -> None:  # fmt: skip
        self.sources, self.others, self.recipe = sources, others, recipe
        self.refine, self.modes = refine, modes
        self.rng = np.random.default_rng(seed)
        self.count = 0
        self.banks: dict[str, tuple[Spectra, Spectra, Array]] = {}

    def batch(self) -> Batch:
        """The next one; modes take turns."""
        return self._mixed(*self._drawn()[1])

    def mixtures(self) -> tuple[str, Spectra]:
        """The next mode, and X (rows, T, 513) with sources as loud as recordings of speech are."""
        mode, (S, N, _) = self._drawn()
        N = N[self.rng.permutation(len(S))]
        gains, _ = self._gains(S, N)
        window = window_pair(stream_spec(RATE, mode))[0]
        squares = 2 * _square(S).sum(axis=-1).mean(axis=-1) / (WINDOW * np.sum(window**2))
        scale = np.sqrt(10 ** (self.rng.uniform(*LOUDNESS, len(S)) / 10) / (squares + 1e-12))
        return mode, ((S + N * gains[:, None, None]) * scale[:, None, None]).astype(np.complex64)

    def _drawn(self) -> tuple[str, tuple[Spectra, Spectra, Array]]:
        """The next mode and its bank, some of its rows renewed."""
        mode = self.modes[self.count % len(self.modes)]
        self.count += 1
        if mode not in self.banks:
            self.banks[mode] = self._empty()
            self._renew(mode, np.arange(self.recipe.rows))
        else:
            rows = self.rng.choice(self.recipe.rows, self.recipe.fresh, replace=False)
            self._renew(mode, rows)
        return mode, self.banks[mode]

    def _empty(self) -> tuple[Spectra, Spectra, Array]:
        shape = self.recipe.rows, self.recipe.frames, BINS
        zeros = np.zeros(shape, np.complex64)
        return zeros, zeros.copy(), np.zeros(shape[0], np.float32)

    def _renew(self, mode: str, rows: NDArray[np.int64]) -> None:
        S, N, bandwidths = self.banks[mode]
        for row in rows:
            S[row], bandwidths[row] = self._source(mode)
            N[row] = self._other(mode)

    def _source(self, mode: str) -> tuple[Spectra, float]:
        sounds, bandwidth, speed = self._excerpts(self.sources, mode)
        if self.rng.random() < self.recipe.rooms:
            walls = room(RATE, self.rng)
            sounds = [reverberant(x, walls) for x in sounds]
        rows = [spectra(x, mode, self.recipe.frames, self.recipe.pace) for x in sounds]
        S = rows[0]
        if self.refine is not None:
            level = np.sqrt(_sounding(rows[-1][None])[0])
            return self.refine(S) / np.float32(level), bandwidth
        S = S * colour(BINS, self.recipe.colour_db, self.rng)
        if self.recipe.late and self.rng.random() < self.recipe.late:
            S[: round(self.rng.uniform(*LATE) * RATE / (HOPS[mode] * self.recipe.pace))] = 0
        return S, bandwidth * speed

    def _other(self, mode: str) -> Spectra:
        x = self._other_sound(mode)
        if self.rng.random() < self.recipe.rooms / 2:
            x = reverberant(x, room(RATE, self.rng))
        N = spectra(x, mode, self.recipe.frames, self.recipe.pace)
        N = N * colour(BINS, 2 * self.recipe.colour_db, self.rng)
        if self.rng.random() < self.recipe.swelling:
            N = N * swells(len(N), BINS, self.rng)
        if self.rng.random() < 0.3:
            N[:, UNITS.bins :] = 0
        return N

    def _other_sound(self, mode: str) -> Samples:
        kind = self.rng.random()
        if kind < self.recipe.made:
            return synthetic(self._length(mode), RATE, self.rng)
        if kind < self.recipe.made + self.recipe.babble:
            voices = int(self.rng.integers(3, 9))
            crowd = [self._excerpt(self.sources, mode)[0] for _ in range(voices)]
            return np.add.reduce(crowd)  # type: ignore[no-any-return]
        x = self._other_excerpt(mode)
        if self.rng.random() < 0.3:
            y = self._other_excerpt(mode)
            x = x + y * np.float32(_rms(x) / _rms(y) * 10 ** self.rng.uniform(-0.5, 0.5))
        return x

    def _length(self, mode: str) -> int:
        return length(self.recipe.frames, mode, self.recipe.pace)

    def _other_excerpt(self, mode: str) -> Samples:
        x = self._excerpt(self.others, mode, self.recipe.other_speed)[0]
        return x[::-1] if self.rng.random() < self.recipe.backward else x

    def _excerpt(
        self, tapes: list[tuple[Tape, float]], mode: str, most: float | None = None
    ) -> tuple[Samples, float, float]:
        (x, *_), bandwidth, speed = self._excerpts(tapes, mode, most)
        return x, bandwidth, speed

    def _excerpts(
        self, tapes: list[tuple[Tape, float]], mode: str, most: float | None = None
    ) -> tuple[list[Samples], float, float]:
        """A sound, and the mixture that it was estimated from, where it was; bandwidth, speed."""
        weights = np.array([weight for _, weight in tapes])
        tape, _ = tapes[int(self.rng.choice(len(tapes), p=weights / weights.sum()))]
        n = self._length(mode)
        most = self.recipe.speed if most is None else most
        speed = (1 + most) ** self.rng.uniform(-1, 1)
        sounds, bandwidth = tape.excerpts(round(n * speed), self.rng)
        return [faster(x, n) for x in sounds], bandwidth, speed

    def _mixed(self, S: Spectra, N: Spectra, bandwidths: Array) -> Batch:
        rows = len(S)
        N = N[self.rng.permutation(rows)]
        gains, scale = self._gains(S, N)
        shares = np.ones(rows)
        alone = self.rng.random(rows) < self.recipe.alone
        shares[alone & (self.rng.random(rows) < 0.5)] = 0
        if self.refine is None:
            gains[alone & (shares > 0)] = 0
        S = S * (shares * scale)[:, None, None].astype(np.float32)
        X = S + N * (gains * scale)[:, None, None].astype(np.float32)
        return _batch(X, S, self._weights(bandwidths), self.recipe.pace)

    def _gains(self, S: Spectra, N: Spectra) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        snr = self.rng.uniform(*self.recipe.snr, len(S))
        powers = _sounding(S), _sounding(N)
        if self.refine is not None:
            powers, snr = (np.ones(len(S)), powers[1]), 10 * np.log10(1 + 10 ** (snr / 10))
        gains = np.sqrt(powers[0] / powers[1]) * 10 ** (-snr / 20)
        loudness = 10 ** (self.rng.uniform(-45, 0, len(S)) / 20)
        return gains, loudness / np.sqrt(powers[0] * (1 + 10 ** (-snr / 10)))

    def _weights(self, bandwidths: Array) -> Array:
        beyond = UNITS.hz[None] > np.maximum(bandwidths, SPLIT_HZ)[:, None]
        return np.where(beyond, NARROW, 1.0).astype(np.float32)


def _batch(X: Spectra, S: Spectra, weight: Array, pace: int) -> Batch:
    power = _square(X)
    R = X.real * S.real + X.imag * S.imag
    return Batch(
        features(power, UNITS.pool, pace), UNITS.of(power), UNITS.of(_square(S)), UNITS.of(R),
        weight,
    )  # fmt: skip


def _square(X: Spectra) -> Array:
    return X.real**2 + X.imag**2


def _sounding(X: Spectra) -> NDArray[np.float64]:
    """Mean power a row over its frames within 40 dB of the loudest."""
    power = _square(X[..., : UNITS.bins]).mean(axis=-1).astype(np.float64) + 1e-12
    loud = power > 1e-4 * power.max(axis=1, keepdims=True)
    mean: NDArray[np.float64] = (power * loud).sum(axis=1) / loud.sum(axis=1)
    return mean


def _rms(x: Samples) -> float:
    return float(np.sqrt(np.mean(x**2)) + 1e-9)
