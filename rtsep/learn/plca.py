"""Probabilistic latent component analysis by EM, the same as KL-NMF up to normalisation.

A frame v_t is a histogram over bins f: a component z is drawn from p(z|t), a bin from p(f|z).
    E  p(z|f,t) = p(z|t) p(f|z) / sum_z p(z|t) p(f|z)
    M  p(f|z) ~ sum_t v_ft p(z|f,t),   p(z|t) ~ sum_f v_ft p(z|f,t)
With W = p(f|z) and h_t = |v_t|_1 p(z|t) these are the multiplicative updates of KL-NMF whose
columns of W sum to one.  Smaragdis, Raj & Shashanka (2006); the tutorial of Bryan & Sun (2013).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsep.learn.kl import COLUMNS
from rtsep.learn.matrices import at_least, rows

Array = NDArray[np.float32]

LEAST = np.float32(1e-30)


@dataclass(frozen=True)
class Plca:
    """What was found.  likelihood : log of that of the data before and after every pass.

    bins : p(f|z), (F, K), columns sum to one.  components : p(z|t), (K, T), columns sum to one.
    """

    bins: Array
    components: Array
    likelihood: list[float]

    def activations(self, V: Array) -> Array:
        """H (K, T) of KL-NMF: what each component gives of every frame of V."""
        H: Array = self.components * V.sum(axis=0)
        return H


def plca(
    V: Array,
    bins: Array,
    components: Array | None = None,
    *,
    passes: int = 100,
    known: int = 0,
) -> Plca:
    """`passes` of EM from p(f|z) and p(z|t) given (uniform where None), which stay untouched.

    V : (F, T), 0 or more.  known : the first columns of p(f|z) are held.  Each M step follows an
    E step of its own (ECM), so the likelihood never falls.
    """
    V = rows(V, "V")
    at_least(0, passes=passes, known=known)
    if len(bins) != len(V):
        raise ValueError(f"p(f|z) has {len(bins)} bins, the frames have {len(V)}")
    f = _distribution(np.array(bins, np.float32))
    z = np.ones((f.shape[1], V.shape[1]), np.float32) if components is None else components
    z = _distribution(np.array(z, np.float32))
    likelihood = [_pass(V, f, z, known) for _ in range(passes)]
    return Plca(f, z, [*likelihood, log_likelihood(V, f, z)])


def log_likelihood(V: Array, bins: Array, components: Array) -> float:
    """Sum of v log p(f|t), without the multinomial's constant."""
    blocks = _blocks(V.shape[1])
    return sum(_likelihood(V[:, t], _mixed(bins, components[:, t])) for t in blocks)


def _pass(V: Array, f: Array, z: Array, known: int) -> float:
    """One pass of EM, in place; the likelihood before it, which its first E step all but has."""
    likelihood, pull = 0.0, np.zeros_like(f[:, known:])
    for t in _blocks(V.shape[1]):
        v, p = V[:, t], _mixed(f, z[:, t])
        likelihood += _likelihood(v, p)
        z[:, t] = _distribution(z[:, t] * (f.T @ (v / p)))
        if pull.size:
            pull += (v / _mixed(f, z[:, t])) @ z[known:, t].T
    if pull.size:
        f[:, known:] = _distribution(f[:, known:] * pull)
    return likelihood


def _blocks(frames: int) -> list[slice]:
    return [slice(t, t + COLUMNS) for t in range(0, frames, COLUMNS)]


def _mixed(f: Array, z: Array) -> Array:
    """p(f|t) = sum_z p(f|z) p(z|t), over zero; v / p(f|t) times z (f, .) is v p(z|f,t)."""
    p: Array = f @ z
    return np.maximum(p, LEAST, out=p)


def _likelihood(v: Array, p: Array) -> float:
    share = np.log(p)
    share *= v
    return float(share.sum(dtype=np.float64))


def _distribution(p: Array) -> Array:
    """Columns that sum to one."""
    scaled: Array = p / np.maximum(p.sum(axis=0), LEAST)
    return scaled
