"""Recordings of one source to its basis, for all latency modes in one go.

W (F, K), F bins, K components; V (F, T) magnitudes of T frames.  NMF is run for one mode; the
others start from its factors, for they see the same frames through another window.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.card import MAX_RANK, NORMALISATIONS, Card
from rtsep.dsp.stream import MODES, StreamSpec, stream_spec
from rtsep.learn.asvd import adversarial_basis
from rtsep.learn.corpus import Recording, Source, recordings
from rtsep.learn.frames import Array, magnitudes
from rtsep.learn.nmf import DIVERGENCES, STARTS, factorise, objective, one_component
from rtsep.learn.reading import Progress, Report, Specs, read_excerpt, read_moments
from rtsep.learn.threads import one_thread

FIRST = "high"  # the mode that NMF starts with: its window is symmetric
AGAINST_TAU = 0.2
# What separates best, by tools/measure_quality.py --ablation: a noise of few components cannot
# explain the speech in it; a source to be kept needs more to be told from the rest.
RANKS = {("nmf", "remove"): 4, ("nmf", "keep"): 64, ("asvd", "remove"): 1, ("asvd", "keep"): 32}


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

    def __post_init__(self) -> None:
        _one_of("method", self.method, METHODS)
        _one_of("divergence", self.divergence, DIVERGENCES)
        _one_of("start", self.start, STARTS)
        if not 1 <= self.rank <= MAX_RANK:
            raise ValueError(f"rank {self.rank} is outside 1..{MAX_RANK}")
        if not 0 <= self.tau <= 1:
            raise ValueError(f"tau {self.tau:g} is outside 0..1")

    @property
    def power(self) -> int:
        return 2 if self.divergence == "itakura-saito" else 1


@dataclass(frozen=True)
class Learned:
    """W for each mode over the bins below the bandwidth, and what was measured on the way."""

    W: dict[str, Array]
    bandwidth: float
    used: list[Recording]
    quality: dict[str, Any]


def learn_basis(
    sources: Source | Sequence[Source],
    *,
    name: str,
    source: str | None = None,
    role: str = "remove",
    method: str = "nmf",
    rank: int | None = None,
    rate: int | None = None,
    against: Source | Sequence[Source] = (),
    tau: float | None = None,
    divergence: str = "kl",
    sparsity: float = 0.0,
    seed: int = 0,
    passes: int = 100,
    start: str = "exemplars",
    command: str = "",
    trained_on: list[dict[str, Any]] | None = None,
    quality: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    progress: Progress | None = None,
    skip: Report = warnings.warn,
) -> Basis:
    """Learn a source from files, folders or (samples, rate) arrays; nothing is written.

    name, source, role, command, trained_on, quality, options : for the card; source is the name
    unless given.  method : "nmf", or "asvd" with an orthonormal basis.  rank : components,
    `RANKS` unless given.  rate : Hz the basis is made for, the material's highest unless given.
    against, tau : asvd alone, sounds not to explain and how much that weighs, 0..1.
    divergence, sparsity, passes, start ("exemplars" or "random") : nmf alone.  progress : called
    with 0..1.  skip : called with a line for every recording left out.  ValueError, both values
    named, where nothing can be learned.
    """
    if tau is None:
        tau = 0.0 if _nothing(against) else AGAINST_TAU
    rank = RANKS.get((method, role), 4) if rank is None else rank
    recipe = Recipe(method, rank, divergence, sparsity, tau, seed, passes, start)
    corpus, adversaries = recordings(sources, skip), _adversaries(against, recipe, skip)
    rate = rate or max(each.rate for each in corpus)
    specs = {mode: stream_spec(rate, mode) for mode in MODES}
    with one_thread():
        learned = METHODS[method](corpus, adversaries, specs, recipe, skip, progress or _unseen)
    card = Card(
        name, method, source or name, role, rate,
        divergence=divergence, power=recipe.power, bandwidth=learned.bandwidth, rank=rank,
        windows={mode: [s.window, s.hop, s.synthesis] for mode, s in specs.items()},
        normalisation=NORMALISATIONS[method],
        trained_on=provenance(learned.used) if trained_on is None else trained_on,
        command=_printable(command, 2000), seed=seed,
        created=datetime.now(UTC).date().isoformat(),
        quality=learned.quality | (quality or {}), options=options or {},
    )  # fmt: skip
    return Basis(card, {mode: _padded(W, specs[mode].bins) for mode, W in learned.W.items()})


def _learn_nmf(
    corpus: Sequence[Recording],
    adversaries: Sequence[Recording],
    specs: Specs,
    recipe: Recipe,
    skip: Report,
    progress: Progress,
) -> Learned:
    X, used = read_excerpt(corpus, specs[FIRST], skip, _part(progress, 0, 0.3))
    if recipe.rank > len(X):
        raise ValueError(f"rank {recipe.rank} is over {len(X)}, the frames in the material")
    bandwidth = _bandwidth(used, specs)
    V = _spectra(X, specs, FIRST, bandwidth, recipe)
    begin = STARTS[recipe.start](V, recipe.rank, np.random.default_rng(recipe.seed))
    settings: dict[str, Any] = {"divergence": recipe.divergence, "sparsity": recipe.sparsity}
    first = factorise(
        V, begin, passes=recipe.passes, progress=_part(progress, 0.3, 0.8), **settings
    )
    fit = objective(V, first.W, first.H, recipe.divergence) / one_component(V, recipe.divergence)
    quality = {f"{recipe.divergence} over that of one component": round(fit, 4), "frames": len(X)}
    W = {FIRST: first.W}
    for at, mode in enumerate(mode for mode in specs if mode != FIRST):
        V = _spectra(X, specs, mode, bandwidth, recipe)
        span = _part(progress, 0.8 + 0.1 * at, 0.9 + 0.1 * at)
        more = -(-recipe.passes // 4)
        W[mode] = factorise(V, first.W, first.H, passes=more, progress=span, **settings).W
    return Learned(W, bandwidth, used, quality)


def _learn_asvd(
    corpus: Sequence[Recording],
    adversaries: Sequence[Recording],
    specs: Specs,
    recipe: Recipe,
    skip: Report,
    progress: Progress,
) -> Learned:
    U, used = read_moments(corpus, specs, skip, _part(progress, 0, 0.5))
    V = read_moments(adversaries, specs, skip, _part(progress, 0.5, 0.9))[0] if adversaries else {}
    bandwidth = _bandwidth(used, specs)
    W, held = {}, 0.0
    for mode, spec in specs.items():
        bins = _bins(bandwidth, spec)
        u = U[mode].cropped(bins).levelled()
        v = V[mode].cropped(bins).levelled() if V else None
        W[mode] = adversarial_basis(u, v, recipe.rank, recipe.tau)
        held = float(np.trace(W[mode].T @ u.mean() @ W[mode]))
    progress(1.0)
    quality = {"share of energy held": round(held, 4), "frames": U[FIRST].frames}
    return Learned(W, bandwidth, used, quality | {"tau": recipe.tau})


METHODS: dict[str, Callable[..., Learned]] = {"nmf": _learn_nmf, "asvd": _learn_asvd}


def _spectra(X: Array, specs: Specs, mode: str, bandwidth: float, recipe: Recipe) -> Array:
    """V (F, T) below the bandwidth; frames sum to one on average."""
    V = magnitudes(X, specs[mode])[: _bins(bandwidth, specs[mode])] ** recipe.power
    V /= V.sum(axis=0).mean()
    return V


def _bandwidth(used: Sequence[Recording], specs: Specs) -> float:
    """Hz up to which all of the material sounds."""
    return min(*(each.rate for each in used), specs[FIRST].rate) / 2


def _bins(bandwidth: float, spec: StreamSpec) -> int:
    return min(int(bandwidth / spec.bin_hz) + 1, spec.bins)


def _padded(W: Array, bins: int) -> Array:
    return np.pad(W, ((0, bins - len(W)), (0, 0)))


def _adversaries(
    against: Source | Sequence[Source], recipe: Recipe, skip: Report
) -> list[Recording]:
    if _nothing(against):
        if recipe.tau > 0:
            raise ValueError(f"tau {recipe.tau:g} needs sounds to learn against (given: 0)")
        return []
    if recipe.method != "asvd":
        raise ValueError(f"method {recipe.method!r} learns against nothing (wanted: 'asvd')")
    return recordings(against, skip)


def _nothing(sources: Source | Sequence[Source]) -> bool:
    return isinstance(sources, tuple | list) and not sources


def provenance(used: Sequence[Recording]) -> list[dict[str, Any]]:
    """What a card says of material nobody has described; no folder of this machine in it."""
    names = [Path(each.name).name for each in used]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    seconds = round(sum(each.seconds for each in used), 1)
    corpus = _printable(", ".join(names[:3]), 150) + more
    return [{"corpus": corpus, "licence": "not stated", "files": len(used), "seconds": seconds}]


def _printable(text: str, longest: int) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:longest]


def _part(progress: Progress, low: float, high: float) -> Progress:
    return lambda done: progress(low + (high - low) * done)


def _unseen(done: float) -> None:
    """Progress nobody looks at."""


def _one_of(what: str, value: str, known: Any) -> None:
    if value not in known:
        raise ValueError(f"{what} {value!r} is unknown (one of {', '.join(known)})")
