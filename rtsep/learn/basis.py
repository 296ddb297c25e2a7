"""Recordings of one source to its basis, for all latency modes in one go.

W (F, K), F bins, K components.
"""

import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.card import NORMALISATIONS, Card
from rtsep.dsp.stream import MODES, stream_spec
from rtsep.learn import factors
from rtsep.learn.asvd import adversarial_basis
from rtsep.learn.corpus import Recording, Source, recordings
from rtsep.learn.factors import Watch
from rtsep.learn.frames import Array
from rtsep.learn.learned import (
    FIRST,
    Learned,
    Watchers,
    bandwidth_of,
    bins_of,
    never,
    part,
    unwatched,
)
from rtsep.learn.nonnegative import learn_nonnegative
from rtsep.learn.provenance import printable, provenance
from rtsep.learn.reading import Progress, Report, Specs, read_moments
from rtsep.learn.recipe import OPTIONS, Recipe, adversaries, completed, extended_rate, family
from rtsep.learn.threads import one_thread

LEVEL = "every recording at a mean energy of one"


def learn_basis(
    sources: Source | Sequence[Source],
    *,
    name: str,
    source: str | None = None,
    role: str | None = None,
    method: str = "nmf",
    rank: int | None = None,
    rate: int | None = None,
    against: Source | Sequence[Source] = (),
    tau: float | None = None,
    divergence: str | None = None,
    sparsity: float = 0.0,
    smoothness: float = 0.0,
    extend: Basis | None = None,
    seed: int = 0,
    passes: int = 100,
    start: str = "exemplars",
    command: str = "",
    trained_on: list[dict[str, Any]] | None = None,
    quality: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
    skip: Report = warnings.warn,
) -> Basis:
    """Learn a source from files, folders or (samples, rate) arrays; nothing is written.

    name, source, role, command, trained_on, quality, options : for the card; source is the name
    and role "remove" unless given.  method : "nmf", "plca", "mdnmf", "exemplar", or "asvd" with
    an orthonormal basis.  rank : components, `RANKS` unless given.  rate : Hz the basis is made
    for, the material's highest unless given.  against, tau : asvd and mdnmf, sounds not to
    explain and how much that weighs, 0..1.  divergence, sparsity, smoothness, passes, start
    ("exemplars" or "random") : nmf.  extend : a basis whose components stay, whose card lives on,
    and to which `rank` are added.  progress : called with 0..1.  watch : called with the
    objective over its start; true ends the learning with the best so far.  skip : called with a
    line for every recording left out.  ValueError, both values named, where nothing can be
    learned.
    """
    earlier = extend.card if extend else None
    role = role or (earlier.role if earlier else "remove")
    recipe = completed(
        method, rank=rank, divergence=divergence, tau=tau, role=role, against=against,
        extend=extend, sparsity=sparsity, smoothness=smoothness, seed=seed, passes=passes,
        start=start,
    )  # fmt: skip
    corpus, others = recordings(sources, skip), adversaries(against, recipe, skip)
    rate = extended_rate(rate, corpus, extend)
    specs = {mode: stream_spec(rate, mode) for mode in MODES}
    watchers = Watchers(progress or unwatched, watch or never)
    with one_thread():
        learned = LEARN[method](corpus, others, specs, recipe, skip, watchers)
    before = earlier.trained_on if earlier else []
    card = Card(
        name, recipe.kind, source or (earlier.source if earlier else name), role, rate,
        divergence=recipe.divergence, power=recipe.power, bandwidth=learned.bandwidth,
        rank=recipe.rank + recipe.held,
        windows={mode: [s.window, s.hop, s.synthesis] for mode, s in specs.items()},
        normalisation=f"{LEVEL}; {NORMALISATIONS[recipe.kind]}",
        trained_on=before + (provenance(learned.used) if trained_on is None else trained_on),
        command=printable(command, 2000), seed=seed,
        created=datetime.now(UTC).date().isoformat(),
        quality=learned.quality | (quality or {}),
        options=(earlier.options if earlier else OPTIONS.get((family(method), role), {}))
        | (options or {}),
    )  # fmt: skip
    return Basis(card, {mode: _padded(W, specs[mode].bins) for mode, W in learned.W.items()})


def _learn_asvd(
    corpus: Sequence[Recording],
    others: Sequence[Recording],
    specs: Specs,
    recipe: Recipe,
    skip: Report,
    watchers: Watchers,
) -> Learned:
    U, used = read_moments(corpus, specs, skip, part(watchers, 0, 0.5))
    V = read_moments(others, specs, skip, part(watchers, 0.5, 0.9))[0] if others else {}
    bandwidth = bandwidth_of(used, specs)
    W, held = {}, 0.0
    for mode, spec in specs.items():
        bins = bins_of(bandwidth, spec)
        u = U[mode].cropped(bins).levelled()
        v = V[mode].cropped(bins).levelled() if V else None
        W[mode] = adversarial_basis(u, v, recipe.rank, recipe.tau)
        held = float(np.trace(W[mode].T @ u.mean() @ W[mode]))
    watchers(1.0)
    quality = {"share of energy held": round(held, 4), "frames": U[FIRST].frames}
    return Learned(W, bandwidth, used, quality | {"tau": recipe.tau})


LEARN: dict[str, Callable[..., Learned]] = {
    **dict.fromkeys(factors.METHODS, learn_nonnegative),
    "asvd": _learn_asvd,
}


def _padded(W: Array, bins: int) -> Array:
    return np.pad(W, ((0, bins - len(W)), (0, 0)))
