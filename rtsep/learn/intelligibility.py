"""How well speech under a mask would be understood, as a loss can ask for it: after ESTOI.

Envelopes of 15 third-octave bands from 150 Hz are cut to pieces of 384 ms, each piece's rows (bands
over time) and then its columns (frames over bands) brought to mean 0 and norm 1; the figure is the
mean correlation of those of g X with those of S (Jensen and Taal, 2016).  Pieces in which the
source is 20 dB under its loudest one are left out.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rtsep.learn.scenes import UNITS

BANDS, LOWEST_HZ = 15, 150.0
PIECE_SECONDS = 0.384  # of a piece
STEP = 3  # a third of a piece from one to the next
LOUD = 1e-2  # share of the loudest piece's power
SILENT = 1e-6  # of a piece, beside a mean power of 1
TINY = 1e-10


def third_octaves() -> NDArray[np.float32]:
    """(units below the split, bands): the share of every bin that lies within a band."""
    hz = UNITS.hz[: UNITS.bins]
    centre, half = LOWEST_HZ * 2 ** (np.arange(BANDS) / 3), hz[1] / 2
    low, high = centre * 2 ** (-1 / 6), centre * 2 ** (1 / 6)
    shared = np.minimum(hz[:, None] + half, high) - np.maximum(hz[:, None] - half, low)
    shares: NDArray[np.float32] = np.clip(shared / hz[1], 0, 1).astype(np.float32)
    return shares


def correlation(g: Tensor, X: Tensor, S: Tensor, frames: int) -> Tensor:
    """Of each scene, (rows,), from gains, |X|^2 and |S|^2 (rows, T, units); pieces of `frames`.

    1 where the source is silent.
    """
    level = S.mean(dim=(1, 2), keepdim=True) + TINY
    wanted, found = (pieces(each / level, frames) for each in (S, g * g * X))
    power = wanted.square().sum(dim=(2, 3))
    loud = (power > LOUD * power.amax(dim=1, keepdim=True)) & (power > SILENT)
    c = (normed(normed(wanted, 3), 2) * normed(normed(found, 3), 2)).sum(dim=(2, 3)) / frames
    heard = loud.sum(dim=1)
    return torch.where(heard > 0, (c * loud).sum(dim=1) / heard.clamp(min=1), 1.0)


def pieces(power: Tensor, frames: int) -> Tensor:
    """(rows, pieces, bands, frames) of envelopes."""
    octaves = torch.from_numpy(third_octaves()).to(power.device)
    envelope = (power[..., : UNITS.bins] @ octaves).clamp(min=TINY).sqrt()
    return envelope.unfold(1, frames, max(1, frames // STEP))


def normed(x: Tensor, dim: int) -> Tensor:
    x = x - x.mean(dim, keepdim=True)
    scaled: Tensor = x / (x.square().sum(dim, keepdim=True) + TINY).sqrt()
    return scaled
