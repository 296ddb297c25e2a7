"""Paths of sound files from what names many: a folder, a glob, a CSV manifest.

A manifest has a column `file` (or `path`), relative to the manifest's own folder, in a first row
of names, and may have one `licence` (or `license`); whatever else its rows say is nobody's
business here.
"""

import csv
import glob
import re
from pathlib import Path

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf")
COLUMNS = ("file", "path")
LICENCES = ("licence", "license")
NOT_STATED = "not stated"
WILD = re.compile(r"[*?\[]")


def sound_files(path: Path) -> dict[Path, str]:
    """The files that a path names and the licence of each; ValueError for none.

    A path that names no others names itself.
    """
    if path.suffix.lower() == ".csv" and path.is_file():
        return in_manifest(path)
    found = [path]
    if path.is_dir():
        found = in_folder(path)
    elif WILD.search(str(path)) and not path.exists():
        found = by_glob(path)
    return dict.fromkeys(found, NOT_STATED)


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


def in_manifest(manifest: Path) -> dict[Path, str]:
    """Files in the order of the rows, each once, and the licence in the first row of each."""
    files: dict[Path, str] = {}
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as opened:
            rows = csv.DictReader(opened)
            names = rows.fieldnames or ()
            column = next((name for name in COLUMNS if name in names), None)
            licence = next((name for name in LICENCES if name in names), "")
            if column is None:
                raise ValueError(
                    f"{manifest}: columns {', '.join(names)[:200] or 'none'} "
                    f"(wanted: {' or '.join(COLUMNS)} among them)"
                )
            for row in rows:
                if row[column]:
                    told = (row.get(licence) or "").strip()
                    files.setdefault(manifest.parent / row[column], told or NOT_STATED)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{manifest}: no CSV file that can be read ({error})") from None
    if not files:
        raise ValueError(f"{manifest}: 0 rows name a file (wanted: one at least)")
    return files
