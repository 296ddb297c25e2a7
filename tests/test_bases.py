"""The unknown source's basis: it follows what it hears, and nothing else moves it."""

import naive
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import models
from rtsep.dsp.bases import LEAST, adapt, random_basis

law = settings(deadline=None, max_examples=40)
sizes = st.tuples(
    st.integers(0, 6), st.integers(1, 6), st.integers(2, 60), st.integers(0, 2**32 - 1)
)
f32 = np.float32


class Learner:
    """Known and unknown rows and all they need; W (K, F)."""

    def __init__(self, known, unknown, bins, seed):
        rng = np.random.default_rng(seed)
        self.known, self.rank, self.bins = known, known + unknown, bins
        self.W = random_basis(self.rank, bins, seed) ** 3
        self.W /= self.W.sum(axis=1, keepdims=True)
        self.statistics = rng.gamma(1.0, 1.0, (unknown, bins)).astype(f32)
        self.v = (rng.gamma(0.5, 1.0, bins) + 1e-3).astype(f32)
        self.h = rng.gamma(1.0, 1.0, self.rank).astype(f32)

    def adapt(self, rho=0.9, prior=0.1, keep=True):
        y, q = np.empty((2, self.bins), f32)
        adapt(
            self.W, self.statistics, self.v, self.h, f32(rho), f32(prior), keep, y, q, self.known,
            self.rank, self.bins,
        )  # fmt: skip

    def twin(self, rho=0.9, prior=0.1):
        doubles = (a.astype(float) for a in (self.W.T, self.statistics.T, self.v, self.h))
        return naive.adapt(*doubles, float(f32(rho)), float(f32(prior)), self.known)


@given(sizes, st.floats(0, 1), st.sampled_from([0.0, 1e-3, 10.0]))
@law
def test_a_step_is_its_twins(size, rho, prior):
    learner = Learner(*size)
    W, statistics = learner.twin(rho, prior)
    learner.adapt(rho, prior)
    np.testing.assert_allclose(learner.W.T, W, rtol=1e-4)
    np.testing.assert_allclose(learner.statistics.T, statistics, rtol=1e-4)


@given(sizes)
@law
def test_rows_sum_to_one_and_none_of_their_entries_dies(size):
    learner = Learner(*size)
    learner.v[::2] = 0
    for _ in range(40):
        learner.adapt(rho=0.3, prior=0)
    own = learner.W[learner.known :]
    np.testing.assert_allclose(own.sum(axis=1, dtype=float), 1, rtol=1e-5)
    assert own.min() >= 0.99 * LEAST


@given(sizes)
@law
def test_known_rows_never_move(size):
    learner = Learner(*size)
    before = learner.W[: learner.known].copy()
    learner.adapt()
    assert models.bits(before) == models.bits(learner.W[: learner.known])


@given(sizes)
@law
def test_statistics_are_kept_once_a_frame(size):
    learner = Learner(*size)
    before = models.bits(learner.statistics)
    learner.adapt(keep=False)
    assert models.bits(learner.statistics) == before


@given(sizes)
@law
def test_a_dead_entry_comes_back_to_life(size):
    learner = Learner(*size)
    learner.W[learner.known :, 0] = learner.statistics[:, 0] = 0
    for _ in range(300):
        learner.adapt(rho=0.1, prior=0)
    assert (learner.W[learner.known :, 0] >= 0.99 * LEAST).all()


@given(sizes)
@law
def test_without_a_memory_a_step_makes_the_model_no_worse(size):
    """Entries, not rows, are what one majorise-minimise step improves: h scales with its row."""
    learner = Learner(*size)
    learner.statistics[:] = 0

    def badness(W, h):
        return naive.kl(learner.v.astype(float), h @ W + naive.TINY)

    h = learner.h.astype(float)
    y = h @ learner.W.astype(float)
    scale = (learner.W[learner.known :] * (learner.v / y)).sum(axis=1)
    before = badness(learner.W.astype(float), h)
    learner.adapt(rho=0, prior=0)
    h[learner.known :] *= scale
    assert badness(learner.W.astype(float), h) <= before + 1e-4 * (abs(before) + 1)


@given(st.integers(1, 16), st.integers(2, 600), st.integers(0, 2**32 - 1))
@law
def test_the_start_is_white_positive_and_the_seeds_alone(rank, bins, seed):
    W = random_basis(rank, bins, seed)
    np.testing.assert_allclose(W.sum(axis=1, dtype=float), 1, rtol=1e-5)
    assert W.min() > 0.3 / bins
    assert models.bits(W) == models.bits(random_basis(rank, bins, seed))
