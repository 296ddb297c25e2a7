"""Projections: least squares in closed form, and a subspace that follows what is left over."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.dsp.activations import correlate
from rtsep.dsp.projections import (
    diagonalise,
    follow,
    parts,
    projector,
    sort_descending,
    straighten,
    subtract,
)

law = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 2**32 - 1)
f32 = np.float32


def orthonormal(bins, rank, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((bins, rank)))[0].astype(f32)


class Follower:
    """Known rows and an unseen subspace that begins empty; W (K, F)."""

    def __init__(self, known, unseen, bins, seed=0):
        self.known, self.rank, self.bins = known, known + unseen, bins
        self.W = np.zeros((self.rank, bins), f32)
        self.W[:known] = orthonormal(bins, known, seed).T
        self.P = projector(self.W[:known]) if known else np.zeros((1, bins), f32)
        self.energies, self.turn = np.zeros(unseen), 0
        self.core, self.vectors = np.empty((2, unseen + 1, unseen + 1))
        self.turned = np.empty((unseen, bins), f32)

    def residual(self, v):
        r, h = v.astype(f32), np.empty(self.rank + 1, f32)
        correlate(self.P, r, h, self.known, self.bins)
        subtract(self.W, h, r, 0, self.known, self.bins)
        return r

    def hear(self, v, rho=0.97):
        """As the separator does: the residual is followed, one row is straightened."""
        g, again = np.zeros((2, self.rank + 1), f32)
        follow(
            self.W, self.energies, self.residual(v), g, again, f32(rho), self.core, self.vectors,
            self.turned, self.known, self.rank, self.bins,
        )  # fmt: skip
        self.turn = (self.turn + 1) % (self.rank - self.known)
        row = self.known + self.turn
        straighten(self.W, self.P, g, row, self.known, self.rank, self.bins)

    def unseen(self):
        return self.W[self.known :].astype(float)

    def crookedness(self):
        """How far the rows that hold something are from orthonormal, to each other and to W0."""
        held = self.unseen()[self.energies > 1e-9 * max(self.energies.max(), 1e-30)]
        gram = held @ held.T - np.eye(len(held))
        return max(np.abs(gram).max(), np.abs(held @ self.W[: self.known].T).max(initial=0))


def projection(rows):
    return rows.T @ rows


@given(st.integers(1, 12), st.integers(12, 70), seeds)
@law
def test_the_projector_gives_least_squares(rank, bins, seed):
    rng = np.random.default_rng(seed)
    W, v = rng.standard_normal((rank, bins)).astype(f32), rng.standard_normal(bins).astype(f32)
    h = np.empty(rank, f32)
    correlate(projector(W), v, h, rank, bins)
    wanted = np.linalg.lstsq(W.T.astype(float), v.astype(float), rcond=None)[0]
    assert np.abs(h - wanted).max() <= 1e-3 * (1 + np.abs(wanted).max())


@given(st.integers(1, 12), st.integers(12, 70), seeds)
@law
def test_the_residual_holds_nothing_known(known, bins, seed):
    follower = Follower(known, 2, bins, seed)
    v = np.random.default_rng(seed).gamma(1.0, 1.0, bins)
    assert np.abs(follower.W[:known] @ follower.residual(v)).max() <= 1e-5 * np.linalg.norm(v)


@given(st.integers(1, 33), seeds)
@law
def test_rotations_find_numpys_eigenvalues(size, seed):
    """Of what the recursion makes: old eigenvalues on the diagonal plus a rank of one."""
    rng = np.random.default_rng(seed)
    energies, g = np.sort(rng.gamma(0.3, 1.0, size))[::-1], rng.standard_normal(size)
    matrix = np.diag(energies) + np.outer(g, g)
    core, vectors = matrix.copy(), np.empty((size, size))
    wanted = np.linalg.eigvalsh(matrix)[::-1]
    diagonalise(core, vectors, size)
    sort_descending(core, vectors, size)
    np.testing.assert_allclose(np.diag(core), wanted, atol=1e-6 * wanted[0])
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(size), atol=1e-12)
    np.testing.assert_allclose(vectors @ matrix @ vectors.T, np.diag(wanted), atol=1e-5 * wanted[0])


@given(st.integers(0, 5), st.integers(1, 8), st.sampled_from([0.8, 0.97, 1.0]), seeds)
@settings(deadline=None, max_examples=12)
def test_the_subspace_is_that_of_the_exact_recursion(known, unseen, rho, seed):
    bins = 40
    follower = Follower(known, unseen, bins, seed)
    rng = np.random.default_rng(seed)
    shapes = rng.standard_normal((unseen, bins)) * 3.0 ** -np.arange(unseen)[:, None]
    W, energies = np.zeros((bins, unseen)), np.zeros(unseen)
    for _ in range(60):
        v = rng.standard_normal(unseen) @ shapes + 1e-3 * rng.standard_normal(bins)
        W, energies = naive.subspace(
            W, energies, follower.residual(v).astype(float), float(f32(rho))
        )
        follower.hear(v, rho)
    np.testing.assert_allclose(follower.energies, energies, rtol=1e-3, atol=1e-5 * energies[0])
    np.testing.assert_allclose(projection(follower.unseen()), W @ W.T, atol=3e-3)


@given(st.integers(1, 6), seeds)
@settings(deadline=None, max_examples=12)
def test_without_forgetting_it_is_the_svd_of_the_residuals(unseen, seed):
    """Known W0 and d1 unseen sources: their span is that of the leading singular vectors."""
    follower = Follower(4, unseen, 50, seed)
    rng = np.random.default_rng(seed)
    V = rng.gamma(1.0, 1.0, (80, unseen)) @ rng.gamma(1.0, 1.0, (unseen, 50))
    for v in V:
        follower.hear(v, 1.0)
    W0 = follower.W[:4].astype(float)
    left = np.linalg.svd((V - V @ projection(W0)).T)[0][:, :unseen]
    np.testing.assert_allclose(projection(follower.unseen()), left @ left.T, atol=5e-3)


@pytest.mark.parametrize("unseen", [1, 4, 16])
def test_it_is_still_orthonormal_after_ten_thousand_hops(unseen):
    follower, rng = Follower(8, unseen, 65), np.random.default_rng(0)
    for _ in range(10_000):
        follower.hear(rng.gamma(0.5, 1.0, 65))
    assert follower.crookedness() <= 1e-5


@pytest.mark.parametrize("different", [1, 2, 5])
def test_it_is_orthonormal_on_sounds_that_repeat(different):
    """Fewer shapes than components: what is left over then is rounding, and no direction."""
    follower, rng = Follower(8, 16, 65), np.random.default_rng(0)
    shapes = rng.gamma(0.5, 1.0, (different, 65))
    for t in range(1000):
        follower.hear(shapes[t % different])
    rows = follower.unseen()
    lengths = np.linalg.norm(rows, axis=1)
    gram = rows @ rows.T - np.diag(lengths**2)
    assert np.all((lengths < 1e-5) | (np.abs(lengths - 1) < 1e-4))
    assert np.abs(gram).max() <= 1e-4


def test_silence_leaves_the_subspace_where_it_was():
    follower, rng = Follower(4, 3, 40), np.random.default_rng(0)
    for _ in range(50):
        follower.hear(rng.gamma(0.5, 1.0, 40))
    before = projection(follower.unseen())
    for _ in range(20):
        follower.hear(np.zeros(40))
    np.testing.assert_allclose(projection(follower.unseen()), before, atol=1e-5)


@given(st.integers(1, 9), st.integers(1, 60), seeds)
@law
def test_a_part_is_its_components_sum_but_never_negative(rank, bins, seed):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((rank, bins)).astype(f32)
    h, part = rng.standard_normal(rank).astype(f32), np.empty(bins, f32)
    first, last = sorted(rng.integers(0, rank + 1, 2))
    parts(W, h, part, first, last, bins)
    wanted = np.maximum(h[first:last].astype(float) @ W[first:last], 0)
    np.testing.assert_allclose(part, wanted, atol=1e-5)
