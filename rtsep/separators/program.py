"""A network's graph as a vector program, where it is made of what programs can do.

Only graphs for one frame at a time qualify: every tensor is a vector, whatever its dimensions are
called.  Whether a program computes what the graph says is for onnxruntime to confirm, not for us.
"""

from ctypes import CFUNCTYPE, c_int64, c_void_p
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.network import Network, tensors_of
from rtsep.artefacts.onnx import Node, nodes_and_constants
from rtsep.artefacts.runtime import Runtime, Session
from rtsep.dsp import programs
from rtsep.dsp.programs import OPERATIONS

CODE = {name: code for code, name in enumerate(OPERATIONS)}
PAIRS = ("Add", "Sub", "Mul", "Div", "Min", "Max")
EACH = ("Tanh", "Sigmoid", "Log", "Exp", "Sqrt", "Relu")
SAME = ("Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten")
REDUCE = ("ReduceMean", "ReduceSum", "ReduceMax")
MOST = 1 << 22  # numbers of a program
FRAMES, TOLERANCE = 12, 1e-4


run = CFUNCTYPE(None, *[c_void_p, c_int64] * 3)(programs.run.address)


class Beyond(Exception):  # noqa: N818
    """A graph that no program can do."""


@dataclass
class Program:
    """lines int64 (L, 8), spans int64 (S, 3), numbers float32 (N,), and the places of names."""

    lines: list[tuple[int, ...]] = field(default_factory=list)
    spans: list[tuple[int, int, int]] = field(default_factory=list)
    pieces: list[NDArray[np.float32]] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    size: int = 0

    @property
    def work(self) -> int:
        """Numbers that a run touches, or a few times as many."""
        return self.size + sum(n for _, _, n, *_ in self.lines)

    def put(self, values: NDArray[np.float32]) -> int:
        """A place for these numbers."""
        at, self.size = self.size, self.size + values.size
        if self.size > MOST:
            raise Beyond(f"{self.size} numbers")
        self.pieces.append(np.asarray(values, np.float32).ravel())
        return at

    def room(self, name: str, size: int) -> int:
        """A place for what is called so."""
        self.places[name] = self.put(np.zeros(size, np.float32)), size
        return self.places[name][0]

    def at(self, name: str) -> tuple[int, int]:
        """Place and size of what has been made."""
        if name not in self.places:
            raise Beyond(name)
        return self.places[name]

    def line(self, operation: str, out: int, n: int, *rest: int) -> None:
        filled = (CODE[operation], out, n, *rest)
        self.lines.append(filled + (0,) * (8 - len(filled)))

    def copy(self, name: str, start: int, size: int) -> None:
        """Numbers from a place on, under another name."""
        self.line("Identity", self.room(name, size), size, start)

    def product(self, name: str, W: NDArray[np.float32], a: int, bias: Any = None) -> int:
        """Name <- W a + bias.  W : (n, m)."""
        b = self.put(np.zeros(len(W), np.float32) if bias is None else bias)
        out, row = self.room(name, len(W)), len(self.spans)
        for weights in W:
            held = np.flatnonzero(weights)
            first, end = (held[0], held[-1] + 1) if len(held) else (0, 0)
            self.spans.append((int(first), int(end - first), self.put(weights[first:end])))
        self.line("MATRIX", out, len(W), a, b, row)
        return out

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """lines, spans and numbers as compiled code takes them."""
        spans = self.spans or [(0, 0, 0)]
        return np.array(self.lines), np.array(spans), np.concatenate(self.pieces)


def program_of(network: Network) -> Program | None:
    """The network as a program; None where it is made of more than programs do."""
    nodes, constants = nodes_and_constants(network.content)
    program, states = Program(), range(len(network.card.states))
    try:
        for name, shape in tensors_of(network.card)[0].items():
            program.room(name, int(np.prod(shape)))
        for name, values in constants.items():
            vector = values.size == max(values.shape, default=1)
            if values.dtype == np.float32 and values.size and vector:
                program.places[name] = program.put(values), values.size
        for node in nodes:
            _add(program, node, constants)
        _concat(program, "next", [f"next_{i}" for i in states])
        program.at("mask")
    except (Beyond, IndexError, KeyError, ValueError):
        return None
    return program


