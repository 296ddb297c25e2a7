"""The families of mask networks, and the sizes they come in.

Each hears features f (rows, T, bands) from states of zero and answers with gains g, as large, of
the kept source's bands.
"""

from dataclasses import asdict
from typing import Any

import torch

from rtsep.learn.dualpath import DualNetwork, DualSize
from rtsep.learn.recurrent import RecurrentNetwork, RecurrentSize
from rtsep.learn.scenes import UNITS

MaskNetwork = RecurrentNetwork | DualNetwork
Size = RecurrentSize | DualSize

BANDS = len(UNITS.spread)
SIZES: dict[str, Size] = {
    "tiny": RecurrentSize(BANDS, 16, 16),
    "small": RecurrentSize(BANDS, 64, 96),
    "medium": RecurrentSize(BANDS, 96, 176),
    "large": RecurrentSize(BANDS, 160, 320),
    "dual-tiny": DualSize(4, 8, 8, 1),
    "dual": DualSize(),
    "dual-deep": DualSize(blocks=4),
    "dual-deeper": DualSize(blocks=6),
    "dual-large": DualSize(24, 48, 48, 2),
}


def seeded(size: Size, seed: int) -> MaskNetwork:
    """A new network, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return size.network()


def written(size: Size) -> dict[str, Any]:
    """As a checkpoint tells it."""
    return asdict(size)


def read(size: dict[str, Any]) -> Size:
    """Of a checkpoint."""
    return RecurrentSize(**size) if "inward" in size else DualSize(**size)
