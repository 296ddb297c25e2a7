"""The dual-path mask network: what one band has learned of noise, all bands know; in torch.

f_t and f_t-1 (bands) -> two convolutions of stride 2 across bands, 80 -> 40 -> 20 places of
`channels` numbers each, e_1 and e_2.  Then, `blocks` times, two residual paths:
    across  h <- h + norm(linear(GRU along the places, both ways))       within a frame
    along   h <- h + norm(linear(GRU along the frames, of every place))  one set of weights for all
and two transposed convolutions back to 80, each beside what went in at its width; sigmoid.

After Luo, Chen and Yoshioka (Dual-path RNN, 2020), Le et al. (DPCRN, 2021) and Rong et al. (GTCRN,
2024), for real masks of the bands here.  Nothing looks ahead; what is remembered are f_t-1 and the
states of the GRUs along the frames.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from rtsep.learn.gru import GRU
from rtsep.learn.scenes import UNITS

SLOPE = 0.1  # of the leaking rectifiers


@dataclass(frozen=True)
class DualSize:
    """outer, inner : numbers a place after each convolution.  recurrent : units of each GRU.

    blocks : of two paths.  pace : hops that a frame lasts.
    """

    outer: int = 16
    inner: int = 32
    recurrent: int = 32
    blocks: int = 2
    pace: ClassVar[int] = 2

    @property
    def bands(self) -> int:
        return len(UNITS.spread)

    @property
    def places(self) -> int:
        return self.bands // 4

    def network(self) -> "DualNetwork":
        """One of this size."""
        return DualNetwork(self)


class Block(nn.Module):
    """Both paths, on h (rows, T, places, channels)."""

    def __init__(self, size: DualSize) -> None:
        super().__init__()
        places, channels, units = size.places, size.inner, size.recurrent
        self.across = GRU(channels, units // 2, batch_first=True, bidirectional=True)
        self.across_out = nn.Linear(units, channels)
        self.across_norm = nn.LayerNorm([places, channels])
        self.along = GRU(channels, units, batch_first=True)
        self.along_out = nn.Linear(units, channels)
        self.along_norm = nn.LayerNorm([places, channels])

    def forward(self, h: Tensor) -> Tensor:
        rows, T, places, channels = h.shape
        y = self.across(h.reshape(rows * T, places, 1, channels)).view(rows, T, places, -1)
        h = h + self.across_norm(self.across_out(y))
        added: Tensor = h + self.along_norm(self.along_out(self.along(h)))
        return added


class DualNetwork(nn.Module):
    """Gains of the kept source's bands."""

    def __init__(self, size: DualSize) -> None:
        super().__init__()
        self.size = size
        self.narrow = nn.Conv1d(2, size.outer, 5, 2, 2)
        self.narrower = nn.Conv1d(size.outer, size.inner, 5, 2, 2)
        self.place = nn.Parameter(torch.zeros(size.places, size.inner))
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.blocks))
        self.beside_inner = nn.Conv1d(size.inner, size.inner, 1)
        self.wide = nn.ConvTranspose1d(size.inner, size.outer, 4, 2, 1)
        self.beside_outer = nn.Conv1d(size.outer, size.outer, 1)
        self.wider = nn.ConvTranspose1d(size.outer, 1, 4, 2, 1)

    def forward(self, f: Tensor) -> Tensor:
        """Gains g (rows, T, bands) of f, as large, from states of zero."""
        rows, T, bands = f.shape
        before = torch.cat([torch.zeros_like(f[:, :1]), f[:, :-1]], dim=1)
        x = torch.stack([f, before], dim=2).view(rows * T, 2, bands)
        outer = leaking(self.narrow(x))
        inner = leaking(self.narrower(outer))
        h = (inner.transpose(1, 2) + self.place).view(rows, T, self.size.places, -1)
        for block in self.blocks:
            h = block(h)
        h = h.reshape(rows * T, self.size.places, -1).transpose(1, 2)
        h = leaking(self.wide(h + self.beside_inner(inner)))
        return torch.sigmoid(self.wider(h + self.beside_outer(outer))).view(rows, T, bands)


def leaking(x: Tensor) -> Tensor:
    return nn.functional.leaky_relu(x, SLOPE)
