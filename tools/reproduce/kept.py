"""Figures that took long to find, kept in a file, so that no run finds them twice."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path


class Kept:
    """figures : after each iteration, by method, of runs of one size; in a file, if given."""

    def __init__(self, path: Path | None, size: str) -> None:
        self.path = path
        self.every = json.loads(path.read_text()) if path and path.exists() else {}
        self.figures: dict[str, list[float]] = self.every.setdefault(size, {})

    def put(self, what: str, found: list[float]) -> None:
        self.figures[what] = found
        print(f"{what}: {', '.join(f'{each:.2f}' for each in found)}", file=sys.stderr, flush=True)
        if self.path:
            self.path.write_text(json.dumps(self.every, indent=1))


def size_of(given: argparse.Namespace, numbers: Iterable[str], choices: Iterable[str]) -> str:
    """What figures depend on, in words: numbers by name, choices where they are taken."""
    words = [f"{name} {getattr(given, name)}" for name in numbers]
    return ", ".join(words + [name for name in choices if getattr(given, name)])
