"""Supervised and semi-supervised separation as in the tutorial of Bryan & Sun (2013).

FFTSIZE, HOPSIZE, WINDOWSIZE, K, MAXITER and fixedInds are its Matlab names and values.  Three slips
of its slides are not repeated: `W.*H` stands for W*H; a source's mask takes the columns
c(i)+1 .. c(i+1), so no column serves two sources; and where W holds known columns only, random
ones are appended before the unknown are learned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.learn.matrices import blocks_of, matrix
from rtsep.learn.threads import one_thread

Array = NDArray[np.float32]
Samples = NDArray[np.floating]
Spectra = NDArray[np.complex64]

EPS = np.float32(np.finfo(np.float64).eps)  # Matlab's eps
MAXITER = 500
RANKS = (25, 25)


@dataclass(frozen=True)
class Transform:
    """A Hann window of WINDOWSIZE samples amid FFTSIZE ones, every HOPSIZE samples.

    A mask filters with zero phase, to both sides of the window; on the way back frames are only
    added, as in the tutorial, or windowed again first and divided by the windows' squares
    (`again`: nearest samples to an altered spectrum, as librosa's).
    """

    FFTSIZE: int = 1024
    HOPSIZE: int = 256
    WINDOWSIZE: int = 512
    again: bool = False

    def spectra(self, x: Samples) -> Spectra:
        """Spectra X (F, T) of samples x (n,), with silence around them."""
        edge, around = self.WINDOWSIZE, (self.FFTSIZE - self.WINDOWSIZE) // 2
        padded = np.pad(np.asarray(x, np.float32), (edge, edge + self.HOPSIZE))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.WINDOWSIZE)
        windowed = frames[:: self.HOPSIZE] * self._window()
        centred = np.pad(windowed, ((0, 0), (around, around)))
        return np.fft.rfft(centred, self.FFTSIZE, axis=1).T.astype(np.complex64)

    def samples(self, X: Spectra, n: int) -> Array:
        """Samples x (n,) by overlapping and adding: exact where X is their transform."""
        around = (self.FFTSIZE - self.WINDOWSIZE) // 2
        window = np.pad(self._window(), (around, around))
        y = np.zeros((X.shape[1] - 1) * self.HOPSIZE + self.FFTSIZE, np.float32)
        gain = np.zeros_like(y)
        for t, frame in enumerate(np.fft.irfft(X.T, self.FFTSIZE, axis=1)):
            place = slice(t * self.HOPSIZE, t * self.HOPSIZE + self.FFTSIZE)
            y[place] += frame * window if self.again else frame
            gain[place] += window**2 if self.again else window
        begin = around + self.WINDOWSIZE
        return np.asarray(y[begin : begin + n] / gain[begin : begin + n], np.float32)

    def _window(self) -> Array:
        phase = 2 * np.pi * np.arange(self.WINDOWSIZE) / self.WINDOWSIZE
        return np.asarray(0.5 - 0.5 * np.cos(phase), np.float32)


def nmf(
    V: Array,
    K: int | Sequence[int],
    W: Array | None = None,
    MAXITER: int = MAXITER,
    fixedInds: Sequence[int] = (),
    *,
    seed: int = 0,
) -> tuple[Array, Array]:
    """W (F, sum K) and H (sum K, T) of KL-NMF, columns of W summing to one at the end.

    W : known columns, random ones are appended up to sum K.  fixedInds : columns that stay as
    given, from 0.  Both begin as 1 + uniform.
    """
    V = matrix(V, "V")
    rank, rng = int(np.sum(K)), np.random.default_rng(seed)
    W = _completed(W, len(V), rank, rng)
    H = 1 + rng.random((rank, V.shape[1]), np.float32)
    free = np.setdiff1d(np.arange(rank), np.asarray(fixedInds, int))
    with one_thread():
        for _ in range(MAXITER):
            H *= (W.T @ (V / (W @ H + EPS))) / W.sum(axis=0)[:, None]
            if len(free):
                step = (V / (W @ H + EPS)) @ H[free].T
                W[:, free] *= step / np.maximum(H[free].sum(axis=1), EPS)
    sums = W.sum(axis=0)
    return W / sums, H * sums[:, None]


def _completed(W: Array | None, bins: int, rank: int, rng: np.random.Generator) -> Array:
    known = np.empty((bins, 0), np.float32) if W is None else np.asarray(W, np.float32)
    if len(known) != bins or known.shape[1] > rank:
        raise ValueError(f"W has shape {known.shape} (wanted: {bins} rows, {rank} columns at most)")
    more = 1 + rng.random((bins, rank - known.shape[1]), np.float32)
    return np.hstack([known, more])


def masks(W: Array, H: Array, K: Sequence[int]) -> list[Array]:
    """The share W_s H_s / W H of each source, which add up to one."""
    total = W @ H + EPS
    return [W[:, block] @ H[block] / total for block in blocks_of(K)]


def filtered(x: Samples, W: Array, H: Array, K: Sequence[int], transform: Transform) -> list[Array]:
    """Sources of the mixture x (n,): its magnitudes masked, its phase kept; each (n,)."""
    X = transform.spectra(x)
    return [transform.samples(X * mask, len(x)) for mask in masks(W, H, K)]


def supervised(
    x: Samples,
    sources: Sequence[Samples],
    K: Sequence[int] = RANKS,
    *,
    MAXITER: int = MAXITER,
    transform: Transform = Transform(),
    seed: int = 0,
) -> list[Array]:
    """The sources of mixture x (n,), each known by a recording of it alone; K components each."""
    bases = [
        nmf(np.abs(transform.spectra(s)), k, None, MAXITER, seed=seed)[0]
        for s, k in zip(sources, K, strict=True)
    ]
    V = np.abs(transform.spectra(x))
    W, H = nmf(V, K, np.hstack(bases), MAXITER, range(sum(K)), seed=seed)
    return filtered(x, W, H, K, transform)


def semi_supervised(
    x: Samples,
    known: Sequence[Samples],
    K: Sequence[int] = RANKS,
    *,
    MAXITER: int = MAXITER,
    transform: Transform = Transform(),
    seed: int = 0,
) -> list[Array]:
    """As `supervised`, where recordings of the first sources alone exist; the last is learned."""
    bases = [
        nmf(np.abs(transform.spectra(s)), k, None, MAXITER, seed=seed)[0]
        for s, k in zip(known, K, strict=False)
    ]
    W = np.hstack(bases)
    V = np.abs(transform.spectra(x))
    W, H = nmf(V, K, W, MAXITER, range(W.shape[1]), seed=seed)
    return filtered(x, W, H, K, transform)


def unsupervised(
    x: Samples,
    K: int,
    *,
    MAXITER: int = MAXITER,
    transform: Transform = Transform(),
    seed: int = 0,
) -> list[Array]:
    """K components of x (n,) by themselves; which of them make a source, nothing says."""
    W, H = nmf(np.abs(transform.spectra(x)), K, None, MAXITER, seed=seed)
    return filtered(x, W, H, [1] * K, transform)
