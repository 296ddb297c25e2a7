"""A trained mask network to one ONNX file that runs frame by frame, its states made explicit.

    magnitude -> power -> bands -> level -> features -> tanh(linear) -> GRU -> GRU -> gains -> mask

state_0 is the level's sum and weight (features.py), state_1 and state_2 are those of the GRUs; all
begin at zero.  The graph is written node by node: what torch traces would carry whole sequences.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rtsep.artefacts.card import NetworkCard, to_json
from rtsep.artefacts.network import Network, read_network
from rtsep.learn.features import FLOOR, FORGET, HIGHEST, LOWEST, NAME
from rtsep.learn.scenes import BINS, HOPS, RATE, UNITS, WINDOW

if TYPE_CHECKING:
    from rtsep.learn.network import MaskNetwork

KEY = "rtsep.card"
OPSET, IR = 17, 8
AXIS = 8  # bytes of the one integer constant
MEMORY = 1 << 28  # bytes that loading and running may take: the runtime itself needs most of it

Weights = dict[str, NDArray[np.float32]]


def exported(network: "MaskNetwork", **card: Any) -> Network:
    """The network's file, read and checked as any other; `card` : fields of NetworkCard."""
    weights = weights_of(network)
    shapes = states_of(network)
    described = NetworkCard(
        rate=RATE, window=WINDOW, hop=HOPS["high"], bandwidth=RATE / 2, feature=NAME,
        bands=network.size.bands, states=[list(shape) for shape in shapes],
        initialiser_bytes=AXIS + sum(each.nbytes for each in weights.values()),
        memory_bytes=MEMORY, **card,
    )  # fmt: skip
    return read_network(content(weights, shapes, described))


def carded(network: Network, **changes: Any) -> Network:
    """The same network with other fields on its card: what was measured of it, say."""
    model = onnx.load_from_string(network.content)
    card = replace(network.card, **changes)
    helper.set_model_props(model, {KEY: to_json(card)})
    return read_network(model.SerializeToString())


def states_of(network: "MaskNetwork") -> list[tuple[int, ...]]:
    hidden = (1, 1, network.size.recurrent)
    return [(1, 2), hidden, hidden]


def weights_of(network: "MaskNetwork") -> Weights:
    """All constants of the graph by name."""
    state = {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()}
    linear = {
        f"{name}_{kind}": np.ascontiguousarray(state[f"{name}.{kind}"].T)
        for name in ("inward", "outward")
        for kind in ("weight", "bias")
    }
    found = {
        **linear,
        **_recurrent(state, "first"),
        **_recurrent(state, "second"),
        "pool": UNITS.pool, "spread": UNITS.spread,
        "forget": [FORGET], "gain": [1 - FORGET], "floor": [FLOOR], "scale": [0.5 / np.log(10)],
        "one": np.ones((1, 1)), "lowest": LOWEST, "highest": HIGHEST, "none": 0.0, "whole": 1.0,
    }  # fmt: skip
    return {name: np.asarray(value, np.float32, order="C") for name, value in found.items()}


def _recurrent(state: dict[str, Any], name: str) -> Weights:
    """Torch's order of gates is reset, update, new; ONNX's is update, reset, new."""

    def ordered(part: str) -> NDArray[np.float32]:
        reset, update, new = np.split(state[f"{name}.{part}_l0"], 3)
        return np.concatenate([update, reset, new])

    return {
        f"{name}_W": ordered("weight_ih")[None],
        f"{name}_R": ordered("weight_hh")[None],
        f"{name}_B": np.concatenate([ordered("bias_ih"), ordered("bias_hh")])[None],
    }


def content(weights: Weights, shapes: Sequence[tuple[int, ...]], card: NetworkCard) -> bytes:
    """The bytes of the ONNX file."""
    graph = helper.make_graph(
        [*_heard(), *_remembered(card.bands, shapes[1][-1]), *_masked(shapes[1][-1])],
        "mask",
        [_value("magnitude", (1, BINS)), *_values("state", shapes)],
        [_value("mask", (1, BINS)), *_values("next", shapes)],
        [
            numpy_helper.from_array(np.array([0]), "first_axis"),
            *(numpy_helper.from_array(value, name) for name, value in sorted(weights.items())),
        ],
    )
    model = helper.make_model(
        graph, producer_name="rtsep", opset_imports=[helper.make_opsetid("", OPSET)]
    )
    model.ir_version = IR
    helper.set_model_props(model, {KEY: to_json(card)})
    onnx.checker.check_model(model, full_check=True)
    written: bytes = model.SerializeToString()
    return written


def _heard() -> list[Any]:
    """magnitude, state_0 -> f (1, bands), next_0."""
    return [
        _node("Mul", "magnitude magnitude", "power"),
        _node("MatMul", "power pool", "bands"),
        _node("ReduceMean", "power", "mean", axes=[1], keepdims=1),
        _node("Concat", "mean one", "told", axis=1),
        _node("Mul", "told gain", "added"),
        _node("Mul", "state_0 forget", "kept"),
        _node("Add", "kept added", "next_0"),
        _node("Split", "next_0", "sum weight", axis=1),
        _node("Div", "sum weight", "level"),
        _node("Add", "bands floor", "bands_over_floor"),
        _node("Add", "level floor", "level_over_floor"),
        _node("Div", "bands_over_floor level_over_floor", "share"),
        _node("Log", "share", "log"),
        _node("Mul", "log scale", "scaled"),
        _node("Clip", "scaled lowest highest", "f"),
    ]


def _remembered(bands: int, hidden: int) -> list[Any]:
    """f, state_1, state_2 -> next_1, next_2, each (1, 1, hidden)."""

    def gru(name: str, x: str, before: str, after: str) -> Any:
        parts = " ".join(f"{name}_{part}" for part in "WRB")
        return helper.make_node(
            "GRU", [*f"{x} {parts}".split(), "", before], ["", after],
            hidden_size=hidden, linear_before_reset=1,
        )  # fmt: skip

    return [
        _node("Gemm", "f inward_weight inward_bias", "linear"),
        _node("Tanh", "linear", "inward"),
        helper.make_node("Unsqueeze", ["inward", "first_axis"], ["x"]),
        gru("first", "x", "state_1", "next_1"),
        gru("second", "next_1", "state_2", "next_2"),
    ]


def _masked(hidden: int) -> list[Any]:
    """next_1, next_2 -> mask (1, F)."""
    return [
        _node("Concat", "next_1 next_2", "both", axis=2),
        helper.make_node("Squeeze", ["both", "first_axis"], ["flat"]),
        _node("Gemm", "flat outward_weight outward_bias", "raw"),
        _node("Sigmoid", "raw", "gains"),
        _node("MatMul", "gains spread", "bins"),
        _node("Clip", "bins none whole", "mask"),
    ]


def _node(operator: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def _value(name: str, shape: tuple[int, ...]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _values(name: str, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    return [_value(f"{name}_{i}", shape) for i, shape in enumerate(shapes)]
