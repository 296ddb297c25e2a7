"""A file that is read whole under a limit, and files that appear whole or not at all.

A draft lies beside its target, in the same folder, and takes the target's name only when every
draft of the group is complete and on the disk.
"""

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import IO, Any

from rtsep.artefacts.card import CardError

SUFFIX = ".part"  # of a draft
NAME_BYTES = 200  # of the target's name that a draft's own repeats; a name has 255 at most


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


class Draft:
    """A binary file in the making, open to read and write.  Its errors name the target."""

    def __init__(self, target: Path) -> None:
        self.target = target
        name = os.fsdecode(os.fsencode(target.name)[:NAME_BYTES])
        self.path = target.with_name(f".{name}.{secrets.token_hex(4)}{SUFFIX}")
        with naming(target):
            self.file: IO[bytes] = self.path.open("x+b")

    def finish(self) -> None:
        """Have all of it on the disk."""
        with naming(self.target):
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()

    def take_name(self) -> None:
        """Become the target, with the permissions of a file that was there."""
        with naming(self.target):
            with suppress(FileNotFoundError):
                self.path.chmod(stat.S_IMODE(self.target.stat().st_mode))
            os.replace(self.path, self.target)

    def discard(self) -> None:
        """Remove it, if it has not become the target."""
        with suppress(OSError):
            self.file.close()
        with suppress(OSError):
            self.path.unlink()


@contextmanager
def naming(path: str | PathLike[str]) -> Iterator[None]:
    """An OSError within that names no file, or a draft, is about `path`."""
    try:
        yield
    except OSError as error:
        if error.filename is None or os.fspath(error.filename).endswith(SUFFIX):
            error.filename = os.fspath(path)
        raise


def _resolved(target: Path) -> Path:
    """Where a target's links lead; only a regular file may be replaced."""
    place = Path(os.path.realpath(target))
    with suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(place.stat().st_mode):
            raise ValueError(f"output {shown(target)} is not a file that can be replaced")
    return place


@contextmanager
def whole(*targets: str | PathLike[str]) -> Iterator[list[Draft]]:
    """Drafts of several files, which replace the targets together at the end.

    Whatever ends the block early, a full disk or Ctrl-C, removes the drafts; the targets stay as
    they were.
    """
    with ExitStack() as leftovers:
        drafts = []
        for target in targets:
            drafts.append(Draft(_resolved(Path(target))))
            leftovers.callback(drafts[-1].discard)
        yield drafts
        for draft in drafts:
            draft.finish()
        for draft in drafts:
            draft.take_name()


def write_whole(path: str | PathLike[str], write: Callable[[IO[bytes]], Any]) -> None:
    """Let `write` fill the draft of one file."""
    with naming(path), whole(path) as (draft,):
        write(draft.file)
