"""Non-negative matrix factorisation V ~ W H by multiplicative updates.

V (F, T) magnitudes (power for Itakura-Saito), W (F, K) with columns that sum to one in every
pass, H (K, T); all float32, C order.  The objective, which never rises, is
D(V | W H) + sparsity sum_k |w_k|_1 |h_k|_1, so that scale cannot escape from H into W.
Lee & Seung (2001); Fevotte & Idier (2011) for Itakura-Saito, monotone with the exponent 1/2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtsep.learn.kl import FLOOR, Array, Hurried, kl_pass, normalise
from rtsep.learn.matrices import at_least, rows

__all__ = ["FLOOR", "Array"]

DIVERGENCES = ("kl", "euclidean", "itakura-saito")
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
    hurried: bool = False,
    every: int = EVERY,
    progress: Callable[[float], None] = lambda done: None,
    watch: Callable[[float], bool] = lambda objective: False,
) -> Factors:
    """Up to `passes` updates of H and then of W from the start given, which stays untouched.

    tolerance : relative fall of the objective from one look to the next at which it ends.
    fixed : leave W as it is.  hurried : KL in passes worth two and more, but for the last, and
    plain ones again where the objective rose; their way, and where it ends, is another.
    every : passes between looks.  watch : hears the objective at each; true ends it.
    """
    V = rows(V, "V")
    _check(V, W, divergence, sparsity)
    W = W.copy() if fixed else np.maximum(W, FLOOR)
    H = level(V, W.shape[1]) if H is None else np.maximum(H, FLOOR)
    climb = Climb(V, W, H, divergence, sparsity, fixed)
    hurried = hurried and divergence == "kl"
    for done in range(1, passes + 1):
        climb.step(hurried and done < passes)
        if done % every == 0 or done == passes:
            enough = climb.look(tolerance)
            progress(done / passes)
            if watch(climb.history[-1]) or enough:
                break
    return Factors(climb.W, climb.H, climb.history)


class Climb:
    """W and H on their way, changed in place, and the objective at every look, which only falls."""

    def __init__(
        self, V: Array, W: Array, H: Array, divergence: str, sparsity: float, fixed: bool
    ) -> None:
        self.V, self.W, self.H = V, W, H
        self.divergence, self.sparsity, self.fixed = divergence, sparsity, fixed
        self.hurried: Hurried | None = None
        self.trusted = True
        self.kept: tuple[Array, Array] | None = None
        self.history = [self.objective()]

    def objective(self) -> float:
        return objective(self.V, self.W, self.H, self.divergence, self.sparsity)

    def step(self, hurried: bool) -> None:
        update = UPDATES[self.divergence]
        if hurried and self.trusted:
            self.kept = self.kept or (self.W.copy(), self.H.copy())
            update = self.hurried = self.hurried or Hurried(self.W, self.H)
        update(self.V, self.W, self.H, np.float32(self.sparsity), self.fixed)

    def look(self, tolerance: float) -> bool:
        """Note the objective; true where it has all but ceased to fall."""
        value = self.objective()
        if self.kept and not value <= self.history[-1]:
            self.W[:], self.H[:] = self.kept
            self.trusted, self.kept = False, None
            return False
        self.kept = None
        self.history.append(value)
        return self.history[-2] - value <= tolerance * abs(self.history[-2])


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


EXACT = 1e-6  # of a divergence over the sum of what it is of, below which it is rounding


def relative(fit: float, V: Array, divergence: str) -> float:
    """A divergence over that of one component; 0 for both where one component holds all of V."""
    least = one_component(V, divergence)
    return max(fit, 0.0) / least if least > EXACT * float(V.sum()) else 0.0


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


UPDATES = {"kl": kl_pass, "euclidean": _euclidean_pass, "itakura-saito": _itakura_saito_pass}


def _rescale(W: Array, H: Array) -> None:
    """The same product W H with columns of W that sum to one."""
    H *= normalise(W)[:, None]


def _check(V: Array, W: Array, divergence: str, sparsity: float) -> None:
    if divergence not in DIVERGENCES:
        raise ValueError(f"divergence {divergence!r} is unknown (one of {', '.join(DIVERGENCES)})")
    if len(V) != len(W):
        raise ValueError(f"basis has {len(W)} bins, the frames have {len(V)}")
    at_least(0, sparsity=sparsity)
