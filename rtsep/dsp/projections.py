"""Closed-form ASVD separation of one frame, and the unseen source's subspace, online.

Known sources span W0 (rows, not necessarily orthogonal between sources); P = (W0 W0^T)^-1 W0 gives
their activations h0 = P v.  The unseen source lives in the residual r = v - W0^T h0, and its basis
W1 (orthonormal rows, orthogonal to W0) is the leading eigenvectors of C <- rho C + r r^T, kept as
its d1 largest eigenpairs: one frame adds one row, the (d1+1) x (d1+1) core is diagonalised by
Jacobi rotations and the least eigenpair dropped (Brand 2002).
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.activations import correlate
from rtsep.dsp.kernel import kernel

SWEEPS = 6
NOTHING = np.float32(1e-5)  # a rest this small beside the whole is rounding


def projector(W: NDArray[np.float32]) -> NDArray[np.float32]:
    """P = (W W^T)^-1 W of shape (K, F): rows that give least-squares activations."""
    return np.ascontiguousarray(np.linalg.pinv(W.astype(np.float64)).T.astype(np.float32))


@kernel
def subtract(W, h, x, first, rank, bins):
    """Residual: x <- x - sum_k h_k W_k over rows first .. rank."""
    for k in range(first, rank):
        a = h[k]
        for f in range(bins):
            x[f] -= a * W[k, f]


@kernel
def rotate(core, vectors, p, q, size):
    """One Jacobi rotation that zeroes core[p, q]; vectors' rows turn with it."""
    if core[p, q] == 0:
        return
    theta = (core[q, q] - core[p, p]) / (2 * core[p, q])
    t = 1 / (abs(theta) + np.sqrt(theta * theta + 1))
    if theta < 0:
        t = -t
    c = 1 / np.sqrt(t * t + 1)
    s = t * c
    for i in range(size):
        a, b = core[i, p], core[i, q]
        core[i, p], core[i, q] = c * a - s * b, s * a + c * b
    for i in range(size):
        a, b = core[p, i], core[q, i]
        core[p, i], core[q, i] = c * a - s * b, s * a + c * b
    for i in range(size):
        a, b = vectors[p, i], vectors[q, i]
        vectors[p, i], vectors[q, i] = c * a - s * b, s * a + c * b


@kernel
def diagonalise(core, vectors, size):
    """Eigenvectors of a symmetric core, as rows of `vectors`; eigenvalues on core's diagonal.

    core, vectors : float64 (>= size, >= size), both overwritten.
    """
    for i in range(size):
        for j in range(size):
            vectors[i, j] = 1.0 if i == j else 0.0
    for _ in range(SWEEPS):
        for p in range(size):
            for q in range(p + 1, size):
                rotate(core, vectors, p, q, size)


@kernel
def sort_descending(core, vectors, size):
    """Selection sort of eigenpairs by falling eigenvalue."""
    for i in range(size):
        best = i
        for j in range(i + 1, size):
            if core[j, j] > core[best, best]:
                best = j
        if best != i:
            core[i, i], core[best, best] = core[best, best], core[i, i]
            for k in range(size):
                vectors[i, k], vectors[best, k] = vectors[best, k], vectors[i, k]


@kernel
def length_of(x, bins):
    """Euclidean length of x."""
    energy = np.float32(0)
    for f in range(bins):
        energy += x[f] * x[f]
    return np.sqrt(energy)


@kernel
def normalise(x, bins):
    """Scale x to unit length and return the length it had; a zero stays zero."""
    length = length_of(x, bins)
    if length > 0:
        for f in range(bins):
            x[f] /= length
    return length


@kernel
def follow(W, energies, r, g, again, rho, core, vectors, turned, known, rank, bins):
    """Let the unseen subspace, rows known .. rank of W, follow one residual.  Audio thread.

    energies : float64 (>= rank - known,), eigenvalues.  r : float32 (F,), overwritten.
    g, again : float32 (> rank,).  turned : float32 (>= rank - known, F).  core, vectors : float64.
    """
    d = rank - known
    whole = length_of(r, bins)
    correlate(W, r, g, rank, bins)
    subtract(W, g, r, known, rank, bins)
    correlate(W, r, again, rank, bins)  # once more: what is left may be all rounding
    subtract(W, again, r, known, rank, bins)
    rest = length_of(r, bins)
    g[rank] = normalise(r, bins) if rest > NOTHING * whole else np.float32(0)
    if g[rank] == 0:
        for f in range(bins):
            r[f] = 0
    for i in range(d + 1):
        for j in range(d + 1):
            core[i, j] = np.float64(g[known + i]) * g[known + j]
        if i < d:
            core[i, i] += rho * energies[i]
    diagonalise(core, vectors, d + 1)
    sort_descending(core, vectors, d + 1)
    for i in range(d):
        energies[i] = core[i, i]
        for f in range(bins):
            turned[i, f] = np.float32(vectors[i, d]) * r[f]
        for j in range(d):
            a = np.float32(vectors[i, j])
            for f in range(bins):
                turned[i, f] += a * W[known + j, f]
    for i in range(d):
        for f in range(bins):
            W[known + i, f] = turned[i, f]


@kernel
def straighten(W, P, g, k, known, rank, bins):
    """Make row k of the unseen basis orthogonal to all others and of unit length again.

    Rounding adds up over hours; one row a frame costs little.  W0 is removed twice over by P.
    """
    correlate(P, W[k], g, known, bins)
    subtract(W, g, W[k], 0, known, bins)
    for j in range(known, rank):
        if j != k:
            product = np.float32(0)
            for f in range(bins):
                product += W[j, f] * W[k, f]
            for f in range(bins):
                W[k, f] -= product * W[j, f]
    normalise(W[k], bins)


@kernel
def parts(W, h, part, first, last, bins):
    """Part <- max(sum_k h_k W_k, 0) over rows first .. last: a source's share, never negative."""
    for f in range(bins):
        part[f] = 0
    for k in range(first, last):
        a = h[k]
        for f in range(bins):
            part[f] += a * W[k, f]
    for f in range(bins):
        part[f] = max(part[f], np.float32(0))
