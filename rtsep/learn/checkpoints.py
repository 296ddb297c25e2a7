"""Where a training stands, in a file: whole or not at all, and of one training only."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rtsep.artefacts.whole import shown, write_whole

KEYS = ("network", "optimiser", "epoch", "history", "plan", "size")


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint, or leave the one before as it was; OSError where there is no room."""
    made = io.BytesIO()  # torch turns what a full disk says into words of its own
    torch.save(content, made)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda file: file.write(made.getbuffer()))


def read(path: Path) -> dict[str, Any]:
    """What `write` has written; ValueError for anything else."""
    held = io.BytesIO(path.read_bytes())
    try:
        content = torch.load(held, map_location="cpu", weights_only=True)
    except Exception as error:  # its errors have no class in common
        raise ValueError(f"{shown(path)}: no checkpoint ({_first_line(error)})") from None
    if not isinstance(content, dict) or not content.keys() >= {*KEYS}:
        raise ValueError(f"{shown(path)}: no checkpoint (wanted: {', '.join(KEYS)} in it)")
    return content


def refuse_another(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """ValueError where a checkpoint is of a training that `wanted` does not describe."""
    for name, value in wanted.items():
        if found.get(name) != value:
            raise ValueError(
                f"{shown(path)}: made for {name} {found.get(name)} (wanted: {value}); "
                "train in another folder, or remove this one"
            )


def _first_line(error: BaseException) -> str:
    return ascii((str(error) or type(error).__name__).split("\n")[0][:120])[1:-1]
