"""Recordings of a folder with a manifest.csv: file, set, source, speaker, category, seconds, split.

Nothing of them goes into the repository; the scripts take the folder as --data.
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Entry = dict[str, str]

DATA = {"data": {"type": Path, "required": True, "help": "folder with a manifest.csv"}}


def manifest(folder: Path, **wanted: str) -> list[Entry]:
    """Rows whose columns have these values; ValueError where there are none."""
    with open(folder / "manifest.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if wanted.items() <= row.items()]
    if not rows:
        raise ValueError(f"{folder.name}/manifest.csv has no row with {wanted}")
    return rows


def peaked(folder: Path, entry: Entry, rate: int = 16000) -> Samples:
    """Mono samples (n,) at `rate`, their peak one."""
    import soundfile
    import soxr

    x, given = soundfile.read(folder / entry["file"], dtype="float32", always_2d=True)
    mono = x.mean(axis=1)
    mono = soxr.resample(mono, given, rate) if given != rate else mono
    return mono / np.abs(mono).max()
