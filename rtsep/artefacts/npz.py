"""Arrays from a stranger's npz: sizes known before bytes are read, and never a pickle."""

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.card import CardError
from rtsep.artefacts.whole import read_whole

MAX_FILE = 16 << 20  # bytes
MAX_HEADER = 4096  # bytes, of an array
MAX_ENTRIES = 64  # of an archive; a basis has four
ENTRY = b"PK\x01\x02"  # begins each in the directory, whatever the count at its end says
HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': ([ -~]+), 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,9},? ?){0,4})\), \} *\n",
    re.DOTALL,
)
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# What zipfile and zlib raise on bytes that are not what they should be.
BROKEN = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, RuntimeError, KeyError,
          IndexError, OverflowError, NotImplementedError, struct.error)  # fmt: skip


@contextmanager
def opened(path: str | PathLike[str]) -> Iterator[zipfile.ZipFile]:
    """The archive, read whole under a size limit; CardError where it is none."""
    content = read_whole(path, MAX_FILE)
    if (entries := content.count(ENTRY)) > MAX_ENTRIES:
        raise CardError(f"{entries} arrays (at most {MAX_ENTRIES})")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except BROKEN:
        raise CardError(f"{len(content)} bytes that are no npz archive, or half of one") from None
    with archive:
        yield archive


def names(archive: zipfile.ZipFile) -> set[str]:
    return {name.removesuffix(".npy") for name in archive.namelist()}


def read(
    archive: zipfile.ZipFile,
    name: str,
    dtype: type[np.generic],
    *,
    shape: tuple[int, ...] | None = None,
    longest: int = 0,
) -> NDArray[Any]:
    """One array of the archive: of this shape, or of one dimension and at most `longest` items."""
    size = np.dtype(dtype).itemsize * (int(np.prod(shape)) if shape else longest)
    entry = _entry(archive, name, size + MAX_HEADER)
    try:
        with archive.open(entry) as file:
            content = file.read(entry.file_size)
    except BROKEN as error:
        raise CardError(f"array {name!r} is damaged ({_reason(error)})") from None
    return _array(name, content, np.dtype(dtype), shape)


def _array(
    name: str, content: bytes, dtype: np.dtype[Any], shape: tuple[int, ...] | None
) -> NDArray[Any]:
    """The array in the bytes of an npy file of version 1.0, as numpy writes it."""
    header = HEADER.match(content[:MAX_HEADER])
    if not header:
        raise CardError(f"array {name!r} is damaged (no npy header of version 1.0)")
    kind, order, sizes = (each.decode("ascii", "replace") for each in header.groups())
    found = tuple(int(size) for size in re.findall(r"\d+", sizes))
    if "O" in kind:
        raise CardError(f"array {name!r} holds pickled objects (wanted: {dtype.str!r})")
    if kind != repr(dtype.str) or order != "False" or found != (shape or found[:1]):
        layout = " in Fortran order" if order == "True" else ""
        raise CardError(
            f"array {name!r} is {kind[:80]} {found}{layout} "
            f"(card: {dtype.str!r} {shape or 'of one dimension'})"
        )
    values = content[header.end() :]
    if not found or len(values) != dtype.itemsize * math.prod(found):
        raise CardError(f"array {name!r} has {len(values)} bytes (its header: shape {found})")
    return np.frombuffer(values, dtype).reshape(found)


def _entry(archive: zipfile.ZipFile, name: str, most: int) -> zipfile.ZipInfo:
    entries = [each for each in archive.infolist() if each.filename == f"{name}.npy"]
    if len(entries) != 1:
        raise CardError(f"{len(entries)} arrays {name!r} (wanted: one)")
    if entries[0].file_size > most:
        raise CardError(f"array {name!r} has {entries[0].file_size} bytes (at most {most})")
    if entries[0].compress_type not in METHODS:
        raise CardError(f"array {name!r} is packed by method {entries[0].compress_type} (0 or 8)")
    return entries[0]


def _reason(error: BaseException) -> str:
    return ascii(str(error).split("\n")[0][:120])[1:-1] or type(error).__name__
