"""Activations: every step is its twin's, no step makes the model worse, nothing dies."""

import warnings

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import non_negative_factorization

from rtsep.dsp.activations import DIVERGENCES, smooth_root, solve

SPARE = 5
NAMES = sorted(DIVERGENCES)
GOODNESS = {
    "kl": naive.kl, "euclidean": naive.euclidean, "itakura-saito": naive.itakura_saito,
}  # fmt: skip
STEP = {
    "kl": naive.kl_step,
    "euclidean": naive.euclidean_step,
    "itakura-saito": naive.itakura_saito_step,
}
sizes = st.tuples(st.integers(1, 19), st.integers(1, 70), st.integers(0, 2**32 - 1))
law = settings(deadline=None, max_examples=40)


class Frame:
    """One frame to explain: W (K, F) with rows summing to one, v (F,), h (K,)."""

    def __init__(self, rank, bins, seed, level=1.0):
        rng = np.random.default_rng(seed)
        W = rng.gamma(0.5, 1.0, (rank, bins)) + 1e-4
        self.W = np.full((rank + SPARE, bins + SPARE), np.nan, np.float32)
        self.W[:rank, :bins] = W / W.sum(axis=1, keepdims=True)
        self.rank, self.bins = rank, bins
        self.v = (level * (rng.gamma(1.0, 1.0, bins) + 1e-3)).astype(np.float32)
        self.h = np.full(rank + SPARE, np.nan, np.float32)
        self.h[:rank] = level * rng.gamma(1.0, 1.0, rank) + 1e-3
        self.previous = (level * rng.gamma(1.0, 1.0, rank + SPARE)).astype(np.float32)
        self.sparsity = np.zeros(rank + SPARE, np.float32)
        self.smoothness, self.floor = np.float32(0), np.float32(1e-12)

    def solve(self, divergence, steps):
        work = [np.empty(self.bins, np.float32) for _ in "yq"]
        work += [np.empty(self.rank, np.float32) for _ in "ac"]
        solve(
            DIVERGENCES[divergence], steps, self.W, self.v, self.h, self.previous, self.sparsity,
            self.smoothness, self.floor, *work, self.rank, self.bins,
        )  # fmt: skip
        assert np.isnan(self.h[self.rank :]).all(), "wrote beyond the rank in use"
        return self.now()

    def now(self):
        return self.h[: self.rank].astype(float)

    def basis(self):
        return self.W[: self.rank, : self.bins].T.astype(float)

    def badness(self, divergence):
        """The penalised objective in float64."""
        h, n = self.now(), self.rank
        drift = (h - self.previous[:n]) ** 2
        cost = GOODNESS[divergence](self.v.astype(float), self.basis() @ h + naive.TINY)
        return cost + self.sparsity[:n] @ h + self.smoothness * drift.sum()


def penalise(frame, sparsity, smoothness=0.0):
    frame.sparsity[:] = sparsity * np.random.default_rng(frame.rank).uniform(
        0, 1, frame.rank + SPARE
    )
    frame.smoothness = np.float32(smoothness)
    return frame


@pytest.mark.parametrize("divergence", NAMES)
@given(sizes, st.sampled_from([0.0, 0.1, 3.0]))
@law
def test_a_step_is_its_twins(divergence, size, sparsity):
    frame = penalise(Frame(*size), sparsity)
    penalty = frame.sparsity[: frame.rank].astype(float)
    wanted = STEP[divergence](frame.basis(), frame.v.astype(float), frame.now(), penalty)
    np.testing.assert_allclose(frame.solve(divergence, 1), wanted, rtol=3e-5)


@given(sizes, st.sampled_from([0.0, 0.5]), st.sampled_from([1e-4, 0.1, 10.0, 1000.0]))
@law
def test_a_smooth_step_is_its_twins(size, sparsity, smoothness):
    frame = penalise(Frame(*size), sparsity, smoothness)
    n = frame.rank
    wanted = naive.kl_smooth_step(
        frame.basis(), frame.v.astype(float), frame.now(), frame.previous[:n].astype(float),
        frame.sparsity[:n].astype(float), float(frame.smoothness),
    )  # fmt: skip
    np.testing.assert_allclose(frame.solve("kl", 1), wanted, rtol=2e-4)


