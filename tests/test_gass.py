"""Generative models of sources, and mixtures taken apart by them: GASS."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtsep.learn.gass import KINDS, Fit, learned
from rtsep.learn.latents import Search, objective, taken_apart

BINS = 24
QUICK = Fit(hidden=16, codes=4, steps=250, batch=32, rate=5e-3, critic_steps=2)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def frames(low: bool, n: int, seed: int) -> np.ndarray:
    """V (F, n): one of three bumps in the lower or the upper half of the bins, as loud as it is."""
    rng = np.random.default_rng(seed)
    at = rng.integers(3, size=n) * 4 + (2 if low else 13)
    bump = np.exp(-(((np.arange(BINS)[:, None] - at) / 1.5) ** 2))
    return (bump * rng.uniform(0.5, 1.5, n) + 0.01).astype(np.float32)


def decibels(reference, estimate) -> float:
    return 10 * np.log10(np.sum(reference**2) / np.sum((reference - estimate) ** 2))


@pytest.mark.parametrize("kind", KINDS)
def test_two_sources_are_taken_apart(kind):
    models = [learned(frames(low, 400, seed), kind, QUICK) for seed, low in enumerate((1, 0))]
    sources = [frames(low, 30, 5 + seed) for seed, low in enumerate((1, 0))]
    mixture = sources[0] + sources[1]
    found = taken_apart(mixture, models, Search(steps=200)).estimates(mixture)
    np.testing.assert_allclose(found[0] + found[1], mixture, rtol=1e-4, atol=1e-5)
    least = {"ae": 2, "dae": 4, "gan": 4}.get(kind, 8)
    for source, estimate in zip(sources, found, strict=True):
        assert decibels(source, estimate) > decibels(source, mixture) + least


@pytest.mark.parametrize("kind", ["gan", "wgan"])
def test_a_critic_is_higher_of_what_is_like_its_source(kind):
    model = learned(frames(True, 400, 0), kind, QUICK)
    own, other = (torch.from_numpy(frames(low, 100, 3).T.copy()) for low in (True, False))
    assert model.score(own).mean() > model.score(other).mean()


@pytest.mark.parametrize("kind", ["gan", "wgan"])
def test_the_critic_term_draws_estimates_towards_the_source(kind):
    models = [learned(frames(low, 400, seed), kind, QUICK) for seed, low in enumerate((1, 0))]
    mixture = frames(True, 20, 7) + frames(False, 20, 8)

    def score(critic: float) -> float:
        parts = taken_apart(mixture, models, Search(steps=60, critic=critic)).modelled
        scores = [m.score(torch.from_numpy(s.T.copy())) for m, s in zip(models, parts, strict=True)]
        return float(torch.cat(scores).mean())

    assert score(10.0) > score(0.0) + 1e-4


def test_movement_from_frame_to_frame_costs():
    models = [learned(frames(low, 200, seed), "vae", QUICK) for seed, low in enumerate((1, 0))]
    mixture = frames(True, 20, 7) + frames(False, 20, 8)

    def moved(smooth: float) -> float:
        parts = taken_apart(mixture, models, Search(steps=100, smooth=smooth)).modelled
        return float(sum(np.abs(np.diff(s)).sum() for s in parts))

    assert moved(1.0) < moved(0.0)


def test_codes_cost_what_a_normal_distribution_says():
    model = learned(frames(True, 200, 0), "vae", QUICK)
    v = torch.from_numpy(frames(True, 20, 7).T.copy())
    codes = [torch.randn(len(v), model.codes) for _ in range(2)]
    normal = torch.distributions.Normal(0, 1)
    h = torch.cat(codes)
    surplus = (normal.log_prob(torch.zeros_like(h)) - normal.log_prob(h)).sum() / v.numel()
    without, prior = (
        objective(v, [model] * 2, codes, 1.0, Search(prior=weight)) for weight in (0.0, 0.5)
    )
    torch.testing.assert_close(prior - without, surplus / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gain", [1e-3, 1e3])
def test_how_loud_sources_are_changes_nothing(gain):
    V, mixture = frames(True, 100, 0), frames(True, 10, 1)

    def found(by):
        model = learned(V * np.float32(by), "vae", QUICK)
        return taken_apart(mixture * np.float32(by), [model]).modelled[0] / by

    np.testing.assert_allclose(found(gain), found(1.0), rtol=0.02, atol=2e-3)


def test_equal_seeds_find_the_same():
    V, mixture, search = frames(True, 100, 0), frames(True, 10, 1), Search(steps=20)
    first, again = (taken_apart(mixture, [learned(V, "gan", QUICK)], search) for _ in range(2))
    np.testing.assert_array_equal(first.modelled[0], again.modelled[0])
    other = taken_apart(mixture, [learned(V, "gan", QUICK)], replace(search, seed=1))
    assert not np.allclose(first.modelled[0], other.modelled[0])


def test_what_cannot_be_learned_from_is_named():
    with pytest.raises(ValueError, match="mean of 0"):
        learned(np.zeros((4, 3), np.float32), "ae")
    with pytest.raises(ValueError, match="'gaan'"):
        learned(frames(True, 4, 0), "gaan")
    with pytest.raises(ValueError, match="steps"):
        Fit(steps=0)
