"""The panel of `rtsep live` as rows of words, for any size of terminal.

    View -> rows, top first: what runs, levels, spectra, how it fares, remarks.
What does not fit is left out, remarks first, then the spectra's height.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtsep.cli.panel import rest
from rtsep.cli.screen import Row

if TYPE_CHECKING:
    from rtsep.engine.meters import Meters

LOWEST_DB = -60.0  # of a level's bar: its left end
WIDEST = 108  # columns of the panel at most
FLOOR_DB, TOP_DB = -90.0, -20.0  # of a band's level in the spectra
TALLEST = 6  # rows of a spectrum
LABEL, FIGURE = 9, 8  # columns of a row's name and of its figure
BLOCKS, ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
MARKS = ((100.0, "100"), (300.0, "300"), (1000.0, "1k"), (3000.0, "3k"), (10000.0, "10k"))
QUIET, LOUD, ALARM = "dim", "green", "bold yellow"
Spectra = Callable[[int], tuple[list[float], list[float]]]


@dataclass(frozen=True)
class View:
    """What the panel shows at one moment.

    title : the models.  way : from which device to which.  spectra : called with a number of
    bands, levels in dBFS before and after.  edges : Hz, where the bands begin and end.  turned :
    parameters that are not at their default.  control : who turns them.  remarks : when, what.
    lost : how often the sound went away.
    """

    seconds: float
    total: float | None
    title: str
    way: str
    meters: "Meters"
    spectra: Spectra
    edges: Callable[[int], Sequence[float]]
    turned: str
    control: str
    remarks: Callable[[int], list[tuple[str, str]]]
    lost: int = 0


def clock(seconds: float) -> str:
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def clipped(words: str, columns: int, blocks: bool = True) -> str:
    """Words in at most so many columns, without what could move a cursor."""
    from rich.cells import cell_len, set_cell_size

    printable = "".join(
        c if c.isprintable() and (blocks or c.isascii()) else "?" for c in words
    )  # fmt: skip
    if cell_len(printable) <= columns:
        return printable
    return set_cell_size(printable, max(columns - 2, 0)) + ".." if columns > 2 else ""


def ends(left: str, right: str, columns: int, style: str, blocks: bool) -> Row:
    """One row's words at both its ends; the right ones stay whole."""
    from rich.cells import cell_len

    if cell_len(right) + 2 > columns:
        return ((clipped(left, columns, blocks), style),)
    left = clipped(left, columns - cell_len(right) - 2, blocks)
    gap = " " * (columns - cell_len(left) - cell_len(right))
    return ((left, style), (gap + right, QUIET))


def meter(
    name: str, db: float, columns: int, blocks: bool, peak: float | None = None, style: str = LOUD
) -> Row:
    """A level as a bar, its peak as a mark on it."""
    full, line, mark = ("━", "─", "╸") if blocks else ("=", "-", "|")
    cells = max(columns - LABEL - FIGURE, 0)

    def at(level: float) -> int:
        return min(max(round(cells * (1 - level / LOWEST_DB)), 0), cells)

    filled = at(db)
    row = [(clipped(name, LABEL - 1, blocks).ljust(LABEL), ""), (full * filled, style)]
    top = at(peak) if peak is not None else 0
    if top > filled:
        row += [(line * (top - filled - 1), QUIET), (mark, style)]
    row += [(line * (cells - max(filled, top)), QUIET)]
    figure = f"{db:.0f} dB" if db > -119 else "silent"
    return (*row, (figure.rjust(FIGURE), ""))


def reduction(meters: "Meters", columns: int, blocks: bool) -> Row:
    """What is taken away, from the right: a bar as long as it is deep."""
    taken = max(meters.reduction_db, 0.0)
    row = meter("reduced", LOWEST_DB + min(taken, -LOWEST_DB), columns, blocks, style="cyan")
    return (*row[:-1], (f"{taken:.0f} dB".rjust(FIGURE), ""))


def heights(levels: Sequence[float], rows: int, blocks: bool) -> list[str]:
    """Levels as columns of `rows` characters, the topmost first."""
    import numpy as np

    steps, floors = BLOCKS if blocks else ASCII, 8 * np.arange(rows)[::-1, None]
    share = (np.asarray(levels) - FLOOR_DB) / (TOP_DB - FLOOR_DB)
    parts = np.clip(np.rint(8 * rows * share) - floors, 0, 8).astype(int)
    return ["".join(map(steps.__getitem__, row)) for row in parts.tolist()]


def spectrum(name: str, levels: Sequence[float], rows: int, style: str, blocks: bool) -> list[Row]:
    """Bands as columns, named beside their foot."""
    labels = [*[""] * (rows - 1), name]
    lines = heights(levels, rows, blocks)
    return [
        ((label.ljust(LABEL), ""), (line, style)) for label, line in zip(labels, lines, strict=True)
    ]


