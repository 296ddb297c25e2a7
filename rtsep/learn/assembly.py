"""Data of each kind and source to the terms that teach each block of a basis.

Kinds: "std" true data, "adv" what not to explain, "sup" the parts of mixtures, whose sum, under
"mixed", is explained by all blocks together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rtsep.learn.discrepancy import ALL, FLOOR, Array, Fit, Term

KINDS = ("std", "adv", "sup")
Sets = Mapping[str, list[Array]]  # a matrix (m, N) a source; of "mixed" one
Fits = dict[str, list[Fit]]


@dataclass(frozen=True)
class Start:
    """How activations begin: uniform, then `passes` updates.  mu : (d, 1)."""

    rng: np.random.Generator
    mu: Array
    passes: int

    def fit(
        self,
        V: Array,
        W: Array,
        block: slice = ALL,
        *,
        in_turn: Sequence[slice] = (ALL,),
        omega: ArrayLike | None = None,
    ) -> Fit:
        """V under W[:, block]; omega (N,) weighs mu for each datum."""
        H = self.rng.random((V.shape[1], W[:, block].shape[1]), np.float32).T + FLOOR
        fit = Fit(V, H, _weighted(self.mu[block], omega, V.shape[1]), block, in_turn)
        fit.refresh(W, self.passes)
        return fit


@dataclass(frozen=True)
class Assembly:
    """weights, batches : of each kind; batch None for all data.  omegas : a source each."""

    blocks: Sequence[slice]
    weights: Mapping[str, float]
    batches: Mapping[str, int | None]
    omegas: Sequence[ArrayLike | None]
    start: Start

    def terms(self, W: Array, sets: Sets) -> tuple[dict[str, list[Term]], Fits]:
        """The terms of each kind, a block each, and their activations."""
        fits = {kind: self._fits(W, sets[kind], kind) for kind in ("std", "adv") if kind in sets}
        terms = {kind: self._alone(kind, each) for kind, each in fits.items()}
        if "sup" in sets:
            fits["sup"] = [self.start.fit(sets["mixed"][0], W)]
            terms["sup"] = self._together(sets["sup"], fits["sup"][0], alone=not terms)
        return terms, fits

    def _fits(self, W: Array, sources: list[Array], kind: str) -> list[Fit]:
        omegas = self.omegas if kind == "adv" else [None] * len(sources)
        each = zip(sources, self.blocks, omegas, strict=True)
        return [self.start.fit(U, W, block, omega=omega) for U, block, omega in each]

    def _alone(self, kind: str, fits: list[Fit]) -> list[Term]:
        return [self.term(kind, fit.V, fit, model=fit.block) for fit in fits]

    def _together(self, parts: list[Array], fit: Fit, alone: bool) -> list[Term]:
        each = zip(parts, self.blocks, strict=True)
        terms = [self.term("sup", U, fit, model=block, rows=block) for U, block in each]
        for term in terms:
            term.order = terms[0].order
            term.weight = 1.0 if alone else term.weight
        return terms

    def term(
        self,
        kind: str,
        U: Array,
        fit: Fit,
        *,
        model: slice = ALL,
        rows: slice = ALL,
        own: slice = ALL,
    ) -> Term:
        """One term in an order of its own."""
        order = self.start.rng.permutation(U.shape[1])
        batch = min(self.batches[kind] or len(order), len(order))
        return Term(U, fit, self.weights[kind], order, batch, model, rows, own)


def _weighted(mu: Array, omega: ArrayLike | None, columns: int) -> Array:
    if omega is None:
        return mu
    weights = np.asarray(omega, np.float32)
    if weights.shape not in ((), (columns,)):
        raise ValueError(f"omega has shape {weights.shape} (wanted: ({columns},))")
    return np.asfortranarray(mu * np.broadcast_to(weights, (columns,)))
