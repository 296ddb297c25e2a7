"""Files that appear whole or not at all.

A draft lies beside its target, in the same folder, and takes the target's name only when every
draft of the group is complete and on the disk.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

NAME_BYTES = 200  # of the target's name that a draft's own repeats; a name has 255 at most


class Draft:
    """A binary file in the making.

    It reads, writes and seeks as libsndfile's virtual files do.  Those are called from C, which
    cannot pass an exception on: the first one is kept, Ctrl-C included, and `check` raises it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = _draft_path(target)
        self.error: BaseException | None = None
        self._file = _create(self.path, target)

    def _try(self, act: Any, *arguments: Any) -> int:
        if self.error is None:
            try:
                return int(act(*arguments))
            except BaseException as error:
                self.error = _named(error, self.target)
        return 0

    def write(self, piece: bytes) -> int:
        return self._try(self._write_all, piece)

    def _write_all(self, piece: bytes) -> int:
        """A nearly full disk takes a part; only the next write tells."""
        left = memoryview(piece)
        while left:
            left = left[self._file.write(left) :]
        return len(piece)

    def readinto(self, piece: Any) -> int:
        return self._try(self._file.readinto, piece)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._try(self._file.seek, offset, whence)

    def tell(self) -> int:
        return self._try(self._file.tell)

    def check(self) -> None:
        """Raise the first exception, a full disk for one."""
        if self.error is not None:
            raise self.error

    def finish(self) -> None:
        """Have all of it on the disk."""
        self.check()
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _named(error, self.target) from None
        self._file.close()

    def discard(self) -> None:
        """Remove it, if it has not become the target."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self.path.unlink()


def _named(error: BaseException, target: Path) -> BaseException:
    """The same error, about the target instead of its draft."""
    if isinstance(error, OSError):
        error.filename = str(target)
    return error


def _draft_path(target: Path) -> Path:
    name = os.fsdecode(os.fsencode(target.name)[:NAME_BYTES])
    return target.with_name(f".{name}.{secrets.token_hex(4)}.part")


def _create(path: Path, target: Path) -> Any:
    try:
        return path.open("x+b", buffering=0)
    except OSError as error:
        raise _named(error, target) from None


def _resolved(target: Path) -> Path:
    """Where a target's links lead; only a regular file may be replaced."""
    place = Path(os.path.realpath(target))
    with suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(place.stat().st_mode):
            raise ValueError(f"output {target} is not a file that can be replaced")
    return place


def _take_name(draft: Draft) -> None:
    with suppress(FileNotFoundError):
        draft.path.chmod(stat.S_IMODE(draft.target.stat().st_mode))
    os.replace(draft.path, draft.target)


@contextmanager
def whole(*targets: Path) -> Iterator[list[Draft]]:
    """Drafts of several files, which replace the targets together at the end.

    Whatever ends the block early, Ctrl-C included, leaves the targets as they were.
    """
    with ExitStack() as leftovers:
        drafts = []
        for target in targets:
            drafts.append(Draft(_resolved(target)))
            leftovers.callback(drafts[-1].discard)
        yield drafts
        for draft in drafts:
            draft.finish()
        for draft in drafts:
            _take_name(draft)
