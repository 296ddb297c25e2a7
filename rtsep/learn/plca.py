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

from rtsep.learn.matrices import at_least, matrix

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
    V = matrix(V, "V")
    at_least(0, passes=passes, known=known)
    if len(bins) != len(V):
        raise ValueError(f"p(f|z) has {len(bins)} bins, the frames have {len(V)}")
    f = _distribution(np.array(bins, np.float32))
    z = np.ones((f.shape[1], V.shape[1]), np.float32) if components is None else components
    z = _distribution(np.array(z, np.float32))
    likelihood = [log_likelihood(V, f, z)]
    for _ in range(passes):
        z = _distribution(z * (f.T @ _share(V, f, z)))
        if known < f.shape[1]:
            f[:, known:] = _distribution(f[:, known:] * (_share(V, f, z) @ z[known:].T))
        likelihood.append(log_likelihood(V, f, z))
    return Plca(f, z, likelihood)


def log_likelihood(V: Array, bins: Array, components: Array) -> float:
    """Sum of v log p(f|t), without the multinomial's constant."""
    p = np.maximum(bins @ components, LEAST)
    return float(np.vdot(V.astype(np.float64), np.log(p, dtype=np.float64)))


def _share(V: Array, f: Array, z: Array) -> Array:
    """v_ft / p(f|t), of which z (f, .) makes v_ft p(z|f,t)."""
    share: Array = V / np.maximum(f @ z, LEAST)
    return share


def _distribution(p: Array) -> Array:
    """Columns that sum to one."""
    scaled: Array = p / np.maximum(p.sum(axis=0), LEAST)
    return scaled
