"""Figures that took long to find, kept in a file, so that no run finds them twice.

And arrays that another method begins with, in files beside it.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.whole import write_whole


class Kept:
    """figures : after each iteration, by method, of runs of one size; in a file, if given."""

    def __init__(self, path: Path | None, size: str) -> None:
        self.path, self.size = path, size
        self.every = json.loads(path.read_text()) if path and path.exists() else {}
        self.figures: dict[str, list[float]] = self.every.setdefault(size, {})

    def put(self, what: str, found: list[float]) -> None:
        self.figures[what] = found
        print(f"{what}: {', '.join(f'{each:.2f}' for each in found)}", file=sys.stderr, flush=True)
        if self.path:
            self.path.write_text(json.dumps(self.every, indent=1))

    def array(self, task: str, method: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """What `make` finds, or has found in an earlier run of the same size."""
        if not self.path:
            return make()
        name = sha256(f"{self.size}: {task}, {method}".encode()).hexdigest()[:12]
        path = self.path.with_suffix(f".{name}.npy")
        if not path.exists():
            write_whole(path, lambda file: np.save(file, make()))
        found: NDArray[Any] = np.load(path)
        return found


def size_of(given: argparse.Namespace, numbers: Iterable[str], choices: Iterable[str]) -> str:
    """What figures depend on, in words: numbers by name, choices where they are taken."""
    words = [f"{name} {getattr(given, name)}" for name in numbers]
    return ", ".join(words + [name for name in choices if getattr(given, name)])
