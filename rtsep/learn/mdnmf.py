"""NMF of one source, learned from what it is and from what it is not, under the authors' names.

Data are COLUMNS here and `transform(U)` gives H (d, N); `rtsep.learn.estimator.MDNMF` is the same
with scikit-learn's conventions, where they are rows.  Ludvigsen & Grasmair (2023, 2024).

    nmf = NMF(d=32, batch_size=500, epochs=100, prob="adv", tau_A=0.1)
    nmf.fit_adv(U, U_hat)

mu_W and mu_H are half the gamma and lambda that weigh |W|_1 and |H|_1 in the objective.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtsep.learn.assembly import KINDS, Assembly, Fits, Sets, Start
from rtsep.learn.discrepancy import ALL, FLOOR, Array, unit
from rtsep.learn.matrices import at_least, blocks_of, matrices, matrix, one_of
from rtsep.learn.schedule import Problem, Progress, run
from rtsep.learn.threads import one_thread

PROBLEMS = ("std", "adv", "sup", "full", "exem", "semi")
STARTS = ("exem", "rand")


@dataclass
class NMF:
    """A basis W (m, d) of one source, or W = [W_0 W_1 ...] of several.  Not while sound runs.

    d : components; ds : components of each source, where several.  prob : what `fit` learns.
    tau_W, tau_A, tau_S : weights of true, adversarial and strong supervised data.
    omega : weight of mu_H for each adversarial column; omegas : such for each source.
    W : start or known basis, copied; drawn from the data ("exem") or uniform ("rand") if None.
    epochs : passes over the data; warm_start_epochs : such before them of the true data alone.
    test_epochs : passes of `transform`, and those that H starts with.
    batch_size, _adv, _sup : columns of a mini-batch, None for all; true_sample ("std", "adv",
    "sup") : whose mini-batches make an epoch.  update_H : update a mini-batch's activations
    before its step of W.  normalize : columns of W to unit length after each epoch.
    mu_H : a number or (d,).  progress : called with epoch and objective.

    After a fit W, H, H_adv, H_sup are float32 (lists for `fit_full`), and `history` holds the
    objective at the start and after every epoch where conv=True.
    """

    d: int | None = None
    _: KW_ONLY
    ds: Sequence[int] | None = None
    tau_W: float = 1.0  # noqa: N815
    tau_A: float = 0.1  # noqa: N815
    tau_S: float = 0.0  # noqa: N815
    omega: ArrayLike | None = None
    omegas: Sequence[ArrayLike] | None = None
    W: Any = None
    prob: str = "std"
    init: str = "exem"
    update_H: bool = False  # noqa: N815
    epochs: int = 50
    test_epochs: int = 50
    warm_start_epochs: int = 0
    batch_size: int | None = None
    batch_size_adv: int | None = None
    batch_size_sup: int | None = None
    true_sample: str = "std"
    normalize: bool = False
    mu_W: float = 1e-6  # noqa: N815
    mu_H: float | ArrayLike = 1e-6  # noqa: N815
    random_state: int | None = 0
    progress: Progress | None = None
    H: Any = field(default=None, init=False, repr=False)
    H_adv: Any = field(default=None, init=False, repr=False)
    H_sup: Any = field(default=None, init=False, repr=False)
    history: list[float] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.ds = _ranks(self.d, self.ds)
        self.d = sum(self.ds)
        one_of("prob", self.prob, PROBLEMS)
        one_of("init", self.init, STARTS)
        one_of("true_sample", self.true_sample, KINDS)
        at_least(0, tau_A=self.tau_A, tau_S=self.tau_S, tau_W=self.tau_W, mu_W=self.mu_W)
        at_least(0, mu_H=float(np.min(np.asarray(self.mu_H, np.float64))))
        at_least(0, epochs=self.epochs, warm_start_epochs=self.warm_start_epochs)
        at_least(1, test_epochs=self.test_epochs)
        for name in ("batch_size", "batch_size_adv", "batch_size_sup"):
            at_least(1, **{name: getattr(self, name) or 1})
        self._rng = np.random.default_rng(self.random_state)

    @property
    def blocks(self) -> list[slice]:
        """Columns of W of each source."""
        return blocks_of(self.ds or ())

    def fit(self, U: ArrayLike, U_adv: ArrayLike | None = None, conv: bool = False) -> Self:
        """What `prob` says of one matrix: "std", "exem", "semi", or "adv" against U_adv."""
        if self.prob == "adv" and U_adv is not None:
            return self.fit_adv(U, U_adv, conv)
        if self.prob == "exem":
            return self.fit_exem(U)
        if self.prob in ("std", "semi"):
            return (self.fit_std if self.prob == "std" else self.fit_std_semi)(U, conv)
        lacks = "U_adv" if self.prob == "adv" else f"fit_{self.prob}"
        raise ValueError(f"prob is {self.prob!r}: one matrix does not do (wanted: {lacks})")

    def fit_std(self, U: ArrayLike, conv: bool = False) -> Self:
        """Standard NMF of U (m, N)."""
        return self._learn({"std": [matrix(U, "U")]}, conv)

    def fit_adv(self, U: ArrayLike, U_adv: ArrayLike, conv: bool = False) -> Self:
        """A basis that explains U (m, N) and does not explain U_adv (m, N_adv)."""
        return self._learn({"std": [matrix(U, "U")], "adv": [matrix(U_adv, "U_adv")]}, conv)

    def fit_sup(self, U_sup: Sequence[ArrayLike], V_sup: ArrayLike, conv: bool = False) -> Self:
        """Discriminative NMF: bases whose joint fit of V_sup separates it into the U_sup."""
        strong = matrices(U_sup, "U_sup")
        return self._learn({"sup": strong, "mixed": [matrix(V_sup, "V_sup")]}, conv)

    def fit_full(
        self,
        U: Sequence[ArrayLike],
        U_adv: Sequence[ArrayLike],
        U_sup: Sequence[ArrayLike],
        V_sup: ArrayLike,
        conv: bool = False,
    ) -> Self:
        """All of these at once, weighted by tau_W, tau_A and tau_S."""
        sets = {"std": matrices(U, "U"), "adv": matrices(U_adv, "U_adv")}
        sets |= {"sup": matrices(U_sup, "U_sup"), "mixed": [matrix(V_sup, "V_sup")]}
        return self._learn(sets, conv)

    def fit_exem(self, U: ArrayLike) -> Self:
        """Exemplar NMF: d columns of U, drawn without repetition, are the basis."""
        data = matrix(U, "U")
        self.W = self._exemplars(data, self.d or 0)
        if self.normalize:
            unit(self.W, ALL, ())
        self.H = self.transform(data)
        return self

    def fit_std_semi(self, V: ArrayLike, conv: bool = False) -> Self:
        """The last block of W from mixtures V (m, N); the columns before it stay as they are.

        W holds those columns, or all, the last block being its start.
        """
        mixtures, unknown = matrix(V, "V"), self.blocks[-1]
        with one_thread():
            W = self._start_unknown(mixtures)
            fit = self._activations.fit(mixtures, W, in_turn=self.blocks)
            term = self._assembly.term("std", mixtures, fit, own=unknown)
            self._run(Problem(W, [(unknown, [term])], [fit], term, self.mu_W), conv)
        self.W, self.H = W, fit.H
        return self

    def transform(self, U: ArrayLike) -> Array:
        """H (d, N) of U under all of W: a uniform start and `test_epochs` passes."""
        return self._transformed(matrix(U, "U"), ALL)

    def transform_source(self, U: ArrayLike, source: int) -> Array:
        """H (d, N) of U under the basis of one source alone."""
        return self._transformed(matrix(U, "U"), self.blocks[source])

    def _transformed(self, U: Array, block: slice) -> Array:
        if self.W is None:
            raise ValueError("W is None (wanted: a basis; call a fit method first)")
        with one_thread():
            return self._activations.fit(U, self._given(U), block).H

    def _learn(self, sets: dict[str, list[Array]], conv: bool) -> Self:
        """Matrices of each source under "std", "adv" and "sup"; their sum under "mixed"."""
        _check_sets(sets, len(self.blocks))
        alone = {"std": sets.get("std") or sets["sup"]}
        with one_thread():
            W = self._start(alone["std"])
            if self.warm_start_epochs and set(sets) != {"std"}:
                problem, _ = self._problem(W, alone)
                run(problem, self.warm_start_epochs, self._rng)
            problem, fits = self._problem(W, sets)
            self._run(problem, conv)
        several = len(self.blocks) > 1
        self.W, self.H_sup = W, fits["sup"][0].H if "sup" in fits else None
        for name, kind in (("H", "std"), ("H_adv", "adv")):
            H = [fit.H for fit in fits.get(kind, ())]
            setattr(self, name, H if several and H else H[0] if H else None)
        return self

    def _run(self, problem: Problem, conv: bool) -> None:
        problem.update_H, problem.normalize = self.update_H, self.normalize
        run(problem, self.epochs, self._rng, conv, self.progress)
        self.history = problem.history

    def _problem(self, W: Array, sets: Sets) -> tuple[Problem, Fits]:
        if self.normalize:
            unit(W, ALL, ())
        terms, fits = self._assembly.terms(W, sets)
        lead = terms[self.true_sample if self.true_sample in terms else next(iter(terms))][0]
        by_block = [(b, [*each]) for b, *each in zip(self.blocks, *terms.values(), strict=True)]
        every = [fit for each in fits.values() for fit in each]
        return Problem(W, by_block, every, lead, self.mu_W), fits

    @property
    def _assembly(self) -> Assembly:
        weights = {"std": self.tau_W, "adv": -self.tau_A, "sup": self.tau_S}
        sizes = (self.batch_size, self.batch_size_adv, self.batch_size_sup)
        one = [self.omega] * len(self.blocks)
        omegas: Sequence[ArrayLike | None] = self.omegas or one
        batches = dict(zip(KINDS, sizes, strict=True))
        return Assembly(self.blocks, weights, batches, omegas, self._activations)

    @property
    def _activations(self) -> Start:
        mu = np.broadcast_to(np.asarray(self.mu_H, np.float32), (self.d or 0,))
        return Start(self._rng, mu[:, None], self.test_epochs)

    def _given(self, U: Array) -> Array:
        """A copy of W, for it is changed in place."""
        W = np.array(self.W, np.float32, order="F")
        if W.ndim != 2 or len(W) != len(U):
            raise ValueError(f"W has shape {W.shape}, the data have {len(U)} rows")
        return W

    def _start(self, sources: list[Array]) -> Array:
        if self.W is None:
            each = zip(sources, self.ds or (), strict=True)
            return np.asfortranarray(np.hstack([self._drawn(U, d) for U, d in each]))
        W = self._given(sources[0])
        if W.shape[1] != self.d:
            raise ValueError(f"W has {W.shape[1]} columns, d is {self.d}")
        return W

    def _start_unknown(self, V: Array) -> Array:
        known = self.blocks[-1].start
        W = self._given(V) if self.W is not None else np.empty((len(V), 0), np.float32)
        if W.shape[1] == known:
            W = np.asfortranarray(np.hstack([W, self._drawn(V, self.blocks[-1].stop - known)]))
        if W.shape[1] != self.d:
            raise ValueError(f"W has {W.shape[1]} columns (wanted: {known} known, or {self.d})")
        if self.normalize:
            unit(W, self.blocks[-1], ())
        return W

    def _drawn(self, U: Array, d: int) -> Array:
        if self.init == "exem":
            return self._exemplars(U, d)
        return np.asfortranarray(self._rng.random((len(U), d), np.float32) + FLOOR)

    def _exemplars(self, U: Array, d: int) -> Array:
        if d > U.shape[1]:
            raise ValueError(f"d is {d}, over {U.shape[1]}, the columns to draw exemplars from")
        columns: NDArray[np.intp] = self._rng.choice(U.shape[1], d, replace=False)
        return np.asfortranarray(np.maximum(U[:, columns], FLOOR))


def _ranks(d: int | None, ds: Sequence[int] | None) -> list[int]:
    if d is None and ds is None:
        raise ValueError("neither d nor ds is given (wanted: the number of components)")
    ranks = [int(d or 0)] if ds is None else [int(each) for each in ds]
    if min(ranks, default=0) < 1:
        raise ValueError(f"components are {ranks} (wanted: 1 at least for each source)")
    if d is not None and d != sum(ranks):
        raise ValueError(f"d is {d}, the sum of ds is {sum(ranks)}")
    return ranks


def _check_sets(sets: dict[str, list[Array]], sources: int) -> None:
    rows = len((sets.get("std") or sets["sup"])[0])
    for kind, each in sets.items():
        if kind != "mixed" and len(each) != sources:
            raise ValueError(f"{len(each)} {kind} matrices are given for {sources} sources")
        for U in each:
            if len(U) != rows:
                raise ValueError(f"data have {len(U)} rows and {rows} rows (wanted: the same)")
    for U in sets.get("sup", ()):
        if U.shape != sets["mixed"][0].shape:
            raise ValueError(f"U_sup has shape {U.shape}, V_sup {sets['mixed'][0].shape}")
