"""The unknown source's basis, learned while the stream runs.

Recursive statistics of the majorise-minimise update (online KL-NMF, as in Lefevre, Bach
& Fevotte 2011 and scikit-learn's MiniBatchNMF): with C = W1 * (v/y) h1 the statistics of one frame,
    A <- rho A + C + (1 - rho) p W1 ,   W1 <- A / sum_f A ,
rho = exp(-hop / forgetting time) and p W1 a pseudo-count that keeps the basis where it is when
there is nothing to learn from.  Within a frame activations and basis alternate; A is kept once.
The statistics are those of KL whatever the activations are fitted by.  A zero cannot be left by a
multiplicative update, so every entry stays above LEAST.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.activations import model, ratio
from rtsep.dsp.kernel import kernel

LEAST = np.float32(1e-8)  # least entry of a basis, relative to its sum


@kernel
def adapt_component(w, statistics, q, h, rho, prior, keep, bins):
    """One component's step: w <- normalised rho A + h w q + prior w; A follows if `keep`.

    w, statistics, q : float32 (>= bins,); w sums to one before and after.
    """
    total = np.float32(0)
    for f in range(bins):
        total += rho * statistics[f] + (h * q[f] + prior) * w[f]
    least = LEAST * total
    if not total > 0:
        return
    kept = np.float32(0)
    for f in range(bins):
        a = max(rho * statistics[f] + (h * q[f] + prior) * w[f], least)
        if keep:
            statistics[f] = a
        w[f] = a
        kept += a
    scale = 1 / kept
    for f in range(bins):
        w[f] *= scale


@kernel
def adapt(W, statistics, v, h, rho, prior, keep, y, q, known, rank, bins):
    """One step of every unknown component, rows `known` .. `rank` of W.  Audio thread.

    statistics : float32 (>= rank - known, F).  prior : the pseudo-count, in units of h.
    keep : whether this is the frame's last alternation, whose statistics are remembered.
    """
    model(W, h, y, rank, bins)
    ratio(v, y, q, bins)
    for k in range(known, rank):
        adapt_component(W[k], statistics[k - known], q, h[k], rho, prior, keep, bins)


def random_basis(rank: int, bins: int, seed: int) -> NDArray[np.float32]:
    """White positive noise, the start of an unknown basis: (rank, bins), rows sum to one."""
    noise = np.random.default_rng(seed).uniform(0.5, 1.5, (rank, bins))
    return np.asarray(noise / noise.sum(axis=1, keepdims=True), np.float32)
