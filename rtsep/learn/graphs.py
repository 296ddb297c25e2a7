"""The graphs of the families of mask networks: f (1, bands) and states in, gains and states out.

State 0 is the features' own (export.py); a family's begin with state_1.  Written node by node: what
torch traces would carry whole sequences.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from rtsep.learn.dualpath import SLOPE, DualNetwork
from rtsep.learn.families import MaskNetwork
from rtsep.learn.recurrent import RecurrentNetwork

Weights = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Graph:
    """nodes : from f and state_i to gains and next_i.  states : shapes of state_1, state_2, ..."""

    nodes: list[Any]
    weights: Weights
    states: list[tuple[int, ...]]


def graph_of(network: MaskNetwork) -> Graph:
    """Of a network of any family."""
    weights = {
        name: value.detach().cpu().numpy().astype(np.float32)
        for name, value in network.state_dict().items()
    }
    if isinstance(network, DualNetwork):
        return dual(network, weights)
    return recurrent(network, weights)


def recurrent(network: RecurrentNetwork, state: Weights) -> Graph:
    """Two layers; states are theirs."""
    hidden = network.size.recurrent
    nodes = [
        node("Gemm", "f inward_weight inward_bias", "linear"),
        node("Tanh", "linear", "inward"),
        node("Unsqueeze", "inward first_axis", "x"),
        gru("first", "x", hidden, "state_1", last="next_1"),
        gru("second", "next_1", hidden, "state_2", last="next_2"),
        node("Concat", "next_1 next_2", "both", axis=2),
        node("Squeeze", "both first_axis", "flat"),
        node("Gemm", "flat outward_weight outward_bias", "raw"),
        node("Sigmoid", "raw", "gains"),
    ]
    weights = {
        **_linear(state, "inward"), **_linear(state, "outward"),
        **_gru(state, "first"), **_gru(state, "second"), **_axis(),
    }  # fmt: skip
    return Graph(nodes, weights, [(1, 1, hidden)] * 2)


def dual(network: DualNetwork, state: Weights) -> Graph:
    """States are the frame before and, of every block, the layer along the frames."""
    size = network.size
    nodes = [
        node("Concat", "f state_1", "stacked", axis=0),
        node("Identity", "f", "next_1"),
        node("Unsqueeze", "stacked first_axis", "x"),
        *_convolved("narrow", "x", "outer", kernel=5, pads=2),
        *_convolved("narrower", "outer", "inner", kernel=5, pads=2),
        node("Transpose", "inner", "placed", perm=[2, 0, 1]),
        node("Add", "placed place", "h_0"),
    ]
    weights = {**_axis(), "place": state["place"][:, None], "slope": np.array([SLOPE], np.float32)}
    for i in range(size.blocks):
        nodes += _block(i, size.recurrent)
        weights |= _block_weights(state, i)
    for name in ("narrow", "narrower", "beside_inner", "beside_outer", "wide", "wider"):
        weights |= {f"{name}_{kind}": state[f"{name}.{kind}"] for kind in ("weight", "bias")}
    weights["across_shape"] = np.array([size.places, 1, size.recurrent])
    nodes += [
        node("Transpose", f"h_{size.blocks}", "deep", perm=[1, 2, 0]),
        *_beside("inner", "deep", "to_wide"),
        *_convolved("wide", "to_wide", "wide", "ConvTranspose", kernel=4, pads=1),
        *_beside("outer", "wide", "to_wider"),
        node("ConvTranspose", "to_wider wider_weight wider_bias", "raw", **_stride(4, 1)),
        node("Squeeze", "raw first_axis", "flat"),
        node("Sigmoid", "flat", "gains"),
    ]
    along = (1, size.places, size.recurrent)
    return Graph(nodes, weights, [(1, size.bands), *[along] * size.blocks])


def _block(i: int, units: int) -> list[Any]:
    """h_i -> h_i+1, both (places, 1, channels)."""
    one, other, h = f"across_{i}", f"along_{i}", f"h_{i}"
    return [
        gru(one, h, units // 2, whole=f"{one}_both", direction="bidirectional"),
        node("Reshape", f"{one}_both across_shape", f"{one}_y"),
        *_added(one, f"{one}_y", h, f"{h}_across"),
        node("Transpose", f"{h}_across", f"{other}_x", perm=[1, 0, 2]),
        gru(other, f"{other}_x", units, f"state_{i + 2}", last=f"next_{i + 2}"),
        node("Transpose", f"next_{i + 2}", f"{other}_y", perm=[1, 0, 2]),
        *_added(other, f"{other}_y", f"{h}_across", f"h_{i + 1}"),
    ]


def _added(name: str, y: str, h: str, out: str) -> list[Any]:
    """H + norm(linear(y))."""
    return [
        node("MatMul", f"{y} {name}_out_weight", f"{name}_product"),
        node("Add", f"{name}_product {name}_out_bias", f"{name}_linear"),
        node(
            "LayerNormalization", f"{name}_linear {name}_norm_weight {name}_norm_bias",
            f"{name}_normed", axis=0,
        ),
        node("Add", f"{h} {name}_normed", out),
    ]  # fmt: skip


def _convolved(
    name: str, x: str, out: str, operator: str = "Conv", *, kernel: int, pads: int
) -> list[Any]:
    return [
        node(operator, f"{x} {name}_weight {name}_bias", f"{name}_raw", **_stride(kernel, pads)),
        node("Mul", f"{name}_raw slope", f"{name}_leak"),
        node("Max", f"{name}_raw {name}_leak", out),
    ]


def _stride(kernel: int, pads: int) -> dict[str, list[int]]:
    return {"kernel_shape": [kernel], "strides": [2], "pads": [pads, pads]}


def _beside(width: str, h: str, out: str) -> list[Any]:
    """H + linear of what went in at the same width."""
    name = f"beside_{width}"
    return [
        node("Conv", f"{width} {name}_weight {name}_bias", f"{name}_raw", kernel_shape=[1]),
        node("Add", f"{h} {name}_raw", out),
    ]


def _block_weights(state: Weights, i: int) -> Weights:
    found: Weights = {}
    for name in ("across", "along"):
        own = {
            key.removeprefix(f"blocks.{i}."): value
            for key, value in state.items()
            if key.startswith(f"blocks.{i}.{name}")
        }
        found |= {
            f"{name}_{i}_{part.removeprefix(name + '_')}": value
            for part, value in {
                **_linear(own, f"{name}_out"), **_gru(own, name),
                f"{name}_out_bias": own[f"{name}_out.bias"] + 0 * own[f"{name}_norm.bias"][:, None],
                f"{name}_norm_weight": own[f"{name}_norm.weight"][:, None],
                f"{name}_norm_bias": own[f"{name}_norm.bias"][:, None],
            }.items()
        }  # fmt: skip
    return found


def _linear(state: Weights, name: str) -> Weights:
    return {f"{name}_{kind}": state[f"{name}.{kind}"].T for kind in ("weight", "bias")}


def _axis() -> Weights:
    return {"first_axis": np.array([0])}


def _gru(state: Weights, name: str) -> Weights:
    """Torch's order of gates is reset, update, new; ONNX's is update, reset, new."""

    def ordered(part: str, way: str) -> NDArray[np.float32]:
        reset, update, new = np.split(state[f"{name}.{part}_l0{way}"], 3)
        return np.concatenate([update, reset, new])

    ways = ["", "_reverse"] if f"{name}.weight_ih_l0_reverse" in state else [""]
    return {
        f"{name}_W": np.stack([ordered("weight_ih", way) for way in ways]),
        f"{name}_R": np.stack([ordered("weight_hh", way) for way in ways]),
        f"{name}_B": np.stack(
            [np.concatenate([ordered("bias_ih", way), ordered("bias_hh", way)]) for way in ways]
        ),
    }


def gru(
    name: str, x: str, units: int, before: str = "", *, whole: str = "", last: str = "",
    direction: str = "forward",
) -> Any:  # fmt: skip
    """Over the first axis of x; `whole` names all answers, `last` the state at the end."""
    weights = [f"{name}_{part}" for part in "WRB"]
    given = [x, *weights, "", before] if before else [x, *weights]
    return helper.make_node(
        "GRU", given, [whole, last], hidden_size=units, linear_before_reset=1, direction=direction
    )


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """Names apart by blanks."""
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)
