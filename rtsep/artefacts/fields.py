"""What may stand in a card, as values that say what they want.

A card comes from a stranger's file: every length, range and type is bounded here.
"""

import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Field:
    """A condition on one value and the words for it."""

    wanted: str
    holds: Callable[[Any], bool]

    def complaint(self, name: str, value: object) -> str:
        """Why `value` does not serve, on one line, whatever it is; "" where it does."""
        return (
            "" if self.holds(value) else f"{name} is {reprlib.repr(value)} (wanted: {self.wanted})"
        )


def text(longest: int, *, shortest: int = 0) -> Field:
    """Printable characters on one line."""

    def holds(value: object) -> bool:
        return isinstance(value, str) and value.isprintable() and shortest <= len(value) <= longest

    return Field(f"one line of {shortest}..{longest} printable characters", holds)


def choice(*values: object) -> Field:
    return Field(
        f"{' or '.join(map(repr, values))}",
        lambda value: any(type(value) is type(each) and value == each for each in values),
    )


def integer(low: int, high: int) -> Field:
    return Field(
        f"an integer {low}..{high}",
        lambda value: type(value) is int and low <= value <= high,
    )


def number(low: float, high: float) -> Field:
    def holds(value: object) -> bool:
        return type(value) in (int, float) and low <= value <= high  # type: ignore[operator]

    return Field(f"a number {low:g}..{high:g}", holds)


def either(*fields: Field) -> Field:
    return Field(
        " or ".join(field.wanted for field in fields),
        lambda value: any(field.holds(value) for field in fields),
    )


def mapping(key: Field, value: Field, *, shortest: int = 0, longest: int = 64) -> Field:
    def holds(given: object) -> bool:
        return (
            isinstance(given, dict)
            and shortest <= len(given) <= longest
            and all(key.holds(k) and value.holds(v) for k, v in given.items())
        )

    return Field(f"{shortest}..{longest} entries, each value {value.wanted}", holds)


def listing(item: Field, *, shortest: int = 0, longest: int = 1000) -> Field:
    def holds(given: object) -> bool:
        return (
            isinstance(given, list)
            and shortest <= len(given) <= longest
            and all(map(item.holds, given))
        )

    return Field(f"a list of {shortest}..{longest}, each {item.wanted}", holds)


def record(**fields: Field) -> Field:
    """A dict with exactly these keys."""

    def holds(given: object) -> bool:
        return (
            isinstance(given, dict)
            and given.keys() == fields.keys()
            and all(field.holds(given[name]) for name, field in fields.items())
        )

    return Field(f"a record of {', '.join(fields)}", holds)
