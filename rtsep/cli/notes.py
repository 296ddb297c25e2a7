"""Remarks that come while the terminal is drawn on, libraries' own included: kept for the panel.

Whatever goes to standard error meanwhile goes into a pipe; what is drawn goes where standard error
went before.
"""

import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TextIO

KEPT = 200  # the latest remarks
LONGEST = 1000  # characters of one
ERRORS = 2  # the file descriptor
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Notes:
    """said : when, in local time, and what; the latest last.  Any thread."""

    said: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, words: str) -> None:
        words = "".join(c if c.isprintable() else " " for c in words).strip()
        if words:
            self.said.append((time.strftime("%H:%M:%S"), words[:LONGEST]))

    def latest(self, count: int) -> list[tuple[str, str]]:
        return list(self.said)[-count:] if count > 0 else []


def _read(pipe: int, notes: Notes) -> None:
    left = b""
    while piece := os.read(pipe, 4096):
        *lines, left = (left + ESCAPES.sub(b"", piece)).split(b"\n")
        for line in lines:
            notes.add(line.decode(errors="replace"))
        left = left[-LONGEST:]
    notes.add(left.decode(errors="replace"))


@contextmanager
def captured() -> Iterator[tuple[Notes, TextIO]]:
    """What is said from here on, and the terminal that it would have gone to.

    At the end it is said there after all.
    """
    notes = Notes()
    sys.stderr.flush()
    before = os.dup(ERRORS)
    outlet, inlet = os.pipe()
    os.set_blocking(inlet, False)  # no library's thread is to wait for us
    os.dup2(inlet, ERRORS)
    os.close(inlet)
    reader = threading.Thread(target=_read, args=(outlet, notes), name="rtsep-notes", daemon=True)
    reader.start()
    terminal = open(os.dup(before), "w", encoding=sys.stderr.encoding, errors="replace")  # noqa: SIM115
    try:
        yield notes, terminal
    finally:
        with suppress(OSError):
            terminal.close()
        sys.stderr.flush()
        os.dup2(before, ERRORS)
        os.close(before)
        reader.join(0.5)
        for when, words in list(notes.said):
            print(when, words, file=sys.stderr)
