"""A terminal as a quiet surface: rows that are written again only where they changed.

Drawn on the alternate screen, so that what stood there comes back; without an echo of what is
typed.  Control thread only.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

Row = tuple[tuple[str, str], ...]  # words and their style
C_LOCALES = ("C", "POSIX")


def draws_blocks(encoding: str, env: Mapping[str, str]) -> bool:
    """Whether a terminal shows more than ASCII.

    Python takes UTF-8 for a C locale, which the terminal knows nothing of.
    """
    told = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    coerced = not env.get("LC_ALL") and env.get("LANG") in C_LOCALES and told == "C.UTF-8"
    return "utf" in encoding.lower() and told not in C_LOCALES and not coerced


def in_foreground(stream: TextIO) -> bool:
    """Whether it is a terminal, able to move its cursor, and ours at the moment."""
    if not stream.isatty() or os.environ.get("TERM", "") in ("", "dumb"):
        return sys.platform == "win32" and stream.isatty()
    with suppress(OSError, AttributeError):
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    return True


@contextmanager
def unechoed() -> Iterator[None]:
    """Show nothing of what is typed meanwhile, and drop it at the end."""
    try:
        import termios

        before = termios.tcgetattr(0)
    except (ImportError, OSError, termios.error):
        yield
        return
    quiet: list[Any] = [*before]
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(0, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(0, termios.TCSAFLUSH, before)


class Screen:
    """Shows rows on a terminal.  blocks : whether it knows more than ASCII."""

    def __init__(self, file: TextIO, blocks: bool) -> None:
        from rich.console import Console

        self.blocks = blocks
        self._console = Console(file=file, highlight=False, markup=False, emoji=False)
        self._shown: list[Row] = []
        self._size = (0, 0)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows, as they are now."""
        return self._console.size

    def show(self, rows: Sequence[Row]) -> None:
        """Write the rows that differ from what stands there."""
        from rich.control import Control
        from rich.segment import ControlType, Segment, Segments
        from rich.style import Style

        if self._size != self.size:
            self._size, self._shown = self.size, []
            self._console.control(Control.clear())
        rows = [*rows, *[()] * (len(self._shown) - len(rows))]
        pieces: list[Segment] = []
        for y, row in enumerate(rows):
            if y < len(self._shown) and self._shown[y] == row:
                continue
            pieces.append(Control.move_to(0, y).segment)
            pieces.append(Control((ControlType.ERASE_IN_LINE, 0)).segment)
            pieces.extend(Segment(words, Style.parse(style)) for words, style in row)
        self._shown = list(rows)
        if pieces:
            self._console.print(Segments(pieces), end="", soft_wrap=True)

    @contextmanager
    def taken(self) -> Iterator["Screen"]:
        """The terminal is ours; it is given back as it was."""
        console = self._console
        console.set_alt_screen(True)
        console.show_cursor(False)
        try:
            with unechoed():
                yield self
        finally:
            console.show_cursor(True)
            console.set_alt_screen(False)
