"""Slow, obvious twins of the kernels: float64, plain numpy, one line an equation.

A basis lies as in the texts here: W (F, K), columns sum to one; v (F,), h (K,).
"""

import numpy as np
from scipy.special import exp1

TINY = 1e-12


# windows, frames, spectra


def hann(length):
    return 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)


def windows(window, half, hop):
    """Low-delay pair as Mauler and Martin give it, sample by sample."""
    long, short = hann(2 * (window - half)), hann(2 * half)
    analysis, synthesis = np.zeros(window), np.zeros(window)
    for n in range(window):
        late = n >= window - half
        analysis[n] = np.sqrt(short[n - window + 2 * half] if late else long[n])
        if n >= window - 2 * half:
            synthesis[n] = short[n - window + 2 * half] / analysis[n] * hop / half
    return analysis, synthesis


def frames(x, window, hop):
    """Frames that end at every hop's end, silence before the first sample: (T, window)."""
    padded = np.concatenate([np.zeros(window - hop), x])
    return np.stack([padded[t : t + window] for t in range(0, len(x) - hop + 1, hop)])


def spectra(x, analysis, hop):
    """(T, F) complex."""
    return np.fft.rfft(frames(x, len(analysis), hop) * analysis)


def samples(X, synthesis, hop, delay, n):
    """Overlap-add of spectra (T, F), given out `delay` samples late: (n,)."""
    window = len(synthesis)
    out = np.zeros(window + (len(X) + 1) * hop + delay + n)
    for t, frame in enumerate(np.fft.irfft(X, window) * synthesis):
        end = window + (t + 1) * hop + delay
        out[end - window : end] += frame
    return out[window : window + n]


# divergences and activations


def kl(v, y):
    return np.sum(np.where(v > 0, v * np.log(np.where(v > 0, v, 1) / y), 0) - v + y)


def euclidean(v, y):
    return 0.5 * np.sum((v - y) ** 2)


def itakura_saito(v, y):
    return np.sum(v / y - np.log(v / y) - 1)


def kl_step(W, v, h, sparsity=0.0):
    return h * (W.T @ (v / (W @ h + TINY))) / (1 + sparsity)


def kl_smooth_step(W, v, h, previous, sparsity, smoothness):
    """The positive root of 2 smoothness h^2 + (1 + sparsity - 2 smoothness previous) h - a."""
    a = h * (W.T @ (v / (W @ h + TINY)))
    roots = [
        np.roots([2 * smoothness, 1 + s - 2 * smoothness * p, -a_k])
        for a_k, p, s in zip(a, previous, sparsity, strict=True)
    ]
    return np.array([root.real.max() for root in roots])


def euclidean_step(W, v, h, sparsity=0.0):
    return h * (W.T @ v) / (W.T @ (W @ h + TINY) + sparsity + TINY)


def itakura_saito_step(W, v, h, sparsity=0.0):
    y = W @ h + TINY
    return h * np.sqrt((W.T @ ((v + TINY) / y**2)) / (W.T @ (1 / y) + sparsity))


# the unknown source


def adapt(W, statistics, v, h, rho, prior, known):
    """One step of the unknown columns: the new W and the new statistics, both (F, .)."""
    y = W @ h + TINY
    W, statistics = W.copy(), statistics.copy()
    for k in range(known, W.shape[1]):
        a = rho * statistics[:, k - known] + (h[k] * v / y + prior) * W[:, k]
        a = np.maximum(a, 1e-8 * a.sum())
        statistics[:, k - known], W[:, k] = a, a / a.sum()
    return W, statistics


def offline_semi_supervised(known, V, rank, iterations, seed=0):
    """KL-NMF of V (F, T) with known columns fixed and `rank` columns learned from all of V."""
    rng = np.random.default_rng(seed)
    own = rng.uniform(0.5, 1.5, (len(V), rank))
    W, H = np.hstack([known, own / own.sum(0)]), np.full((known.shape[1] + rank, V.shape[1]), 0.1)
    for _ in range(iterations):
        H *= W.T @ (V / (W @ H + TINY))
        W[:, -rank:] *= (V / (W @ H + TINY)) @ H[-rank:].T
        W[:, -rank:] /= W[:, -rank:].sum(0)
    return W, H


def subspace(W, energies, r, rho):
    """Leading eigenpairs of rho W diag(energies) W^T + r r^T, by a dense eigendecomposition."""
    values, vectors = np.linalg.eigh(rho * (W * energies) @ W.T + np.outer(r, r))
    order = np.argsort(values)[::-1][: W.shape[1]]
    return vectors[:, order], values[order]


# masks and the output


def wiener(parts, exponent=2.0):
    """Masks (S, ...) of parts (S, ...)."""
    raised = np.asarray(parts) ** exponent
    return raised / raised.sum(axis=0)


def gain(masks, weights, magnitude, least=0.0, floor=0.0, strength=1.0, opened=None):
    """The output formula, for masks (S, F): the factor of every bin."""
    opened = np.ones(len(masks)) if opened is None else np.array(opened)
    share = np.tensordot(opened, masks, 1)
    g = np.tensordot(opened * weights, masks, 1) / np.maximum(share, 1e-20)
    g = np.maximum(g, least)
    g = np.maximum(g, np.minimum(1, floor / np.maximum(magnitude, 1e-20)))
    return (1 - strength + strength * g) * share


def mix(new, old, memory):
    return memory * old + (1 - memory) * new


