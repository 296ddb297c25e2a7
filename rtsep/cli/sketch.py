"""A small picture of a basis, for a terminal: components over a logarithmic scale of frequency.

Every character shows two pixels, one above the other, in colour.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rtsep.artefacts.basis import Basis

ROWS, WIDEST = 10, 64  # characters
LOWEST = 60.0  # Hz
RANGE_DB = 50
# From dark to bright, as near as eight colours come to matplotlib's "viridis".
COLOURS = ("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725")


def print_sketch(basis: "Basis", console: Any = None) -> None:
    """On a terminal that has colours; nothing elsewhere."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console()
    if not (console.is_terminal and console.color_system):
        return
    levels = sketch(basis, min(WIDEST, console.width - 12))
    for at in range(0, len(levels), 2):
        line = Text(f"{frequency(basis, at):>9} ")
        for over, under in zip(levels[at], levels[at + 1], strict=True):
            line.append("▀", f"{COLOURS[over]} on {COLOURS[under]}")
        console.print(line)
    console.print(f"{'':10}components, low to high")


def sketch(basis: "Basis", width: int) -> "NDArray[np.intp]":
    """Indices of `COLOURS`, (2 ROWS, columns at most `width`), high frequencies first."""
    import numpy as np

    from rtsep.cli.picture import in_order

    mode = "high" if "high" in basis.W else next(iter(basis.W))
    W = np.abs(in_order(basis.W[mode])).astype(np.float64)
    hertz = np.arange(len(W)) * basis.card.rate / basis.card.windows[mode][0]
    places = np.minimum(np.searchsorted(hertz, _edges(basis)), len(W) - 1)
    bands = [W[low : max(high, low + 1)].max(axis=0) for low, high in pairwise(places)]
    shown = np.array(bands[::-1])
    if shown.shape[1] > width:
        parts = np.array_split(shown, width, axis=1)
        shown = np.stack([part.max(axis=1) for part in parts], axis=1)
    shown = np.repeat(shown, max(1, min(4, width // shown.shape[1])), axis=1)
    share = 1 + 20 / RANGE_DB * np.log10(np.maximum(shown / max(shown.max(), 1e-30), 1e-9))
    levels = np.clip(np.ceil(len(COLOURS) * share) - 1, 0, len(COLOURS) - 1)
    return np.asarray(levels, np.intp)


def frequency(basis: "Basis", at: int) -> str:
    """Where the scale begins, is in the middle, and ends; empty for the other rows."""
    if at not in (0, ROWS, 2 * ROWS - 2):
        return ""
    edges = _edges(basis)
    hertz = edges[0] if at == 2 * ROWS - 2 else edges[2 * ROWS - at]
    return f"{hertz / 1000:.2g} kHz" if hertz >= 1000 else f"{hertz:.0f} Hz"


def _edges(basis: "Basis") -> Any:
    import numpy as np

    top = basis.card.bandwidth
    return np.geomspace(min(LOWEST, top / 10), top, 2 * ROWS + 1)
