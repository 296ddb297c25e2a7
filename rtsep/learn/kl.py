"""Passes of KL-NMF, one block of frames after another, each in the processor's cache.

H <- H W^T (V / W H) / (1 + sparsity), then W <- W (V / W H) H^T with columns brought to a sum of
one, which with them held so is the minimiser of the bound.  V (F, T), W (F, K), H (K, T), W and H
FLOOR or more.

`Hurried` starts every update ahead of where the last one ended, and goes further:
    x' = x + b [x - x_before]_+,   x <- x' g^POWER,   g the factor of the plain update at x'
with b of Nesterov's sequence.  Its passes are worth two and more plain ones, but none of them is
sure to lower the objective: whoever calls looks at it, and goes back where it rose.
Hien, Leplat & Gillis (2022) for the extrapolation; Badeau, Bertin & Vincent (2010) for exponents.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FLOOR = np.float32(1e-10)  # least entry of W and H where frames sum to about one
COLUMNS = 512  # of a block
POWER = np.float32(1.375)  # from 1.5 on it no longer converges


def kl_pass(V: Array, W: Array, H: Array, sparsity: np.float32, fixed: bool) -> None:
    """One pass, in place; `fixed` leaves W as it is."""
    pull = np.zeros_like(W)
    for t in range(0, V.shape[1], COLUMNS):
        v, h = V[:, t : t + COLUMNS], H[:, t : t + COLUMNS]
        h *= W.T @ _ratio(v, W, h) / (1 + sparsity)
        np.maximum(h, FLOOR, out=h)
        if not fixed:
            pull += _ratio(v, W, h) @ h.T
    if not fixed:
        W *= pull
        normalise(W)


class Hurried:
    """Passes that remember the one before.  W, H : what they change, in place."""

    def __init__(self, W: Array, H: Array) -> None:
        self.before = W.copy(), H.copy()
        self.t = 1.0

    def __call__(self, V: Array, W: Array, H: Array, sparsity: np.float32, fixed: bool) -> None:
        b, (W_before, H_before), pull = self._step(), self.before, np.zeros_like(W)
        here = W if fixed else _ahead(W, W_before, b)
        for t in range(0, V.shape[1], COLUMNS):
            s = slice(t, t + COLUMNS)
            h = _ahead(H[:, s], H_before[:, s], b)
            h *= (W.T @ _ratio(V[:, s], W, h) / (1 + sparsity)) ** POWER
            H[:, s] = np.maximum(h, FLOOR, out=h)
            if not fixed:
                pull += _ratio(V[:, s], here, h) @ h.T
        if not fixed:
            W[:] = here * pull**POWER
            normalise(W)

    def _step(self) -> np.float32:
        last, self.t = self.t, (1 + (1 + 4 * self.t**2) ** 0.5) / 2
        return np.float32((last - 1) / self.t)


def _ahead(x: Array, before: Array, b: np.float32) -> Array:
    """Where x goes on to, x + b [x - before]_+; and `before` becomes x, in place."""
    moved: Array = np.maximum(x - before, 0)
    before[:] = x
    moved *= b
    moved += x
    return moved


def _ratio(V: Array, W: Array, H: Array) -> Array:
    Y: Array = W @ H
    np.divide(V, Y, out=Y)
    return Y


def normalise(W: Array) -> Array:
    """Floor W and make its columns sum to one, in place; returns their sums before."""
    np.maximum(W, FLOOR, out=W)
    sums: Array = W.sum(axis=0)
    W /= sums
    return sums
