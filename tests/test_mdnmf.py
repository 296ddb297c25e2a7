"""Maximum-discrepancy NMF: laws of its updates, its start and its loop, and both its faces."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import non_negative_factorization

from rtsep.learn.discrepancy import ALL, Fit, Term, activate, improve, objective, unit
from rtsep.learn.estimator import MDNMF
from rtsep.learn.mdnmf import NMF

TAUS = (0.0, 0.1, 0.5, 2.0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def factors(rng, rows, d, columns):
    W, H = rng.gamma(0.5, 1, (rows, d)), rng.gamma(0.5, 1, (d, columns))
    return np.asfortranarray(W @ H + 0.1 * rng.random((rows, columns)), np.float32)


@pytest.fixture(name="U")
def true_data(rng):
    return factors(rng, 20, 4, 60)


@pytest.fixture(name="U_hat")
def adversarial_data(rng):
    return factors(rng, 20, 4, 45)


def term_of(U, W, rng, weight, passes=200, mu=1e-3):
    H = np.asfortranarray(rng.random((W.shape[1], U.shape[1])), np.float32)
    fit = Fit(U, H, np.full((W.shape[1], 1), mu, np.float32))
    fit.refresh(W, passes)
    return Term(U, fit, weight, np.arange(U.shape[1]), U.shape[1])


def basis(rng, rows=20, d=4):
    return np.asfortranarray(rng.uniform(0.1, 1, (rows, d)), np.float32)


@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("mu", [0.0, 0.01])
def test_a_full_step_of_the_basis_never_raises_the_objective(rng, U, U_hat, tau, mu):
    W = basis(rng)
    terms = [term_of(U, W, rng, 1.0), term_of(U_hat, W, rng, -tau)]
    for _ in range(30):
        before = objective(W, terms, mu)
        improve(W, ALL, terms, mu)
        assert objective(W, terms, mu) <= before + 1e-5 * abs(before)
        for term in terms:  # else the second term would fall without end
            term.fit.refresh(W, 50)


@pytest.mark.parametrize("in_turn", [(ALL,), (slice(0, 1), slice(1, 4))])
@pytest.mark.parametrize("mu", [0.0, 0.3])
def test_activations_never_raise_their_objective(rng, U, in_turn, mu):
    W, H = basis(rng), np.asfortranarray(rng.random((4, 60)), np.float32)
    weights = np.full((4, 1), mu, np.float32)
    values = []
    for _ in range(40):
        activate(U, W, H, weights, 1, in_turn)
        values.append(float(((U - W @ H) ** 2).sum() + 2 * mu * H.sum()))
    assert np.diff(values).max() <= 1e-5 * values[0]


def slope(function, at, direction, step=1e-3):
    above, below = (function(at + sign * step * direction) for sign in (1, -1))
    return (above - below) / (2 * step)


@pytest.mark.parametrize("tau", TAUS)
def test_gradient_is_that_of_finite_differences(rng, U, U_hat, tau):
    W = basis(rng).astype(np.float64)
    terms = [term_of(U, W, rng, 1.0), term_of(U_hat, W, rng, -tau)]
    pull = sum(term.parts(W)[0] for term in terms)
    push = sum(term.parts(W)[1] for term in terms)
    direction = rng.standard_normal(W.shape)
    found = slope(lambda moved: objective(moved, terms, 0.0), W, direction)
    assert found == pytest.approx(2 * float(np.vdot(push - pull, direction)), rel=1e-3)


def inner_minimised(W, U, lam):
    """|U - W H|^2 / N + penalty at the minimising H >= 0, by an independent solver."""
    from scipy.optimize import nnls

    d = W.shape[1]
    A = np.vstack([W, np.sqrt(lam) * np.eye(d)])  # a ridge, so that the minimiser is unique
    total, H = 0.0, np.empty((d, U.shape[1]))
    for n, u in enumerate(U.T):
        H[:, n], residual = nnls(A, np.concatenate([u, np.zeros(d)]))
        total += residual**2
    return total / U.shape[1], H


@pytest.mark.parametrize("tau", [0.1, 0.5])
def test_envelope_inner_activations_count_as_constant(rng, U, U_hat, tau):
    """d/dW of min_H equals the partial derivative at the minimiser (Danskin)."""
    W, direction = basis(rng).astype(np.float64), rng.standard_normal((20, 4))

    def reduced(moved):
        return inner_minimised(moved, U, 1e-3)[0] - tau * inner_minimised(moved, U_hat, 1e-3)[0]

    partial = 0.0
    for data, weight in ((U, 1.0), (U_hat, -tau)):
        H = inner_minimised(W, data, 1e-3)[1].astype(np.float32)
        fit = Fit(data, H, np.zeros((4, 1), np.float32))
        pull, push = Term(data, fit, weight, np.arange(len(H.T)), len(H.T)).parts(W)
        partial += 2 * float(np.vdot(push - pull, direction))
    assert slope(reduced, W, direction, 1e-5) == pytest.approx(partial, rel=1e-3)


def test_equals_scikit_learn_from_the_same_start(rng, U):
    W = basis(rng)
    H = np.asfortranarray(rng.uniform(0.1, 1, (4, 60)), np.float32)
    # Theirs, transposed, updates H first; ours W: their start is ours after one pass of H.
    fit = Fit(U, H.copy(), np.zeros((4, 1), np.float32))
    term = Term(U, fit, 1.0, np.arange(60), 60)
    ours = W.copy()
    for _ in range(25):
        fit.refresh(ours)
        improve(ours, ALL, [term], 0.0)
    theirs = non_negative_factorization(
        U.T, H.T.copy(), W.T.copy(), n_components=4, init="custom", solver="mu",
        beta_loss="frobenius", max_iter=25, tol=0,
    )  # fmt: skip
    assert ours @ fit.H == pytest.approx((theirs[0] @ theirs[1]).T, rel=1e-3, abs=1e-4)


def test_unit_columns_leave_the_product(rng, U):
    W = basis(rng)
    term = term_of(U, W, rng, 1.0, passes=5)
    before = W @ term.H
    unit(W, ALL, [term.fit])
    assert np.linalg.norm(W, axis=0) == pytest.approx(1, abs=1e-5)
    assert np.allclose(W @ term.H, before, rtol=1e-4)


def test_the_example_of_the_authors_runs(U, U_hat):
    nmf = NMF(d=8, batch_size=20, epochs=30, prob="adv", tau_A=0.1)
    nmf.fit_adv(U, U_hat)
    assert nmf.W.shape == (20, 8)
    assert nmf.H.shape == (8, 60)
    assert nmf.H_adv.shape == (8, 45)
    assert nmf.transform(U).shape == (8, 60)


def explained(W, U):
    return inner_minimised(np.asarray(W, np.float64), U, 1e-9)[0] / (U**2).sum(axis=0).mean()


def test_what_is_not_to_be_explained_is_explained_worse(U, U_hat):
    plain = NMF(4, epochs=200, random_state=1).fit_std(U)
    against = NMF(4, epochs=200, tau_A=0.5, random_state=1).fit_adv(U, U_hat)
    assert explained(against.W, U_hat) > 1.1 * explained(plain.W, U_hat)
    assert explained(against.W, U) >= explained(plain.W, U)


def test_a_component_of_adversarial_data_alone_does_not_run_away(rng):
    U, U_hat = np.zeros((2, 6, 400), np.float32)
    U[:3], U_hat[3:] = rng.random((2, 3, 400))
    W = np.eye(6, dtype=np.float32)[:, [0, 1, 2, 3, 4]] + np.float32(0.01)
    nmf = NMF(5, W=W, epochs=10, batch_size=4, batch_size_adv=4, tau_A=0.5, test_epochs=20)
    nmf.fit_adv(U, U_hat)
    assert np.abs(nmf.W).max() < 10


def test_tau_zero_is_plain_nmf(rng, U, U_hat):
    W = basis(rng)
    plain = NMF(4, epochs=20, W=W, test_epochs=500).fit_std(U)
    against = NMF(4, epochs=20, W=W, tau_A=0.0, test_epochs=500).fit_adv(U, U_hat)
    assert np.allclose(against.W, plain.W, atol=2e-3)


def test_history_falls_whole_and_in_mini_batches(U):
    for batch in (None, 7, 60, 1000):
        nmf = NMF(4, epochs=25, batch_size=batch).fit_std(U, conv=True)
        assert len(nmf.history) == 26
        assert nmf.history[-1] < 0.9 * nmf.history[0]
    assert np.diff(NMF(4, epochs=25).fit_std(U, conv=True).history).max() <= 0


@pytest.mark.parametrize("update_H", [False, True])
def test_supervised_and_full_learn_blocks_that_separate(U, U_hat, update_H):
    U, V_other = U[:, :45], U_hat
    settings = {"ds": [4, 4], "epochs": 40, "update_H": update_H, "batch_size_sup": 15}
    strong = NMF(**settings).fit_sup([U, V_other], U + V_other, conv=True)
    assert strong.history[-1] < strong.history[0]
    assert strong.H_sup.shape == (8, 45)
    full = NMF(**settings, tau_S=0.5, batch_size=10, batch_size_adv=9, warm_start_epochs=2)
    full.fit_full([U, V_other], [V_other, U], [U, V_other], U + V_other)
    assert [H.shape for H in full.H] == [(4, 45), (4, 45)]
    assert full.W.shape == (20, 8)


def test_semi_keeps_what_is_known_even_when_normalised(rng, U):
    W = 3 * basis(rng)
    nmf = NMF(ds=[4, 3], W=W, epochs=20, normalize=True).fit_std_semi(U, conv=True)
    assert np.array_equal(nmf.W[:, :4], W)
    assert np.linalg.norm(nmf.W[:, 4:], axis=0) == pytest.approx(1, abs=1e-5)
    assert nmf.history[-1] < nmf.history[0]


def test_one_source_alone_is_explained_by_its_own_columns(rng, U):
    W, settings = basis(rng), {"test_epochs": 50, "random_state": 1}
    both, alone = NMF(ds=[1, 3], W=W, **settings), NMF(3, W=W[:, 1:], **settings)
    assert np.allclose(both.transform_source(U, 1), alone.transform(U), rtol=1e-4)
    assert both.transform_source(U, 0).shape == (1, 60)


def test_exemplars_are_columns_of_the_data(U):
    nmf = NMF(5, random_state=2).fit_exem(U)
    for w in nmf.W.T:
        assert np.abs(U.T - w).max(axis=1).min() < 1e-6


def test_given_basis_is_copied_and_zeros_do_not_spread(rng, U):
    W = basis(rng)
    W[3, 2] = 0
    kept = W.copy()
    nmf = NMF(4, W=W, epochs=5).fit_std(U)
    assert np.array_equal(W, kept)
    assert np.isfinite(nmf.W).all()


def test_same_seed_same_basis(U):
    bases = [NMF(4, batch_size=10, epochs=3, random_state=s).fit_std(U).W for s in (3, 3, 4)]
    assert np.array_equal(bases[0], bases[1])
    assert not np.array_equal(bases[0], bases[2])


def test_estimator_has_scikit_learns_face(U, U_hat):
    model = clone(MDNMF(n_components=4, max_iter=30, tau=0.2))
    H = model.fit_transform(U.T, adversarial=U_hat.T)
    assert H.shape == (60, 4)
    assert model.components_.shape == (4, 20)
    twin = NMF(4, epochs=30, tau_A=0.2, test_epochs=100, mu_W=0, mu_H=0).fit_adv(U, U_hat)
    assert np.allclose(model.components_.T, twin.W, rtol=1e-5)
    assert model.inverse_transform(H) == pytest.approx((twin.W @ twin.H).T, rel=1e-4)
    assert model.transform(U.T).shape == (60, 4)
    assert model.set_params(tau=0.3).get_params() == clone(model).get_params()
    with pytest.raises(ValueError, match="rank"):
        model.set_params(rank=3)
    for ask in (clone(model).transform, clone(model).inverse_transform):
        with pytest.raises(ValueError, match="call fit first"):
            ask(U.T)


@pytest.mark.parametrize("mu_H", [-1.0, np.nan, [0.1, -0.1, 0.1, 0.1]])
def test_penalties_under_zero_are_refused(mu_H):
    with pytest.raises(ValueError, match=r"mu_H is (-|nan).*wanted: 0 or more"):
        NMF(4, mu_H=mu_H)


BAD = {
    "negative": (np.array([[1.0, -1.0]]), "-1"),
    "nan": (np.array([[1.0, np.nan]]), "nan"),
    "infinite": (np.array([[1.0, np.inf]]), "inf"),
    "zero": (np.zeros((3, 4)), "zero everywhere"),
    "empty": (np.zeros((3, 0)), r"\(3, 0\)"),
    "flat": (np.ones(3), r"\(3,\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data_are_named(name):
    U, told = BAD[name]
    with pytest.raises(ValueError, match=told):
        NMF(1).fit_std(U)


def test_bad_settings_are_named(U, U_hat):
    for settings, told in (
        ({"d": 0}, "0"),
        ({}, "neither"),
        ({"d": 5, "ds": [2, 2]}, "5.*4"),
        ({"d": 2, "prob": "best"}, "best.*std"),
        ({"d": 2, "tau_A": -0.1}, "tau_A is -0.1"),
        ({"d": 2, "batch_size": -4}, "batch_size is -4"),
    ):
        with pytest.raises(ValueError, match=told):
            NMF(**settings)
    with pytest.raises(ValueError, match="d is 61, over 60"):
        NMF(61).fit_std(U)
    with pytest.raises(ValueError, match=r"19 rows and 20"):
        NMF(2).fit_adv(U, U_hat[:19])
    with pytest.raises(ValueError, match="3 columns, d is 2"):
        NMF(2, W=np.ones((20, 3))).fit_std(U)
    with pytest.raises(ValueError, match="W is None"):
        NMF(2).transform(U)
    with pytest.raises(TypeError, match="<U3"):
        NMF(2).fit_std(np.array([["abc"]]))


def test_single_column_can_be_learned():
    nmf = NMF(1, epochs=5).fit_std(np.array([[1.0], [2.0], [0.0]]))
    assert np.allclose(nmf.W @ nmf.H, [[1.0], [2.0], [0.0]], atol=1e-3)


def test_the_authors_example_runs_with_only_its_import_changed():
    from rtsep.learn import NMF

    d, (U, U_hat) = 32, np.random.default_rng(0).random((2, 20, 600)) ** 3
    # from here on as their README has it
    nmf = NMF(d = d, batch_size = 500, epochs = 100)  # fmt: skip
    nmf.fit_std(U)
    W = nmf.W
    H = nmf.H
    U_reconstructed = np.dot(W, H)
    H = nmf.transform(U)
    nmf = NMF(d = d, batch_size = 500, epochs = 100, prob = "adv", tau_A = 0.1)  # fmt: skip
    nmf.fit_adv(U, U_hat)
    # up to here
    assert np.mean((U - U_reconstructed) ** 2) < 0.05 * np.mean(U**2)
    assert W.shape == nmf.W.shape == (20, 32)
    assert H.shape == (32, 600)


def test_what_learning_offers_is_listed_and_says_what_it_is():
    import rtsep.learn as learn

    assert all(getattr(learn, name).__doc__ for name in learn.__all__)
    assert all(f"{name}" in learn.__doc__ for name in learn.__all__)
