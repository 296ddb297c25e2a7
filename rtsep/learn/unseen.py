"""What is left to an unseen source: its orthonormal basis, and separation by two of them.

    v = u_0 + u_1,   u_0 ~ W_0 h_0 known,   u_1 ~ W_1 h_1 unseen,   W_1 orthogonal to W_0
W_1 are the leading eigenvectors of R R^T, R = (I - W_0 W_0^T) V: the global minimum of
|V - W_0 H_0 - W_1 H_1|^2, reached from second moments of V alone.  Alternating minimisation from
elsewhere ends in other splits of the same span, some of which give u_0 to W_1.
Ludvigsen, Semi-supervised source separation by learning what to not learn (2023).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rtsep.learn.asvd import Moments, adversarial_basis
from rtsep.learn.wiener import EPS, projected, wiener

Array = NDArray[np.float32]


def tau_path(
    U: Moments, V: Moments, rank: int, taus: Sequence[float]
) -> Iterator[tuple[float, Array]]:
    """(tau, W) for each tau from one pass over the data, which lie in the two moments."""
    for tau in taus:
        yield tau, adversarial_basis(U, V, rank, tau)


def residual(V: Moments, known: Array) -> Moments:
    """Moments of (I - W_0 W_0^T) V for known = W_0 (F, K), orthonormal."""
    W = known.astype(np.float64)
    rest = np.eye(len(W)) - W @ W.T
    return Moments(rest @ V.total @ rest, V.frames)


def unseen_basis(V: Moments, known: Array, rank: int) -> Array:
    """W_1 (F, rank), float32, orthonormal and orthogonal to `known`, strongest first.

    ValueError where mixtures leave fewer than `rank` directions.
    """
    if len(known) != len(V.total):
        raise ValueError(f"basis has {len(known)} bins, the mixtures have {len(V.total)}")
    return adversarial_basis(residual(V, known), None, rank)


def parts(V: Array, bases: Sequence[Array]) -> list[Array]:
    """W_i h_i for bases orthogonal to each other; (F, T) each, of either sign."""
    return [W @ (W.T @ V) for W in bases]


def separate(
    V: Array, bases: Sequence[Array], *, highest: float | None = None, eps: float = EPS
) -> list[Array]:
    """Shares of V (F, T), by parts brought into X: from 0 up to `highest`, if that is given."""
    return wiener(V, [projected(part, highest) for part in parts(V, bases)], eps)