def log_spectral_amplitude(power, variance, past, alpha):
    """Ephraim and Malah's gain, decision-directed, and the power that it keeps."""
    gamma = np.minimum(power / variance, 1000)
    xi = np.maximum(alpha * past / variance + (1 - alpha) * np.maximum(gamma - 1, 0), 10**-2.5)
    nu = np.maximum(xi / (1 + xi) * gamma, 1e-6)
    gain = np.minimum(xi / (1 + xi) * np.exp(exp1(nu) / 2), 1)
    return gain, gain**2 * power


class NMF:
    """Masks of one frame after another, as the separator of that name; W (F, K) float64."""

    def __init__(self, W, ends, work, *, exponent=2.0, sparsity=0.0, unknown=None, rho=0.0,
                 pseudo_count=0.0):  # fmt: skip
        own = np.zeros((len(W), 0)) if unknown is None else unknown
        self.W, self.known = np.hstack([W, own]), W.shape[1]
        self.ends, self.exponent, self.sparsity = ends, exponent, sparsity
        self.alternations, self.steps = work
        self.rho, self.pseudo_count, self.peak = rho, pseudo_count, 0.0
        self.statistics = np.zeros_like(own)
        self.h = np.full(self.W.shape[1], 1e-3)

    def masks(self, v):
        self.peak = max(v.sum(), self.peak * 0.9999)
        prior = (1 - self.rho) * self.pseudo_count * self.peak
        least = 1e-7 * v.sum() + 1e-12
        self.h = np.maximum(self.h, least)
        for _ in range(self.alternations):
            for _ in range(self.steps):
                self.h = np.maximum(kl_step(self.W, v, self.h, self.sparsity), least)
            self.W, kept = adapt(
                self.W, self.statistics, v, self.h, self.rho, prior, self.known
            )  # fmt: skip
        self.statistics = kept
        spans = zip(self.ends[:-1], self.ends[1:], strict=True)
        self.parts = np.stack([self.W[:, a:b] @ self.h[a:b] + TINY for a, b in spans])
        return wiener(self.parts, self.exponent)


class DecisionDirected:
    """Masks of another separator, regrouped by the gain of what is kept.

    step : s from hop to hop.  blind : the slow track begins at what is heard, not at the model's.
    """

    def __init__(self, separator, kept, step, *, decision=0.98, fast=0.05, share=0.5, blind=False):
        self.separator, self.kept, self.share, self.blind = separator, kept, share, blind
        self.alpha, self.fast_memory = decision, np.exp(-step / fast)
        self.track, self.held = 0.8 ** (step / 0.016), 0.9 ** (step / 0.016)
        self.settling, self.frames = max(1, round(0.1 / step)), 0
        self.fast = self.slow = self.presence = self.past = 0.0

    def masks(self, v):
        masks, power = self.separator.masks(v), v**2
        removed = 4 / np.pi * np.sum(self.separator.parts[~self.kept], axis=0) ** 2
        self.frames += 1
        start = (self.frames - 1) / self.frames
        self.fast = mix(removed, self.fast, min(self.fast_memory, start))
        if self.frames <= self.settling:
            self.slow = mix(power if self.blind else removed, self.slow, start)
        else:
            self.follow_noise(power)
        variance = mix(self.slow, self.fast, 1 - self.share)
        gain, self.past = log_spectral_amplitude(power, variance, self.past, self.alpha)
        for group, total in ((self.kept, gain), (~self.kept, 1 - gain)):
            masks[group] *= total / masks[group].sum(axis=0)
        return masks

    def follow_noise(self, power):
        """Gerkmann and Hendriks 2012, at 15 dB a priori."""
        xi = 10**1.5
        odds = (1 + xi) * np.exp(-power / self.slow * xi / (1 + xi))
        present = 1 / (1 + odds)
        self.presence = mix(present, self.presence, self.held)
        present = np.where(self.presence > 0.99, np.minimum(present, 0.99), present)
        self.slow = mix(mix(power, self.slow, present), self.slow, self.track)


class ASVD:
    """Masks in closed form, all sources known; W (F, K) float64.

    Where no part is positive the last masks hold.
    """

    def __init__(self, W, ends):
        self.W, self.ends = W, ends
        self.held = np.full((len(ends) - 1, len(W)), 1 / (len(ends) - 1))

    def masks(self, v):
        h = np.linalg.lstsq(self.W, v, rcond=None)[0]
        spans = zip(self.ends[:-1], self.ends[1:], strict=True)
        parts = np.stack([np.maximum(self.W[:, a:b] @ h[a:b], 0) for a, b in spans])
        heard = parts.sum(axis=0) > 0
        self.held = np.where(heard, wiener(np.where(heard, parts, 1)), self.held)
        return self.held


class Everything:
    """One source, mask one."""

    def masks(self, v):
        return np.ones((1, len(v)))


def engine(x, spec, separator, weights, **amounts):
    """Output of a whole engine for one channel, every parameter where it is from the start."""
    pair = windows(spec.window, spec.synthesis // 2, spec.hop)
    X = spectra(x, pair[0], spec.hop)
    for frame in X:
        v = np.abs(frame)
        frame *= gain(separator.masks(v), weights, v, **amounts)
    return samples(X, pair[1], spec.hop, spec.synthesis, len(x))


def si_sdr(reference, estimate):
    """Scale-invariant signal-to-distortion ratio in dB."""
    target = np.dot(estimate, reference) / np.dot(reference, reference) * reference
    return 10 * np.log10(np.sum(target**2) / np.sum((estimate - target) ** 2))