def scale(edges: Sequence[float]) -> Row:
    """Frequencies under the bands."""
    line = [" "] * (len(edges) + 3)
    for frequency, words in MARKS:
        inside = [i for i in range(len(edges) - 1) if edges[i] <= frequency < edges[i + 1]]
        if inside and not "".join(line[inside[0] :]).strip():
            line[inside[0] : inside[0] + len(words)] = words
    return ((" " * LABEL, ""), ("".join(line[: len(edges) - 1]), QUIET))


def load(meters: "Meters") -> Row:
    words = (
        f"load {100 * meters.load:.0f} %  hop p50 {meters.hop_p50_us:.0f} "
        f"p99 {meters.hop_p99_us:.0f} max {meters.hop_max_us:.0f} us"
    )
    return ((rest(meters), ""), (words, QUIET))


def mishaps(meters: "Meters", lost: int) -> Row:
    """What went wrong, counted; it stands out once it is not nothing."""
    counts = {"late": meters.late_blocks, "xruns": meters.device_flags, "clipped": meters.clipped}
    if meters.network_runs:
        counts |= {"masks late": meters.network_late, "masks failed": meters.network_failed}
    if lost:
        counts["lost"] = lost
    row: list[tuple[str, str]] = []
    for name, count in counts.items():
        row.append((f"{name} {count}", ALARM if count else QUIET))
        row.append(("  ", ""))
    return tuple(row[:-1])


def levels(view: View, columns: int, most: int, blocks: bool) -> list[Row]:
    meters = view.meters
    rows = [
        meter("input", max(meters.input_db), columns, blocks, max(meters.input_peak_db)),
        meter("output", max(meters.output_db), columns, blocks, max(meters.output_peak_db)),
        reduction(meters, columns, blocks),
    ]
    sources = list(meters.source_db.items())
    if len(sources) > 1:
        rows += [meter(name, db, columns, blocks, style="blue") for name, db in sources]
    return [clipped_row(row, columns, blocks) for row in rows[:most]]


def spectra(view: View, columns: int, rows: int, blocks: bool) -> list[Row]:
    """Before above after, each so many rows high, and their frequencies."""
    bands = columns - LABEL
    if rows < 1 or bands < 8:
        return []
    before, after = view.spectra(bands)
    return [
        *spectrum("before", before, rows, LOUD, blocks),
        *spectrum("after", after, rows, "cyan", blocks),
        scale(view.edges(bands)),
    ]


def clipped_row(row: Row, columns: int, blocks: bool) -> Row:
    """A row's pieces as far as they fit."""
    from rich.cells import cell_len

    kept: list[tuple[str, str]] = []
    for words, style in row:
        kept.append((clipped(words, columns, blocks), style))
        columns -= cell_len(kept[-1][0])
        if columns <= 0:
            break
    return tuple(kept)


def head(view: View, columns: int, blocks: bool) -> list[Row]:
    """What runs, how long, from where to where, with what delay."""
    total = f" of {clock(view.total)}" if view.total else ""
    time = f"{clock(view.seconds)}{total}  Ctrl-C ends"
    latency = f"{view.meters.latency_ms:.1f} ms"
    return [
        ends(view.title, time, columns, "bold", blocks),
        ends(view.way, latency, columns, "", blocks),
    ]


def status(view: View, columns: int, blocks: bool) -> list[Row]:
    """How it fares, and who turns what."""
    counts = mishaps(view.meters, view.lost)
    rows = [load(view.meters), counts, ((view.turned, ""),), ((view.control, ""),)]
    return [clipped_row(row, columns, blocks) for row in rows]


def remarks(view: View, count: int, columns: int, blocks: bool) -> list[Row]:
    return [
        clipped_row(((f"{when} ", QUIET), (words, "")), columns, blocks)
        for when, words in view.remarks(count)
    ]


def drawn(view: View, columns: int, height: int, blocks: bool) -> list[Row]:
    """The whole panel, at most `height` rows, one column short of `columns`."""
    columns = min(columns - 1, WIDEST)
    top, low = head(view, columns, blocks), status(view, columns, blocks)
    bars = levels(view, columns, max(height - len(top), 0), blocks)
    left = height - len(top) - len(bars) - len(low)
    graph = spectra(view, columns, min((left - 4) // 2, TALLEST), blocks)
    left -= len(graph)
    gaps: list[list[Row]] = [[()] if left - 2 > i else [] for i in range(3)]
    said = remarks(view, max(left - sum(map(len, gaps)), 0), columns, blocks)
    return [*top, *gaps[0], *bars, *gaps[1], *graph, *gaps[2], *low, *said][: max(height, 0)]
