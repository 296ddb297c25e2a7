"""Frames to spectra and back: a real FFT inside compiled code, without allocation.

A real frame of N samples is a complex one of N/2 (even samples real, odd imaginary), transformed
by Stockham's radix-4 algorithm and untangled (Press et al., Numerical Recipes, 12.3).
Real and imaginary parts lie in arrays of their own, so that every loop is a vector loop.
Lengths are powers of two from 8 on; float32 throughout; F = N/2 + 1 bins.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.kernel import kernel

Array = NDArray[np.float32]


def is_length(n: int) -> bool:
    """Whether the transform is offered for n samples."""
    return n >= 8 and n & (n - 1) == 0


def twiddles(n: int) -> Array:
    """Roots of unity for a real transform of n samples; shape (2, n): cosines, minus sines.

    The first n/2 columns hold, stage by stage, w, w^2, w^3 of every radix-4 butterfly of the
    complex transform; the rest holds exp(-2 pi i k / n), which untangles the real one.
    """
    if not is_length(n):
        raise ValueError(f"transform length {n} is not a power of two of at least 8")
    angles, length = [], n // 2
    while length >= 4:
        p = np.arange(length // 4)
        angles += [power * p / length for power in (1, 2, 3)]
        length //= 4
    stages = np.concatenate(angles)
    stages = np.pad(stages, (0, n // 2 - len(stages)))
    turn = 2 * np.pi * np.concatenate([stages, np.arange(n // 2) / n])
    return np.stack([np.cos(turn), -np.sin(turn)]).astype(np.float32)


@kernel
def first_butterflies(xr, xi, yr, yi, cosine, sine, m, sign):
    """Radix-4 butterflies of the first stage, where the stride is one."""
    for p in range(m):
        ar, br = xr[p] + xr[p + 2 * m], xr[p + m] + xr[p + 3 * m]
        ai, bi = xi[p] + xi[p + 2 * m], xi[p + m] + xi[p + 3 * m]
        cr, dr = xr[p] - xr[p + 2 * m], sign * (xi[p + m] - xi[p + 3 * m])
        ci, di = xi[p] - xi[p + 2 * m], -sign * (xr[p + m] - xr[p + 3 * m])
        er, ei, fr, fi, gr, gi = cr + dr, ci + di, ar - br, ai - bi, cr - dr, ci - di
        ur, ui = cosine[p], sign * sine[p]
        vr, vi = cosine[m + p], sign * sine[m + p]
        wr, wi = cosine[2 * m + p], sign * sine[2 * m + p]
        yr[4 * p], yi[4 * p] = ar + br, ai + bi
        yr[4 * p + 1], yi[4 * p + 1] = ur * er - ui * ei, ur * ei + ui * er
        yr[4 * p + 2], yi[4 * p + 2] = vr * fr - vi * fi, vr * fi + vi * fr
        yr[4 * p + 3], yi[4 * p + 3] = wr * gr - wi * gi, wr * gi + wi * gr


@kernel
def butterflies(xr, xi, yr, yi, cosine, sine, first, m, s, sign):
    """Radix-4 butterflies of a later stage with stride s; its roots begin at `first`."""
    for p in range(m):
        ur, ui = cosine[first + p], sign * sine[first + p]
        vr, vi = cosine[first + m + p], sign * sine[first + m + p]
        wr, wi = cosine[first + 2 * m + p], sign * sine[first + 2 * m + p]
        x, y, step = s * p, 4 * s * p, s * m
        for q in range(s):
            a, b, c, d = x + q, x + q + step, x + q + 2 * step, x + q + 3 * step
            ar, ai, br, bi = xr[a] + xr[c], xi[a] + xi[c], xr[b] + xr[d], xi[b] + xi[d]
            cr, ci = xr[a] - xr[c], xi[a] - xi[c]
            dr, di = sign * (xi[b] - xi[d]), -sign * (xr[b] - xr[d])
            er, ei, fr, fi, gr, gi = cr + dr, ci + di, ar - br, ai - bi, cr - dr, ci - di
            yr[y + q], yi[y + q] = ar + br, ai + bi
            yr[y + q + s], yi[y + q + s] = ur * er - ui * ei, ur * ei + ui * er
            yr[y + q + 2 * s], yi[y + q + 2 * s] = vr * fr - vi * fi, vr * fi + vi * fr
            yr[y + q + 3 * s], yi[y + q + 3 * s] = wr * gr - wi * gi, wr * gi + wi * gr


@kernel
def last_butterflies(xr, xi, yr, yi, s):
    """The radix-2 stage that ends a length which is no power of four."""
    for q in range(s):
        yr[q], yi[q] = xr[q] + xr[q + s], xi[q] + xi[q + s]
        yr[q + s], yi[q + s] = xr[q] - xr[q + s], xi[q] - xi[q + s]


@kernel
def complex_transform(work, roots, n, sign):
    """Unscaled transform of n complex points in work[0:2]; returns the row where it ends.

    work : float32 (4, >= n), rows real, imaginary, and the same again as the other side of
    the ping-pong.  sign : 1 forward, -1 inverse.
    """
    cosine, sine = roots[0], roots[1]
    first_butterflies(work[0], work[1], work[2], work[3], cosine, sine, n // 4, sign)
    here, first, length, s = 2, 3 * (n // 4), n // 4, 4
    while length >= 4:
        m, there = length // 4, 2 - here
        x, y = work[here], work[there]
        butterflies(x, work[here + 1], y, work[there + 1], cosine, sine, first, m, s, sign)
        here, first, length, s = there, first + 3 * m, m, 4 * s
    if length == 2:
        there = 2 - here
        last_butterflies(work[here], work[here + 1], work[there], work[there + 1], s)
        here = there
    return here


@kernel
def to_spectrum(frame, window, spectrum, work, roots, n):
    """Spectrum of a windowed frame: numpy.fft.rfft(frame * window).

    frame, window : float32 (n,).  spectrum : float32 (2, >= F), real and imaginary, overwritten.
    work : float32 (4, >= n/2).  roots : `twiddles(n)`.
    """
    half = n // 2
    sign = np.float32(1)
    for p in range(half):
        work[0, p] = frame[2 * p] * window[2 * p]
        work[1, p] = frame[2 * p + 1] * window[2 * p + 1]
    at = complex_transform(work, roots, half, sign)
    zr, zi = work[at], work[at + 1]
    spectrum[0, 0], spectrum[1, 0] = zr[0] + zi[0], np.float32(0)
    spectrum[0, half], spectrum[1, half] = zr[0] - zi[0], np.float32(0)
    for k in range(1, half):
        er, ei = zr[k] + zr[half - k], zi[k] - zi[half - k]
        dr, di = zr[k] - zr[half - k], zi[k] + zi[half - k]
        c, s = roots[0, half + k], roots[1, half + k]
        spectrum[0, k] = np.float32(0.5) * (er + c * di + s * dr)
        spectrum[1, k] = np.float32(0.5) * (ei - c * dr + s * di)


@kernel
def to_frame(spectrum, window, frame, work, roots, n):
    """Windowed frame of a spectrum: window * numpy.fft.irfft(spectrum), as `to_spectrum`."""
    half = n // 2
    scale = np.float32(1.0 / n)
    for k in range(half):
        er, ei = spectrum[0, k] + spectrum[0, half - k], spectrum[1, k] - spectrum[1, half - k]
        dr, di = spectrum[0, k] - spectrum[0, half - k], spectrum[1, k] + spectrum[1, half - k]
        c, s = roots[0, half + k], -roots[1, half + k]
        work[0, k] = er - c * di - s * dr
        work[1, k] = ei + c * dr - s * di
    at = complex_transform(work, roots, half, np.float32(-1))
    zr, zi = work[at], work[at + 1]
    for p in range(half):
        frame[2 * p] = zr[p] * scale * window[2 * p]
        frame[2 * p + 1] = zi[p] * scale * window[2 * p + 1]


@kernel
def add_power(spectrum, power, bins):
    """Add |X|^2 of a spectrum (2, >= bins) to power (>= bins,)."""
    for f in range(bins):
        power[f] += spectrum[0, f] * spectrum[0, f] + spectrum[1, f] * spectrum[1, f]


@kernel
def power_to_magnitude(power, magnitude, channels, bins):
    """Root of the mean power of `channels` spectra, which one linked mask is made from."""
    for f in range(bins):
        magnitude[f] = np.sqrt(power[f] / channels)
