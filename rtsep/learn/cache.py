"""Arrays that are dear to make, kept in a file; safe under any number of processes at once.

The file's name holds a hash of what the arrays are made from, so that nothing stale is found.  It
appears whole or not at all: two processes may both make it, and either may be read.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.whole import write_whole

Arrays = dict[str, NDArray[Any]]


def cached(folder: Path, what: str, key: Any, make: Callable[[], Arrays]) -> Arrays:
    """What `make()` returns, or has returned before for an equal key (of JSON's kinds)."""
    path = folder / f"{what}-{digest(key)}.npz"
    if (found := _read(path)) is not None:
        return found
    arrays = make()
    write_whole(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
    return arrays


def digest(key: Any) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


def stamps(files: Iterable[str]) -> list[list[Any]]:
    """Name, size and time of change of each file: what a key needs to notice other content."""
    stats = ((name, Path(name).stat()) for name in files)
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]


def _read(path: Path) -> Arrays | None:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile):
        return None  # not there, or damaged: made again
