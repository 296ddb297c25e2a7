"""Metrics against their definitions, identities and the packages others trust."""

import sys

import naive_learn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep import metrics


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def orthogonal(n, count, seed=0):
    """Signals of unit power, orthogonal to one another."""
    return np.sqrt(n) * np.linalg.qr(noise(n, count, seed=seed))[0].T


def speechlike(seconds, rate=16000):
    """Noise in syllables."""
    n = int(seconds * rate)
    return (noise(n) * np.maximum(0, np.sin(np.arange(n) * 25 / rate)) ** 2).astype(np.float32) / 9


@settings(deadline=None)
@given(st.integers(2, 5000), st.floats(0.01, 10), st.integers(0, 99))
def test_si_sdr_is_its_definition_and_knows_no_scale(n, scale, seed):
    s, e = noise(n, seed=seed), noise(n, seed=seed + 1)
    expected = naive_learn.si_sdr(s, e)
    assert metrics.si_sdr(s, e) == pytest.approx(expected, abs=1e-6)
    assert metrics.si_sdr(scale * s, e) == pytest.approx(expected, abs=1e-6)
    assert metrics.si_sdr(s, scale * e) == pytest.approx(expected, abs=1e-6)


def test_a_tenth_of_an_orthogonal_sound_is_20_db():
    s1, s2 = orthogonal(1000, 2)
    assert metrics.si_sdr(s1, s1 + 0.1 * s2) == pytest.approx(20)
    found = metrics.bss_eval([s1, s2], [s1 + 0.1 * s2, s2 + 0.01 * s1])
    assert found.sdr == pytest.approx([20, 40])
    assert found.sir == pytest.approx([20, 40])
    assert (found.sar > 200).all()


def test_interference_and_artefacts_are_told_apart():
    s1, s2, noise_ = orthogonal(777, 3)
    found = metrics.bss_eval([s1, s2], [s1 + 0.1 * s2 + 0.01 * noise_, s2])
    assert found.sir[0] == pytest.approx(20)
    assert found.sar[0] == pytest.approx(10 * np.log10(1.01 / 1e-4))
    assert found.sdr[0] == pytest.approx(-10 * np.log10(0.0101))


def test_with_one_reference_sdr_is_sar_and_si_sdr():
    s, e = noise(100), noise(100, seed=1)
    found = metrics.bss_eval([s], [e])
    assert found.sir == [np.inf]
    assert found.sdr == found.sar == pytest.approx([metrics.si_sdr(s, e)])


def test_perfect_is_infinite():
    s = noise(100)
    assert metrics.si_sdr(s, s) > 250
    assert metrics.psnr(s, s) == np.inf


def test_a_silent_reference_is_nan_never_zero():
    s, silent = speechlike(2), np.zeros(32000, np.float32)
    assert np.isnan(metrics.si_sdr(silent, s))
    assert np.isnan(metrics.si_sdr(s, silent))
    found = metrics.bss_eval([s, silent], [s, s])
    assert np.isnan([found.sdr[1], found.sir[1], found.sar[1]]).all()
    assert not np.isnan(found.sdr[0])
    assert np.isnan(metrics.psnr(silent, s))


def test_psnr_says_which_peak():
    s = np.array([0.0, 0.5])
    assert metrics.psnr(s, s + 0.05) == pytest.approx(20)
    assert metrics.psnr(s, s + 0.05, peak=1) == pytest.approx(20 + 20 * np.log10(2))


@pytest.mark.parametrize("metric", [metrics.si_sdr, metrics.psnr, metrics.bss_eval])
def test_other_shapes_are_refused_with_both(metric):
    with pytest.raises(ValueError, match=r"\(3,\) and estimate \(4,\)"):
        metric(np.ones(3), np.ones(4))


def test_speech_metrics_rank_clean_over_noisy_at_any_rate():
    s = speechlike(3)
    noisy = s + 0.05 * noise(len(s)).astype(np.float32)
    for metric in (metrics.pesq, metrics.estoi):
        assert metric(s, s, 16000) > metric(s, noisy, 16000)
        up = np.repeat(s, 3), np.repeat(noisy, 3)
        assert metric(up[0], up[0], 48000) > metric(*up, 48000)
        assert np.isnan(metric(0 * s, s, 16000))
        assert np.isnan(metric(s[:300], s[:300], 16000))
        with pytest.raises(ValueError, match=r"\(48000,\) and estimate \(47999,\)"):
            metric(s, s[1:], 16000)


def test_dnsmos_gives_opinions():
    found = metrics.dnsmos(speechlike(2), 16000)
    assert all(1 <= opinion <= 5 for opinion in found)
    assert np.isnan(metrics.dnsmos(np.zeros(32000), 16000)).all()


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("pesq", lambda: metrics.pesq(np.ones(9), np.ones(9), 16000)),
        ("pystoi", lambda: metrics.estoi(np.ones(9), np.ones(9), 16000)),
        ("speechmos", lambda: metrics.dnsmos(np.ones(9), 16000)),
    ],
)
def test_a_missing_package_is_answered_with_the_command_that_installs_it(
    monkeypatch, package, call
):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"{package}.dnsmos", raising=False)
    with pytest.raises(
        ImportError, match=rf"^{package} is not installed: pip install 'rtsep\[metr"
    ):
        call()


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_ssim_agrees_with_scikit_image(peak):
    skimage = pytest.importorskip("skimage.metrics")
    s, e = peak * np.random.default_rng(0).random((2, 3, 20, 31))
    e = 0.7 * s + 0.3 * e
    expected = [
        skimage.structural_similarity(a, b, data_range=peak) for a, b in zip(s, e, strict=True)
    ]
    assert metrics.ssim(s, e, peak=peak) == pytest.approx(np.mean(expected), abs=1e-9)
    assert metrics.ssim(s[1], e[1], peak=peak) == pytest.approx(expected[1], abs=1e-9)


def test_ssim_of_equal_and_of_unlike_pictures():
    a = np.random.default_rng(0).random((2, 32, 32))
    assert metrics.ssim(a, a) == pytest.approx(1)
    assert metrics.ssim(a, 1 - a) < -0.5
    with pytest.raises(ValueError, match=r"\(6, 9\).*7 x 7"):
        metrics.ssim(np.ones((6, 9)), np.ones((6, 9)))
    with pytest.raises(ValueError, match=r"\(9, 9\) and estimate \(9, 8\)"):
        metrics.ssim(np.ones((9, 9)), np.ones((9, 8)))


def test_psnr_agrees_with_scikit_image():
    skimage = pytest.importorskip("skimage.metrics")
    s, e = np.random.default_rng(1).random((2, 9, 9))
    expected = skimage.peak_signal_noise_ratio(s, e, data_range=1.0)
    assert metrics.psnr(s, e, peak=1.0) == pytest.approx(expected)
