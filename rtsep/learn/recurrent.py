"""The recurrent mask network: bands in, gains out, two layers between, in torch.

f (rows, T, bands) -> tanh(linear) -> GRU -> GRU -> sigmoid(linear of both GRUs) = g, as f.
Nothing looks ahead; the states h_1, h_2 (1, rows, units) carry all that is remembered.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class RecurrentSize:
    """bands : in and out.  inward : of the first layer.  recurrent : of each GRU.

    pace : hops of 256 samples at 48 kHz, or a little less in `low`, that a frame lasts.
    """

    bands: int
    inward: int
    recurrent: int
    pace: ClassVar[int] = 1

    def network(self) -> "RecurrentNetwork":
        """One of this size."""
        return RecurrentNetwork(self)


class RecurrentNetwork(nn.Module):
    """Gains of the kept source's bands."""

    def __init__(self, size: RecurrentSize) -> None:
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
