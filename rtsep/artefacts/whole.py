"""A file that is read whole under a limit, and one that appears whole or not at all."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

from rtsep.artefacts.card import CardError


def shown(path: str | PathLike[str]) -> str:
    """A path as it may stand in a one-line message."""
    text = os.fspath(path)
    return text if text.isprintable() else ascii(text)


def read_whole(path: str | PathLike[str], most: int) -> bytes:
    """A model file's content; CardError where it cannot be read or has over `most` bytes."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise CardError("no regular file (a model is one)")
    try:
        with Path(path).open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CardError(f"cannot be read ({reason})") from None
    if len(content) > most:
        raise CardError(f"over {most} bytes (a model file has less)")
    return content


def write_whole(path: str | PathLike[str], write: Callable[[BinaryIO], Any]) -> None:
    """Let `write` fill a draft beside `path`, which takes its name once it is on the disk.

    Whatever ends this early, a full disk or Ctrl-C, removes the draft; `path` stays as it was.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"{shown(path)} is a folder (wanted: a file's name)")
    draft = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with draft.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    except OSError as error:
        error.filename = os.fspath(path)
        raise
    finally:
        with suppress(OSError):
            draft.unlink()
