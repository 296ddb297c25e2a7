"""How a basis is learned: what is asked, completed by what has proved best, and checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.card import MAX_RANK
from rtsep.learn import factors
from rtsep.learn.corpus import Recording, Source, recordings
from rtsep.learn.factors import Way
from rtsep.learn.nmf import DIVERGENCES, STARTS
from rtsep.learn.reading import Report

METHODS = (*factors.METHODS, "asvd")
AGAINST = {"asvd": 0.2, "mdnmf": 0.1}  # methods that learn against something, and tau for it
# What separates best, by tools/measure_quality.py --ablation: a noise of few components cannot
# explain the speech in it; a source to be kept needs more to be told from the rest.  A noise of
# one place explains itself, the slow track adds less to it.
RANKS = {("nmf", "remove"): 4, ("nmf", "keep"): 64, ("asvd", "remove"): 1, ("asvd", "keep"): 32}
OPTIONS = {("nmf", "remove"): {"slow_share": 0.25}}


@dataclass(frozen=True)
class Recipe:
    """How a basis is learned; ValueError for what cannot be meant."""

    method: str
    rank: int
    divergence: str
    sparsity: float
    tau: float
    seed: int
    passes: int
    start: str
    smoothness: float = 0.0
    extend: Basis | None = None

    def __post_init__(self) -> None:
        _one_of("method", self.method, METHODS)
        _one_of("divergence", self.divergence, DIVERGENCES)
        _one_of("start", self.start, STARTS)
        if not 1 <= self.rank <= MAX_RANK:
            raise ValueError(f"rank {self.rank} is outside 1..{MAX_RANK}")
        if self.rank + self.held > MAX_RANK:
            raise ValueError(f"rank {self.held} and {self.rank} more are over {MAX_RANK}")
        if not 0 <= self.tau <= 1:
            raise ValueError(f"tau {self.tau:g} is outside 0..1")
        if self.extend:
            _same("kind", self.extend.card.kind, self.kind)
            _same("divergence", self.extend.card.divergence, self.divergence)
        _ = self.way  # refuses what the method does not know

    @property
    def held(self) -> int:
        """Components that stay as they are."""
        return self.extend.card.rank if self.extend else 0

    @property
    def kind(self) -> str:
        return "asvd" if self.method == "asvd" else "nmf"

    @property
    def way(self) -> Way:
        """How NMF goes about it; ValueError for what its method does not know."""
        return Way(self.method, self.divergence, self.sparsity, self.smoothness, self.tau,
                   self.seed, self.held)  # fmt: skip

    @property
    def power(self) -> int:
        return 2 if self.divergence == "itakura-saito" else 1


def completed(
    method: str,
    *,
    rank: int | None,
    divergence: str | None,
    tau: float | None,
    role: str,
    against: Source | Sequence[Source],
    extend: Basis | None,
    **rest: Any,
) -> Recipe:
    """A recipe with what nobody has said filled in."""
    _one_of("method", method, METHODS)
    if divergence is None:
        divergence = "euclidean" if method == "mdnmf" else "kl"
        divergence = extend.card.divergence if extend else divergence
    if rank is None:
        rank = RANKS.get((family(method), role), 4)
        rank = max(1, extend.card.rank // 2) if extend else rank
    if tau is None:
        tau = 0.0 if nothing(against) else AGAINST.get(method, 0.0)
    return Recipe(method=method, rank=rank, divergence=divergence, tau=tau, extend=extend, **rest)


def family(method: str) -> str:
    """Of methods that want the same rank and options."""
    return "asvd" if method == "asvd" else "nmf"


def extended_rate(rate: int | None, corpus: Sequence[Recording], extend: Basis | None) -> int:
    """Hz a basis is made for: that of the basis it extends, else the material's highest."""
    if extend is None:
        return max(each.rate for each in corpus) if rate is None else rate
    if rate not in (None, extend.card.rate):
        raise ValueError(
            f"rate {rate} Hz, but model {extend.card.name!r} was made for {extend.card.rate} Hz"
        )
    return extend.card.rate


def adversaries(
    against: Source | Sequence[Source], recipe: Recipe, skip: Report
) -> list[Recording]:
    if nothing(against):
        if recipe.tau > 0:
            raise ValueError(f"tau {recipe.tau:g} needs sounds to learn against (given: 0)")
        return []
    if recipe.method not in AGAINST:
        raise ValueError(
            f"method {recipe.method!r} learns against nothing (wanted: 'asvd' or 'mdnmf')"
        )
    return recordings(against, skip)


def nothing(sources: Source | Sequence[Source]) -> bool:
    return isinstance(sources, tuple | list) and not sources


def _one_of(what: str, value: str, known: Any) -> None:
    if value not in known:
        raise ValueError(f"{what} {value!r} is unknown (one of {', '.join(known)})")


def _same(what: str, has: str, asked: str) -> None:
    if has != asked:
        raise ValueError(f"the model to extend has {what} {has}, asked for is {asked}")
