"""A trained mask network to one ONNX file that runs frame by frame, its states made explicit.

    magnitude -> power -> bands -> level -> features -> the network (graphs.py) -> gains -> mask

state_0 is the level's sum and weight (features.py), the others are the network's; all begin at 0.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rtsep.artefacts.card import NetworkCard, to_json
from rtsep.artefacts.network import Network, read_network
from rtsep.artefacts.onnx import KEY, SUM, sum_of
from rtsep.learn.families import MaskNetwork
from rtsep.learn.features import FLOOR, HIGHEST, LOWEST, NAME, forgetting
from rtsep.learn.graphs import Graph, Weights, graph_of, node
from rtsep.learn.offline import cost
from rtsep.learn.scenes import BINS, HOPS, RATE, UNITS, WINDOW

OPSET, IR = 17, 8
MEMORY = 1 << 28  # bytes that loading and running may take: the runtime itself needs most of it


def exported(network: MaskNetwork, *, bandwidth: float = RATE / 2, **card: Any) -> Network:
    """The network's file, read and checked as any other; bandwidth, card : of NetworkCard."""
    graph, pace = graph_of(network), network.size.pace
    weights, shapes = weights_of(graph, pace), [(1, 2), *graph.states]
    described = NetworkCard(
        rate=RATE, window=WINDOW, hop=pace * HOPS["high"], bandwidth=bandwidth, feature=NAME,
        bands=network.size.bands, states=[list(shape) for shape in shapes],
        initialiser_bytes=sum(each.nbytes for each in weights.values()),
        memory_bytes=MEMORY, **card,
    )  # fmt: skip
    return read_network(content([*_heard(), *graph.nodes, *_masked()], weights, described))


def measured(network: MaskNetwork, **card: Any) -> Network:
    """The same, and on the card what a frame costs."""
    made = exported(network, **card)
    return carded(made, cost=cost(made))


def carded(network: Network, **changes: Any) -> Network:
    """The same network with other fields on its card."""
    model = onnx.load_from_string(network.content)
    return read_network(_written(model, replace(network.card, **changes)))


def weights_of(graph: Graph, pace: int) -> Weights:
    """All constants by name."""
    a = forgetting(pace)
    numbers = {
        "pool": UNITS.pool, "spread": UNITS.spread,
        "forget": [a], "gain": [1 - a], "floor": [FLOOR], "scale": [0.5 / np.log(10)],
        "one": np.ones((1, 1)), "lowest": LOWEST, "highest": HIGHEST, "none": 0.0, "whole": 1.0,
    }  # fmt: skip
    return {name: np.asarray(value, np.float32, order="C") for name, value in numbers.items()} | {
        name: np.ascontiguousarray(value) for name, value in graph.weights.items()
    }


def content(nodes: list[Any], weights: Weights, card: NetworkCard) -> bytes:
    """The bytes of the ONNX file."""
    graph = helper.make_graph(
        nodes,
        "mask",
        [_value("magnitude", (1, BINS)), *_values("state", card.states)],
        [_value("mask", (1, BINS)), *_values("next", card.states)],
        [numpy_helper.from_array(value, name) for name, value in sorted(weights.items())],
    )
    model = helper.make_model(
        graph, producer_name="rtsep", opset_imports=[helper.make_opsetid("", OPSET)]
    )
    model.ir_version = IR
    onnx.checker.check_model(model, full_check=True)
    return _written(model, card)


def _written(model: onnx.ModelProto, card: NetworkCard) -> bytes:
    """The file's bytes, with the card and the graph's sum."""
    told = {KEY: to_json(card), SUM: sum_of(model.graph.SerializeToString())}
    helper.set_model_props(model, told)
    written: bytes = model.SerializeToString()
    return written


def _heard() -> list[Any]:
    """magnitude, state_0 -> f (1, bands), next_0."""
    return [
        node("Mul", "magnitude magnitude", "power"),
        node("MatMul", "power pool", "bands"),
        node("ReduceMean", "power", "mean", axes=[1], keepdims=1),
        node("Concat", "mean one", "told", axis=1),
        node("Mul", "told gain", "added"),
        node("Mul", "state_0 forget", "kept"),
        node("Add", "kept added", "next_0"),
        node("Split", "next_0", "sum weight", axis=1),
        node("Div", "sum weight", "level"),
        node("Add", "bands floor", "bands_over_floor"),
        node("Add", "level floor", "level_over_floor"),
        node("Div", "bands_over_floor level_over_floor", "share"),
        node("Log", "share", "log"),
        node("Mul", "log scale", "scaled"),
        node("Clip", "scaled lowest highest", "f"),
    ]


def _masked() -> list[Any]:
    """Gains -> mask (1, F)."""
    return [node("MatMul", "gains spread", "bins"), node("Clip", "bins none whole", "mask")]


def _value(name: str, shape: Any) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _values(name: str, shapes: list[list[int]]) -> list[Any]:
    return [_value(f"{name}_{i}", shape) for i, shape in enumerate(shapes)]
