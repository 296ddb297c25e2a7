"""The mask network of the papers' tables, and learning with it; in torch, for images and patches.

Four convolutions of kernel 4 and stride 2 down and four up again, no connections across, a sigmoid:
after the released code of Neural Egg Separation.  T(y) = y m(y), the L1 distance to b.
Batches are normalised by their own statistics while learning and by running ones afterwards.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rtsep.learn.descent import descend, device, forward, refuse_lost
from rtsep.learn.eggs import Learn, Separate

Array = NDArray[Any]
SLOPE, BETAS, RATE = 0.2, (0.5, 0.999), 1e-3
TOGETHER = 256  # images masked at once


class Generator(nn.Module):
    """Masks (N, 1, rows, columns) of images like them; rows are a multiple of 16, or one more.

    width : channels of the first layer, 64 in the paper.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        sizes = [width, 2 * width, 4 * width, 8 * width]
        down = [nn.Conv2d(1, width, 4, 2, 1, bias=False), nn.LeakyReLU(SLOPE)]
        for a, b in pairwise(sizes):
            down += [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(SLOPE)]
        up: list[nn.Module] = []
        for a, b in pairwise(sizes[::-1]):
            up += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        self.layers = nn.Sequential(*down, *up, nn.ConvTranspose2d(width, 1, 4, 2, 1))

    def forward(self, y: Tensor) -> Tensor:
        """m(y); one row that the strides leave over mirrors the one before the last."""
        raised = self.layers(y)
        if (missing := y.shape[2] - raised.shape[2]) > 0:
            raised = nn.functional.pad(raised, (0, 0, 0, missing), mode="reflect")
        mask: Tensor = torch.sigmoid(raised)
        return mask


def learner(
    epochs: int = 25, width: int = 64, batch: int = 32, seed: int = 0, renew: bool = True,
    redraw: bool = False, half: bool = False, cool: bool = False,
) -> Learn:  # fmt: skip
    """Learns y -> b by L1 and Adam; images (N, rows, columns), or spectra, by their magnitudes.

    renew : new weights each time it is called, as the paper says; the released code keeps them.
    redraw : what of y is not b goes with another b in every epoch.  half : masks in bfloat16, as
    always on a GPU.
    cool : the rate falls to nothing in every call, in a straight line.
    """
    rng = np.random.default_rng(seed)
    kept: list[Generator] = []

    def learn(y: Array, b: Array) -> Separate:
        if renew or not kept:
            kept[:] = [seeded(width, int(rng.integers(1 << 31))).to(device())]
        network = kept[0].train()
        optimiser = torch.optim.Adam(network.parameters(), RATE, BETAS)
        last = 0.0 if cool else 1.0
        rate = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, last, total_iters=epochs)
        for _ in range(epochs):
            mixtures = drawn_anew(y, b, rng) if redraw else y
            for rows in batches(len(y), batch, rng):
                mixture, observed = (images(each[rows]) for each in (mixtures, b))
                masked = mixture * forward(network, mixture, half)
                descend((masked - observed).abs().mean(), optimiser)
            rate.step()
            refuse_lost("a mask", network)
        return separator(network)

    return learn


def separator(network: Generator) -> Separate:
    """T(y) = y m(y) of images (N, rows, columns), by the network as it is now."""
    network.eval()

    def separate(y: Array) -> Array:
        with torch.no_grad():
            parts = [images(y[i : i + TOGETHER]) for i in range(0, len(y), TOGETHER)]
            mask = torch.cat([network(part) for part in parts])[:, 0].cpu().numpy()
        masked: Array = np.asarray(y, np.complex64 if np.iscomplexobj(y) else np.float32) * mask
        return masked

    return separate


def seeded(width: int, seed: int) -> Generator:
    """A new network, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Generator(width)


def drawn_anew(y: Array, b: Array, rng: np.random.Generator) -> Array:
    """Mixtures of every b with what is not b of another y."""
    anew: Array = b + (y - b)[rng.permutation(len(y))]
    return anew


def batches(n: int, batch: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Whole ones in an order drawn anew; all of n where it is less than one."""
    order = rng.permutation(n)
    for i in range(0, n - batch + 1 if n >= batch else 1, batch):
        yield order[i : i + batch]


def images(x: Array) -> Tensor:
    """(N, rows, columns), of spectra their magnitudes, as (N, 1, rows, columns) on the device."""
    x = np.abs(x) if np.iscomplexobj(x) else x
    return torch.from_numpy(np.ascontiguousarray(x[:, None], np.float32)).to(device())
