"""Adversarial SVD: an orthonormal basis that explains U and does not explain V.

W minimises |(I - W W^T) U|^2 / N_U - tau |(I - W W^T) V|^2 / N_V under W^T W = I: the leading
eigenvectors of C = U U^T / N_U - tau V V^T / N_V (Ludvigsen 2023; Ky Fan).  tau = 0 is the SVD.
Second moments are not centred and are summed in one pass, so frames need not fit in memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.learn.threads import one_thread

Array = NDArray[np.float32]
Moment = NDArray[np.float64]

POSITIVE = 1e-7  # share of the largest eigenvalue under which one counts as zero in float32 data
SINGLE = 1e-5  # share of C's norm over which float32 tells an eigenvalue from zero


@dataclass(frozen=True)
class Moments:
    """Sum of v v^T over frames, float64 (F, F), and how many frames."""

    total: Moment
    frames: int

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.total + other.total, self.frames + other.frames)

    @property
    def energy(self) -> float:
        """Mean of |v|^2 over frames."""
        return float(np.trace(self.total)) / max(self.frames, 1)

    def levelled(self) -> "Moments":
        """The same frames with a mean energy of one, so that gains do not change tau's meaning."""
        return Moments(self.total / max(self.energy, 1e-30), self.frames)

    def cropped(self, bins: int) -> "Moments":
        """Of the lowest `bins` bins alone."""
        return Moments(self.total[:bins, :bins], self.frames)

    def mean(self) -> Moment:
        return self.total / max(self.frames, 1)


def moments(batches: Iterable[Array], bins: int) -> Moments:
    """Second moments of batches V (F, T) of frames, in one pass."""
    total, frames = np.zeros((bins, bins)), 0
    for V in batches:
        if len(V) != bins:
            raise ValueError(f"frames have {len(V)} bins (wanted: {bins})")
        total += V @ V.T
        frames += V.shape[1]
    return Moments(total, frames)


def adversarial_basis(U: Moments, V: Moments | None, rank: int, tau: float = 0.0) -> Array:
    """W (F, rank), float32, orthonormal, columns of positive sum, strongest first.

    U : what to explain.  V : what not to; both of equal gain (`levelled`).
    ValueError where fewer than `rank` eigenvalues are positive: more would explain V, not U.
    """
    C = U.mean()
    if V is not None:
        C -= V.total * (tau / max(V.frames, 1))
    _check(C, rank, tau)
    C /= np.linalg.norm(C) or 1.0
    values, W = leading(C.astype(np.float32), rank)
    if values[0] <= SINGLE:
        values, W = leading(C, rank)
    if values[0] <= POSITIVE * values[-1]:
        raise ValueError(
            f"rank {rank} is over {positive(C)}, the number of directions in which the "
            f"material outweighs what it is learned against (tau={tau:g})"
        )
    W = W[:, ::-1] * np.where(W.sum(axis=0) < 0, -1, 1)[::-1]
    return np.ascontiguousarray(W, np.float32)


def leading(C: NDArray[Any], rank: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The largest eigenvalues of C (F, F), rising, and their eigenvectors (F, rank), as C's dtype.

    float32 takes half the time of float64.  It turns the basis among neighbours of nearly equal
    eigenvalues, where the objective is stationary: what it explains falls by less than 1e-6 of it.
    """
    from scipy.linalg import eigh

    with one_thread():
        last = len(C) - 1
        found: tuple[NDArray[Any], NDArray[Any]] = eigh(
            C, subset_by_index=[last + 1 - rank, last], driver="evx", check_finite=False
        )
    return found


def positive(C: Moment) -> int:
    """Number of positive eigenvalues, the most that `rank` can be."""
    from scipy.linalg import eigvalsh

    values = eigvalsh(C)
    return int(np.count_nonzero(values > POSITIVE * values[-1])) if values[-1] > 0 else 0


def _check(C: Moment, rank: int, tau: float) -> None:
    if not 1 <= rank <= len(C):
        raise ValueError(f"rank {rank} is outside 1..{len(C)}, the number of bins")
    if not 0 <= tau <= 1:
        raise ValueError(f"tau {tau:g} is outside 0..1")
    if not np.isfinite(C).all():
        raise ValueError(f"frames hold {C[~np.isfinite(C)][0]} (wanted: finite numbers)")
