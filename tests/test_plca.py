"""PLCA, NMF of any beta and the tutorial's separation: laws, and what scikit-learn gives."""

import numpy as np
import pytest
from sklearn.decomposition import non_negative_factorization

from rtsep.learn import beta, nmf, tutorial
from rtsep.learn.beta import Penalty
from rtsep.learn.plca import plca

BETAS = (-0.5, 0, 0.5, 1, 1.5, 2, 3)
PENALTIES = {
    "none": Penalty(),
    "sparse": Penalty(sparsity=0.3),
    "smooth": Penalty(smoothness=0.5),
    "both sparse": Penalty(sparsity=0.2, sparsity_W=0.1),
    "all": Penalty(sparsity=0.2, smoothness=0.2),
}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def problem(rng, bins=23, frames=31, rank=4):
    V = rng.gamma(0.7, 1, (bins, rank)) @ rng.gamma(0.5, 1, (rank, frames)) + 0.05
    V *= rng.uniform(0.5, 1.5, V.shape)
    W, H = rng.uniform(0.2, 1, (bins, rank)), rng.uniform(0.2, 1, (rank, frames))
    return tuple(A.astype(np.float32) for A in (V, W, H))


@pytest.mark.parametrize("value", BETAS)
@pytest.mark.parametrize("name", PENALTIES)
def test_objective_never_rises(rng, value, name):
    V, W, H = problem(rng)
    found = beta.factorise(V, W, H, beta=value, penalty=PENALTIES[name], passes=60, every=1)
    falls = -np.diff(found.history)
    assert falls.min() >= -1e-5 * abs(found.history[0])
    assert found.history[-1] < found.history[0]


@pytest.mark.parametrize("value", BETAS)
def test_gradient_is_that_of_finite_differences(rng, value):
    V, W, H = (A.astype(np.float64) for A in problem(rng, 7, 9, 3))
    pull, push = beta._parts(V, W, H, value)

    def distance(entry):
        moved = H.copy()
        moved[1, 4] += entry
        return beta.divergence(V, W @ moved, value).sum()

    step = 1e-6
    slope = (distance(step) - distance(-step)) / (2 * step)
    assert (
        (push - pull)[1, 4]
        if value != 1
        else (push[1] - pull[1, 4]) == pytest.approx(slope, rel=1e-4)
    )
    assert np.broadcast_to(push, pull.shape)[1, 4] - pull[1, 4] == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("value", [0, 0.5, 1, 1.5, 2])
def test_equals_scikit_learn_from_the_same_start(rng, value):
    V, W, H = problem(rng)
    ours = beta.factorise(V, W, H, beta=value, passes=30)
    # Theirs updates W first, ours H: one pass of ours, transposed, is theirs.
    theirs = non_negative_factorization(
        V.T, H.T.copy(), W.T.copy(), n_components=4, init="custom", solver="mu", beta_loss=value,
        max_iter=30, tol=0,
    )  # fmt: skip
    assert np.allclose(ours.W @ ours.H, (theirs[0] @ theirs[1]).T, rtol=2e-3)


@pytest.mark.parametrize(("value", "name"), [(1, "kl"), (2, "euclidean"), (0, "itakura-saito")])
@pytest.mark.parametrize("sparsity", [0.0, 0.2])
def test_equals_the_three_divergences_that_models_are_learned_by(rng, value, name, sparsity):
    V, W, H = problem(rng)
    W /= W.sum(axis=0)
    settings = {"passes": 200, "tolerance": 0.0}
    ours = beta.factorise(V, W, H, beta=value, penalty=Penalty(sparsity), **settings)
    theirs = nmf.factorise(V, W, H, divergence=name, sparsity=sparsity, **settings)
    assert ours.history[-1] == pytest.approx(theirs.history[-1], rel=0.02)


def test_known_columns_stay(rng):
    V, W, H = problem(rng)
    found = beta.factorise(V, W, H, fixed=[0, 2], passes=20)
    assert np.array_equal(found.W[:, [0, 2]], W[:, [0, 2]])
    assert found.W[:, [1, 3]].sum(axis=0) == pytest.approx(1, abs=1e-5)


def test_smoothness_smooths_and_sparsity_thins(rng):
    V, W, H = problem(rng, frames=80)

    def activations(**penalty):
        return beta.factorise(V, W, H, penalty=Penalty(**penalty), passes=200).H

    plain = activations()

    def roughness(H):
        return (np.diff(H, axis=1) ** 2).sum() / (H**2).sum()

    assert roughness(activations(smoothness=5.0)) < 0.5 * roughness(plain)
    assert activations(sparsity=2.0).sum() < 0.6 * plain.sum()


def test_plca_is_kl_nmf_up_to_normalisation(rng):
    V, W, _ = problem(rng)
    W /= W.sum(axis=0)
    H = np.tile(V.sum(axis=0) / 4, (4, 1))
    found = plca(V, W, passes=40)
    factors = nmf.factorise(V, W, H, passes=40, tolerance=-1.0)
    assert np.allclose(found.bins, factors.W, atol=1e-5)
    assert np.allclose(found.activations(V), factors.H, rtol=1e-2, atol=1e-3)


