"""Small mask networks made up for tests, as ONNX files with a card."""

from functools import cache

import numpy as np
import onnx
from made_files import network_card
from onnx import TensorProto, helper, numpy_helper

from rtsep.artefacts.card import to_json
from rtsep.artefacts.network import read_network
from rtsep.artefacts.onnx import KEY

F = 513


def tensor(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def constant(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def proto(nodes, constants, states=(), *, bins=F, opset=17, **card):
    """An onnx.ModelProto of these nodes, with the contract's inputs and outputs."""
    sized = [(f"state_{i}", f"next_{i}", list(shape)) for i, shape in enumerate(states)]
    graph = helper.make_graph(
        nodes, "net",
        [tensor("magnitude", [1, bins]), *[tensor(state, shape) for state, _, shape in sized]],
        [tensor("mask", [1, bins]), *[tensor(after, shape) for _, after, shape in sized]],
        constants,
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8
    given = {"states": [list(shape) for shape in states], "window": 2 * (bins - 1), **card}
    helper.set_model_props(made, {KEY: to_json(network_card(**given))})
    return made


def node(operator, inputs, outputs, **attributes):
    """Names apart by spaces; "-" is an input left out."""
    given = [name.replace("-", "") for name in inputs.split()]
    return helper.make_node(operator, given, outputs.split(), **attributes)


def fixed(gain=0.25, **card):
    """The same mask whatever comes in; no state."""
    nodes = [node("Mul", "magnitude zero", "nothing"), node("Add", "nothing gain", "mask")]
    return proto(nodes, [constant("zero", 0), constant("gain", np.full((1, F), gain))], **card)


def sized(**card):
    """Mask v / (v + 1): of this very frame and of no other."""
    nodes = [node("Add", "magnitude one", "more"), node("Div", "magnitude more", "mask")]
    return proto(nodes, [constant("one", 1)], **card)


def smoothed(**card):
    """A mask that follows v / (v + 1) slowly: what it is depends on all frames heard."""
    nodes = [
        node("Add", "magnitude one", "more"), node("Div", "magnitude more", "now"),
        node("Mul", "now share", "new"), node("Mul", "state_0 rest", "old"),
        node("Add", "new old", "next_0"), node("Identity", "next_0", "mask"),
    ]  # fmt: skip
    values = {"one": 1, "share": 0.2, "rest": 0.8}
    return proto(nodes, [constant(*each) for each in values.items()], [(1, F)], **card)


def poisoned(**card):
    """Not a number once a frame is loud, and in the state from then on."""
    nodes = [
        node("ReduceMax", "magnitude", "most", keepdims=1, axes=[1]),
        node("Sub", "limit most", "room"), node("Sqrt", "room", "zero_or_nan"),
        node("Mul", "zero_or_nan zero", "zero_"), node("Add", "state_0 zero_", "next_0"),
        node("Add", "next_0 gain", "mask"),
    ]  # fmt: skip
    values = {"limit": 20.0, "zero": 0.0, "gain": 0.5}
    return proto(nodes, [constant(*each) for each in values.items()], [(1, F)], **card)


def gru(hidden=24, bands=32, seed=0, **card):
    """Log bands, two recurrent layers, a mask: what live networks look like."""
    rng = np.random.default_rng(seed)

    def weights(name, *shape):
        return constant(name, rng.normal(0, 1.5 / np.sqrt(shape[-1]), shape))

    nodes = [
        node("Mul", "magnitude magnitude", "power"), node("MatMul", "power to_bands", "banded"),
        node("Add", "banded least", "positive"), node("Log", "positive", "logs"),
        node("Unsqueeze", "logs axis", "x_0"),
    ]  # fmt: skip
    constants = [
        constant("to_bands", np.abs(rng.normal(0, 1, (F, bands)))), constant("least", 1e-6),
        constant("axis", [0], np.int64), weights("from_hidden", hidden, F),
    ]  # fmt: skip
    for i, size in enumerate((bands, hidden)):
        nodes += [
            node("GRU", f"x_{i} W_{i} R_{i} B_{i} - state_{i}", f"y_{i} next_{i}",
                 hidden_size=hidden, linear_before_reset=1),
            node("Squeeze", f"y_{i} axis", f"x_{i + 1}"),
        ]  # fmt: skip
        constants += [
            weights(f"W_{i}", 1, 3 * hidden, size), weights(f"R_{i}", 1, 3 * hidden, hidden),
            weights(f"B_{i}", 1, 6 * hidden),
        ]  # fmt: skip
    nodes += [
        node("Squeeze", "x_2 axis", "flat"), node("MatMul", "flat from_hidden", "logits"),
        node("Sigmoid", "logits", "mask"),
    ]  # fmt: skip
    return proto(nodes, constants, [(1, 1, hidden)] * 2, **card)


KINDS = {"fixed": fixed, "sized": sized, "smoothed": smoothed, "poisoned": poisoned, "gru": gru}


@cache
def network(kind="gru", sources=("speech",), **card):
    """A network, read and checked."""
    roles = [{"name": n, "role": r} for n, r in zip(sources, ("keep", "remove"), strict=False)]
    return read_network(KINDS[kind](sources=roles, **card).SerializeToString())


def saved(path, made):
    onnx.save(made, path)
    return path
