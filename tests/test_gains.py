"""The decision-directed gain: Ephraim and Malah's formula, and a noise tracked by presence."""

import naive
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.dsp import gains

law = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 2**32 - 1)
f32 = np.float32


@given(seeds, st.sampled_from([1e-9, 1.0, 1e6]))
@law
def test_the_gain_is_the_log_spectral_amplitude_estimators(seed, level):
    rng = np.random.default_rng(seed)
    past, wanted_past, gain = np.zeros(50, f32), np.zeros(50), np.empty(50, f32)
    for _ in range(5):
        power, variance = (level * rng.gamma(1.0, 1.0, (2, 50)) + 1e-3 * level).astype(f32)
        gains.decide(power, variance, past, gain, f32(0.9), 50)
        wanted, wanted_past = naive.log_spectral_amplitude(
            power.astype(float), variance.astype(float), wanted_past, 0.9
        )
        np.testing.assert_allclose(gain, wanted, rtol=0.01, atol=1e-4)


@given(seeds)
@law
def test_a_gain_lies_between_zero_and_one_whatever_comes(seed):
    """As far as the loudest sample the engine lets in can reach."""
    rng = np.random.default_rng(seed)
    power, variance, past = (10.0 ** rng.uniform(-30, 20.5, (3, 60))).astype(f32)
    power[:5] = variance[3:8] = past[6:11] = 0
    gain = np.empty(60, f32)
    gains.decide(power, variance, past, gain, f32(0.98), 60)
    assert np.isfinite(gain).all()
    assert np.isfinite(past).all()
    assert ((gain >= 0) & (gain <= 1)).all()


def test_all_noise_is_suppressed_and_no_noise_is_left_alone():
    past, gain = np.zeros((2, 2), f32)
    power = np.array([1, 1], f32)
    for _ in range(50):
        gains.decide(power, np.array([1, 1e-12], f32), past, gain, f32(0.98), 2)
    assert gain[0] < 0.1
    assert gain[1] > 0.99


@given(seeds, st.floats(0.5, 0.99))
@law
def test_what_follows_is_a_mean_that_forgets(seed, slowness):
    values = np.random.default_rng(seed).gamma(1.0, 1.0, (20, 8)).astype(f32)
    track, wanted = np.zeros(8, f32), np.zeros(8)
    for value in values:
        gains.follow(value, track, f32(slowness), 8)
        wanted = slowness * wanted + (1 - slowness) * value
    np.testing.assert_allclose(track, wanted, rtol=1e-4)


def test_a_tracked_noise_is_the_noises_and_not_the_speechs():
    rng = np.random.default_rng(0)
    noise, presence = np.ones(64, f32), np.zeros(64, f32)
    for t in range(400):
        power = rng.gamma(1.0, 1.0, 64)
        power[:32] += 1000 * (t % 20 < 5)  # a loud source now and then, in half of the bins
        gains.track_noise(power.astype(f32), noise, presence, f32(0.8), f32(0.9), 64)
    assert 0.5 < noise[32:].mean() < 2
    assert 0.3 < noise[:32].mean() < 4


def test_a_noise_that_rises_is_found_again():
    rng = np.random.default_rng(0)
    noise, presence = np.ones(64, f32), np.zeros(64, f32)
    for _ in range(2000):
        power = 300 * rng.gamma(1.0, 1.0, 64)
        gains.track_noise(power.astype(f32), noise, presence, f32(0.8), f32(0.9), 64)
    assert 100 < noise.mean() < 900
