"""The dual-path network, its pace, and the figure of intelligibility that it is trained by."""

import numpy as np
import pytest
import torch
from pystoi import stoi
from test_learn_networks import RATE, SMALL, folders, one_thread, scenes_of  # noqa: F401

from rtsep.learn import training
from rtsep.learn.descent import device
from rtsep.learn.families import BANDS, SIZES, read, seeded, written
from rtsep.learn.features import forgetting, levels
from rtsep.learn.intelligibility import correlation, third_octaves
from rtsep.learn.mixing import Recipe
from rtsep.learn.scenes import UNITS, spectra
from rtsep.learn.training import Plan, restored, train

FRAMES = 36


@pytest.mark.parametrize("size", SIZES)
def test_every_size_answers_with_gains_and_is_read_back_from_a_checkpoint(size):
    network = seeded(SIZES[size], 0)
    g = network(torch.zeros(2, 3, BANDS))
    assert g.shape == (2, 3, BANDS)
    assert ((g > 0) & (g < 1)).all()
    assert read(written(SIZES[size])) == SIZES[size]


def test_nothing_looks_ahead_and_every_frame_is_heard_for_long():
    network = seeded(SIZES["dual-tiny"], 0)
    f = torch.randn(1, 40, BANDS, generator=torch.Generator().manual_seed(0))
    changed = f.clone()
    changed[:, 20] += 1
    differs = (network(changed) != network(f)).any(dim=2)[0]
    assert not differs[:20].any()
    assert differs[20:].all()


def test_gradients_reach_every_weight(folders, tmp_path):  # noqa: F811
    network = seeded(SIZES["dual-tiny"], 0)
    batch = scenes_of(folders, tmp_path)(0).batch()
    gains = training.band_gains(device())
    training.loss(network, batch, gains, Plan(1, ratio=0.1, understood=0.1)).backward()
    for name, weight in network.named_parameters():
        assert weight.grad.abs().max() > 0, name


def test_a_frame_at_pace_two_is_every_second_one():
    x = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    for mode in ("low", "medium", "high"):
        np.testing.assert_array_equal(spectra(x, mode, 9, 2), spectra(x, mode, 18)[::2])
    assert forgetting(2) == pytest.approx(forgetting() ** 2)
    p = np.repeat(np.random.default_rng(1).uniform(0, 1, 200), 2).astype(np.float32)
    np.testing.assert_allclose(levels(p[::2], 2), levels(p)[1::2], rtol=0.01)


def test_some_sources_begin_late(folders, tmp_path):  # noqa: F811
    scenes = scenes_of(folders, tmp_path)(0)
    scenes.recipe = Recipe(**SMALL | {"rows": 40, "frames": 200, "late": 0.5})
    _, (S, _, _) = scenes._drawn()
    first = np.array([np.flatnonzero(row.any(axis=1))[0] for row in S]) * 256 / RATE
    late = first[first > 0.2]  # seconds; the tones' own pauses are shorter
    assert 7 < len(late) < 30
    assert 0.6 < late.max() < 1


def test_scenes_at_pace_two_repeat(folders, tmp_path):  # noqa: F811
    make = scenes_of(folders, tmp_path)
    first, again = make(3), make(3)
    first.recipe = again.recipe = Recipe(**SMALL, pace=2)
    for _ in range(4):
        a, b = first.batch(), again.batch()
        np.testing.assert_array_equal(a.f, b.f)
        assert a.f.shape == (SMALL["rows"], SMALL["frames"], BANDS)


def test_third_octaves_are_as_wide_as_they_say():
    shares, step = third_octaves(), UNITS.hz[1]
    width = 150 * 2 ** (np.arange(15) / 3) * (2 ** (1 / 6) - 2 ** (-1 / 6))
    np.testing.assert_allclose(shares.sum(axis=0) * step, width, rtol=1e-4)


def spoken(seconds, rng):
    """Hiss in the rhythm of syllables, another in every band."""
    n = int(seconds * RATE)
    t = np.arange(n) / RATE
    x = np.zeros(n)
    for hz in 150 * 2 ** (np.arange(0, 15, 2) / 3):
        swell = np.exp(2 * np.sin(2 * np.pi * rng.uniform(2, 6) * t + rng.uniform(0, 6)))
        x += swell * np.sin(2 * np.pi * hz * rng.uniform(0.95, 1.05) * t)
    return (0.02 * x).astype(np.float32)


def heard(x):
    X = spectra(x, "high", 10**6, 2)
    return X, UNITS.of((X.real**2 + X.imag**2).astype(np.float32))


def test_the_correlation_falls_with_noise_as_estoi_does():
    rng = np.random.default_rng(0)
    speech = spoken(6, rng)
    noise = rng.standard_normal(len(speech)).astype(np.float32)
    found, published = [], []
    for snr in (20, 10, 5, 0, -5):
        gain = np.linalg.norm(speech) / np.linalg.norm(noise) * 10 ** (-snr / 20)
        mixed = speech + np.float32(gain) * noise
        S, X = (torch.from_numpy(heard(each)[1])[None] for each in (speech, mixed))
        found.append(correlation(torch.ones_like(X), X, S, FRAMES).item())
        published.append(stoi(speech, mixed, RATE, extended=True))
    np.testing.assert_allclose(found, published, atol=0.12)
    assert (np.diff(found) < 0).all()


def test_the_correlation_knows_the_right_mask_and_does_not_hear_the_level():
    rng = np.random.default_rng(1)
    S = torch.from_numpy(heard(spoken(2, rng))[1])[None]
    X = S + torch.rand(S.shape, generator=torch.Generator().manual_seed(0)) * S.mean()
    g = (S / X).sqrt()
    assert correlation(g, X, S, FRAMES).item() == pytest.approx(1, abs=1e-3)
    flat = torch.ones_like(X)
    assert correlation(flat, X, S, FRAMES) < 0.9
    louder = correlation(flat, 100 * X, 1e-3 * S, FRAMES)
    torch.testing.assert_close(louder, correlation(flat, X, S, FRAMES), atol=1e-3, rtol=0)
    assert correlation(flat, X, 0 * S, FRAMES) == 1


def test_a_checkpoint_of_it_goes_on_and_is_restored(folders, tmp_path):  # noqa: F811
    make, path = scenes_of(folders, tmp_path), tmp_path / "x.pt"
    state = train(Plan(1, steps=2, understood=0.1), SIZES["dual-tiny"], make, path)
    f = torch.randn(1, 5, BANDS, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(restored(path)(f), state.network(f))
    state = train(Plan(2, steps=2, understood=0.1), SIZES["dual-tiny"], make, path)
    assert state.epoch == 2
    with pytest.raises(ValueError, match=r"'outer': 4.*'recurrent': 16"):
        train(Plan(3, steps=1), SIZES["tiny"], make, path)
