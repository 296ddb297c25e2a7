"""Latent mixtures (LM): two generators whose sum is the mixture; and their shares of it (LMM).

After Halperin, Ephrat and Hoshen (ICML 2019), on Generative Latent Optimisation (Bojanowski et al.,
2018): codes z are learned with the generators, within the unit ball; distances are L1.

    1  G_B, z_b            minimise |G_B(z_b) - b|
    2  G_X, z^X, z^B       minimise |G_B(z^B) + G_X(z^X) - y|,  G_B held
    3  z^X, z^B of a new y minimise the same, both held;  LM: T(y) = G_B,
                                                          LMM: T(y) = y G_B / (G_B + G_X)

The paper gives neither generators nor the length of codes nor steps.  Images or patches b (N, rows,
columns) and y (M, rows, columns), rows and columns multiples of 8.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from rtsep.learn.descent import descend, device, forward, refuse_lost
from rtsep.learn.eggs import Array, Separate, refuse_shapes
from rtsep.learn.generator import TOGETHER, batches, images

LEAST = 1e-6


@dataclass(frozen=True)
class Latent:
    """epochs : over b and then over y.  search : steps for the codes of new mixtures.

    share : of the mixture, LMM; else what a generator makes is the estimate, LM.
    """

    epochs: int = 25
    width: int = 64
    codes: int = 64
    batch: int = 32
    search: int = 100
    rate: float = 1e-3
    code_rate: float = 0.02
    seed: int = 0
    share: bool = True


class Drawer(nn.Module):
    """Images (N, 1, rows, columns), 0 or more, of codes (N, codes)."""

    def __init__(self, shape: tuple[int, int], codes: int, width: int) -> None:
        super().__init__()
        self.small = (4 * width, shape[0] // 8, shape[1] // 8)
        layers: list[nn.Module] = [nn.ReLU()]
        for a, b in pairwise([4 * width, 2 * width, width]):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.ReLU()]
        self.begin = nn.Linear(codes, int(np.prod(self.small)))
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Softplus())

    def forward(self, z: Tensor) -> Tensor:
        drawn: Tensor = self.layers(self.begin(z).view(-1, *self.small))
        return drawn


class Codes(nn.Embedding):
    """Codes of N images, (N, codes), none longer than one."""

    def __init__(self, n: int, codes: int) -> None:
        super().__init__(n, codes, sparse=True)
        self.hold()

    def hold(self) -> None:
        """Back into the unit ball."""
        with torch.no_grad():
            self.weight /= self.weight.norm(dim=1, keepdim=True).clamp(min=1)


def latent_mixture_masking(b: Array, y: Array, given: Latent = Latent()) -> Separate:
    """T(y), an estimate of the observed source in y; nothing is paired.

    `descent.DivergedError` where weights are no numbers any more.
    """
    refuse_shapes(b, y, None)
    refuse_sides(b.shape[1:])
    level, rng = float(np.mean(y)) or 1.0, np.random.default_rng(given.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(given.seed)
        shape = b.shape[1], b.shape[2]
        own, other = (Drawer(shape, given.codes, given.width).to(device()) for _ in range(2))
        found = Codes(len(b), given.codes).to(device())
        _learn(b / level, given, rng, [own], [found], lambda rows: forward(own, found(rows)))
        own.eval().requires_grad_(False)
        of_b, of_x = (Codes(len(y), given.codes).to(device()) for _ in range(2))
        _learn(
            y / level, given, rng, [other], [of_b, of_x],
            lambda rows: forward(own, of_b(rows)) + forward(other, of_x(rows)),
        )  # fmt: skip
    other.eval().requires_grad_(False)
    return _separator(own, other, level, given)


def refuse_sides(shape: Sequence[int]) -> None:
    if len(shape) != 2 or any(n % 8 for n in shape):
        raise ValueError(f"images are {tuple(shape)} (wanted: rows and columns, multiples of 8)")


def _learn(
    wanted: Array, given: Latent, rng: np.random.Generator,
    drawers: list[nn.Module], codes: list[Codes], draw: Callable[[Tensor], Tensor],
) -> None:  # fmt: skip
    weights = torch.optim.Adam([p for each in drawers for p in each.parameters()], given.rate)
    points = [p for each in codes for p in each.parameters()]
    places: torch.optim.Optimizer = torch.optim.SparseAdam(points, given.code_rate)
    for _ in range(given.epochs):
        for rows in batches(len(wanted), given.batch, rng):
            drawn = draw(torch.from_numpy(rows).to(device()))
            descend((drawn - images(wanted[rows])).abs().mean(), weights, places)
            for each in codes:
                each.hold()
        refuse_lost("a generator", *drawers, *codes)


def _separator(own: Drawer, other: Drawer, level: float, given: Latent) -> Separate:
    def separate(y: Array) -> Array:
        parts = [y[i : i + TOGETHER] for i in range(0, len(y), TOGETHER)]
        return np.concatenate([found(part) for part in parts]).astype(np.float32)

    def found(y: Array) -> Array:
        wanted, (of_b, of_x) = images(y / level), _starts(len(y), given)
        optimiser = torch.optim.Adam([of_b, of_x], given.code_rate)
        for _ in range(given.search):
            drawn = forward(own, of_b) + forward(other, of_x)
            descend((drawn - wanted).abs().mean(dim=(1, 2, 3)).sum(), optimiser)
            with torch.no_grad():
                for z in (of_b, of_x):
                    z /= z.norm(dim=1, keepdim=True).clamp(min=1)
        with torch.no_grad():
            b, x = own(of_b), other(of_x)
            estimate = wanted * b / (b + x + LEAST) if given.share else b
            return level * estimate[:, 0].cpu().numpy()  # type: ignore[no-any-return]

    return separate


def _starts(n: int, given: Latent) -> list[Tensor]:
    """Equal for every image, so that an estimate does not depend on what else is asked."""
    random = torch.Generator().manual_seed(given.seed)
    return [
        torch.randn(1, given.codes, generator=random)
        .repeat(n, 1)
        .mul_(0.1)
        .to(device())
        .requires_grad_()
        for _ in range(2)
    ]