@given(
    st.floats(1e-6, 1e6), st.floats(0.1, 1e3), st.floats(0, 1e3), st.floats(1e-3, 1e3)
)  # fmt: skip
@settings(deadline=None, max_examples=200)
def test_smooth_root_is_the_positive_root(a, c, previous, smoothness):
    """Where the derivative vanishes: c - a/h + 2 smoothness (h - previous) = 0."""
    single = [np.float32(number) for number in (a, c, previous, smoothness)]
    a, c, previous, smoothness = (float(number) for number in single)
    wanted = max(np.roots([2 * smoothness, c - 2 * smoothness * previous, -a]).real)
    assert smooth_root(*single) == pytest.approx(wanted, rel=2e-3)


@pytest.mark.parametrize("divergence", NAMES)
@given(sizes, st.sampled_from([0.0, 0.2, 5.0]), st.sampled_from([1e-4, 1.0, 1e3]))
@law
def test_no_step_makes_the_model_worse(divergence, size, sparsity, level):
    frame = penalise(Frame(*size, level), sparsity)
    before = frame.badness(divergence)
    for _ in range(8):
        frame.solve(divergence, 1)
        after = frame.badness(divergence)
        assert after <= before + 1e-5 * (abs(before) + frame.v.sum() * 0.1)
        before = after


@given(sizes, st.sampled_from([0.0, 0.3]), st.sampled_from([0.01, 1.0, 100.0]))
@law
def test_no_smooth_step_makes_the_penalised_model_worse(size, sparsity, smoothness):
    frame = penalise(Frame(*size), sparsity, smoothness)
    before = frame.badness("kl")
    for _ in range(8):
        frame.solve("kl", 1)
        after = frame.badness("kl")
        assert after <= before + 1e-5 * (abs(before) + 1)
        before = after


@given(sizes, st.integers(1, 9), st.sampled_from([0.1, 1.0, 1e5]))
@law
def test_plain_kl_keeps_the_sum(size, steps, level):
    frame = Frame(*size, level)
    assert frame.solve("kl", steps).sum() == pytest.approx(frame.v.sum(dtype=float), rel=1e-5)


@pytest.mark.parametrize("divergence", NAMES)
@given(sizes)
@law
def test_what_is_explained_is_left_alone(divergence, size):
    frame = Frame(*size)
    frame.v[:] = frame.basis() @ frame.now()
    before = frame.now()
    np.testing.assert_allclose(frame.solve(divergence, 3), before, rtol=2e-4)


@pytest.mark.parametrize("divergence", NAMES)
@given(st.integers(2, 8), st.integers(20, 60), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=10)
def test_many_steps_are_scikit_learns(divergence, rank, bins, seed):
    frame = Frame(rank, bins, seed)
    frame.h[:rank] = np.sqrt(frame.v.mean() / rank)  # where scikit-learn begins
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of not having converged
        wanted, *_ = non_negative_factorization(
            frame.v[None].astype(float), H=np.ascontiguousarray(frame.basis().T), update_H=False,
            n_components=rank, solver="mu", max_iter=30, tol=0, beta_loss={
                "kl": "kullback-leibler", "euclidean": "frobenius",
            }.get(divergence, divergence),
        )  # fmt: skip
    np.testing.assert_allclose(frame.solve(divergence, 30), wanted[0], rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("divergence", NAMES)
@given(sizes, st.sampled_from([1e-12, 1e-3]))
@law
def test_nothing_falls_through_the_floor_and_all_recovers(divergence, size, floor):
    frame = Frame(*size)
    heard, frame.floor = frame.v.copy(), np.float32(floor)
    frame.v[:] = 0
    assert (frame.solve(divergence, 60) >= frame.floor).all()
    frame.v[:] = heard
    frame.solve(divergence, 200)
    assert np.isfinite(frame.now()).all()
    assert (frame.basis() @ frame.now()).sum() > 0.05 * heard.sum()


def test_steps_taken_one_by_one_are_steps_taken_together():
    one, many = Frame(9, 40, 3), Frame(9, 40, 3)
    for _ in range(10):
        one.solve("kl", 1)
    assert one.now().tobytes() == many.solve("kl", 10).tobytes()
