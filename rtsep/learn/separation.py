"""Separation of matrices of mixtures by NMF, under the authors' names: learn, separate, judge.

V = U_0 + U_1 + ... (m, N), data are columns; estimates are (m, S, N).  What each `prob` needs:
std, exem : U, a list of matrices, one a source.      adv : U and mixtures V.
sup : U_sup, whose sum is V_sup.                      full : all four.
semi, semi_adv, semi_exem : U of all sources but the last, and the V to be separated (or like it).
Ludvigsen & Grasmair (2023, 2024); Bryan & Sun (2013) for the semi-supervised way.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtsep.learn.matrices import Array, blocks_of, matrices, matrix, one_of
from rtsep.learn.mdnmf import NMF
from rtsep.learn.wiener import EPS, wiener

PROBLEMS = ("std", "adv", "exem", "sup", "full", "semi", "semi_adv", "semi_exem")
METRICS = ("norm", "psnr")
Scores = NDArray[np.float64]


class NMF_separation:  # noqa: N801, the authors' name
    """Bases of several sources, and mixtures separated by them.  Not while sound runs.

    ds : components of each source.  NMFs, Ws : start from these models or bases (known ones for
    semi).  betas : gain of each source in the mixtures, which adversarial mixtures are scaled by.
    omegas : weight of mu_H for adversarial columns, a source each; `create_adversarial` gives
    them if None.  wiener : estimates are shares of the mixture, else W_i H_i.  tau_A, mu_H : one
    number, or one a source.  NMF_args : whatever else `NMF` takes.

    NMFs : a model for each source.  NMF_concat : all bases side by side, which separates.
    """

    def __init__(
        self,
        ds: Sequence[int],
        *,
        NMFs: Sequence[NMF] | None = None,
        Ws: Sequence[ArrayLike] | None = None,
        betas: Sequence[float] | None = None,
        omegas: Sequence[ArrayLike] | None = None,
        wiener: bool = True,
        prob: str = "std",
        eps: float = EPS,
        tau_A: float | Sequence[float] = 0.1,
        tau_S: float = 0.5,
        mu_H: float | Sequence[float] = 1e-10,
        warm_start_epochs: int = 0,
        random_state: int | None = 0,
        **NMF_args: Any,
    ) -> None:
        one_of("prob", prob, PROBLEMS)
        self.ds, self.prob, self.wiener, self.eps = [int(d) for d in ds], prob, wiener, eps
        self.betas = _each("betas", 1.0 if betas is None else betas, len(self.ds))
        self.omegas = omegas
        tau, mu = (_each(n, v, len(self.ds)) for n, v in (("tau_A", tau_A), ("mu_H", mu_H)))
        common = NMF_args | {"warm_start_epochs": warm_start_epochs, "random_state": random_state}
        alone = "exem" if "exem" in prob else "adv" if "adv" in prob else "std"
        self.NMFs = [*NMFs] if NMFs is not None else [
            NMF(d, prob=alone, tau_A=tau[s], mu_H=mu[s], **common) for s, d in enumerate(self.ds)
        ]  # fmt: skip
        for nmf, W in zip(self.NMFs, Ws or (), strict=False):
            nmf.W = W
        self.NMF_concat = NMF(
            ds=self.ds, tau_A=tau[0], tau_S=tau_S, mu_H=np.repeat(mu, self.ds), **common
        )

    def fit(
        self,
        U: Sequence[ArrayLike] | None = None,
        V: ArrayLike | None = None,
        U_sup: Sequence[ArrayLike] | None = None,
        V_sup: ArrayLike | None = None,
    ) -> Self:
        """Learn by `prob` from the data it takes (see the module); ValueError for lacking ones."""
        given = {"U": U, "V": V, "U_sup": U_sup, "V_sup": V_sup}
        lacking = [name for name in WANTED[self.prob] if given[name] is None]
        if lacking:
            raise ValueError(f"prob {self.prob!r} lacks {', '.join(lacking)}")
        clean = matrices(U, "U") if U is not None else []
        mixtures = matrix(V, "V") if V is not None else None
        if self.prob in ("sup", "full"):
            self._fit_strong(clean, mixtures, U_sup or (), V_sup)
        else:
            self._fit_each(clean, mixtures)
        return self

    def _fit_each(self, U: list[Array], V: Array | None) -> None:
        semi = self.prob.startswith("semi")
        if len(U) != len(self.ds) - semi:
            raise ValueError(f"{len(U)} matrices in U for {len(self.ds)} sources of {self.prob!r}")
        against = self.create_adversarial(U, V)[0] if "adv" in self.prob else [None] * len(U)
        for nmf, u, u_adv, omega in zip(self.NMFs, U, against, self._omegas(U, V), strict=False):
            nmf.omega = omega
            nmf.fit(u, u_adv)
        known = [nmf.W for nmf in self.NMFs[: len(U)]]
        self.NMF_concat.W = np.asfortranarray(np.hstack(known))
        if semi:
            if self.NMFs[-1].W is not None:
                self.NMF_concat.W = np.hstack([self.NMF_concat.W, self.NMFs[-1].W])
            assert V is not None
            self.NMF_concat.fit_std_semi(V)
        self.from_concat()

    def _fit_strong(
        self, U: list[Array], V: Array | None, U_sup: Sequence[ArrayLike], V_sup: Any
    ) -> None:
        if all(nmf.W is not None for nmf in self.NMFs):
            self.to_concat()
        if self.prob == "sup":
            self.NMF_concat.fit_sup(U_sup, V_sup)
        else:
            against, omegas = self.create_adversarial(U, V)
            self.NMF_concat.omegas = self.omegas or omegas
            self.NMF_concat.fit_full(U, against, U_sup, V_sup)
        self.from_concat()

    def _omegas(self, U: list[Array], V: Array | None) -> Sequence[ArrayLike | None]:
        if "adv" not in self.prob:
            return [None] * len(U)
        return self.omegas or self.create_adversarial(U, V)[1]

    def create_adversarial(
        self, U: Sequence[Array], V: Array | None = None
    ) -> tuple[list[Array], list[Array]]:
        """What each source is not: the others and the mixtures; and the omega of each column.

        A set of N_j columns among N in all is scaled by sqrt(N_j / N), mixtures by beta besides,
        and weighs N_j / N, mixtures beta times that.  Of one known source alone: beta V.
        """
        made = [_adversaries(s, U, V, self.betas[s]) for s in range(len(U))]
        return [against for against, _ in made], [omega for _, omega in made]

    def separate(self, V: ArrayLike) -> Array:
        """Estimates (m, S, N) of the sources of mixtures V (m, N)."""
        mixtures = matrix(V, "V")
        H, W = self.NMF_concat.transform(mixtures), np.asarray(self.NMF_concat.W)
        U = [W[:, block] @ H[block] for block in blocks_of(self.ds)]
        return np.stack(wiener(mixtures, U, self.eps) if self.wiener else U, axis=1)

    def eval(
        self,
        U_test: ArrayLike,
        V_test: ArrayLike,
        metric: str = "psnr",
        aggregate: str | None = "median",
    ) -> Any:
        """Scores of the estimates against U_test (m, S, N): "norm", or "psnr" in dB.

        The mean over sources for each column, "mean" or "median" of these, or all, (N,), if None.
        PSNR's peak is the largest entry of the reference; columns of silence are left out (NaN).
        """
        one_of("metric", metric, METRICS)
        scores = SCORES[metric](np.asarray(U_test), self.separate(V_test)).mean(axis=0)
        if aggregate is None:
            return scores
        one_of("aggregate", aggregate, ("mean", "median"))
        return float((np.nanmean if aggregate == "mean" else np.nanmedian)(scores))

    def to_concat(self) -> None:
        """Put the models' bases side by side into NMF_concat."""
        self.NMF_concat.W = np.asfortranarray(np.hstack([nmf.W for nmf in self.NMFs]))

    def from_concat(self) -> None:
        """Give each model its part of NMF_concat's basis."""
        for nmf, block in zip(self.NMFs, blocks_of(self.ds), strict=True):
            nmf.W = np.array(self.NMF_concat.W[:, block], order="F")