def _add(program: Program, node: Node, constants: dict[str, NDArray[Any]]) -> None:
    operator, inputs, out = node.operator, node.inputs, node.outputs[0]
    if operator in PAIRS and len(inputs) == 2:
        _pair(program, operator, out, *inputs)
    elif operator in EACH:
        a, n = program.at(inputs[0])
        program.line(operator, program.room(out, n), n, a)
    elif operator in SAME:
        program.copy(out, *program.at(inputs[0]))
    elif operator in REDUCE:
        a, n = program.at(inputs[0])
        program.line(operator, program.room(out, 1), n, a)
    elif operator == "Clip":
        bounds = [*inputs[1:], "", ""][:2]
        program.copy(out, *program.at(inputs[0]))
        for bound, side in zip(bounds, ("Max", "Min"), strict=True):
            if bound:
                _pair(program, side, out, out, bound)
    elif operator == "Concat":
        _concat(program, out, inputs)
    elif operator == "Split" and len(inputs) == 1:
        a, n = program.at(inputs[0])
        size = n // len(node.outputs)
        for i, name in enumerate(node.outputs):
            program.copy(name, a + i * size, size)
    elif operator in ("MatMul", "Gemm"):
        _product(program, node, constants)
    elif operator == "GRU":
        _recurrent(program, node, constants)
    else:
        raise Beyond(operator)


def _pair(program: Program, operator: str, out: str, one: str, other: str) -> None:
    (a, m), (b, k) = program.at(one), program.at(other)
    n = max(m, k)
    if m not in (1, n) or k not in (1, n):
        raise Beyond(operator)
    program.line(operator, program.room(out, n), n, a, b, 0, int(m > 1), int(k > 1))


def _concat(program: Program, out: str, inputs: list[str]) -> None:
    parts = [program.at(name) for name in inputs]
    at = program.room(out, sum(size for _, size in parts))
    for a, size in parts:
        program.line("Identity", at, size, a)
        at += size


def _product(program: Program, node: Node, constants: dict[str, NDArray[Any]]) -> None:
    """Vector times constant matrix, perhaps with a bias."""
    W, (a, n) = constants[node.inputs[1]], program.at(node.inputs[0])
    if node.attributes.keys() - {"transB"} or W.ndim != 2:
        raise Beyond(node.operator)
    W = W if node.attributes.get("transB") else W.T
    if W.shape[1] != n:
        raise Beyond(node.operator)
    bias = constants[node.inputs[2]].ravel() if len(node.inputs) > 2 else None
    if bias is not None and bias.size != len(W):
        raise Beyond(node.operator)
    program.product(node.outputs[0], W, a, bias)


def _recurrent(program: Program, node: Node, constants: dict[str, NDArray[Any]]) -> None:
    """One step of one layer, with the reset after the product, as torch has it."""
    plain = {"hidden_size", "linear_before_reset"}
    if node.attributes.keys() != plain or node.attributes["linear_before_reset"] != 1:
        raise Beyond(node.operator)
    x, W, R, B, lengths, before = node.inputs
    (a, n), (h, units) = program.at(x), program.at(before)
    weights, recurrent = constants[W][0], constants[R][0]
    if lengths or weights.shape != (3 * units, n) or recurrent.shape != (3 * units, units):
        raise Beyond(node.operator)
    biases = constants[B][0].reshape(2, 3 * units)
    given = program.product(f"{before} given", weights, a, biases[0])
    kept = program.product(f"{before} kept", recurrent, h, biases[1])
    names = [name for name in node.outputs if name]
    program.line("GATES", program.room(names[0], units), units, given, kept, h)
    for name in names[1:]:
        program.copy(name, *program.at(names[0]))


def agrees(program: Program, network: Network, library: Runtime) -> bool:
    """Whether the program computes what onnxruntime does, over some frames from states of zero."""
    inputs, outputs = tensors_of(network.card)
    session = Session(library, network.content, list(inputs), list(outputs))
    given = {name: np.zeros(shape, np.float32) for name, shape in inputs.items()}
    made = {name: np.zeros(shape, np.float32) for name, shape in outputs.items()}
    sides = [[session.tensor(a.ctypes.data, a.shape) for a in s.values()] for s in (given, made)]
    lines, spans, numbers = program.arrays()
    rng, same = np.random.default_rng(0), True
    for turn in range(FRAMES):
        level = 10.0 ** (turn % 6 - 4)
        given["magnitude"][:] = rng.rayleigh(level, given["magnitude"].shape)
        for name, values in given.items():
            at, size = program.places[name]
            numbers[at : at + size] = values.ravel()
        session.run(*sides)
        run(lines.ctypes.data, len(lines), spans.ctypes.data, len(spans), numbers.ctypes.data,
            len(numbers))  # fmt: skip
        for name, values in made.items():
            at, size = program.places[name]
            same &= size == values.size and np.allclose(
                numbers[at : at + size], values.ravel(), TOLERANCE, TOLERANCE
            )
        for i in range(len(outputs) - 1):
            given[f"state_{i}"][:] = made[f"next_{i}"]
    session.close()
    return same
