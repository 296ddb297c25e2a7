"""Paths of sound files from what names many: a folder, a glob, a CSV manifest.

A manifest has a column `file` (or `path`), relative to the manifest's own folder, in a first row
of names; whatever else its rows say is nobody's business here.
"""

import csv
import glob
import re
from pathlib import Path

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf")
COLUMNS = ("file", "path")
WILD = re.compile(r"[*?\[]")


def sound_files(path: Path) -> list[Path]:
    """The files that a path names: itself, where it is none of many; ValueError for none."""
    if path.is_dir():
        return in_folder(path)
    if path.suffix.lower() == ".csv" and path.is_file():
        return in_manifest(path)
    if WILD.search(str(path)) and not path.exists():
        return by_glob(path)
    return [path]


def in_folder(folder: Path) -> list[Path]:
    """Sound files of a folder and its subfolders, sorted."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    files = sorted(path for path in found if path.is_file())
    if not files:
        raise ValueError(f"{folder}: no sound file in it (wanted: {', '.join(SUFFIXES)})")
    return files


def by_glob(pattern: Path) -> list[Path]:
    """Sound files that match, ** any folders, sorted; those of matching folders too."""
    found = (Path(each) for each in sorted(glob.glob(str(pattern), recursive=True)))
    files = [
        file
        for path in found
        for file in (in_folder(path) if path.is_dir() and "**" not in str(pattern) else [path])
        if file.is_file() and file.suffix.lower() in SUFFIXES
    ]
    if not files:
        raise ValueError(f"{pattern}: no sound file matches (wanted: {', '.join(SUFFIXES)})")
    return files


def in_manifest(manifest: Path) -> list[Path]:
    """Files in the order of the rows, each once."""
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as opened:
            rows = csv.DictReader(opened)
            names = rows.fieldnames or ()
            column = next((name for name in COLUMNS if name in names), None)
            if column is None:
                raise ValueError(
                    f"{manifest}: columns {', '.join(names)[:200] or 'none'} "
                    f"(wanted: {' or '.join(COLUMNS)} among them)"
                )
            files = [manifest.parent / row[column] for row in rows if row[column]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{manifest}: no CSV file that can be read ({error})") from None
    if not files:
        raise ValueError(f"{manifest}: 0 rows name a file (wanted: one at least)")
    return [*dict.fromkeys(files)]
