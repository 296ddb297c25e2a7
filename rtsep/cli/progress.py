"""A bar on the terminal while something takes its time."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress_bar(words: str, total: float | None = None) -> Iterator[Callable[..., Any]]:
    """What moves a bar, if standard error is a terminal: called with rich's fields of a task.

    As in move(completed=3, total=7) or move(description="almost").
    """
    if not sys.stderr.isatty():
        yield lambda **fields: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=total)
        yield lambda **fields: bar.update(task, **fields)
