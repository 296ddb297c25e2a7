"""A picture of a model: its basis for each latency mode, and the objective as it fell."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rtsep.artefacts.basis import Basis

OBJECTIVE = "objective"  # key of a card's quality: figures apart by spaces, as they fell
RANGE_DB = 60
SUFFIXES = (".png", ".svg", ".pdf")


def refuse_picture(target: Path) -> None:
    """Errors that are better told before drawing; ImportError says what installs matplotlib."""
    if target.suffix.lower() not in SUFFIXES:
        raise ValueError(f"picture {target} has suffix {target.suffix!r} ({', '.join(SUFFIXES)})")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"picture {target}: there is no folder {target.parent}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError(
            "matplotlib is not installed: pip install 'rtsep[plot]'", name="matplotlib"
        ) from None


def objective(card: Any) -> list[float]:
    """The objective after every look, as the card tells it; empty where it does not."""
    words = str(card.quality.get(OBJECTIVE, "")).split()
    try:
        return [float(word) for word in words]
    except ValueError:
        return []


def in_order(W: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Columns by the middle of their power, low ones first."""
    import numpy as np

    power = W.astype(np.float64) ** 2
    middle = np.arange(len(W)) @ power / power.sum(axis=0)
    ordered: NDArray[np.float32] = W[:, np.argsort(middle)]
    return ordered


def draw(basis: "Basis", target: Path) -> None:
    """Write the picture, whole or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from rtsep.artefacts.whole import write_whole

    refuse_picture(target)
    card, fell = basis.card, objective(basis.card)
    panels = len(basis.W) + bool(fell)
    figure = Figure(figsize=(3.6 * panels, 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{card.name}: {card.kind} of {card.source}, rank {card.rank}, to {card.role}")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for axis, (mode, W) in zip(axes, basis.W.items(), strict=False):
        draw_basis(axis, W, card.rate, mode)
        axis.set_ylim(0, card.bandwidth / 1000)
    if fell:
        draw_objective(axes[-1], fell)
    drawn = BytesIO()
    figure.savefig(drawn, format=target.suffix[1:].lower(), dpi=120)
    write_whole(target, lambda file: file.write(drawn.getvalue()))


def draw_basis(axis: Any, W: "NDArray[np.float32]", rate: int, mode: str) -> None:
    """Magnitudes in dB below the greatest, components over kHz."""
    import numpy as np

    magnitude = np.abs(in_order(W)).astype(np.float64)
    db = 20 * np.log10(np.maximum(magnitude / magnitude.max(), 10 ** (-RANGE_DB / 20)))
    rank, top = W.shape[1], rate / 2000
    axis.imshow(db, origin="lower", aspect="auto", extent=(0.5, rank + 0.5, 0, top), vmin=-RANGE_DB,
                vmax=0, interpolation="nearest")  # fmt: skip
    axis.set(title=f"latency {mode}", xlabel="component, low to high", ylabel="kHz")


def draw_objective(axis: Any, fell: list[float]) -> None:
    axis.plot(range(len(fell)), fell, marker=".")
    axis.set(title="objective over its start", xlabel="looks", ylim=(0, None))
    axis.grid(alpha=0.3)
