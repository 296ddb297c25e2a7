"""Models by name: what is installed, what the user has saved, and files anywhere.

Looked through in this order: the path given, the user's data folder, the installed package, the
checkout.
"""

import difflib
import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from rtsep.artefacts.basis import Basis, load_basis, save_basis
from rtsep.artefacts.card import CardError
from rtsep.artefacts.network import Network, load_network, save_network
from rtsep.artefacts.whole import shown

Name = str | PathLike[str]

LOAD: dict[str, Callable[[Path], Basis | Network]] = {".npz": load_basis, ".onnx": load_network}
SAVE: dict[str, Callable[[Name, Any], None]] = {".npz": save_basis, ".onnx": save_network}

DEFAULT = "nes-speech-medium"  # where no model is named
PACKAGE = Path(__file__).resolve().parents[1]


def user_folder() -> Path:
    """Where a user's own models lie; it need not exist."""
    import platformdirs

    return Path(platformdirs.user_data_path("rtsep")) / "models"


def folders() -> tuple[Path, ...]:
    return user_folder(), PACKAGE / "models", PACKAGE.parent / "models"


def names() -> tuple[str, ...]:
    """Names of all models that can be found without a path, sorted."""
    files = (path for folder in folders() if folder.is_dir() for path in folder.iterdir())
    return tuple(sorted({path.stem for path in files if _is_model(path)}))


def find(model: Name) -> Path:
    """The file of a model given by name or path; CardError suggests the nearest."""
    if _is_path(model):
        path = Path(model)
        if os.path.isfile(path):
            return path
        raise CardError(f"{shown(path)}: no such model file{_nearest(path.stem)}")
    for folder in folders():
        for suffix in LOAD:
            path = folder / f"{os.fspath(model)}{suffix}"
            if os.path.isfile(path):
                return path
    raise CardError(f"{shown(model)}: no such model{_nearest(os.fspath(model))}")


def load(model: Name) -> Basis | Network:
    """A model by name or path; CardError for what is missing or no model."""
    path = find(model)
    if path.suffix not in LOAD:
        raise CardError(f"{shown(path)}: suffix {path.suffix!r} (a model has {', '.join(LOAD)})")
    return LOAD[path.suffix](path)


def save(path: Name, model: Basis | Network) -> None:
    """Write a model's file whole or not at all; CardError for a suffix no model has."""
    suffix = Path(path).suffix
    if suffix not in SAVE:
        raise CardError(f"{shown(path)}: suffix {suffix!r} (a model has {', '.join(SAVE)})")
    if isinstance(model, Network) != (suffix == ".onnx"):
        raise CardError(
            f"{shown(path)}: suffix {suffix!r} (model {model.card.name!r}: {model.card.kind})"
        )
    SAVE[suffix](path, model)


def _is_path(model: Name) -> bool:
    """A name has no folder and no suffix of a model's file."""
    text = os.fspath(model)
    separated = any(each and each in text for each in (os.sep, os.altsep))
    return not isinstance(model, str) or separated or Path(text).suffix in LOAD or "\0" in text


def _is_model(path: Path) -> bool:
    return path.suffix in LOAD and os.path.isfile(path) and path.stem.isprintable()


def _nearest(name: str) -> str:
    known = names()
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    if near:
        return f" (nearest: {near[0]!r})"
    return f" (known: {', '.join(known)})" if known else " (none is installed)"
