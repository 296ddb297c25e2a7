"""Multiplicative updates of maximum-discrepancy NMF: a basis that explains U and not U_hat.

    J(W) = sum over terms of weight / n |U - W H|^2 + 2 mu_W |W|_1,    W >= 0
    H = argmin_{H >= 0} |V - W H|^2 + 2 sum mu_H H

A term of positive weight is to be explained, one of negative weight is not; H counts as constant
in the gradient (envelope theorem), whose negative over positive part is the factor of each update.
With H held, a step over all columns never raises J.  Ludvigsen & Grasmair (2023, 2024).

U, V : float32 (m, N), one datum a column, F order.  W : (m, d).  H : (d, N).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FLOOR = np.float32(1e-12)  # least entry of W and H: multiplication cannot leave zero
ALL = slice(None)


def _all() -> slice:
    return ALL


@dataclass
class Fit:
    """Activations H of data V under all of W, or under the components `block` alone.

    mu : (d, 1) or (d, N), half the weight of |H|_1.  in_turn : groups of components updated one
    after the other; all at once where there are none.
    """

    V: Array
    H: Array
    mu: Array
    block: slice = field(default_factory=_all)
    in_turn: Sequence[slice] = (ALL,)

    def refresh(self, W: Array, passes: int = 1, columns: NDArray[np.intp] | None = None) -> None:
        """Update H in place; `columns` are the data to do so for, all where None."""
        if columns is None:
            activate(self.V, W[:, self.block], self.H, self.mu, passes, self.in_turn)
            return
        H, mu = taken(self.H, columns), self.mu
        mu = mu if mu.shape[1] == 1 else taken(mu, columns)
        activate(taken(self.V, columns), W[:, self.block], H, mu, passes, self.in_turn)
        self.H[:, columns] = H


def activate(
    V: Array, W: Array, H: Array, mu: Array, passes: int, in_turn: Sequence[slice] = (ALL,)
) -> None:
    """`passes` updates of H in place: H <- H * W^T V / (W^T W H + mu)."""
    B, G = W.T @ V, W.T @ W
    for _ in range(passes):
        for rows in in_turn:
            step = G[rows] @ H
            step += mu[rows]
            np.maximum(step, FLOOR, out=step)
            np.divide(B[rows], step, out=step)
            H[rows] *= step
            np.maximum(H[rows], FLOOR, out=H[rows])


@dataclass
class Term:
    """weight / n |U - W H|^2 of the objective, W cut to the columns `model`, H to those of `fit`.

    rows : rows of fit.H, one for each column of `model`.  own : those of them that belong to the
    block being learned.  order : the data in the order that mini-batches take them, shared by
    the terms of one set.
    """

    U: Array
    fit: Fit
    weight: float
    order: NDArray[np.intp]
    batch: int
    model: slice = field(default_factory=_all)
    rows: slice = field(default_factory=_all)
    own: slice = field(default_factory=_all)

    @property
    def H(self) -> Array:  # noqa: N802, the letter of the equation
        return self.fit.H[self.rows]

    @property
    def steps(self) -> int:
        """Whole mini-batches in an epoch; what is left over waits for the next."""
        return len(self.order) // self.batch

    def columns(self, step: int) -> NDArray[np.intp]:
        """Data of a mini-batch, from the start again where the set ends."""
        return self.order.take(np.arange(step * self.batch, (step + 1) * self.batch), mode="wrap")

    def parts(self, W: Array, step: int | None = None) -> tuple[Array, Array]:
        """Negative and positive part of half the gradient, over a mini-batch or all data."""
        U, H = self._batch(step)
        inside = H[self.own].T * np.float32(abs(self.weight) / U.shape[1])
        pull, push = U @ inside, W[:, self.model] @ (H @ inside)
        return (pull, push) if self.weight > 0 else (push, pull)

    def _batch(self, step: int | None) -> tuple[Array, Array]:
        if step is None or self.batch == len(self.order):
            return self.U, self.H
        columns = self.columns(step)
        return taken(self.U, columns), taken(self.H, columns)

    def value(self, W: Array) -> float:
        """Its share of the objective, over all data."""
        E = self.U - W[:, self.model] @ self.H
        return float(self.weight * np.vdot(E, E) / self.U.shape[1])


def improve(
    W: Array, block: slice, terms: Sequence[Term], mu: float, step: int | None = None
) -> None:
    """One update of W[:, block] in place, over mini-batch `step` or all data where None."""
    parts = [term.parts(W, step) for term in terms]
    pull = sum(negative for negative, _ in parts)
    push = sum(positive for _, positive in parts)
    W[:, block] *= pull / np.maximum(push + np.float32(mu), FLOOR)
    np.maximum(W[:, block], FLOOR, out=W[:, block])


def objective(W: Array, terms: Sequence[Term], mu: float) -> float:
    """J(W) with the activations as they are."""
    return sum(term.value(W) for term in terms) + 2 * mu * float(W.sum(dtype=np.float64))


def unit(W: Array, block: slice, fits: Sequence[Fit]) -> None:
    """Columns of W[:, block] to unit length, in place, and rows of H so that W H stays."""
    norms = np.linalg.norm(W[:, block], axis=0) + FLOOR
    W[:, block] /= norms
    for fit in fits:
        if fit.block in (ALL, block):
            rows = block if fit.block == ALL else ALL
            fit.H[rows] *= norms[:, None]


def taken(U: Array, columns: NDArray[np.intp]) -> Array:
    """U[:, columns], a gather of whole columns where U is in F order."""
    return U.T.take(columns, axis=0).T
