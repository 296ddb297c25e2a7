"""Estimates from modelled sources: their shares of the mixture, bin by bin."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

EPS = 1e-10


def wiener(V: Array, modelled: Sequence[Array], eps: float = EPS) -> list[Array]:
    """V times each source's share of all that is modelled; 0 where nothing is.

    V (m, N) and every modelled source (m, N) are 0 or more, and so is what is returned, whose
    sum is V wherever the models say something.
    """
    total = np.float32(eps) + sum(modelled)
    return [np.clip(V * (U / total), 0, V) for U in modelled]


def projected(U: Array, highest: float | None = None) -> Array:
    """The nearest point of the space X of signals: from 0 up to `highest`, if that is given."""
    return np.clip(U, 0, highest)
