"""A network's graph as a vector program, where it is made of what programs can do.

Only graphs for one frame at a time qualify: every tensor lies as one row of numbers, and its shape
matters only to layers (layers.py).  Whether a program computes what the graph says is for
onnxruntime to confirm, not for us.
"""

from ctypes import CFUNCTYPE, c_int64, c_void_p
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.network import Network, tensors_of
from rtsep.artefacts.onnx import SHAPES, Node, nodes_and_constants
from rtsep.artefacts.runtime import Runtime, Session
from rtsep.dsp import programs
from rtsep.separators.layers import LAYERS
from rtsep.separators.program import Beyond, Program

PAIRS = ("Add", "Sub", "Mul", "Div", "Min", "Max")
EACH = ("Tanh", "Sigmoid", "Log", "Exp", "Sqrt", "Relu")
SAME = ("Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten")
REDUCE = ("ReduceMean", "ReduceSum", "ReduceMax")
FRAMES, TOLERANCE = 12, 1e-4

run = CFUNCTYPE(None, *[c_void_p, c_int64] * 3)(programs.run.address)


def program_of(network: Network) -> Program | None:
    """The network as a program; None where it is made of more than programs do, or of too much."""
    nodes, constants = nodes_and_constants(network.content)
    program, states = Program(constants), range(len(network.card.states))
    try:
        for name, shape in tensors_of(network.card)[0].items():
            program.room(name, prod(shape))
            program.shapes[name] = shape
        for node in nodes:
            _add(program, node, constants)
        _concat(program, "next", [f"next_{i}" for i in states])
        program.at("mask")
    except (Beyond, IndexError, KeyError, ValueError, OverflowError, MemoryError):
        return None
    return program


def _add(program: Program, node: Node, constants: dict[str, NDArray[Any]]) -> None:
    operator, inputs, out = node.operator, node.inputs, node.outputs[0]
    if operator in LAYERS:
        LAYERS[operator](program, node, constants)
    elif operator in PAIRS and len(inputs) == 2:
        _pair(program, operator, out, *inputs)
    elif operator in EACH:
        a, n = program.at(inputs[0])
        program.line(operator, program.room(out, n), n, a)
        program.like(out, inputs[0])
    elif operator in SAME:
        program.copy(out, *program.at(inputs[0]))
        _reshape(program, node, constants)
    elif operator in REDUCE:
        a, n = program.at(inputs[0])
        program.line(operator, program.room(out, 1), n, a)
    elif operator == "Clip":
        bounds = [*inputs[1:], "", ""][:2]
        program.copy(out, *program.at(inputs[0]))
        for bound, side in zip(bounds, ("Max", "Min"), strict=True):
            if bound:
                _pair(program, side, out, out, bound)
        program.like(out, inputs[0])
    elif operator == "Concat":
        _concat(program, out, inputs)
        _stack(program, node)
    elif operator == "Split" and len(inputs) == 1:
        a, n = program.at(inputs[0])
        size = n // len(node.outputs)
        for i, name in enumerate(node.outputs):
            program.copy(name, a + i * size, size)
    else:
        raise Beyond(operator)


def _pair(program: Program, operator: str, out: str, one: str, other: str) -> None:
    """Of as many numbers as the larger has; a column and a row that make a table are Beyond."""
    (a, m), (b, k) = program.at(one), program.at(other)
    n = max(m, k)
    if m not in (1, n) or k not in (1, n):
        raise Beyond(operator)
    program.line(operator, program.room(out, n), n, a, b, 0, int(m > 1), int(k > 1))
    program.like(out, one if m == n else other)
    if one in program.shapes and other in program.shapes:
        program.shapes[out] = np.broadcast_shapes(program.shapes[one], program.shapes[other])
        if prod(program.shapes[out]) != n:
            raise Beyond(operator)


def _reshape(program: Program, node: Node, constants: dict[str, NDArray[Any]]) -> None:
    """Shape of what stays in its place, where it is told."""
    given, told = program.shapes.get(node.inputs[0]), constants.get([*node.inputs, ""][1])
    if node.operator == "Identity" and given:
        program.shapes[node.outputs[0]] = given
    elif told is None or told.size > SHAPES:
        return
    elif node.operator == "Reshape" and (told > 0).all():
        program.shapes[node.outputs[0]] = tuple(told.tolist())
    elif node.operator == "Unsqueeze" and given and told.tolist() == [0]:
        program.shapes[node.outputs[0]] = (1, *given)


def _stack(program: Program, node: Node) -> None:
    """Shape of what is put one after the other along the first axis."""
    shapes = [program.shapes.get(name, ()) for name in node.inputs]
    if node.attributes.get("axis") == 0 and all(shapes):
        program.shapes[node.outputs[0]] = (sum(s[0] for s in shapes), *shapes[0][1:])


def _concat(program: Program, out: str, inputs: list[str]) -> None:
    parts = [program.at(name) for name in inputs]
    at = program.room(out, sum(size for _, size in parts))
    for a, size in parts:
        program.line("Identity", at, size, a)
        at += size


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
