"""Meters on the terminal: a quiet panel where there is one, a line a second elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtsep.engine.engine import Engine
    from rtsep.engine.meters import Meters

LOWEST_DB, WIDTH = -60.0, 40
Tell = Callable[[float, float | None], None]  # seconds run, seconds in all if known


def levels(meters: "Meters") -> list[tuple[str, float]]:
    """What has a level, in dBFS: input, output, then the sources.  Of channels, the loudest."""
    ends = [("input", max(meters.input_db)), ("output", max(meters.output_db))]
    return ends + list(meters.source_db.items())


def network(meters: "Meters") -> str:
    """How the network fares, where there is one."""
    if not meters.network_runs:
        return ""
    return (
        f"  network p50 {meters.network_p50_us:.0f} p99.9 {meters.network_p999_us:.0f} us  "
        f"masks late {meters.network_late}  failed {meters.network_failed}"
    )


def timing(meters: "Meters") -> str:
    return (
        f"latency {meters.latency_ms:.1f} ms  load {100 * meters.load:.1f} %  hop p50 "
        f"{meters.hop_p50_us:.0f} p99 {meters.hop_p99_us:.0f} max {meters.hop_max_us:.0f} us  "
        f"blocks {meters.blocks}  late {meters.late_blocks}  clipped {meters.clipped}"
        f"{network(meters)}"
    )


def plain(meters: "Meters") -> str:
    """All levels on one line."""
    return "  ".join(f"{name} {db:.1f} dB" for name, db in levels(meters))


def bar(db: float) -> str:
    filled = round(WIDTH * (1 - max(db, LOWEST_DB) / LOWEST_DB))
    return "━" * min(max(filled, 0), WIDTH)


def drawn(meters: "Meters", seconds: float, total: float | None) -> Any:
    """The panel at one moment."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    table.add_column(min_width=8)
    table.add_column(min_width=WIDTH)
    table.add_column(justify="right", min_width=9)
    for name, db in levels(meters):
        table.add_row(name, Text(bar(db), style="green"), f"{db:.1f} dB")
    table.add_row("", Text(timing(meters), style="dim", overflow="fold"))
    end = f" of {total:.1f}" if total else ""
    return Panel(table, title=f"{seconds:.1f}{end} s", subtitle="Ctrl-C ends", expand=False)


@contextmanager
def shown(engine: "Engine") -> Iterator[Tell]:
    """What to call ten times a second to show an engine's meters on standard error."""
    if sys.stderr.isatty():
        with _panel(engine) as tell:
            yield tell
    else:
        yield _lines(engine)


@contextmanager
def _panel(engine: "Engine") -> Iterator[Tell]:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(console=console, transient=True, auto_refresh=False) as screen:
        yield lambda seconds, total: screen.update(
            drawn(engine.meters(), seconds, total), refresh=True
        )


def _lines(engine: "Engine") -> Tell:
    due = time.monotonic() + 1

    def tell(seconds: float, total: float | None) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due += 1
            print(f"{seconds:.1f} s  {plain(engine.meters())}", file=sys.stderr, flush=True)

    return tell
