"""Spectra to activations: how much of every component one frame holds.

Notation: v (F,) the frame, W (K, F) the basis with rows summing to one over the bins, h (K,) the
activations, y = sum_k h_k W_k the model, q the ratio that the update correlates with W.
A basis lies component by component (its transpose in the texts), for the bins are the inner loop.
Arrays may be larger than `rank` and `bins` say; what lies beyond is not touched.

One step is one multiplicative update (Lee & Seung; Fevotte & Idier 2011 for Itakura-Saito), with
an L1 penalty `sparsity` (K,) on h and, for KL, a causal smoothness penalty
lambda (h - h_previous)^2 whose minimiser is a root of a quadratic.
v is a magnitude for KL and Euclidean, a power spectrum for Itakura-Saito.
"""

import numpy as np

from rtsep.dsp.kernel import kernel

KL, EUCLIDEAN, ITAKURA_SAITO = 0, 1, 2
DIVERGENCES = {"kl": KL, "euclidean": EUCLIDEAN, "itakura-saito": ITAKURA_SAITO}

# Under this a model of a bin is no model; far under 24 bit sound, far over denormal numbers.
FLOOR = np.float32(1e-12)


@kernel
def model(W, h, y, rank, bins):
    """Model: y <- sum_k h_k W_k + FLOOR, four components at a time.  Audio thread."""
    for f in range(bins):
        y[f] = FLOOR
    k = 0
    while k + 4 <= rank:
        a, b, c, d = h[k], h[k + 1], h[k + 2], h[k + 3]
        for f in range(bins):
            y[f] += a * W[k, f] + b * W[k + 1, f] + c * W[k + 2, f] + d * W[k + 3, f]
        k += 4
    while k < rank:
        a = h[k]
        for f in range(bins):
            y[f] += a * W[k, f]
        k += 1


@kernel
def correlate(W, q, c, rank, bins):
    """c_k <- sum_f W_kf q_f, four components at a time.  Audio thread."""
    k = 0
    while k + 4 <= rank:
        c0 = c1 = c2 = c3 = np.float32(0)
        for f in range(bins):
            r = q[f]
            c0 += W[k, f] * r
            c1 += W[k + 1, f] * r
            c2 += W[k + 2, f] * r
            c3 += W[k + 3, f] * r
        c[k], c[k + 1], c[k + 2], c[k + 3] = c0, c1, c2, c3
        k += 4
    while k < rank:
        c0 = np.float32(0)
        for f in range(bins):
            c0 += W[k, f] * q[f]
        c[k] = c0
        k += 1


@kernel
def ratio(v, y, q, bins):
    """Quotient: q <- v / y.  Audio thread."""
    for f in range(bins):
        q[f] = v[f] / y[f]


@kernel
def smooth_root(a, c, previous, smoothness):
    """The h > 0 at which c - a / h + 2 smoothness (h - previous) is zero."""
    b = c - np.float32(2) * smoothness * previous
    root = np.sqrt(b * b + np.float32(8) * smoothness * a)
    if b > 0:  # the form that does not subtract two near numbers
        return np.float32(2) * a / (b + root)
    return (root - b) / (np.float32(4) * smoothness)


@kernel
def kl_step(W, v, h, previous, sparsity, smoothness, floor, y, q, c, rank, bins):
    """One KL step: h <- h (W^T v/y) / (1 + sparsity), or the smooth root.  Audio thread.

    sum(h) = sum(v) after it where there are no penalties.
    previous (K,) : the activations of the last frame.  floor : least activation.
    y, q (F,), c (K,) : overwritten.
    """
    model(W, h, y, rank, bins)
    ratio(v, y, q, bins)
    correlate(W, q, c, rank, bins)
    if smoothness > 0:
        for k in range(rank):
            root = smooth_root(h[k] * c[k], 1 + sparsity[k], previous[k], smoothness)
            h[k] = max(root, floor)
    else:
        for k in range(rank):
            h[k] = max(h[k] * c[k] / (1 + sparsity[k]), floor)


@kernel
def euclidean_step(W, v, h, sparsity, floor, y, a, c, rank, bins):
    """One Euclidean step: h <- h (W^T v) / (W^T y + sparsity).  Audio thread."""
    model(W, h, y, rank, bins)
    correlate(W, v, a, rank, bins)
    correlate(W, y, c, rank, bins)
    for k in range(rank):
        h[k] = max(h[k] * a[k] / (c[k] + sparsity[k] + FLOOR), floor)


@kernel
def itakura_saito_step(W, v, h, sparsity, floor, y, q, a, c, rank, bins):
    """One Itakura-Saito step: h <- h sqrt((W^T v/y^2) / (W^T 1/y + sparsity)).  Audio thread."""
    model(W, h, y, rank, bins)
    for f in range(bins):
        y[f] = 1 / y[f]
        q[f] = (v[f] + FLOOR) * y[f] * y[f]
    correlate(W, q, a, rank, bins)
    correlate(W, y, c, rank, bins)
    for k in range(rank):
        h[k] = max(h[k] * np.sqrt(a[k] / (c[k] + sparsity[k])), floor)


@kernel
def solve(
    divergence, steps, W, v, h, previous, sparsity, smoothness, floor, y, q, a, c, rank, bins
):
    """`steps` steps of one divergence from the h given (warm start).  Audio thread."""
    for _ in range(steps):
        if divergence == KL:
            kl_step(W, v, h, previous, sparsity, smoothness, floor, y, q, c, rank, bins)
        elif divergence == EUCLIDEAN:
            euclidean_step(W, v, h, sparsity, floor, y, a, c, rank, bins)
        else:
            itakura_saito_step(W, v, h, sparsity, floor, y, q, a, c, rank, bins)