def _adversaries(
    source: int, U: Sequence[Array], V: Array | None, beta: float
) -> tuple[Array, Array]:
    sets = [(u, 1.0) for other, u in enumerate(U) if other != source]
    sets += [(V, beta)] if V is not None else []
    if not sets:
        raise ValueError("one source and no mixtures V (wanted: something not to learn)")
    total = sum(u.shape[1] for u, _ in sets)
    shares = [u.shape[1] / total for u, _ in sets]
    scaled = [np.float32(b * p**0.5) * u for (u, b), p in zip(sets, shares, strict=True)]
    omega = [np.full(u.shape[1], b * p) for (u, b), p in zip(sets, shares, strict=True)]
    return np.asfortranarray(np.hstack(scaled)), np.concatenate(omega)


def _each(name: str, value: float | Sequence[float], sources: int) -> list[float]:
    values = [float(value)] * sources if isinstance(value, int | float) else [*map(float, value)]
    if len(values) != sources:
        raise ValueError(f"{name} has {len(values)} values for {sources} sources")
    return values


def psnr(reference: NDArray[Any], estimate: NDArray[Any]) -> Scores:
    """In dB for each column, along axis 0; the peak is the reference's; NaN for silence."""
    error = np.mean((np.asarray(reference, np.float64) - estimate) ** 2, axis=0)
    peak = reference.max(axis=0)
    with np.errstate(divide="ignore"):
        score: Scores = 20 * np.log10(np.where(peak > 0, peak, np.nan)) - 10 * np.log10(error)
    return score


def _norm(reference: NDArray[Any], estimate: NDArray[Any]) -> Scores:
    error: Scores = np.linalg.norm(np.asarray(reference, np.float64) - estimate, axis=0)
    return error


SCORES: Mapping[str, Callable[[NDArray[Any], NDArray[Any]], Scores]] = {
    "psnr": psnr,
    "norm": _norm,
}
WANTED = {
    "std": ("U",), "exem": ("U",), "adv": ("U", "V"), "sup": ("U_sup", "V_sup"),
    "full": ("U", "V", "U_sup", "V_sup"),
    "semi": ("U", "V"), "semi_adv": ("U", "V"), "semi_exem": ("U", "V"),
}  # fmt: skip