def test_activations_of_kl_sum_to_their_frames(rng):
    V, W, H = problem(rng)
    W /= W.sum(axis=0)
    found = beta.factorise(V, W, H, fixed=slice(None), passes=1)
    assert found.H.sum(axis=0) == pytest.approx(V.sum(axis=0), rel=1e-4)


def test_likelihood_never_falls_and_known_bins_stay(rng):
    V, W, _ = problem(rng)
    found = plca(V, W, passes=50, known=2)
    assert np.diff(found.likelihood).min() >= -1e-5 * abs(found.likelihood[0])
    assert found.bins[:, :2] == pytest.approx(W[:, :2] / W[:, :2].sum(axis=0), rel=1e-5)
    assert found.bins.sum(axis=0) == pytest.approx(1, abs=1e-5)
    assert found.components.sum(axis=0) == pytest.approx(1, abs=1e-5)


def test_each_likelihood_is_that_of_what_the_pass_began_with(rng):
    V, W, _ = problem(rng, frames=1100)  # over two blocks of frames
    found = plca(V, W, passes=3)
    for passes, value in enumerate(found.likelihood):
        stopped = plca(V, W, passes=passes)
        direct = (V * np.log(stopped.bins.astype(np.float64) @ stopped.components)).sum()
        assert value == pytest.approx(direct, rel=1e-6)


@pytest.mark.parametrize("n", [1, 255, 256, 1000, 5000])
@pytest.mark.parametrize("sizes", [(1024, 256, 512), (512, 128, 512, True)])
def test_transform_returns_what_it_was_given(rng, n, sizes):
    transform = tutorial.Transform(*sizes)
    x = rng.standard_normal(n).astype(np.float32)
    assert transform.samples(transform.spectra(x), n) == pytest.approx(x, abs=1e-5)


def test_masks_share_no_component_and_add_up_to_one(rng):
    V, W, H = problem(rng)
    shares = tutorial.masks(W, H, [1, 3])
    assert sum(shares) == pytest.approx(np.ones_like(V), abs=1e-5)
    assert shares[0] == pytest.approx(np.outer(W[:, 0], H[0]) / (W @ H), rel=1e-4)


def test_unknown_columns_are_appended_and_known_ones_kept(rng):
    V, W, _ = problem(rng)
    found, _ = tutorial.nmf(V, [4, 2], W, MAXITER=20, fixedInds=range(4))
    assert found.shape == (23, 6)
    assert found[:, :4] == pytest.approx(W / W.sum(axis=0), rel=1e-5)


def tones(rng, rate=8000, seconds=2.0):
    t = np.arange(int(rate * seconds)) / rate
    low, high = (sum(np.sin(2 * np.pi * f * k * t) for k in (1, 2, 3)) for f in (220.0, 470.0))
    gates = (np.sin(2 * np.pi * f * t) > 0 for f in (1.3, 2.9))
    return [
        (tone * gate / 3).astype(np.float32) for tone, gate in zip((low, high), gates, strict=True)
    ]


@pytest.mark.parametrize(("way", "least"), [("supervised", 10), ("semi_supervised", 4)])
def test_tones_come_apart(rng, way, least):
    from rtsep.metrics import si_sdr

    sources = tones(rng)
    x = sources[0] + sources[1]
    given = sources if way == "supervised" else sources[:1]
    estimates = getattr(tutorial, way)(x, given, (6, 6), MAXITER=60)
    assert sum(estimates) == pytest.approx(x, abs=1e-3)
    assert min(si_sdr(s, e) for s, e in zip(sources, estimates, strict=True)) > least


def test_unsupervised_components_add_up_to_the_mixture(rng):
    x = sum(tones(rng))
    assert sum(tutorial.unsupervised(x, 5, MAXITER=20)) == pytest.approx(x, abs=1e-3)


BAD = {
    "shape": np.ones((3, 2, 1)), "empty": np.ones((3, 0)), "negative": np.full((3, 4), -1.0),
    "zero": np.zeros((3, 4)), "nan": np.full((3, 4), np.nan), "inf": np.full((3, 4), np.inf),
}  # fmt: skip


@pytest.mark.parametrize("learn", [plca, beta.factorise, nmf.factorise])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bad_matrices_are_named(learn, bad):
    with pytest.raises(ValueError, match=r"V (has|holds|is) .*wanted"):
        learn(bad, np.ones((3, 2), np.float32))


@pytest.mark.parametrize("learn", [plca, beta.factorise, nmf.factorise])
def test_a_single_column_is_learned_from(learn, rng):
    V = rng.random((6, 1)).astype(np.float32)
    found = learn(V, rng.random((6, 3)).astype(np.float32) + np.float32(0.1), passes=50)
    W, H = (found.bins, found.activations(V)) if learn is plca else (found.W, found.H)
    assert pytest.approx(V, abs=0.02) == W @ H


def test_bins_must_agree():
    with pytest.raises(ValueError, match=r"5 bins.*3"):
        plca(np.ones((3, 4)), np.ones((5, 2), np.float32))
    with pytest.raises(ValueError, match=r"5 bins.*3"):
        beta.factorise(np.ones((3, 4), np.float32), np.ones((5, 2), np.float32))
