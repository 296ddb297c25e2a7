"""ASVD against numpy's SVD, a dense eigensolver, and its own objective as written."""

import naive_learn
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rtsep.learn.asvd import Moments, adversarial_basis, leading, moments, positive


def sound(F, T, seed, colour=0.0):
    rng = np.random.default_rng(seed)
    mixing = rng.gamma(0.3, 1, (F, F)) * np.exp(-colour * np.arange(F) / F)[:, None]
    return (mixing @ rng.gamma(0.5, 1, (F, T)) / F).astype(np.float32)


def of(V):
    return moments([V], len(V))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 300), st.lists(st.integers(0, 90), max_size=9))
def test_moments_of_a_stream_are_those_of_the_whole(F, T, cuts):
    V = sound(F, T, 0)
    pieces = np.split(V, sorted(min(cut, T) for cut in cuts), axis=1)
    found = moments(pieces, F)
    assert found.frames == T
    assert np.allclose(found.total, naive_learn.second_moments(V), rtol=1e-5, atol=1e-6)
    halves = of(V[:, : T // 2]) + of(V[:, T // 2 :])
    assert np.allclose(found.total, halves.total, rtol=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.integers(4, 40), st.integers(1, 3), st.integers(0, 99))
def test_without_tau_it_is_the_svd(F, rank, seed):
    U = sound(F, 5 * F, seed)
    assume(positive(of(U).mean()) > rank)
    W = adversarial_basis(of(U), None, rank)
    left = np.linalg.svd(U.astype(np.float64))[0][:, :rank]
    values = np.linalg.svd(U, compute_uv=False)
    gap = (values[rank - 1] - values[rank]) / values[0]
    assert np.allclose(W @ W.T, left @ left.T, atol=1e-5 / max(gap, 1e-4))


@settings(deadline=None, max_examples=30)
@given(st.integers(6, 40), st.integers(1, 4), st.floats(0, 0.3), st.integers(0, 99))
def test_it_is_the_leading_eigenspace_of_the_dense_problem(F, rank, tau, seed):
    U, V = sound(F, 90, seed), sound(F, 70, seed + 1, 2.0)
    assume(positive(of(U).mean() - tau * of(V).mean()) >= rank)
    W = adversarial_basis(of(U), of(V), rank, tau)
    expected = naive_learn.adversarial_basis(U, V, rank, tau)
    loss = naive_learn.adversarial_loss(expected, U, V, tau)
    scale = float(np.sum(U**2)) / U.shape[1]
    assert naive_learn.adversarial_loss(W, U, V, tau) == pytest.approx(loss, abs=1e-4 * scale)
    assert np.allclose(W.T @ W, np.eye(rank), atol=1e-5)
    assert (W.sum(axis=0) >= -1e-6).all()


def test_no_other_subspace_does_better():
    U, V = sound(30, 200, 0), sound(30, 200, 1)
    best = naive_learn.adversarial_loss(adversarial_basis(of(U), of(V), 4, 0.2), U, V, 0.2)
    for seed in range(50):
        other = np.linalg.qr(np.random.default_rng(seed).normal(size=(30, 4)))[0]
        assert naive_learn.adversarial_loss(other, U, V, 0.2) > best


@pytest.mark.parametrize("gain", [1, 1e4, 1e8])
def test_what_is_loud_beside_it_does_not_blur_it(gain):
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(30, 30)))[0]
    U = Moments((Q[:, :20] * np.arange(20, 0, -1)) @ Q[:, :20].T, 1)
    V = Moments(gain * Q[:, 20:] @ Q[:, 20:].T, 1)
    W = adversarial_basis(U, V, 5, 0.5)
    assert np.allclose(W @ W.T, Q[:, :5] @ Q[:, :5].T, atol=1e-4)


def test_single_precision_loses_nothing_of_the_objective():
    U, V = (np.abs(sound(257, 2000, seed)) for seed in (0, 1))
    C = of(U).mean() - 0.2 * of(V).mean()
    C /= np.linalg.norm(C)
    best, found = (leading(C.astype(kind), 64)[1] for kind in (np.float64, np.float32))
    assert np.vdot(found, C @ found) == pytest.approx(np.vdot(best, C @ best), rel=1e-6)


def test_what_it_is_learned_against_is_explained_less():
    U, V = sound(40, 300, 0), sound(40, 300, 1, 3.0)
    held = [np.sum((adversarial_basis(of(U), of(V), 6, tau).T @ V) ** 2) for tau in (0, 0.3)]
    assert held[1] < held[0]


@given(st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=20)
def test_levelled_moments_know_no_gain(gain):
    V = sound(12, 40, 0)
    quiet = of(V * np.float32(gain)).levelled()
    assert np.allclose(quiet.total, of(V).levelled().total, rtol=1e-4)
    assert quiet.energy == pytest.approx(1)


def test_a_rank_that_would_explain_the_other_sound_is_refused():
    U, V = sound(20, 100, 0), sound(20, 100, 1)
    u, v = of(U).levelled(), of(V).levelled()
    most = positive(u.mean() - 0.5 * v.mean())
    assert 0 < most < 20
    adversarial_basis(u, v, most, 0.5)
    with pytest.raises(ValueError, match=rf"rank {most + 1} is over {most}.*tau=0\.5"):
        adversarial_basis(u, v, most + 1, 0.5)


def test_what_cannot_be_is_refused_with_both_values():
    U = of(sound(10, 50, 0))
    for rank in (0, 11):
        with pytest.raises(ValueError, match=rf"rank {rank} is outside 1..10"):
            adversarial_basis(U, None, rank)
    with pytest.raises(ValueError, match=r"tau 1.5 is outside 0..1"):
        adversarial_basis(U, U, 1, 1.5)
    with pytest.raises(ValueError, match="rank 1 is over 0"):
        adversarial_basis(Moments(np.zeros((5, 5)), 3), None, 1)


def test_frames_that_are_none_are_refused_with_what_they_hold():
    with pytest.raises(ValueError, match=r"5 bins .wanted: 9"):
        moments([np.ones((5, 3), np.float32)], 9)
    for bad in (np.nan, np.inf):
        with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=r"hold (nan|inf)"):
            adversarial_basis(moments([np.full((5, 3), bad, np.float32)], 5), None, 1)
