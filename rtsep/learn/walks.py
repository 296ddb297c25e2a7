"""The walks of gated recurrent units along time, and of their gradients back, compiled.

Cho et al. (2014), with the reset after the product, as torch and ONNX have it:
    r = s(i_r + k_r)   z = s(i_z + k_z)   n = tanh(i_n + r k_n)   h <- n + z (h - n)
of what is given, i = x W_i + b_i, and what is kept, k = h W + b.  They allocate: not kernels of
the audio thread, though cached where those are.
"""

import numba
import numpy as np

from rtsep.dsp.kernel import FAST
from rtsep.dsp.programs import sigmoid, tanh

compiled = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)


@compiled
def gather(x, t, first, rows):
    """Rows (A B, :) <- x (A, T, B, from first on) at t."""
    places = x.shape[2]
    for a in range(x.shape[0]):
        for b in range(places):
            for j in range(rows.shape[1]):
                rows[a * places + b, j] = x[a, t, b, first + j]


@compiled
def scatter(rows, x, t, first):
    """X (A, T, B, from first on) at t += rows (A B, :)."""
    places = x.shape[2]
    for a in range(x.shape[0]):
        for b in range(places):
            for j in range(rows.shape[1]):
                x[a, t, b, first + j] += rows[a * places + b, j]


@compiled
def total(rows, sums):
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            sums[j] += rows[i, j]


@compiled
def walk(x, y, way, inward, given_bias, inner, kept_bias, h, r, z, n, k):
    """States of x (A, T, B, C), added to y (A, T, B, ways H); the second way is from the last on.

    inward (C, 3 H), inner (H, 3 H).  h : (T + 1, A B, H); r, z, n, k : (T, A B, H).
    """
    T, rows, H = r.shape
    given, kept = np.empty((rows, 3 * H), np.float32), np.empty((rows, 3 * H), np.float32)
    heard = np.empty((rows, x.shape[3]), np.float32)
    for s in range(T):
        t = T - 1 - s if way == 1 else s
        gather(x, t, 0, heard)
        np.dot(heard, inward, given)
        np.dot(h[s], inner, kept)
        for i in range(rows):
            for j in range(H):
                reset = given[i, j] + given_bias[j] + kept[i, j] + kept_bias[j]
                keep = given[i, H + j] + given_bias[H + j] + kept[i, H + j] + kept_bias[H + j]
                r[s, i, j], z[s, i, j] = sigmoid(reset), sigmoid(keep)
                k[s, i, j] = kept[i, 2 * H + j] + kept_bias[2 * H + j]
                new = given[i, 2 * H + j] + given_bias[2 * H + j] + r[s, i, j] * k[s, i, j]
                n[s, i, j] = tanh(new)
                h[s + 1, i, j] = n[s, i, j] + z[s, i, j] * (h[s, i, j] - n[s, i, j])
        scatter(h[s + 1], y, t, way * H)


@compiled
def walk_back(
    dy, x, dx, way, inward, inner, h, r, z, n, k, d_inward, d_inner, d_given_bias, d_kept_bias
):
    """Gradients of what `walk` did, added up, for dy (A, T, B, ways H).

    inward (3 H, C), inner (3 H, H) and their gradients as torch has them.
    """
    T, rows, H = r.shape
    one = np.float32(1)
    carried, asked = np.zeros((rows, H), np.float32), np.empty((rows, H), np.float32)
    through = np.empty((rows, H), np.float32)
    given, kept = np.empty((rows, 3 * H), np.float32), np.empty((rows, 3 * H), np.float32)
    heard = np.empty((rows, x.shape[3]), np.float32)
    d_heard = np.empty_like(heard)
    of_inward, of_inner = np.empty_like(d_inward), np.empty_like(d_inner)
    for s in range(T - 1, -1, -1):
        t = T - 1 - s if way == 1 else s
        gather(dy, t, way * H, asked)
        for i in range(rows):
            for j in range(H):
                dh = carried[i, j] + asked[i, j]
                dn = dh * (one - z[s, i, j]) * (one - n[s, i, j] * n[s, i, j])
                dz = dh * (h[s, i, j] - n[s, i, j]) * z[s, i, j] * (one - z[s, i, j])
                dr = dn * k[s, i, j] * r[s, i, j] * (one - r[s, i, j])
                given[i, j], given[i, H + j], given[i, 2 * H + j] = dr, dz, dn
                kept[i, j], kept[i, H + j], kept[i, 2 * H + j] = dr, dz, dn * r[s, i, j]
                through[i, j] = dh * z[s, i, j]
        np.dot(kept, inner, carried)
        carried += through
        gather(x, t, 0, heard)
        np.dot(given, inward, d_heard)
        scatter(d_heard, dx, t, 0)
        np.dot(given.T, heard, of_inward)
        np.dot(kept.T, h[s], of_inner)
        d_inward += of_inward
        d_inner += of_inner
        total(given, d_given_bias)
        total(kept, d_kept_bias)
