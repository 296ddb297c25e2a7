"""Parts to masks, and masks to the one gain that is applied to a spectrum.

Notation: part_s (F,) what source s holds of a frame, m_s in [0, 1] its mask, sum_s m_s = 1.
g (F,) is the gain: a weighted sum of masks, bounded below, then weakened by `strength`.
"""

import numpy as np

from rtsep.dsp.kernel import kernel

TINY = np.float32(1e-20)


@kernel
def raise_to(part, exponent, bins):
    """Part <- part ^ exponent; 1 and 2 without calling pow."""
    if exponent == 1:
        return
    if exponent == 2:
        for f in range(bins):
            part[f] *= part[f]
    else:
        for f in range(bins):
            part[f] = part[f] ** exponent


@kernel
def wiener(part, mask, sources, bins):
    """m_s <- part_s / sum of all parts; where all are zero the masks stay as they were.

    part, mask : float32 (>= sources, F).  The last mask is what the others leave of one.
    """
    for f in range(bins):
        total = np.float32(0)
        for s in range(sources):
            total += part[s, f]
        if total > TINY:
            rest = np.float32(1)
            for s in range(sources - 1):
                mask[s, f] = part[s, f] / total
                rest -= mask[s, f]
            mask[sources - 1, f] = max(rest, np.float32(0))


@kernel
def extend(mask, sources, active, bins):
    """Above the bins a model knows, every mask is its mean over the highest octave it knows."""
    if active >= bins:
        return
    low = active // 2
    for s in range(sources):
        mean = np.float32(0)
        for f in range(low, active):
            mean += mask[s, f]
        mean /= active - low
        for f in range(active, bins):
            mask[s, f] = mean


@kernel
def weighted(mask, weight, gain, sources, bins):
    """G <- sum_s weight_s m_s.  weight : float64 (>= sources,), linear."""
    for f in range(bins):
        gain[f] = 0
    for s in range(sources):
        a = np.float32(weight[s])
        for f in range(bins):
            gain[f] += a * mask[s, f]


@kernel
def bound(gain, magnitude, least, floor, strength, bins):
    """G <- 1 - strength + strength max(g, least, min(1, floor / |X|)).

    least : linear max_attenuation.  floor : magnitude per bin that is left standing, 0 for none.
    """
    for f in range(bins):
        g = max(gain[f], least)
        if floor > 0:
            g = max(g, min(np.float32(1), floor / (magnitude[f] + TINY)))
        gain[f] = 1 - strength + strength * g


@kernel
def release(gain, previous, slowness, bins):
    """Let a gain rise at once and fall slowly: g <- slowness g_previous + (1 - slowness) g."""
    for f in range(bins):
        if gain[f] < previous[f]:
            gain[f] += slowness * (previous[f] - gain[f])
        previous[f] = gain[f]


@kernel
def blend(gain, other, share, bins):
    """G <- (1 - share) g + share other."""
    for f in range(bins):
        gain[f] += share * (other[f] - gain[f])


@kernel
def apply(spectrum, gain, dry, wet, bins):
    """X <- (dry + wet g) X.  spectrum : float32 (2, >= bins)."""
    for f in range(bins):
        a = dry + wet * gain[f]
        spectrum[0, f] *= a
        spectrum[1, f] *= a


@kernel
def multiply(gain, other, bins):
    """G <- g other."""
    for f in range(bins):
        gain[f] *= other[f]


@kernel
def shade(spectrum, mask, shaded, bins):
    """Shaded <- m X, X kept.  spectrum, shaded : float32 (2, >= bins)."""
    for f in range(bins):
        shaded[0, f] = mask[f] * spectrum[0, f]
        shaded[1, f] = mask[f] * spectrum[1, f]
