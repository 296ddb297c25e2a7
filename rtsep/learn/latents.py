"""A mixture taken apart by the codes of generative models: GASS's separation, slow and offline.

Codes h_k of every frame maximise

    log p(v | s) + critic * sum_k score_k(s_k),   s = sum_k s_k,   s_k = G_k(h_k)

the likelihood being Poisson's.  A critic is high of what is like its source (gass.py), so that its
term is added; the released code of Subakan and Smaragdis takes WGAN's critic the other way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.learn.descent import descend, device
from rtsep.learn.gass import Model, poisson
from rtsep.learn.wiener import wiener

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Search:
    """critic : weight of the critics.  smooth : of how much sources move from frame to frame.

    prior : of codes' normal distribution, 1 as autoencoders (vae) learn with it; no use to ae, dae,
    whose codes are not normal.
    """

    steps: int = 400
    rate: float = 0.03
    critic: float = 0.0
    prior: float = 0.0
    smooth: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Apart:
    """modelled : s_k (F, T) each.  objective : what was minimised, at the end."""

    modelled: list[Array]
    objective: float

    def estimates(self, V: Array) -> list[Array]:
        """Each source's share of V (F, T)."""
        return wiener(V, self.modelled)


def taken_apart(V: Array, models: Sequence[Model], search: Search = Search()) -> Apart:
    """The sources of magnitudes V (F, T), by Adam from normal codes."""
    v = torch.from_numpy(np.ascontiguousarray(V.T, np.float32)).to(device())
    random = torch.Generator().manual_seed(search.seed)
    codes = [
        torch.randn(len(v), m.codes, generator=random).to(v.device).requires_grad_() for m in models
    ]
    optimiser = torch.optim.Adam(codes, search.rate)
    level = float(v.mean()) or 1.0
    for _ in range(search.steps):
        descend(objective(v, models, codes, level, search), optimiser)
    with torch.no_grad():
        modelled = [m.frames(h).T.cpu().numpy() for m, h in zip(models, codes, strict=True)]
        return Apart(modelled, float(objective(v, models, codes, level, search)))


def objective(
    v: Tensor, models: Sequence[Model], codes: Sequence[Tensor], level: float, search: Search
) -> Tensor:
    """What is minimised, frames at a mean of one."""
    parts = [model.frames(h) for model, h in zip(models, codes, strict=True)]
    value = poisson(v / level, torch.stack(parts).sum(dim=0) / level)
    if search.critic:
        value = value - search.critic * sum(
            model.score(s).mean() for model, s in zip(models, parts, strict=True)
        )
    if search.prior:
        surplus = sum(h.square().sum() for h in codes) / 2
        value = value + search.prior * surplus / v.numel()
    if search.smooth and len(v) > 1:
        value = value + search.smooth * sum(s.diff(dim=0).abs().mean() for s in parts) / level
    return value
