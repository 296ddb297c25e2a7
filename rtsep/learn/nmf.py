"""Non-negative matrix factorisation V ~ W H by multiplicative updates.

V (F, T) magnitudes (power for Itakura-Saito), W (F, K) with columns that sum to one in every
pass, H (K, T); all float32, C order.  The objective, which never rises, is
D(V | W H) + sparsity sum_k |w_k|_1 |h_k|_1, so that scale cannot escape from H into W.
Lee & Seung (2001); Fevotte & Idier (2011) for Itakura-Saito, monotone with the exponent 1/2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

DIVERGENCES = ("kl", "euclidean", "itakura-saito")
FLOOR = np.float32(1e-10)  # least entry of W and H where frames sum to about one
EVERY = 20  # passes between two looks at the objective
ROWS = 32


@dataclass(frozen=True)
class Factors:
    """W (F, K), H (K, T) and the objective as it fell."""

    W: Array
    H: Array
    history: list[float]


def exemplars(V: Array, rank: int, rng: np.random.Generator) -> Array:
    """W of `rank` frames chosen at random, none of their entries zero; columns sum to one."""
    chosen = np.sort(rng.choice(V.shape[1], rank, replace=V.shape[1] < rank))
    return normalised(V[:, chosen] + 1e-3 * V.mean(axis=1, keepdims=True) + FLOOR)


def random(V: Array, rank: int, rng: np.random.Generator) -> Array:
    """W uniform around the mean frame; columns sum to one."""
    noise = rng.uniform(0.1, 1, (len(V), rank)).astype(np.float32)
    return normalised(noise * V.mean(axis=1, keepdims=True) + FLOOR)


STARTS = {"exemplars": exemplars, "random": random}


def normalised(W: Array) -> Array:
    return np.ascontiguousarray(W / W.sum(axis=0), np.float32)


def level(V: Array, rank: int) -> Array:
    """H (K, T) with all components equal and every column summing to its frame."""
    H: Array = V.sum(axis=0, keepdims=True) / np.float32(rank) + FLOOR
    return np.repeat(H, rank, axis=0)


def factorise(
    V: Array,
    W: Array,
    H: Array | None = None,
    *,
    divergence: str = "kl",
    sparsity: float = 0.0,
    passes: int = 100,
    tolerance: float = 1e-5,
    fixed: bool = False,
    every: int = EVERY,
    progress: Callable[[float], None] | None = None,
) -> Factors:
    """Up to `passes` updates of H and then of W from the start given, which stays untouched.

    tolerance : relative fall of the objective from one look to the next at which it ends.
    fixed : leave W as it is.  every : passes between looks.
    """
    _check(V, W, divergence, sparsity)
    W = W.copy()
    H = level(V, W.shape[1]) if H is None else H.copy()
    history = [objective(V, W, H, divergence, sparsity)]
    for done in range(1, passes + 1):
        UPDATES[divergence](V, W, H, np.float32(sparsity), fixed)
        if done % every == 0 or done == passes:
            history.append(objective(V, W, H, divergence, sparsity))
            if progress:
                progress(done / passes)
            if history[-2] - history[-1] <= tolerance * abs(history[-2]):
                break
    return Factors(W, H, history)


def objective(V: Array, W: Array, H: Array, divergence: str = "kl", sparsity: float = 0.0) -> float:
    """D(V | W H) + sparsity sum(H) over all frames, W's columns summing to one."""
    total = sparsity * float(H.sum(dtype=np.float64))
    for f in range(0, len(V), ROWS):  # few enough rows for the processor's cache
        Y = np.maximum(W[f : f + ROWS] @ H, np.float32(1e-30))
        total += DISTANCES[divergence](V[f : f + ROWS], Y)
    return total


