"""NMF of any beta-divergence, with sparsity, smooth activations and known columns.

    D_beta(V | W H) + sparsity |H|_1 + smoothness sum_t |h_t - h_{t-1}|^2 + sparsity_W |W|_1

beta 2 is half the squared distance, 1 Kullback-Leibler, 0 Itakura-Saito.  Every update minimises
a bound of the objective, which therefore never rises: with r = new / old it solves
push r^p + curb r = pull r^(beta - 2), pull and push being the gradient's negative and positive
part, curb what the smoothness adds, p = 0 below beta 1, else beta - 1.  Where the powers differ,
the lower ones are bounded by the highest.  Fevotte & Idier (2011); the tutorial of Bryan & Sun.

V : (F, T), W : (F, K), H : (K, T), float32.  Scale cannot escape into W: columns learned sum to
one after every pass, penalties counting as if they always did; known columns stay as they are.
With sparsity_W no column is normalised, and both sparsities are wanted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.learn.matrices import at_least, rows
from rtsep.learn.nmf import Factors

Array = NDArray[np.float32]

FLOOR = np.float32(1e-12)  # least entry of W and H
LEAST = np.float32(1e-10)  # least entry of V where beta < 1, and of W H
EVERY = 10  # passes between two looks at the objective


@dataclass(frozen=True)
class Penalty:
    """Weights of |H|_1, |W|_1 and of the squared steps of H from frame to frame; 0 or more."""

    sparsity: float = 0.0
    sparsity_W: float = 0.0  # noqa: N815
    smoothness: float = 0.0

    def __post_init__(self) -> None:
        at_least(0, sparsity=self.sparsity, sparsity_W=self.sparsity_W, smoothness=self.smoothness)


def factorise(
    V: Array,
    W: Array,
    H: Array | None = None,
    *,
    beta: float = 1.0,
    penalty: Penalty = Penalty(),
    fixed: Sequence[int] | slice = (),
    passes: int = 100,
    tolerance: float = 0.0,
    every: int = EVERY,
    progress: Callable[[float], None] | None = None,
) -> Factors:
    """Up to `passes` updates of H, then of W, from the start given, which stays untouched.

    H : uniform where None.  fixed : columns of W that are known.  tolerance : relative fall of
    the objective from one look, `every` passes, to the next at which it ends.
    """
    V = rows(V, "V")
    if len(V) != len(W):
        raise ValueError(f"basis has {len(W)} bins, the frames have {len(V)}")
    free = np.delete(np.arange(W.shape[1]), fixed if isinstance(fixed, slice) else [*fixed])
    V = np.maximum(V, LEAST if beta < 1 else 0)
    W, H = np.array(W, np.float32), _start(V, W.shape[1]) if H is None else np.array(H, np.float32)
    if not penalty.sparsity_W:
        _normalise(W, H, free)
    history = [objective(V, W, H, beta, penalty)]
    for done in range(1, passes + 1):
        _update_activations(V, W, H, beta, penalty)
        if len(free):
            _update_basis(V, W, H, beta, penalty, free)
        if done % every == 0 or done == passes:
            history.append(objective(V, W, H, beta, penalty))
            if progress:
                progress(done / passes)
            if history[-2] - history[-1] <= tolerance * abs(history[-2]) and tolerance:
                break
    return Factors(W, H, history)


def objective(V: Array, W: Array, H: Array, beta: float, penalty: Penalty) -> float:
    """What is minimised, summed over all frames."""
    fit = float(divergence(V, np.maximum(W @ H, LEAST), beta).sum(dtype=np.float64))
    steps = float((np.diff(H, axis=1) ** 2).sum(dtype=np.float64))
    plain = penalty.sparsity * H.sum(dtype=np.float64) + penalty.sparsity_W * W.sum()
    return float(fit + plain + penalty.smoothness * steps)


def divergence(V: Array, Y: Array, beta: float) -> NDArray[np.float64]:
    """d_beta(V | Y), entry by entry; float64, for large terms cancel."""
    v, y = np.asarray(V, np.float64), np.asarray(Y, np.float64)
    if beta == 1:
        return np.where(v > 0, v * np.log(np.where(v > 0, v, 1) / y), 0) - v + y
    if beta == 0:
        return v / y - np.log(v / y) - 1
    cross: NDArray[np.float64] = (v**beta + (beta - 1) * y**beta - beta * v * y ** (beta - 1)) / (
        beta * (beta - 1)
    )
    return cross


def _start(V: Array, rank: int) -> Array:
    return np.repeat(V.sum(axis=0, keepdims=True) / np.float32(rank), rank, axis=0) + FLOOR


def _normalise(W: Array, H: Array, columns: NDArray[np.intp]) -> None:
    sums = W[:, columns].sum(axis=0)
    W[:, columns] /= sums
    H[columns] *= sums[:, None]


def _update_activations(V: Array, W: Array, H: Array, beta: float, penalty: Penalty) -> None:
    pull, push = _parts(V, W, H, beta)
    push = push + np.float32(penalty.sparsity)
    curb: Array | np.float32 = np.float32(0)
    if penalty.smoothness:
        more, curb = _smooth(H, beta, np.float32(penalty.smoothness))
        pull = pull + more
    H *= ratio(pull, push, curb, beta)
    np.maximum(H, FLOOR, out=H)


def _smooth(H: Array, beta: float, weight: np.float32) -> tuple[Array, Array]:
    """Pull and curb of weight sum_t |h_t - h_{t-1}|^2, whose cross terms tie neighbours."""
    near: Array = np.zeros_like(H)
    near[:, 1:] += H[:, :-1]
    near[:, :-1] += H[:, 1:]
    count = np.full(H.shape[1], 2, np.float32)
    count[[0, -1]] -= 1
    inner = count * H
    pull, curb = (near, inner) if beta <= 1 else (near + inner, 2 * inner)
    return np.asarray(2 * weight * pull), np.asarray(2 * weight * curb)


def _update_basis(
    V: Array, W: Array, H: Array, beta: float, penalty: Penalty, free: NDArray[np.intp]
) -> None:
    pull, push = (part.T[:, free] for part in _parts(V.T, H.T, W.T, beta))
    curb: Array | np.float32 = np.float32(0)
    if penalty.sparsity_W:
        push = push + np.float32(penalty.sparsity_W)
    else:
        push = push + np.float32(penalty.sparsity) * H[free].sum(axis=1)
        steps = np.asarray((np.diff(H[free], axis=1) ** 2).sum(axis=1), np.float32)
        curb = 2 * np.float32(penalty.smoothness) * steps
    W[:, free] = np.maximum(W[:, free] * ratio(pull, push, curb, beta), FLOOR)
    if not penalty.sparsity_W:
        _normalise(W, H, free)


def _parts(V: Array, W: Array, H: Array, beta: float) -> tuple[Array, Array]:
    """Negative and positive part of the gradient of D(V | W H) by H."""
    if beta == 2:
        gram: Array = W.T @ W
        return W.T @ V, gram @ H
    Y = np.maximum(W @ H, LEAST)
    if beta == 1:
        np.divide(V, Y, out=Y)
        sums: Array = W.sum(axis=0)
        return W.T @ Y, sums[:, None]
    inside: Array = np.power(Y, np.float32(beta - 2), dtype=np.float32)
    return W.T @ (V * inside), W.T @ (inside * Y)


def ratio(pull: Array, push: Array, curb: Array | np.float32, beta: float) -> Array:
    """New over old: the minimiser of the bound."""
    if not np.any(curb):
        share = np.asarray(pull / np.maximum(push, FLOOR), np.float32)
        return share if 1 <= beta <= 2 else share ** np.float32(exponent(beta))
    if beta == 1:  # curb r^2 + push r = pull, the root that stays exact as curb goes to 0
        root = np.sqrt(push * push + 4 * curb * pull)
        return np.asarray(2 * pull / (push + root + FLOOR), np.float32)
    power = 1 / (3 - beta) if beta <= 2 else exponent(beta)
    bent: Array = (pull / np.maximum(push + curb, FLOOR)) ** np.float32(power)
    return bent


def exponent(beta: float) -> float:
    """Of pull / push, for which the objective never rises."""
    return 1 / (2 - beta) if beta < 1 else 1.0 if beta <= 2 else 1 / (beta - 1)
