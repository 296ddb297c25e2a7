"""Separation of matrices: what each way learns from, adversarial sets, Wiener shares, unseen."""

import numpy as np
import pytest

from rtsep.learn.asvd import moments
from rtsep.learn.separation import PROBLEMS, WANTED, NMF_separation, psnr
from rtsep.learn.unseen import parts, residual, separate, tau_path, unseen_basis
from rtsep.learn.wiener import projected, wiener

FAST = {"epochs": 40, "test_epochs": 60}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def sources(rng):
    """Two sources whose bases overlap in part, (24, 80) each."""
    bases = rng.gamma(0.4, 1, (2, 24, 3))
    return [(W @ rng.gamma(0.6, 1, (3, 80))).astype(np.float32) for W in bases]


def given(prob, U, U_sup):
    full = {"U": U[:1] if prob.startswith("semi") else U, "V": sum(U)}
    full |= {"U_sup": U_sup, "V_sup": sum(U_sup)}
    return {name: full[name] for name in WANTED[prob]}


@pytest.mark.parametrize("prob", PROBLEMS)
def test_every_way_separates_better_than_the_mixture_itself(sources, prob):
    U, V = sources, sum(sources)
    rank = 20 if "exem" in prob else 3
    model = NMF_separation([rank, 3 if "semi" in prob else rank], prob=prob, **FAST)
    model.fit(**given(prob, U, U))
    test = np.stack(U, axis=1)
    alone = float(np.median(psnr(test, np.stack([V, V], axis=1) / 2).mean(axis=0)))
    assert model.eval(test, V) > alone + 2
    assert (
        model.eval(test, V, "norm", "mean") < np.linalg.norm(test - V[:, None] / 2, axis=0).mean()
    )


def test_estimates_share_the_mixture(sources):
    model = NMF_separation([3, 3], **FAST).fit(sources)
    V = sum(sources)
    estimates = model.separate(V)
    assert estimates.shape == (24, 2, 80)
    assert estimates.min() >= 0
    assert np.allclose(estimates.sum(axis=1), V, atol=1e-3 * V.max())
    model.wiener = False
    assert not np.allclose(model.separate(V).sum(axis=1), V, atol=1e-3 * V.max())


def test_adversarial_sets_are_the_others_and_the_mixtures(sources):
    U = [sources[0], sources[1][:, :40]]
    V = sources[0] + sources[1]
    sets, omegas = NMF_separation([3, 3], betas=[0.5, 1.0]).create_adversarial(U, V)
    assert sets[0] == pytest.approx(
        np.hstack([np.sqrt(40 / 120) * U[1], np.sqrt(80 / 120) * 0.5 * V]), rel=1e-5
    )
    assert omegas[0] == pytest.approx([40 / 120] * 40 + [0.5 * 80 / 120] * 80)
    assert sets[1].shape == (24, 160)
    alone, weights = NMF_separation([3, 3], betas=[0.5, 1.0]).create_adversarial(U[:1], V)
    assert alone[0] == pytest.approx(0.5 * V)
    assert set(weights[0]) == {0.5}


def test_semi_keeps_the_known_basis_and_a_given_start(sources, rng):
    known = rng.random((24, 3)).astype(np.float32)
    model = NMF_separation([3, 3], Ws=[known], prob="semi", epochs=0, test_epochs=5)
    model.fit(sources[:1], sum(sources))
    assert np.allclose(model.NMF_concat.W[:, :3], known)


def test_each_sources_sparsity_is_its_own(sources):
    model = NMF_separation([3, 2], mu_H=[1e-3, 1e-1])
    assert [nmf.mu_H for nmf in model.NMFs] == [1e-3, 1e-1]
    assert model.NMF_concat.mu_H == pytest.approx([1e-3] * 3 + [1e-1] * 2)


@pytest.mark.parametrize("prob", ["sup", "full", "adv"])
def test_warm_start_runs(sources, prob):
    model = NMF_separation([3, 3], prob=prob, warm_start_epochs=3, epochs=2, test_epochs=5)
    model.fit(**given(prob, sources, sources))
    assert np.isfinite(model.separate(sum(sources))).all()


