"""A vector program in the making: lines, the numbers they work on, and what is where."""

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.programs import OPERATIONS

CODE = {name: code for code, name in enumerate(OPERATIONS)}
IN_PLACE = 1 << 20  # work of a program, times masks, that the audio thread takes on at most
LINES = 1 << 16  # of a program
AT_ONCE = 8  # products that cost as much as a number touched


class Beyond(Exception):  # noqa: N818
    """A graph that no program can do."""


@dataclass
class Program:
    """lines int64 (L, 8), spans int64 (S, 3), numbers float32 (N,), and the places of names.

    shapes : of the tensors of which they are said; all lie row by row, without gaps.  What indexes
    by a shape asks `shape` for it.  constants : by name, put where they are first asked for.
    What would be more work than IN_PLACE is Beyond before it takes memory.
    """

    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    lines: list[tuple[int, ...]] = field(default_factory=list)
    spans: list[NDArray[np.int64]] = field(default_factory=list)
    pieces: list[NDArray[np.float32]] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    size: int = 0
    rows: int = 0
    touched: int = 0
    products: int = 0

    @property
    def work(self) -> int:
        """Numbers that a run touches, or a few times as many."""
        return self.size + self.touched + self.products // AT_ONCE

    def fits(self, more: int) -> None:
        """Beyond where so much more work is too much."""
        if self.work + more > IN_PLACE:
            raise Beyond(f"work of {self.work + more}")

    def put(self, values: NDArray[np.float32]) -> int:
        """A place for these numbers."""
        self.fits(values.size)
        at, self.size = self.size, self.size + values.size
        self.pieces.append(np.asarray(values, np.float32).ravel())
        return at

    def room(self, name: str, size: int) -> int:
        """A place for what is called so."""
        self.places[name] = self.scratch(size), size
        return self.places[name][0]

    def scratch(self, size: int) -> int:
        """A place for what nobody asks for by name; zeros at first."""
        self.fits(size)
        return self.put(np.zeros(size, np.float32))

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        """Of what has been made, of just as many numbers as lie there."""
        found = self.shapes.get(name, ())
        if len(found) != dimensions or prod(found) != self.at(name)[1]:
            raise Beyond(name)
        return found

    def at(self, name: str) -> tuple[int, int]:
        """Place and size of what has been made, or of a constant."""
        if name not in self.places:
            values = self.constants.get(name, np.zeros(0))
            if values.dtype != np.float32 or not values.size:
                raise Beyond(name)
            self.places[name], self.shapes[name] = (self.put(values), values.size), values.shape
        return self.places[name]

    def like(self, name: str, other: str) -> None:
        """`name` has the shape of `other`, if that is known."""
        if other in self.shapes:
            self.shapes[name] = self.shapes[other]

    def line(self, operation: str, out: int, n: int, *rest: int) -> None:
        if n < 1 or len(self.lines) == LINES:
            raise Beyond(operation)
        self.fits(n)
        self.touched += n
        filled = (CODE[operation], out, n, *rest)
        self.lines.append(filled + (0,) * (8 - len(filled)))

    def copy(self, name: str, start: int, size: int) -> None:
        """Numbers from a place on, under another name."""
        self.line("Identity", self.room(name, size), size, start)

    def multiply(self, out: int, a: int, rows: int, W: NDArray[np.float32], bias: int) -> None:
        """Out (rows, n) <- a (rows, inner) W + bias, places all but W (inner, n)."""
        self.multiply_by(out, a, rows, self.put(np.ascontiguousarray(W)), bias, W.shape)

    def multiply_by(
        self, out: int, a: int, rows: int, held: int, bias: int, shape: tuple[int, ...]
    ) -> None:
        """The same with the place of W."""
        inner, n = shape
        self.fits(rows * inner * n // AT_ONCE)
        self.products += rows * inner * n
        self.line("PRODUCT", out, n, a, bias, held, rows, inner)

    def take(self, out: int, a: int, index: NDArray[np.int64]) -> None:
        """Out <- what lies so many places after a; 0 for -1."""
        self.line("TAKE", out, index.size, a, 0, self.rows)
        self.span(index.ravel(), 1, 0)

    def span(self, first: Any, count: Any, place: Any) -> None:
        """Rows of spans, one for each of any of these."""
        self.spans.append(np.stack(np.broadcast_arrays(first, count, place), axis=1))
        self.rows += len(self.spans[-1])

    def product(self, name: str, W: NDArray[np.float32], a: int, bias: Any = None) -> int:
        """Name <- W a + bias.  W : (n, m)."""
        b = self.scratch(len(W)) if bias is None else self.put(bias)
        out = self.room(name, len(W))
        self.line("MATRIX", out, len(W), a, b, self.rows)
        held, columns = W != 0, np.arange(W.shape[1])
        first, last = held.argmax(axis=1), W.shape[1] - held[:, ::-1].argmax(axis=1)
        end = np.where(held.any(axis=1), last, 0)
        place = self.put(W[(columns >= first[:, None]) & (columns < end[:, None])])
        self.span(first, end - first, place + np.cumsum(end - first) - (end - first))
        return out

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """lines, spans and numbers as compiled code takes them."""
        spans = self.spans or [np.zeros((1, 3), np.int64)]
        return np.array(self.lines), np.concatenate(spans), np.concatenate(self.pieces)
