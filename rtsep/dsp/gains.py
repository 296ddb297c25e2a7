"""From what a model says is noise to the gain that suppresses it without musical tones.

Notation, per bin: P = |X|^2, L the variance of what is removed, gamma = P / L, xi the a-priori
ratio of kept to removed, G the gain of what is kept.
    xi <- max(alpha G^2 P / L of the last frame + (1 - alpha) max(gamma - 1, 0), XI_LEAST)
    G  <- xi / (1 + xi) exp(E1(nu) / 2) ,  nu = gamma xi / (1 + xi)
is the decision-directed log-spectral amplitude estimator (Ephraim & Malah 1984, 1985).
A noise nobody has described is tracked by speech presence (Gerkmann & Hendriks 2012).
Functions of one variable are tables with linear interpolation: no logarithm in the audio thread.
"""

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.kernel import kernel

XI_LEAST = np.float32(10**-2.5)
XI_MOST = np.float32(1e6)
GAMMA_MOST = np.float32(1000)
XI_PRESENT = 10**1.5  # the a-priori ratio that presence is judged by: 15 dB
STUCK = np.float32(0.99)  # a presence held higher than this for long means a noise that rose
QUIETEST = np.float32(1e-18)
EULER = 0.5772156649015329

ENTRIES, NU_STEP, GAMMA_STEP = 1024, 1 / 128, 1 / 32


def exponential_integral(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """E1(x) for 0 < x <= 8 by its series, good to 1e-11."""
    total, term = np.zeros_like(x), np.ones_like(x)
    for k in range(1, 80):
        term = term * -x / k
        total -= term / k
    return np.asarray(total - EULER - np.log(x), np.float64)


def lift_table() -> NDArray[np.float32]:
    """c(nu) = nu (exp(E1(nu)) - 1), finite at 0 and soon zero: exp(E1 / 2) = sqrt(1 + c / nu)."""
    nu = np.arange(1, ENTRIES, dtype=np.float64) * NU_STEP
    lift: NDArray[np.float64] = nu * np.expm1(exponential_integral(nu))
    return np.concatenate([[np.exp(-EULER)], lift[:-1], [0]]).astype(np.float32)


def presence_table() -> NDArray[np.float32]:
    """Probability that a bin with a given gamma holds more than noise."""
    gamma = np.arange(ENTRIES) * GAMMA_STEP
    odds = (1 + XI_PRESENT) * np.exp(-gamma * XI_PRESENT / (1 + XI_PRESENT))
    return np.asarray(1 / (1 + odds), np.float32)


LIFT, PRESENCE = lift_table(), presence_table()


@kernel
def look_up(table, x, steps):
    """Linear interpolation in a table of values at 0, 1/steps, 2/steps, ...; its last beyond."""
    at = x * steps
    if not at < ENTRIES - 1:
        return table[ENTRIES - 1]
    i = int(at)
    return table[i] + (at - np.float32(i)) * (table[i + 1] - table[i])


@kernel
def decide(power, variance, past, gain, alpha, bins):
    """G for every bin.  Audio thread.

    power, variance : float32 (>= bins,).  past : what the last frame kept, |G X|^2; updated.
    """
    for f in range(bins):
        noise = variance[f] + QUIETEST
        gamma = min(power[f] / noise, GAMMA_MOST)
        xi = alpha * past[f] / noise + (1 - alpha) * max(gamma - 1, np.float32(0))
        xi = min(max(xi, XI_LEAST), XI_MOST)
        wiener = xi / (1 + xi)
        nu = max(wiener * gamma, np.float32(1e-6))
        lift = look_up(LIFT, nu, np.float32(1 / NU_STEP))
        g = min(wiener * np.sqrt(1 + lift / nu), np.float32(1))
        past[f] = g * g * power[f]
        gain[f] = g


@kernel
def follow(value, track, slowness, bins):
    """Move towards a value: track <- slowness track + (1 - slowness) value."""
    for f in range(bins):
        track[f] = value[f] + slowness * (track[f] - value[f])


@kernel
def track_noise(power, noise, presence, slowness, presence_slowness, bins):
    """Let a noise variance follow the power wherever nothing else seems present.  Audio thread.

    noise, presence : float32 (>= bins,), updated.
    """
    for f in range(bins):
        gamma = power[f] / (noise[f] + QUIETEST)
        p = look_up(PRESENCE, gamma, np.float32(1 / GAMMA_STEP))
        presence[f] = p + presence_slowness * (presence[f] - p)
        if presence[f] > STUCK:
            p = min(p, STUCK)
        seen = power[f] + p * (noise[f] - power[f])
        noise[f] = seen + slowness * (noise[f] - seen)