def one_component(V: Array, divergence: str) -> float:
    """The divergence of the best model of one component, the ruler for a basis."""
    W = V.mean(axis=1, keepdims=True) + FLOOR
    W = W / W.sum()
    passes = 0 if divergence == "kl" else 20  # for KL that is the minimum
    return factorise(V, W, divergence=divergence, passes=passes).history[-1]


def _kl(V: Array, Y: Array) -> float:
    R = np.maximum(V, np.float32(1e-30))
    R /= Y
    np.log(R, out=R)
    R *= V
    R -= V
    R += Y
    return float(R.sum(dtype=np.float64))


def _euclidean(V: Array, Y: Array) -> float:
    Y -= V
    return 0.5 * float(np.vdot(Y, Y))


def _itakura_saito(V: Array, Y: Array) -> float:
    R = np.maximum(V, FLOOR)
    R /= Y
    return float((R - np.log(R) - 1).sum(dtype=np.float64))


DISTANCES = {"kl": _kl, "euclidean": _euclidean, "itakura-saito": _itakura_saito}


def _kl_pass(V: Array, W: Array, H: Array, sparsity: np.float32, fixed: bool) -> None:
    H *= W.T @ _ratio(V, W, H)
    H /= 1 + sparsity
    np.maximum(H, FLOOR, out=H)
    if not fixed:
        # With columns held to a sum of one, this is the minimiser of the bound; H stays.
        W *= _ratio(V, W, H) @ H.T
        _normalise(W)


def _ratio(V: Array, W: Array, H: Array) -> Array:
    Y: Array = W @ H
    np.maximum(Y, FLOOR * FLOOR, out=Y)
    np.divide(V, Y, out=Y)
    return Y


def _euclidean_pass(V: Array, W: Array, H: Array, sparsity: np.float32, fixed: bool) -> None:
    H *= (W.T @ V) / ((W.T @ W) @ H + sparsity + FLOOR)
    np.maximum(H, FLOOR, out=H)
    if not fixed:
        W *= (V @ H.T) / (W @ (H @ H.T) + sparsity * H.sum(axis=1) + FLOOR)
        _rescale(W, H)


def _itakura_saito_pass(V: Array, W: Array, H: Array, sparsity: np.float32, fixed: bool) -> None:
    R, Y = _is_ratios(V, W, H)
    H *= np.sqrt((W.T @ R) / (W.T @ Y + sparsity))
    np.maximum(H, FLOOR, out=H)
    if not fixed:
        R, Y = _is_ratios(V, W, H)
        W *= np.sqrt((R @ H.T) / (Y @ H.T + sparsity * H.sum(axis=1)))
        _rescale(W, H)


def _is_ratios(V: Array, W: Array, H: Array) -> tuple[Array, Array]:
    """V / (W H)^2 and 1 / (W H)."""
    Y: Array = W @ H
    np.maximum(Y, FLOOR, out=Y)
    np.reciprocal(Y, out=Y)
    R = np.maximum(V, FLOOR)
    R *= Y
    R *= Y
    return R, Y


UPDATES = {"kl": _kl_pass, "euclidean": _euclidean_pass, "itakura-saito": _itakura_saito_pass}


def _normalise(W: Array) -> Array:
    """Floor W and make its columns sum to one, in place; returns their sums before."""
    np.maximum(W, FLOOR, out=W)
    sums: Array = W.sum(axis=0)
    W /= sums
    return sums


def _rescale(W: Array, H: Array) -> None:
    """The same product W H with columns of W that sum to one."""
    H *= _normalise(W)[:, None]


def _check(V: Array, W: Array, divergence: str, sparsity: float) -> None:
    if divergence not in DIVERGENCES:
        raise ValueError(f"divergence {divergence!r} is unknown (one of {', '.join(DIVERGENCES)})")
    if len(V) != len(W):
        raise ValueError(f"basis has {len(W)} bins, the frames have {len(V)}")
    if not sparsity >= 0:
        raise ValueError(f"sparsity {sparsity:g} is out of range (wanted: 0 or more)")
