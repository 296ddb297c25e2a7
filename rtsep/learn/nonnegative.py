"""A corpus to a basis of components that are not negative.

W (F, K), F bins, K components; V (F, T) magnitudes of T frames.  NMF is run for one mode; the
others start from its factors, for they see the same frames through another window.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from rtsep.learn import factors
from rtsep.learn.corpus import Recording
from rtsep.learn.factors import Watch
from rtsep.learn.frames import Array
from rtsep.learn.learned import FIRST, Learned, Watchers, bandwidth_of, part, spectra, unwatched
from rtsep.learn.nmf import FLOOR, STARTS, Factors, normalised, objective, relative
from rtsep.learn.reading import Report, Specs, read_excerpt
from rtsep.learn.recipe import Recipe

SHOWN = 32  # figures of the objective that a card keeps at most


def learn_nonnegative(
    corpus: Sequence[Recording],
    adversaries: Sequence[Recording],
    specs: Specs,
    recipe: Recipe,
    skip: Report,
    watchers: Watchers,
) -> Learned:
    X, used = read_excerpt(corpus, specs[FIRST], skip, part(watchers, 0, 0.25))
    Y = read_excerpt(adversaries, specs[FIRST], skip, unwatched)[0] if adversaries else None
    if recipe.rank > len(X):
        raise ValueError(f"rank {recipe.rank} is over {len(X)}, the frames in the material")
    bandwidth = bandwidth_of(used, specs, recipe.extend)
    found: dict[str, Factors] = {}
    quality: dict[str, Any] = {"frames": len(X)}
    for at, (mode, share) in enumerate(_shares(specs)):
        V = spectra(X, specs, mode, bandwidth, recipe.power)
        U = None if Y is None else spectra(Y, specs, mode, bandwidth, recipe.power)
        begin = found[FIRST].W if at else _start(V, recipe)
        W = _with_held(begin, recipe, mode)
        found[mode] = factors.find(
            recipe.way, V, W, found[FIRST].H if at else None, against=U,
            passes=-(-recipe.passes // (4 if at else 1)), progress=part(watchers, *share),
            watch=partial(_per_frame, watchers.watch, V.shape[1]),
        )  # fmt: skip
        if at == 0:
            quality |= _measured(V, found[mode], recipe.divergence)
    return Learned({mode: each.W for mode, each in found.items()}, bandwidth, used, quality)


def _shares(specs: Specs) -> list[tuple[str, tuple[float, float]]]:
    """Modes in the order of learning, with the span of the progress of each."""
    later = [mode for mode in specs if mode != FIRST]
    edges = [0.25, 0.8, *(0.8 + 0.2 * (i + 1) / len(later) for i in range(len(later)))]
    return [*zip([FIRST, *later], pairwise(edges), strict=True)]


def _per_frame(watch: Watch, frames: int, value: float) -> bool:
    return watch(value / frames)


def _start(V: Array, recipe: Recipe) -> Array:
    return STARTS[recipe.start](V, recipe.rank, np.random.default_rng(recipe.seed))


def _with_held(W: Array, recipe: Recipe, mode: str) -> Array:
    """W behind the components to be extended, those cropped to its bins."""
    if not recipe.extend:
        return W
    held = normalised(np.maximum(recipe.extend.W[mode][: len(W)], FLOOR))
    return np.ascontiguousarray(np.hstack([held, W[:, -recipe.rank :]]))


def _measured(V: Array, found: Factors, divergence: str) -> dict[str, Any]:
    fit = relative(objective(V, found.W, found.H, divergence), V, divergence)
    fell = np.maximum(found.history, 0) / abs(found.history[0] or 1.0)
    shown = fell[np.unique(np.linspace(0, len(fell) - 1, SHOWN).astype(int))]
    words = " ".join(f"{value:.4g}" for value in shown)
    return {f"{divergence} over that of one component": round(fit, 4), "objective": words[:300]}
