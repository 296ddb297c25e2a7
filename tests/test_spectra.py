"""Spectra and frames: the transform is numpy's, and what is cut is put together again."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.dsp.frames import advance, overlap_add
from rtsep.dsp.spectra import (
    add_power,
    is_length,
    power_to_magnitude,
    to_frame,
    to_spectrum,
    twiddles,
)

LENGTHS = [2**p for p in range(3, 13)]
SPARE = 7  # columns beyond those in use, which nothing may touch
seeds = st.integers(0, 2**32 - 1)


def transform(frame, window):
    n = len(frame)
    X = np.full((2, n // 2 + 1 + SPARE), np.nan, np.float32)
    to_spectrum(frame, window, X, np.empty((4, n // 2), np.float32), twiddles(n), n)
    assert np.isnan(X[:, n // 2 + 1 :]).all()
    return X[:, : n // 2 + 1]


def back(X, window):
    n = len(window)
    frame = np.full(n + SPARE, np.nan, np.float32)
    to_frame(X, window, frame, np.empty((4, n // 2), np.float32), twiddles(n), n)
    assert np.isnan(frame[n:]).all()
    return frame[:n]


def draw(n, seed):
    return np.random.default_rng(seed).standard_normal((2, n)).astype(np.float32)


@pytest.mark.parametrize("n", LENGTHS)
@given(seed=seeds)
@settings(deadline=None, max_examples=10)
def test_spectrum_is_numpys(n, seed):
    frame, window = draw(n, seed)
    wanted = np.fft.rfft(frame.astype(float) * window)
    X = transform(frame, window)
    assert np.abs(X[0] + 1j * X[1] - wanted).max() <= 1e-6 * np.abs(wanted).max()
    assert X[1, 0] == X[1, -1] == 0


@pytest.mark.parametrize("n", LENGTHS)
@given(seed=seeds)
@settings(deadline=None, max_examples=10)
def test_inverse_is_numpys(n, seed):
    frame, window = draw(n, seed)
    spectrum = np.fft.rfft(frame.astype(float))
    X = np.stack([spectrum.real, spectrum.imag]).astype(np.float32)
    wanted = frame * window.astype(float)
    assert np.abs(back(X, window) - wanted).max() <= 2e-6 * np.abs(wanted).max()


@pytest.mark.parametrize("n", LENGTHS)
def test_every_single_sample_and_every_single_bin_comes_back(n):
    ones = np.ones(n, np.float32)
    for place in {0, 1, 2, n // 4, n // 2 - 1, n // 2, n // 2 + 1, n - 1}:
        frame = np.zeros(n, np.float32)
        frame[place] = 1
        np.testing.assert_allclose(back(transform(frame, ones), ones), frame, atol=5e-7)


@pytest.mark.parametrize("n", [0, 4, 6, 12, 100, 1023, 1025])
def test_other_lengths_are_refused(n):
    assert not is_length(n)
    with pytest.raises(ValueError, match=str(n)):
        twiddles(n)


@given(st.integers(1, 8), st.integers(1, 40), seeds)
@settings(deadline=None, max_examples=25)
def test_linked_magnitude_is_the_root_of_the_mean_power(channels, bins, seed):
    X = np.random.default_rng(seed).standard_normal((channels, 2, bins + 1)).astype(np.float32)
    power, magnitude = np.zeros(bins, np.float32), np.zeros(bins, np.float32)
    for channel in X:
        add_power(channel, power, bins)
    power_to_magnitude(power, magnitude, channels, bins)
    wanted = np.sqrt(np.mean(np.sum(X.astype(float) ** 2, axis=1), axis=0))[:bins]
    np.testing.assert_allclose(magnitude, wanted, rtol=1e-6)


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 50), seeds)
@settings(deadline=None, max_examples=50)
def test_a_frame_holds_the_newest_samples(hop, laps, more, seed):
    window = hop * laps + more
    x = np.random.default_rng(seed).standard_normal((12, hop)).astype(np.float32)
    history = np.zeros(window + SPARE, np.float32)
    for samples in x:
        advance(history, samples, window, hop)
    wanted = naive.frames(x.ravel(), window, hop)[-1]
    np.testing.assert_array_equal(history[:window], wanted.astype(np.float32))
    assert (history[window:] == 0).all()


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 50), seeds)
@settings(deadline=None, max_examples=50)
def test_overlap_add_adds_what_overlaps(hop, laps, more, seed):
    synthesis = hop * laps
    window = synthesis + more
    rng = np.random.default_rng(seed)
    tail, samples = np.zeros(synthesis, np.float32), np.zeros(hop, np.float32)
    wanted, got = np.zeros(11 * hop + synthesis), []
    for t in range(12):
        frame = rng.standard_normal(window).astype(np.float32)
        wanted[t * hop : t * hop + synthesis] += frame[more:]
        overlap_add(tail, frame, window, synthesis, hop, samples)
        got.append(samples.copy())
    np.testing.assert_allclose(np.concatenate(got), wanted[: 12 * hop], atol=1e-5)