def test_concatenation_and_back(sources):
    model = NMF_separation([3, 3], **FAST).fit(sources)
    before = [nmf.W.copy() for nmf in model.NMFs]
    model.to_concat()
    model.from_concat()
    assert all(np.array_equal(a, nmf.W) for a, nmf in zip(before, model.NMFs, strict=True))


def test_what_lacks_is_named(sources):
    with pytest.raises(ValueError, match="'adv' lacks V"):
        NMF_separation([3, 3], prob="adv").fit(sources)
    with pytest.raises(ValueError, match="1 matrices in U for 2 sources"):
        NMF_separation([3, 3]).fit(sources[:1])
    with pytest.raises(ValueError, match="tau_A has 3 values for 2 sources"):
        NMF_separation([3, 3], tau_A=[0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="something not to learn"):
        NMF_separation([3]).create_adversarial(sources[:1])


def test_psnr_of_columns():
    reference = np.array([[2.0, 0.0], [0.0, 0.0]])
    estimate = reference + 0.2
    found = psnr(reference, estimate)
    assert found[0] == pytest.approx(20)
    assert np.isnan(found[1])


def test_wiener_gives_nothing_where_nothing_is_modelled():
    V = np.ones((3, 2), np.float32)
    zero = np.zeros((3, 2), np.float32)
    assert all(np.array_equal(part, zero) for part in wiener(V, [zero, zero]))
    assert projected(np.array([-1.0, 0.5, 2.0]), 1.0) == pytest.approx([0, 0.5, 1])


def orthonormal(rng, rows=24, d=5):
    return np.linalg.qr(rng.standard_normal((rows, d)))[0].astype(np.float32)


def test_unseen_basis_is_the_residuals_leading_left_singular_vectors(rng, sources):
    W, V = orthonormal(rng), sum(sources)
    found = unseen_basis(moments([V[:, :30], V[:, 30:]], 24), W, 4)
    R = V.astype(np.float64) - W @ (W.T @ V)
    X = np.linalg.svd(R)[0][:, :4]
    assert np.allclose(found @ found.T, X @ X.T, atol=1e-4)
    assert np.abs(W.T @ found).max() < 1e-5


def test_no_other_unseen_basis_leaves_less(rng, sources):
    W, V = orthonormal(rng), sum(sources)
    statistics = moments([V], 24)

    def left(W_1):
        return ((V - sum(parts(V, [W, W_1]))) ** 2).sum()

    best = left(unseen_basis(statistics, W, 3))
    for _ in range(20):
        other = rng.standard_normal((24, 3))
        other -= W @ (W.T @ other)
        assert left(np.linalg.qr(other)[0].astype(np.float32)) >= best


def test_residual_moments_are_those_of_the_residual(rng, sources):
    W, V = orthonormal(rng), sum(sources)
    R = V - W @ (W.T @ V)
    assert np.allclose(residual(moments([V], 24), W).total, R @ R.T, rtol=1e-3, atol=1e-2)


def test_tau_path_begins_with_the_svd(sources):
    U, V = (moments([each], 24) for each in (sources[0], sum(sources)))
    path = dict(tau_path(U, V, 2, (0.0, 0.1, 0.3)))
    X = np.linalg.svd(sources[0].astype(np.float64))[0][:, :2]
    assert np.allclose(path[0.0] @ path[0.0].T, X @ X.T, atol=1e-4)
    explained = [((W.T @ sources[0]) ** 2).sum() for W in path.values()]
    assert np.diff(explained).max() <= 0


def test_separation_stays_within_the_space(rng, sources):
    V = sum(sources)
    W = unseen_basis(moments([sources[0]], 24), np.zeros((24, 1), np.float32), 2)
    estimates = separate(V, [W, unseen_basis(moments([V], 24), W, 3)])
    assert all(each.min() >= 0 and (each <= V + 1e-5).all() for each in estimates)
    with pytest.raises(ValueError, match=r"23 bins.*24"):
        unseen_basis(moments([V], 24), W[:23], 2)
