"""Adversarial Masking: a mask under which mixtures look like the observed source.

After Halperin, Ephrat and Hoshen (ICML 2019), by least squares (LSGAN), D spectrally normalised:

    D minimises  E D(y m(y))^2 + E (D(b) - 1)^2
    m minimises  E (D(y m(y)) - 1)^2 + prior * E |m(y) - 1|

The prior keeps as much of y as D lets pass; the paper does not give its weight.  Images or patches
b (N, rows, columns) and y (M, rows, columns).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from rtsep.learn.descent import descend, device, forward, refuse_lost
from rtsep.learn.eggs import Array, Separate, refuse_shapes
from rtsep.learn.generator import BETAS, batches, images, seeded, separator


@dataclass(frozen=True)
class Masking:
    """epochs : over y.  width : channels of the first layers.  prior : weight of |m - 1|.

    half : in bfloat16, as always on a GPU.
    """

    epochs: int = 25
    width: int = 64
    batch: int = 32
    prior: float = 0.1
    rate: float = 5e-4
    seed: int = 0
    half: bool = False


class Critic(nn.Module):
    """How much like the observed source images are: (N,), each the mean over their parts."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = [1, width, 2 * width, 4 * width]
        layers: list[nn.Module] = []
        for a, b in pairwise(sizes):
            layers += [spectral_norm(nn.Conv2d(a, b, 4, 2, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(sizes[-1], 1, 3, 1, 1)))

    def forward(self, x: Tensor) -> Tensor:
        likeness: Tensor = self.layers(x).mean(dim=(1, 2, 3))
        return likeness


def adversarial_masking(b: Array, y: Array, given: Masking = Masking()) -> Separate:
    """T(y) = y m(y), an estimate of the observed source in y; nothing is paired.

    `descent.DivergedError` where weights are no numbers any more.
    """
    refuse_shapes(b, y, None)
    rng = np.random.default_rng(given.seed)
    mask = seeded(given.width, int(rng.integers(1 << 31))).train().to(device())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(given.seed)
        critic = Critic(given.width).to(device())
    improve = torch.optim.Adam(mask.parameters(), given.rate, BETAS)
    judge = torch.optim.Adam(critic.parameters(), given.rate, BETAS)
    for _ in range(given.epochs):
        for rows in batches(len(y), given.batch, rng):
            mixture, observed = images(y[rows]), images(b[rng.integers(len(b), size=len(rows))])
            m = forward(mask, mixture, given.half)
            of_observed, of_masked = (
                forward(critic, x, given.half) for x in (observed, (mixture * m).detach())
            )
            descend(mistakes(of_observed, of_masked), judge)
            likeness = (forward(critic, mixture * m, given.half) - 1).square().mean()
            descend(likeness + given.prior * (1 - m).mean(), improve)
        refuse_lost("adversarial masking", mask, critic)
    return separator(mask)


def mistakes(of_observed: Tensor, of_masked: Tensor) -> Tensor:
    """What the critic minimises."""
    return of_masked.square().mean() + (of_observed - 1).square().mean()
