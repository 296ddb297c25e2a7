"""The layers of a network as lines of a vector program: products, convolutions, recurrence, norms.

Whatever has the same weights at many places is one product of a matrix of places with the weights.
Each function takes the program, a node and the graph's constants; Beyond for what it cannot do.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.onnx import Node
from rtsep.separators.program import LINES, Beyond, Program

Constants = dict[str, NDArray[Any]]


def matrix_product(program: Program, node: Node, constants: Constants) -> None:
    """Of a vector, or of the rows of a tensor, with a constant; perhaps with a bias."""
    W, (a, size) = _constant(constants, node.inputs[1], 2), program.at(node.inputs[0])
    if node.attributes.keys() - {"transB"}:
        raise Beyond(node.operator)
    W = W if node.attributes.get("transB") else W.T
    n, inner = W.shape
    bias = constants[node.inputs[2]].ravel() if len(node.inputs) > 2 else np.zeros(n, np.float32)
    if size % inner or bias.size != n:
        raise Beyond(node.operator)
    out = node.outputs[0]
    rows = size // inner
    if rows == 1:
        program.product(out, W, a, bias)
    else:
        program.multiply(program.room(out, rows * n), a, rows, W.T, program.put(bias))
    if shape := program.shapes.get(node.inputs[0]):
        program.shapes[out] = (*shape[:-1], n)


def convolution(program: Program, node: Node, constants: Constants) -> None:
    """Along the one axis of (1, channels, L)."""
    W, bias, stride, pad = _filters(node, constants)
    (_, channels, L), (a, _) = program.shape(node.inputs[0], 3), program.at(node.inputs[0])
    n, heard, taps = W.shape
    if heard != channels:
        raise Beyond(node.operator)
    made = (L + 2 * pad - taps) // stride + 1
    if made < 1:
        raise Beyond(node.operator)
    program.fits(made * channels * taps)
    at = np.arange(made)[:, None, None] * stride + np.arange(taps) - pad
    y = _gathered(program, a, at, channels, L, W.reshape(n, -1).T, program.put(bias))
    _by_channel(program, node.outputs[0], y + np.arange(made * n).reshape(made, n))


def transposed_convolution(program: Program, node: Node, constants: Constants) -> None:
    """Every `stride` places on, the same few taps are heard."""
    W, values, stride, pad = _filters(node, constants)
    (_, channels, L), (a, _) = program.shape(node.inputs[0], 3), program.at(node.inputs[0])
    heard, n, taps = W.shape
    if heard != channels:
        raise Beyond(node.operator)
    made = (L - 1) * stride - 2 * pad + taps
    if made < 1 or stride > min(taps, LINES // 2):  # a place must hear a tap; a phase is two lines
        raise Beyond(node.operator)
    program.fits(made * max(n, channels * (taps // stride)))
    places, bias = np.empty((made, n), np.int64), program.put(values)
    for phase in range(stride):
        own = np.arange((phase + pad) % stride, taps, stride)
        t = np.arange(phase, made, stride)
        at = (t[:, None, None] + pad - own) // stride
        weights = W[:, :, own].transpose(0, 2, 1).reshape(-1, n)
        y = _gathered(program, a, at, channels, L, weights, bias)
        places[t] = y + np.arange(len(t) * n).reshape(-1, n)
    _by_channel(program, node.outputs[0], places)


def recurrence(program: Program, node: Node, constants: Constants) -> None:
    """Gated recurrent units over the first axis, with the reset after the product, as torch has it.

    Two sets of weights are one for either direction.
    """
    allowed = {"hidden_size", "linear_before_reset", "direction"}
    if node.attributes.keys() - allowed or node.attributes.get("linear_before_reset") != 1:
        raise Beyond(node.operator)
    x, W, R, B, lengths, before = [*node.inputs, "", ""][:6]
    weights, recurrent = _constant(constants, W, 3), _constant(constants, R, 3)
    ways, units = len(recurrent), recurrent.shape[2]
    steps, batch = _extent(program, x, weights.shape[2])
    shapes = weights.shape[:2], recurrent.shape[:2]
    if lengths or ways > 2 or shapes != ((ways, 3 * units),) * 2:
        raise Beyond(node.operator)
    if before and program.at(before)[1] != ways * batch * units:
        raise Beyond(before)
    biases = _constant(constants, B, 2).reshape(ways, 2, 3 * units)
    first = program.at(before)[0] if before else program.scratch(ways * batch * units)
    all_of, last_of = [*node.outputs, ""][:2]
    shape = steps, ways, batch, units
    y = program.room(all_of or f"all of {last_of}", prod(shape))
    program.shapes[all_of] = shape
    ends = []
    for way in range(ways):
        given = _given(program, x, steps * batch, weights[way], biases[way, 0])
        kept = program.scratch(batch * 3 * units)
        bias, h = program.put(biases[way, 1]), first + way * batch * units
        held = program.put(np.ascontiguousarray(recurrent[way].T))
        for t in range(steps)[:: -1 if way else 1]:
            program.multiply_by(kept, h, batch, held, bias, (units, 3 * units))
            h = _stepped(program, y + (t * ways + way) * batch * units, given, kept, h,
                         (t * batch, batch, units))  # fmt: skip
        ends.append(h)
    if last_of:
        _last(program, last_of, ends, (ways, batch, units))


def _extent(program: Program, x: str, inner: int) -> tuple[int, int]:
    """Steps and batch of what a recurrence hears; one of each where nothing tells its shape."""
    _, size = program.at(x)
    if size == inner:
        return 1, 1
    steps, batch, heard = program.shape(x, 3)
    if heard != inner:
        raise Beyond(x)
    return steps, batch


def _given(
    program: Program, x: str, rows: int, W: NDArray[np.float32], bias: NDArray[np.float32]
) -> int:
    """What every step is given, (rows, 3 units)."""
    out = program.scratch(rows * len(W))
    program.multiply(out, program.at(x)[0], rows, W.T, program.put(bias))
    return out


def _stepped(
    program: Program, out: int, given: int, kept: int, h: int, extent: tuple[int, int, int]
) -> int:
    """One step of a batch; the place of its states."""
    first, batch, units = extent
    for b in range(batch):
        program.line(
            "GATES", out + b * units, units, given + (first + b) * 3 * units,
            kept + b * 3 * units, h + b * units,
        )  # fmt: skip
    return out


def _last(program: Program, name: str, ends: list[int], shape: tuple[int, int, int]) -> None:
    size = shape[1] * shape[2]
    at = program.room(name, shape[0] * size)
    program.shapes[name] = shape
    for way, h in enumerate(ends):
        program.line("Identity", at + way * size, size, h)


def normalisation(program: Program, node: Node, constants: Constants) -> None:
    """Of a whole tensor: less its mean, over its deviation; scaled and shifted by constants."""
    x, scale, bias = node.inputs
    (a, n), axis = program.at(x), node.attributes.get("axis", -1)
    shape = program.shapes.get(x, (n,))
    whole = prod(shape[axis:]) == n
    sized = program.at(scale)[1] == program.at(bias)[1] == n
    if node.attributes.keys() - {"axis"} or not whole or not sized:
        raise Beyond(node.operator)
    out = program.room(node.outputs[0], n)
    program.line("NORM", out, n, a, program.at(scale)[0], program.at(bias)[0])
    program.shapes[node.outputs[0]] = shape


def transposition(program: Program, node: Node, constants: Constants) -> None:
    """Axes in another order."""
    order = node.attributes.get("perm", [])
    shape, (a, n) = program.shape(node.inputs[0], len(order)), program.at(node.inputs[0])
    index = np.arange(n).reshape(shape).transpose(order)
    if (np.diff(index.ravel()) == 1).all():  # only axes of one are elsewhere
        program.copy(node.outputs[0], a, n)
    else:
        program.take(program.room(node.outputs[0], n), a, index)
    program.shapes[node.outputs[0]] = index.shape


def _filters(
    node: Node, constants: Constants
) -> tuple[NDArray[np.float32], NDArray[np.float32], int, int]:
    """W (.., .., taps), bias (n,), stride and padding."""
    W = _constant(constants, node.inputs[1], 3)
    n = W.shape[1 if node.operator == "ConvTranspose" else 0]
    bias = constants[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(n, np.float32)
    (stride,), pads = node.attributes.get("strides", [1]), node.attributes.get("pads", [0, 0])
    known = {"kernel_shape", "strides", "pads"}
    if node.attributes.keys() - known or pads[0] != pads[1] or bias.size != n or stride < 1:
        raise Beyond(node.operator)
    return W, bias, stride, pads[0]


def _gathered(
    program: Program, a: int, at: NDArray[np.int64], channels: int, L: int,
    W: NDArray[np.float32], bias: int,
) -> int:  # fmt: skip
    """The place of (places, n): what lies `at` (places, 1, taps) of all channels, times W."""
    heard, out = program.scratch(at.size * channels), program.scratch(len(at) * W.shape[1])
    index = np.where((at >= 0) & (at < L), np.arange(channels)[:, None] * L + at, -1)
    program.take(heard, a, index)
    program.multiply(out, heard, len(at), np.ascontiguousarray(W), bias)
    return out


def _by_channel(program: Program, out: str, places: NDArray[np.int64]) -> None:
    """(1, n, made) of what lies at places (made, n)."""
    program.take(program.room(out, places.size), 0, places.T)
    program.shapes[out] = (1, *places.T.shape)


def _constant(constants: Constants, name: str, dimensions: int) -> NDArray[np.float32]:
    found = constants[name]
    if found.ndim != dimensions or found.dtype != np.float32 or not found.size:
        raise Beyond(name)
    return found


LAYERS: dict[str, Callable[[Program, Node, Constants], None]] = {
    "MatMul": matrix_product, "Gemm": matrix_product, "Conv": convolution,
    "ConvTranspose": transposed_convolution, "GRU": recurrence,
    "LayerNormalization": normalisation, "Transpose": transposition,
}  # fmt: skip
