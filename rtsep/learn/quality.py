"""How well a basis explains sound it was not learned from."""

import warnings
from collections.abc import Sequence

import numpy as np

from rtsep.artefacts.basis import Basis
from rtsep.dsp.stream import stream_spec
from rtsep.learn.corpus import Source, recordings
from rtsep.learn.frames import Array, magnitudes
from rtsep.learn.nmf import factorise, relative
from rtsep.learn.reading import Report, read_excerpt
from rtsep.learn.threads import one_thread

PASSES = 50


def held_out(
    basis: Basis,
    sources: Source | Sequence[Source],
    *,
    mode: str = "high",
    skip: Report = warnings.warn,
) -> dict[str, float]:
    """A figure of merit for the card, measured on other recordings of the source.

    nmf : the divergence per frame over that of the best single component, 0 is perfect and 1 is
    no better than a mean spectrum.  asvd : the share of the energy that the basis holds.
    """
    spec = stream_spec(basis.card.rate, mode)
    X, _ = read_excerpt(recordings(sources, skip), spec, skip, lambda done: None)
    bins = min(int(basis.card.bandwidth / spec.bin_hz) + 1, spec.bins)
    V = magnitudes(X, spec)[:bins] ** basis.card.power
    V /= V.sum(axis=0).mean()
    W = basis.W[mode][:bins]
    with one_thread():
        return _share_held(V, W) if basis.card.kind == "asvd" else _relative(V, W, basis)


def _relative(V: Array, W: Array, basis: Basis) -> dict[str, float]:
    divergence = basis.card.divergence
    fit = factorise(V, W, divergence=divergence, passes=PASSES, fixed=True).history[-1]
    name = f"held-out {divergence} over that of one component"
    return {name: round(relative(fit, V, divergence), 4)}


def _share_held(V: Array, W: Array) -> dict[str, float]:
    held = float(np.sum((W.T @ V) ** 2) / np.sum(V**2))
    return {"held-out share of energy held": round(held, 4)}
