"""Slow, obvious twins of what learning computes: float64, one line an equation."""

import numpy as np

TINY = 1e-30


def divergence(V, W, H, kind="kl"):
    V, Y = V.astype(np.float64), np.maximum(W.astype(np.float64) @ H.astype(np.float64), TINY)
    if kind == "kl":
        return np.sum(V * np.log(np.maximum(V, TINY) / Y) - V + Y)
    if kind == "euclidean":
        return np.sum((V - Y) ** 2) / 2
    return np.sum(V / Y - np.log(V / Y) - 1)


def kl_pass(V, W, H):
    """PLCA: posterior of every component in every bin, then both marginals."""
    for step in ("H", "W"):
        share = W[:, :, None] * H[None]  # (F, K, T)
        share = share / np.maximum(share.sum(axis=1, keepdims=True), TINY) * V[:, None, :]
        if step == "H":
            H = share.sum(axis=0)
        else:
            W = share.sum(axis=2) / share.sum(axis=(0, 2))
    return W, H


def second_moments(V):
    """Sum over frames of v v^T, frame by frame."""
    return sum(np.outer(v, v) for v in V.T.astype(np.float64))


def adversarial_basis(U, V, rank, tau):
    C = second_moments(U) / U.shape[1] - tau * second_moments(V) / V.shape[1]
    values, vectors = np.linalg.eigh(C)
    return vectors[:, np.argsort(values)[::-1][:rank]]


def adversarial_loss(W, U, V, tau):
    """The objective as written, from projection errors."""
    rest = np.eye(len(W)) - W @ W.T
    return np.sum((rest @ U) ** 2) / U.shape[1] - tau * np.sum((rest @ V) ** 2) / V.shape[1]


def frames(x, window, hop):
    return np.array([x[n : n + window] for n in range(0, len(x) - window + 1, hop)])


def si_sdr(s, e):
    """From the definition: the scale that makes the error orthogonal to the reference."""
    a = np.sum(s * e) / np.sum(s * s)
    return 10 * np.log10(np.sum((a * s) ** 2) / np.sum((a * s - e) ** 2))
