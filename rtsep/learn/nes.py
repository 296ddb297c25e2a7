"""Neural Egg Separation: Halperin, Ephrat and Hoshen (ICML 2019), algorithm 1, on spectra.

The observed source b is known by recordings, the other x only from within mixtures y = b' + x.
x^0 = c y.  In every iteration t a network learns to find b in y^t = b + x^t, both drawn at random,
and x^{t+1} = y - T(y) = m(y) y, where m is the mask of what is not b.

Recordings of b and y have no common scale: b is as loud as b' would be if y were at a drawn ratio
of x to b'.  That hangs on y alone, so that x^t is as much quieter than y as it was estimated to be:
where nothing is left of an excerpt, y^t = b.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rtsep.learn import checkpoints
from rtsep.learn.families import MaskNetwork, Size
from rtsep.learn.features import features
from rtsep.learn.mixing import Recipe
from rtsep.learn.scenes import UNITS, Refine, Scenes, Spectra
from rtsep.learn.tapes import Tape
from rtsep.learn.training import Plan, Told, train

Judge = Callable[[MaskNetwork], dict[str, float]]


def constant(c: float) -> Refine:
    """x^0 = c y."""
    return lambda Y: np.float32(c) * Y


def masked_by(network: MaskNetwork) -> Refine:
    """The estimate x = m(y) y of spectra Y (T, F), by a network as it is now."""
    network.eval()

    def refine(Y: Spectra) -> Spectra:
        power = Y.real**2 + Y.imag**2
        with torch.no_grad():
            f = torch.from_numpy(features(power, UNITS.pool, network.size.pace)[None])
            g = network(f.to(next(network.parameters()).device))[0].cpu().numpy()
        return (g @ UNITS.spread) * Y  # type: ignore[no-any-return]

    return refine


def egg_separation(
    observed: list[tuple[Tape, float]], mixtures: Tape, recipe: Recipe, plan: Plan, size: Size,
    folder: Path, *,
    iterations: int = 10, c: float = 0.5, start: Tape | None = None, renew: bool = False,
    judge: Judge | None = None, told: Told = lambda row: None,
    made_of: dict[str, str] | None = None,
) -> MaskNetwork:  # fmt: skip
    """The network of the last iteration, mask of the unobserved source.

    c : x^0 as a share of y.  start : x^0 of another method instead, a tape of `estimates`.
    renew : begin every iteration with new weights, as the paper says, instead of the last one's, as
    its released code does.  No mixture is made of several sources at once, for none is known alone.
    `plan` is of one iteration; each leaves a checkpoint in `folder`, from which a stopped run goes
    on, if `made_of` is the same; ValueError where a second iteration has begun and `plan` has other
    epochs, for it began with the first one's weights.
    """
    if (second := folder / "iteration-1.pt").exists():
        begun = checkpoints.read(second)["plan"]
        checkpoints.refuse_another(second, begun, {"epochs": plan.epochs})
    refine, network = constant(c) if start is None else constant(1), None
    source = mixtures if start is None else start
    plan, recipe = replace(plan, observed=True), replace(recipe, babble=0.0)
    for t in range(iterations):

        def make(
            seed: object, refine: Refine = refine, source: Tape = source, t: int = t
        ) -> Scenes:
            return Scenes([(source, 1.0)], observed, recipe, [*seed, t], refine)  # type: ignore[misc]

        done = train(
            plan, size, make, folder / f"iteration-{t}.pt",
            judge=judge, told=_numbered(told, t), start=None if renew else network,
            made_of=made_of,
        )  # fmt: skip
        network = done.network
        refine, source = masked_by(network), mixtures
    assert network is not None
    return network


def _numbered(told: Told, t: int) -> Told:
    return lambda row: told({"iteration": float(t), **row})
