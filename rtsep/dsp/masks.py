"""Parts to masks, and masks to the one gain that is applied to a spectrum.

Notation: part_s (F,) what source s holds of a frame, m_s in [0, 1] its mask, sum_s m_s = 1.
g (F,) is the gain: a weighted sum of masks, bounded below, then weakened by `strength`.
"""

import numpy as np

from rtsep.dsp.kernel import kernel

TINY = np.float32(1e-20)


@kernel
def wiener(part, mask, exponent, sources, bins):
    """m_s <- part_s ^ exponent / sum; where all parts are zero the masks stay as they were.

    part, mask : float32 (>= sources, F).  Shares are formed before they are raised, so that
    neither loud nor faint sound overflows.  The last mask is what the others leave of one.
    """
    for f in range(bins):
        largest = np.float32(0)
        for s in range(sources):
            largest = max(largest, part[s, f])
        if not largest > TINY:
            continue
        total = np.float32(0)
        for s in range(sources):
            share = part[s, f] / largest
            share = share * share if exponent == 2 else share**exponent
            mask[s, f] = share
            total += share
        rest = np.float32(1)
        for s in range(sources - 1):
            mask[s, f] /= total
            rest -= mask[s, f]
        mask[sources - 1, f] = max(rest, np.float32(0))


@kernel
def regroup(mask, gain, kept, sources, bins):
    """Scale masks so that the kept ones sum to `gain` and the others to the rest of one.

    kept : int64 (>= sources,), 1 for a source to keep.  A group without a share divides evenly.
    """
    count = 0
    for s in range(sources):
        count += kept[s]
    if count == 0 or count == sources:
        return
    for f in range(bins):
        keep, lose = np.float32(0), np.float32(0)
        for s in range(sources):
            if kept[s] != 0:
                keep += mask[s, f]
            else:
                lose += mask[s, f]
        for s in range(sources):
            if kept[s] != 0:
                mask[s, f] = gain[f] * (mask[s, f] / keep if keep > TINY else 1 / count)
            else:
                share = mask[s, f] / lose if lose > TINY else 1 / (sources - count)
                mask[s, f] = (1 - gain[f]) * np.float32(share)


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
    """Gains: g <- sum_s weight_s m_s.  weight : float64 (>= sources,), linear."""
    for f in range(bins):
        gain[f] = 0
    for s in range(sources):
        a = np.float32(weight[s])
        for f in range(bins):
            gain[f] += a * mask[s, f]


@kernel
def audible(mask, weight, opened, gain, share, sources, bins):
    """Share o <- sum_s o_s m_s of a bin is not muted; g <- sum_s o_s weight_s m_s / o is its gain.

    opened, weight : float64 (>= sources,), linear.
    """
    for f in range(bins):
        gain[f] = share[f] = 0
    for s in range(sources):
        o = np.float32(opened[s])
        a = o * np.float32(weight[s])
        for f in range(bins):
            gain[f] += a * mask[s, f]
            share[f] += o * mask[s, f]
    for f in range(bins):
        gain[f] /= max(share[f], TINY)


@kernel
def bound(gain, magnitude, least, floor, strength, bins):
    """Gains: g <- 1 - strength + strength max(g, least, min(1, floor / |X|)).

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
    """Gains: g <- (1 - share) g + share other."""
    for f in range(bins):
        gain[f] += share * (other[f] - gain[f])


@kernel
def apply(spectrum, gain, dry, wet, bins):
    """Spectrum: X <- (dry + wet g) X.  spectrum : float32 (2, >= bins)."""
    for f in range(bins):
        a = dry + wet * gain[f]
        spectrum[0, f] *= a
        spectrum[1, f] *= a


@kernel
def multiply(gain, other, bins):
    """Gains: g <- g other."""
    for f in range(bins):
        gain[f] *= other[f]


@kernel
def shade(spectrum, mask, shaded, bins):
    """Shaded <- m X, X kept.  spectrum, shaded : float32 (2, >= bins)."""
    for f in range(bins):
        shaded[0, f] = mask[f] * spectrum[0, f]
        shaded[1, f] = mask[f] * spectrum[1, f]
