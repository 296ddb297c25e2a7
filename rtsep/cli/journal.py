"""What happens while live, as JSON lines: one object a line, each with `time` and `event`.

start   devices, models, rate, latency, and how often the sound went away before
model   another model, or other sources to keep
late    what was late, clipped or broken since the line before, at most one line a second
rest    why nothing is separated from now on; empty where all is again
lost    the sound went away; the next start tells that it is back
remark  whatever is said to people besides
end     the last reading of the meters, or the error
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsep.cli import options

if TYPE_CHECKING:
    from rtsep.control.desk import Desk
    from rtsep.engine.engine import Engine
    from rtsep.engine.meters import Meters

STANDARD_OUTPUT = "-"
COUNTED = (
    "late_blocks", "device_flags", "network_late", "network_failed", "clipped", "nonfinite",
)  # fmt: skip
OFTEN = 1.0  # seconds between two looks at what is counted


class Journal:
    """Appends to a file descriptor; None takes nothing.  Any thread."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor, self._lock = descriptor, threading.Lock()

    def write(self, event: str, **told: Any) -> None:
        """One line, whole.  What cannot be written ends the journal, not the sound."""
        if self._descriptor is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event} | told, default=str) + "\n"
        with self._lock:
            try:
                self._append(line.encode())
            except OSError as error:
                self._descriptor = None
                print(f"no more log: {error.strerror}", file=sys.stderr, flush=True)

    def _append(self, line: bytes) -> None:
        while self._descriptor is not None and line:
            line = line[os.write(self._descriptor, line) :]


@contextmanager
def journal(where: str | None) -> Iterator[Journal]:
    """A journal at the end of a file, "-" for standard output, None for none.

    It hears what is said to people, and writes the error that ends it.
    """
    if where is None:
        yield Journal(None)
        return
    if where == STANDARD_OUTPUT:
        opened = os.dup(sys.stdout.fileno())
    else:
        opened = os.open(Path(where), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    book = Journal(opened)

    def hear(words: str) -> None:
        book.write("remark", words=words)

    options.listeners.append(hear)
    try:
        yield book
    except BaseException as error:
        book.write("end", error=f"{type(error).__name__}: {error}")
        raise
    finally:
        options.listeners.remove(hear)
        os.close(opened)


def running(engine: "Engine", desk: "Desk") -> dict[str, Any]:
    """What runs at the moment."""
    return {
        "models": list(desk.models), "sources": list(engine.sources), "keep": list(engine.keep),
        "latency_ms": 1000 * engine.latency / engine.rate,
    }  # fmt: skip


def counts_of(meters: "Meters") -> dict[str, int]:
    return {name: getattr(meters, name) for name in COUNTED}


class Watch:
    """Looks at an engine and writes what changed."""

    def __init__(self, book: Journal, engine: "Engine", desk: "Desk") -> None:
        self._book, self._engine, self._desk = book, engine, desk
        meters = engine.meters()
        self._running, self._counts = running(engine, desk), counts_of(meters)
        self._resting = meters.resting
        self._due = time.monotonic() + OFTEN

    def look(self) -> None:
        """Often; what is counted is looked at once a second."""
        if (now := running(self._engine, self._desk)) != self._running:
            self._running = now
            self._book.write("model", **now)
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + OFTEN
            self.settle()

    def settle(self) -> None:
        """Write what was counted since the last time, and whether it came to rest or to work."""
        from rtsep.engine.rest import WORDS

        meters = self._engine.meters()
        if meters.resting != self._resting:
            self._resting = meters.resting
            self._book.write("rest", why=WORDS[meters.resting])
        counts = counts_of(meters)
        new = {name: count - self._counts[name] for name, count in counts.items()}
        self._counts = counts
        if any(new.values()):
            self._book.write("late", **{name: count for name, count in new.items() if count})


@contextmanager
def written(
    book: Journal, engine: "Engine", desk: "Desk", way: str, lost: int
) -> Iterator[Callable[[], None]]:
    """Start and end of a stream, and what to call often in between."""
    from importlib.metadata import version

    book.write(
        "start", rtsep=version("rtsep"), process=os.getpid(), way=way, rate=engine.rate,
        channels=engine.channels, lost=lost, **running(engine, desk), note=engine.note,
    )  # fmt: skip
    watch = Watch(book, engine, desk)
    yield watch.look
    watch.settle()
    book.write("end", meters=asdict(engine.meters()))
