"""Frames to a basis of components that are not negative, by any method, to be left at any time.

V (F, T), W (F, K) with columns that sum to one, H (K, T), float32.  Every method climbs in looks
of some passes; a watcher hears the objective after each and may say that it is enough, whereupon
the best W so far stays.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtsep.learn import beta, nmf
from rtsep.learn.matrices import at_least
from rtsep.learn.mdnmf import NMF
from rtsep.learn.nmf import EVERY, FLOOR, Array, Factors, normalised
from rtsep.learn.plca import plca

METHODS = ("nmf", "plca", "mdnmf", "exemplar")
BETAS = {"kl": 1.0, "euclidean": 2.0, "itakura-saito": 0.0}
KNOWN = {
    "sparsity": ("sparsity", ("nmf", "mdnmf")),
    "smoothness": ("smoothness", ("nmf",)),
    "held": ("basis to extend", ("nmf",)),
}
TOLERANCE = 1e-5  # relative fall of the objective between looks at which it ends
HURRY = 2  # plain passes that a hurried one is worth
EPOCHS = 10  # of a look of mdnmf, whose activations begin anew in each

Watch = Callable[[float], bool]  # hears the objective; true ends the learning
Step = Callable[[Array, Array | None, int], Factors]


@dataclass(frozen=True)
class Way:
    """How W is found; ValueError for what a method does not know.

    divergence : mdnmf's is always "euclidean", plca's always "kl".  sparsity, smoothness :
    penalties.  tau : mdnmf's weight of frames not to explain.  held : first columns that stay.
    """

    method: str = "nmf"
    divergence: str = "kl"
    sparsity: float = 0.0
    smoothness: float = 0.0
    tau: float = 0.0
    seed: int = 0
    held: int = 0

    def __post_init__(self) -> None:
        at_least(0, sparsity=self.sparsity, smoothness=self.smoothness)
        for what, (words, methods) in KNOWN.items():
            if getattr(self, what) and self.method not in methods:
                raise ValueError(
                    f"method {self.method!r} takes no {words} (given: {getattr(self, what):g}; "
                    f"wanted: method {' or '.join(methods)})"
                )
        only = {"plca": "kl", "mdnmf": "euclidean"}.get(self.method, self.divergence)
        if self.divergence != only:
            raise ValueError(f"method {self.method!r} fits by {only} (given: {self.divergence})")


def find(
    way: Way,
    V: Array,
    W: Array,
    H: Array | None = None,
    *,
    against: Array | None = None,
    passes: int = 100,
    progress: Callable[[float], None] = lambda done: None,
    watch: Watch = lambda objective: False,
) -> Factors:
    """The best W found from the start given, which stays untouched.

    against : frames (F, N) not to explain, for mdnmf.  passes : plain ones; KL takes half as many.
    """
    if way.method == "exemplar":
        fixed = nmf.factorise(V, W, H, divergence=way.divergence, passes=EVERY, fixed=True)
        progress(1.0)
        watch(fixed.history[-1])
        return fixed
    if way.method == "nmf" and not (way.smoothness or way.held):
        return nmf.factorise(
            V, W, H, divergence=way.divergence, sparsity=way.sparsity, hurried=True,
            passes=max(1, passes) if way.divergence != "kl" else max(1, -(-passes // HURRY)),
            tolerance=TOLERANCE, progress=progress, watch=watch,
        )  # fmt: skip
    step, every = _step(way, V, against), EPOCHS if way.method == "mdnmf" else EVERY
    return _climb(step, W, H, passes, every, progress, watch)


def _climb(
    step: Step,
    W: Array,
    H: Array | None,
    passes: int,
    every: int,
    progress: Callable[[float], None],
    watch: Watch,
) -> Factors:
    best, done = None, 0
    history: list[float] = []
    while done < max(1, passes):
        look = step(W, H, min(every, max(1, passes) - done))
        W, H, done = look.W, look.H, done + every
        history += look.history[len(history) > 0 :]
        best = look if best is None or look.history[-1] <= best.history[-1] else best
        progress(min(1.0, done / max(1, passes)))
        if watch(history[-1]) or history[-2] - history[-1] <= TOLERANCE * abs(history[-2]):
            break
    assert best is not None
    progress(1.0)
    return Factors(best.W, best.H, history)


def _step(way: Way, V: Array, against: Array | None) -> Step:
    """From W and H to better ones by some passes; history has the objective before and after."""
    if way.method == "plca":
        return lambda W, H, passes: _plca(V, W, H, passes)
    if way.method == "mdnmf":
        return lambda W, H, passes: _mdnmf(way, V, against, W, passes)
    penalty = beta.Penalty(sparsity=way.sparsity, smoothness=way.smoothness)
    return lambda W, H, passes: beta.factorise(
        V, W, H, beta=BETAS[way.divergence], penalty=penalty, fixed=slice(0, way.held),
        passes=passes, every=passes,
    )  # fmt: skip


def _plca(V: Array, W: Array, H: Array | None, passes: int) -> Factors:
    begin = nmf.level(V, W.shape[1]) if H is None else H
    found = plca(V, W, begin, passes=passes)
    bins, activations = normalised(np.maximum(found.bins, FLOOR)), found.activations(V)
    ends = [nmf.objective(V, W, begin), nmf.objective(V, bins, activations)]
    return Factors(bins, activations, ends)


def _mdnmf(way: Way, V: Array, against: Array | None, W: Array, passes: int) -> Factors:
    tau = way.tau if against is not None else 0.0
    learner = NMF(
        d=W.shape[1], W=W, prob="adv" if tau else "std", tau_A=tau, epochs=passes,
        test_epochs=EPOCHS, random_state=way.seed, mu_H=max(way.sparsity / 2, 1e-6),
    )  # fmt: skip
    learner.fit(V, against if tau else None, conv=True)
    scale = np.maximum(learner.W, FLOOR).sum(axis=0)
    H: Array = np.ascontiguousarray(learner.H * scale[:, None], np.float32)
    ends = [learner.history[0], learner.history[-1]]
    return Factors(normalised(np.maximum(learner.W, FLOOR)), H, ends)
