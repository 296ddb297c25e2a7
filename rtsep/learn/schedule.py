"""The loop of maximum-discrepancy NMF: mini-batch steps of W, then one pass of H over all data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from rtsep.learn.discrepancy import Array, Fit, Term, improve, objective, unit

Progress = Callable[[int, float], None]  # epoch, objective


@dataclass
class Problem:
    """W (m, d), changed in place, and for each block of its columns the terms that teach it.

    lead : the term whose mini-batches make an epoch.  update_H : activations of a mini-batch
    before its step, too.  normalize : blocks to unit columns after each epoch.
    """

    W: Array
    terms: list[tuple[slice, list[Term]]]
    fits: list[Fit]
    lead: Term
    mu_W: float  # noqa: N815
    update_H: bool = False  # noqa: N815
    normalize: bool = False
    history: list[float] = field(default_factory=list)

    @property
    def value(self) -> float:
        """The objective with the activations as they are."""
        terms = [term for _, block_terms in self.terms for term in block_terms]
        return objective(self.W, terms, self.mu_W)


def run(
    problem: Problem,
    epochs: int,
    rng: np.random.Generator,
    conv: bool = False,
    progress: Progress | None = None,
) -> None:
    """`epochs` passes over the data; the objective after each goes to `history` where conv."""
    if conv:
        problem.history.append(problem.value)
    for epoch in range(epochs):
        _shuffle(problem.terms, rng)
        for step in range(problem.lead.steps):
            _step(problem, step)
        for fit in problem.fits:
            fit.refresh(problem.W)
        if problem.normalize:
            for block, _ in problem.terms:
                unit(problem.W, block, problem.fits)
        if conv:
            problem.history.append(problem.value)
        if progress:
            progress(epoch + 1, problem.history[-1] if conv else problem.value)


def _step(problem: Problem, step: int) -> None:
    for block, terms in problem.terms:
        for term in terms:
            # Else a component that adversarial data alone use would grow without end: it is
            # their minimising activations that bound the objective.
            if problem.update_H or (term.weight < 0 and problem.lead.steps > 1):
                term.fit.refresh(problem.W, columns=term.columns(step))
        improve(problem.W, block, terms, problem.mu_W, step)


def _shuffle(terms: Sequence[tuple[slice, list[Term]]], rng: np.random.Generator) -> None:
    orders = {id(term.order): term.order for _, each in terms for term in each}
    for order in orders.values():
        rng.shuffle(order)
