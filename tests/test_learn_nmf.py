"""NMF: what may never rise or change, the slow twin, and scikit-learn from the same start."""

import naive_learn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import non_negative_factorization

from rtsep.learn import kl, nmf

SIZES = st.tuples(st.integers(2, 40), st.integers(1, 50), st.integers(1, 9), st.integers(0, 99))


def problem(F, T, K, seed, zeros=True):
    rng = np.random.default_rng(seed)
    V = rng.gamma(0.5, 1, (F, T)).astype(np.float32) + np.float32(1e-4)
    if zeros:
        V[rng.uniform(size=V.shape) < 0.1] = 0
    V[0, 0] += np.float32(1e-4)  # never all of it zero
    V /= max(V.sum() / T, 1e-3)
    H = rng.uniform(0.1, 1, (K, T)).astype(np.float32)
    return V, nmf.normalised(rng.uniform(0.1, 1, (F, K))), H


@settings(deadline=None, max_examples=60)
@given(
    SIZES, st.sampled_from(nmf.DIVERGENCES), st.sampled_from([0.0, 0.01, 1.0]), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_the_objective_never_rises(sizes, divergence, sparsity, fixed, hurried):
    V, W, H = problem(*sizes, zeros=divergence != "itakura-saito")
    found = nmf.factorise(
        V, W, H, divergence=divergence, sparsity=sparsity, passes=30, every=1, tolerance=-1,
        fixed=fixed, hurried=hurried,
    )  # fmt: skip
    assert 2 <= len(found.history) <= 31  # a perfect fit ends it
    slack = 1e-5 * abs(found.history[0]) + 1e-5
    assert (np.diff(found.history) <= slack).all()


@settings(deadline=None, max_examples=40)
@given(SIZES, st.sampled_from(nmf.DIVERGENCES))
def test_columns_sum_to_one_and_nothing_is_negative_or_lost(sizes, divergence):
    V, W, H = problem(*sizes)
    found = nmf.factorise(V, W, H, divergence=divergence, passes=7)
    for array, like in ((found.W, W), (found.H, H)):
        assert array.dtype == np.float32
        assert array.shape == like.shape
        assert np.isfinite(array).all()
        assert array.min() > 0
    assert np.allclose(found.W.sum(axis=0), 1, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(SIZES, st.integers(1, 5))
def test_kl_activations_sum_to_their_frame(sizes, passes):
    V, W, H = problem(*sizes)
    found = nmf.factorise(V, W, H, passes=passes, tolerance=-1, fixed=True)
    assert np.allclose(found.H.sum(axis=0), V.sum(axis=0), rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=25)
@given(SIZES)
def test_kl_is_plca(sizes):
    V, W, H = problem(*sizes)
    found = nmf.factorise(V, W, H, passes=3, tolerance=-1)
    for _ in range(3):
        W, H = naive_learn.kl_pass(V.astype(np.float64), W, H)
    assert np.allclose(found.W, W, atol=1e-4)
    assert np.allclose(found.H, H, atol=1e-4)


@pytest.mark.parametrize("divergence", nmf.DIVERGENCES)
def test_the_objective_is_the_twins(divergence):
    V, W, H = problem(67, 31, 5, 0, zeros=divergence != "itakura-saito")
    expected = naive_learn.divergence(V, W, H, divergence)
    assert nmf.objective(V, W, H, divergence) == pytest.approx(expected, rel=1e-5)


LOSSES = {"kl": "kullback-leibler", "euclidean": "frobenius", "itakura-saito": "itakura-saito"}


def scikit_learn(V, W, H, divergence, passes):
    """Its updates on the transposed problem, so that H comes first as it does here."""
    found = non_negative_factorization(
        V.T, W=H.T.copy(), H=W.T.copy(), n_components=W.shape[1], init="custom", solver="mu",
        beta_loss=LOSSES[divergence], max_iter=passes, tol=0,
    )  # fmt: skip
    return found[1].T, found[0].T


@pytest.mark.parametrize("divergence", LOSSES)
def test_with_a_fixed_basis_scikit_learn_finds_the_same_activations(divergence):
    V, W, _ = problem(40, 60, 5, 3, zeros=False)
    start = np.full((5, 60), np.sqrt(V.mean() / 5), np.float32)
    ours = nmf.factorise(V, W, start, divergence=divergence, passes=20, fixed=True, tolerance=-1)
    theirs, *_ = non_negative_factorization(
        V.T, H=W.T.copy(), n_components=5, init="custom", update_H=False, solver="mu",
        beta_loss=LOSSES[divergence], max_iter=20, tol=0,
    )  # fmt: skip
    assert np.allclose(ours.H, theirs.T, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("divergence", ["euclidean", "itakura-saito"])
def test_scikit_learn_takes_the_same_way_from_the_same_start(divergence):
    V, W, H = problem(40, 60, 5, 3, zeros=False)
    ours = nmf.factorise(V, W, H, divergence=divergence, passes=20, tolerance=-1)
    W, H = scikit_learn(V, W, H, divergence, 20)
    assert np.allclose(ours.W @ ours.H, W @ H, rtol=1e-3, atol=1e-4 * V.max())


def test_scikit_learn_ends_at_the_same_kl():
    # There columns are not held to one within a pass, so the way is another.
    V, W, H = problem(40, 60, 3, 3, zeros=False)
    ours = nmf.factorise(V, W, H, passes=2000, tolerance=1e-9)
    theirs = naive_learn.divergence(V, *scikit_learn(V, W, H, "kl", 2000))
    assert ours.history[-1] == pytest.approx(theirs, rel=1e-2)


@pytest.mark.parametrize("sparsity", [0.0, 0.05])
def test_half_the_passes_hurried_go_as_far(sparsity):
    V, W, H = problem(129, 1200, 16, 4)  # several blocks of frames, the last one short
    plain, hurried = (
        nmf.factorise(V, W, H, passes=passes, tolerance=-1, hurried=fast, sparsity=sparsity)
        for passes, fast in ((100, False), (50, True))
    )
    assert hurried.history[-1] <= plain.history[-1]
    assert np.allclose(hurried.W.sum(axis=0), 1, atol=1e-5)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_where_hurry_fails_the_way_is_plain_from_the_last_look(monkeypatch):
    monkeypatch.setattr(kl, "POWER", np.float32(4))  # far over what converges
    V, W, H = problem(40, 60, 5, 3)
    found = nmf.factorise(V, W, H, passes=40, tolerance=-1, hurried=True, every=4)
    assert (np.diff(found.history) <= 1e-5 * found.history[0]).all()
    plain = nmf.factorise(V, W, H, passes=30, tolerance=-1)
    assert found.history[-1] <= plain.history[-1] * 1.05


def test_what_is_given_stays_untouched():
    given_ = problem(9, 9, 3, 0)
    kept = [array.copy() for array in given_]
    nmf.factorise(*given_, passes=3)
    assert all(np.array_equal(a, b) for a, b in zip(given_, kept, strict=True))


def test_sparsity_empties_activations():
    V, W, H = problem(30, 200, 12, 1)
    dense = nmf.factorise(V, W, H, passes=100)
    sparse = nmf.factorise(V, W, H, passes=100, sparsity=1.0)
    assert sparse.H.sum() < 0.6 * dense.H.sum()


@pytest.mark.parametrize("start", nmf.STARTS.values())
def test_a_seed_makes_a_start(start):
    V = problem(20, 30, 1, 0)[0]
    same = [start(V, 5, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])
    assert np.allclose(same[0].sum(axis=0), 1, atol=1e-5)
    assert same[0].min() > 0


def test_one_component_is_the_least_there_is():
    V, W, H = problem(20, 30, 1, 0, zeros=False)
    for divergence in nmf.DIVERGENCES:
        found = nmf.factorise(V, W, H, divergence=divergence, passes=300)
        assert nmf.one_component(V, divergence) <= found.history[-1] * 1.001


def test_what_one_component_holds_has_no_ratio_but_nothing():
    V = np.outer([1, 2, 3], [1, 1, 4]).astype(np.float32)
    assert nmf.relative(-1e-7, V, "kl") == 0
    V[0, 0] += 1
    least = nmf.one_component(V, "kl")
    assert nmf.relative(least / 2, V, "kl") == pytest.approx(0.5)
    assert nmf.relative(-1e-9, V, "kl") == 0


def test_what_does_not_fit_is_refused_with_both_values():
    V, W, H = problem(9, 9, 3, 0)
    with pytest.raises(ValueError, match="basis has 8 bins, the frames have 9"):
        nmf.factorise(V, W[:8])
    with pytest.raises(ValueError, match="'KL' is unknown"):
        nmf.factorise(V, W, H, divergence="KL")
    with pytest.raises(ValueError, match="-1"):
        nmf.factorise(V, W, H, sparsity=-1)
