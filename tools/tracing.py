"""What a core did while a thread was held, by the kernel's own trace.  Linux, root.

The trace tells which thread runs and when an interrupt is served.  A core that stands still, or
crawls, tells nothing for longer than its timer's period (1 to 10 ms), and takes as long over an
interrupt of 20 us as over everything else: then neither the thread nor another one, nor the kernel,
had what is missing, but what the core itself runs on.
"""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from circumstances import Row

KILOBYTES = 220_000  # for each core; the oldest is lost first
EVENTS = ("sched/sched_switch", "irq", "irq_vectors")
TOLD = ("others ms", "interrupts ms", "slowest one", "silent ms")


class Event(NamedTuple):
    """ns of the monotonic clock, its name, and the rest of its line."""

    at: int
    name: str
    rest: str


class Window(NamedTuple):
    """ns from when to when, on which core, of which thread."""

    begin: int
    end: int
    core: int
    thread: int


@contextmanager
def traced() -> Iterator[Callable[[list[Window]], list[Row]]]:
    """Beside what is measured; what it gives tells afterwards what happened in some windows."""
    with TemporaryDirectory() as place:
        subprocess.run(["mount", "-t", "tracefs", "trace", place], check=True)
        trace = Path(place, "instances", "measured")
        try:
            trace.mkdir()
            (trace / "trace_clock").write_text("mono")
            (trace / "buffer_size_kb").write_text(str(KILOBYTES))
            for event in EVENTS:
                (trace / "events" / event / "enable").write_text("1")
            yield lambda windows: accounts(trace, windows)
        finally:
            if trace.exists():
                trace.rmdir()
            subprocess.run(["umount", place], check=True)


def accounts(trace: Path, windows: list[Window]) -> list[Row]:
    """What happened in each window, as TOLD; None where its beginning is lost already."""
    (trace / "tracing_on").write_text("0")
    found = [Row(dict.fromkeys(TOLD)) for _ in windows]
    for core in {each.core for each in windows}:
        here = [i for i, each in enumerate(windows) if each.core == core]
        kept, first = within(trace / "per_cpu" / f"cpu{core}" / "trace", [windows[i] for i in here])
        for i, events in zip(here, kept, strict=True):
            if windows[i].begin > first:
                found[i] = account(windows[i], events)
    return found


def within(path: Path, windows: list[Window]) -> tuple[list[list[Event]], float]:
    """Events of each window, and when the trace begins."""
    kept: list[list[Event]] = [[] for _ in windows]
    edges = np.array([(each.begin, each.end) for each in windows])
    first = np.inf
    with path.open() as lines:
        for line in lines:
            head, _, rest = line.partition(": ")
            if line.startswith("#") or not rest:
                continue
            at = int(head[head.rindex(" ") :].replace(".", "")) * 1000
            first = min(first, at)
            for i in np.flatnonzero((edges[:, 0] <= at) & (at <= edges[:, 1])):
                name, _, more = rest.partition(":")
                kept[i].append(Event(at, name, more))
    return kept, first


def account(window: Window, events: list[Event]) -> Row:
    """How long others ran and interrupts took, the slowest of them and the longest silence: ms."""
    others = interrupts = slowest = 0
    away = entered = None
    depth = 0
    for event in events:
        if event.name == "sched_switch":
            if f"next_pid={window.thread} " in event.rest:
                others += event.at - (away or event.at)
                away = None
            else:
                away = away or event.at
        elif event.name.endswith("_entry"):
            entered, depth = (event.at if depth == 0 else entered), depth + 1
        elif event.name.endswith("_exit") and depth:
            depth -= 1
            if depth == 0 and entered:
                interrupts += event.at - entered
                slowest = max(slowest, event.at - entered)
    others += window.end - away if away else 0
    moments = [window.begin, *(each.at for each in events), window.end]
    silent = int(np.diff(moments).max())
    told = (others, interrupts, slowest, silent)
    return {name: value * 1e-6 for name, value in zip(TOLD, told, strict=True)}
