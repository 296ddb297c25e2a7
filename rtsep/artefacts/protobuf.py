"""Protocol buffers from a stranger: read field by field, every length checked, nothing copied.

A message is read by a table of the fields it may have; whatever else it holds is refused, and so
is a field given twice that may be given once, for other readers would merge the two.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rtsep.artefacts.card import CardError

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
MAX_FIELDS = 400_000  # in a whole file


@dataclass(frozen=True)
class Message:
    """What a kind of message may hold.  once, many : field number -> name."""

    name: str
    once: dict[int, str]
    many: dict[int, str] = field(default_factory=dict)


class Reader:
    """Reads messages out of one file and counts their fields."""

    def __init__(self) -> None:
        self._left = MAX_FIELDS

    def read(self, view: memoryview, kind: Message) -> dict[str, Any]:
        """Fields by name: a value or None, lists for those that may repeat."""
        found: dict[str, Any] = dict.fromkeys(kind.once.values())
        found |= {name: [] for name in kind.many.values()}
        for number, value in self._fields(view, kind.name):
            if number in kind.many:
                found[kind.many[number]].append(value)
            elif number not in kind.once:
                raise CardError(f"{kind.name}: field {number} is unknown")
            elif found[kind.once[number]] is not None:
                raise CardError(f"{kind.name}: {kind.once[number]} is given twice")
            else:
                found[kind.once[number]] = value
        return found

    def _fields(self, view: memoryview, name: str) -> Iterator[tuple[int, int | memoryview]]:
        at = 0
        while at < len(view):
            self._left -= 1
            if self._left < 0:
                raise CardError(f"over {MAX_FIELDS} fields")
            tag, at = varint(view, at, name)
            value, at = _value(view, at, tag & 7, name)
            yield tag >> 3, value


def _value(view: memoryview, at: int, wire: int, name: str) -> tuple[int | memoryview, int]:
    if wire == VARINT:
        return varint(view, at, name)
    if wire == BYTES:
        length, at = varint(view, at, name)
    elif wire in (EIGHT, FOUR):
        length = 8 if wire == EIGHT else 4
    else:
        raise CardError(f"{name}: wire type {wire} is unknown")
    if length > len(view) - at:
        raise CardError(f"{name}: a field of {length} bytes where {len(view) - at} are left")
    return view[at : at + length], at + length


def varint(view: memoryview, at: int, name: str) -> tuple[int, int]:
    """An unsigned number of up to 64 bits, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            break
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), at
    raise CardError(f"{name}: ends within a number")


def signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def integer(value: Any, name: str) -> int:
    """A number that may be absent, which means zero."""
    if value is None:
        return 0
    if not isinstance(value, int):
        raise CardError(f"{name}: bytes where a number is wanted")
    return signed(value)


def integers(values: list[Any], name: str, most: int) -> list[int]:
    """Repeated numbers, packed or not, at most so many."""
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(signed(value))
            continue
        at = 0
        while at < len(value) and len(found) <= most:
            number, at = varint(value, at, name)
            found.append(signed(number))
    if len(found) > most:
        raise CardError(f"{name}: over {most} numbers")
    return found


def embedded(value: Any, name: str) -> memoryview:
    """A message or bytes inside a message; absent ones are empty."""
    if value is None:
        return memoryview(b"")
    if not isinstance(value, memoryview):
        raise CardError(f"{name}: a number where bytes are wanted")
    return value


def string(value: Any, name: str, longest: int = 1024) -> str:
    """Text of at most `longest` bytes."""
    content = embedded(value, name)
    if len(content) > longest:
        raise CardError(f"{name}: a text of {len(content)} bytes (at most {longest})")
    try:
        return bytes(content).decode()
    except UnicodeDecodeError:
        raise CardError(f"{name}: a text that is not UTF-8") from None
