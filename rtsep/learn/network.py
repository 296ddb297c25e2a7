"""The streaming mask network: bands in, gains out, two recurrent layers between, in torch.

f (rows, T, bands) -> tanh(linear) -> GRU -> GRU -> sigmoid(linear of both GRUs) = g, as f.
Nothing looks ahead; the states h_1, h_2 (1, rows, units) carry all that is remembered.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rtsep.learn.scenes import UNITS

SIZES = {"tiny": (16, 16), "small": (64, 96), "medium": (96, 176), "large": (160, 320)}


@dataclass(frozen=True)
class Size:
    """bands : in and out.  inward : of the first layer.  recurrent : of each GRU."""

    bands: int
    inward: int
    recurrent: int

    @classmethod
    def named(cls, name: str) -> "Size":
        return cls(len(UNITS.spread), *SIZES[name])


class MaskNetwork(nn.Module):
    """Gains of the kept source's bands."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.inward = nn.Linear(size.bands, size.inward)
        self.first = nn.GRU(size.inward, size.recurrent, batch_first=True)
        self.second = nn.GRU(size.recurrent, size.recurrent, batch_first=True)
        self.outward = nn.Linear(2 * size.recurrent, size.bands)

    def forward(self, f: Tensor) -> Tensor:
        """Gains g (rows, T, bands) from states of zero."""
        one, _ = self.first(torch.tanh(self.inward(f)))
        two, _ = self.second(one)
        gains: Tensor = torch.sigmoid(self.outward(torch.cat([one, two], dim=-1)))
        return gains


def widened(narrow: MaskNetwork, size: Size, seed: int) -> MaskNetwork:
    """A larger network that answers as `narrow` does, with new units that nothing hears yet.

    After Chen, Goodfellow and Shlens (Net2Net, 2016): what is learned once is not learned again.
    """
    wide, old = seeded(size, seed), narrow.state_dict()
    for name, value in wide.state_dict().items():
        larger, smaller = _units(name, value), _units(name, old[name])
        if any(a < b for a, b in zip(larger.shape, smaller.shape, strict=True)):
            raise ValueError(f"size {size} holds no {narrow.size} (wanted: as large in each)")
        larger[:, : smaller.shape[1]] = 0
        larger[tuple(slice(n) for n in smaller.shape)] = smaller
    return wide


def _units(name: str, value: Tensor) -> Tensor:
    """A view whose axis 1 counts the units that hear, and later ones those that are heard."""
    if name == "outward.weight":
        return value.view(1, len(value), 2, -1)
    gates = 1 if name.partition(".")[0] in ("inward", "outward") else 3
    return value.view(gates, -1, *value.shape[1:])


def seeded(size: Size, seed: int) -> MaskNetwork:
    """A new network, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MaskNetwork(size)
