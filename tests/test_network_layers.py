"""Layers as lines of a vector program, each beside onnxruntime, which has the last word."""

import tracemalloc

import numpy as np
import pytest
import torch
from networks import F, constant, node, proto

from rtsep.artefacts import runtime
from rtsep.artefacts.network import read_network
from rtsep.dsp import programs
from rtsep.learn.export import exported
from rtsep.learn.families import SIZES, seeded
from rtsep.separators.compilation import agrees, program_of
from rtsep.separators.program import CODE, Program

WIDE = 24  # numbers that the layer under test hears


def random(rng, *shape):
    return (0.5 * rng.standard_normal(shape)).astype(np.float32)


def whole(name, *shape):
    return constant(name, shape, np.int64)


def around(layer, constants, shape, made, *more):
    """A network that hears (1, F) as `shape`, has `layer` from x to y; y is `made` numbers."""
    rng = np.random.default_rng(7)
    nodes = [
        node("MatMul", "magnitude inward", "heard"), node("Tanh", "heard", "bounded"),
        node("Reshape", "bounded shape", "x"), *layer,
        node("Reshape", "y flat", "row"), node("MatMul", "row outward", "mask"),
    ]  # fmt: skip
    given = [
        constant("inward", random(rng, F, WIDE)), whole("shape", *shape), whole("flat", 1, made),
        constant("outward", random(rng, made, F)),
    ]  # fmt: skip
    named = [constant(name, values) for name, values in constants.items()]
    return read_network(proto(nodes, [*given, *named, *more]).SerializeToString())


def compiled(network):
    program = program_of(network)
    assert program is not None
    assert agrees(program, network, runtime.runtime())
    return program


@pytest.mark.parametrize(("stride", "pad", "taps"), [(1, 0, 1), (2, 2, 5), (1, 1, 3), (3, 0, 2)])
def test_a_convolution(stride, pad, taps):
    rng, L = np.random.default_rng(0), WIDE // 3
    made = (L + 2 * pad - taps) // stride + 1
    layer = node("Conv", "x w b", "y", strides=[stride], pads=[pad, pad], kernel_shape=[taps])
    values = {"w": random(rng, 4, 3, taps), "b": random(rng, 4)}
    compiled(around([layer], values, (1, 3, L), 4 * made))


@pytest.mark.parametrize(("stride", "pad", "taps"), [(1, 0, 1), (2, 1, 4), (2, 0, 3), (3, 1, 5)])
def test_a_transposed_convolution(stride, pad, taps):
    rng, L = np.random.default_rng(0), WIDE // 3
    made = (L - 1) * stride - 2 * pad + taps
    layer = node("ConvTranspose", "x w b", "y", strides=[stride], pads=[pad, pad],
                 kernel_shape=[taps])  # fmt: skip
    values = {"w": random(rng, 3, 4, taps), "b": random(rng, 4)}
    compiled(around([layer], values, (1, 3, L), 4 * made))


@pytest.mark.parametrize(("steps", "batch", "ways"), [(1, 1, 1), (6, 1, 1), (1, 4, 1), (4, 1, 2),
                                                      (3, 2, 2)])  # fmt: skip
@pytest.mark.parametrize("last", [False, True])
def test_gated_recurrent_units(steps, batch, ways, last):
    rng, units, heard = np.random.default_rng(0), 5, WIDE // (steps * batch)
    layer = node(
        "GRU", "x w r b", "- y" if last else "y", hidden_size=units, linear_before_reset=1,
        direction="bidirectional" if ways == 2 else "forward",
    )  # fmt: skip
    layer.output[0] = layer.output[0].replace("-", "")
    values = {
        "w": random(rng, ways, 3 * units, heard), "r": random(rng, ways, 3 * units, units),
        "b": random(rng, ways, 6 * units),
    }  # fmt: skip
    made = (1 if last else steps) * batch * ways * units
    compiled(around([layer], values, (steps, batch, heard), made))


def test_products_norms_and_axes_in_another_order():
    rng = np.random.default_rng(0)
    layer = [
        node("Transpose", "x", "turned", perm=[2, 0, 1]), node("MatMul", "turned w", "product"),
        node("LayerNormalization", "product scale bias", "normed", axis=0),
        node("Concat", "normed turned", "y", axis=0),
    ]  # fmt: skip
    values = {"w": random(rng, 3, 3), "scale": random(rng, 4, 2, 3), "bias": random(rng, 4, 2, 3)}
    compiled(around(layer, values, (2, 3, 4), 48))


@pytest.mark.parametrize(
    ("layer", "constants"),
    [
        (node("Conv", "x w b", "y", group=3), {"w": np.ones((3, 1, 1)), "b": np.ones(3)}),
        (node("Conv", "x w b", "y", dilations=[2]),
         {"w": np.ones((3, 3, 2)), "b": np.ones(3)}),
        (node("Conv", "x w b", "y", pads=[1, 0]), {"w": np.ones((3, 3, 2)), "b": np.ones(3)}),
        (node("ConvTranspose", "x w b", "y", strides=[3]),
         {"w": np.ones((3, 3, 2)), "b": np.ones(3)}),
        (node("Conv", "x w b", "y"), {"w": np.ones((3, 3, 9)), "b": np.ones(3)}),
        (node("Split", "x", " ".join(["y", *"abcdefghijklmnopqrstuvwx"]), axis=2), {}),
        (node("LayerNormalization", "x one one", "y", axis=-1), {"one": np.ones(8)}),
        (node("LayerNormalization", "x one one", "y", axis=0, epsilon=0.1),
         {"one": np.ones((1, 3, 8))}),
        (node("GRU", "x w r b", "y", hidden_size=2),
         {"w": np.ones((1, 6, 8)), "r": np.ones((1, 6, 2)), "b": np.ones((1, 12))}),
        (node("GRU", "x w r b", "y", hidden_size=2, linear_before_reset=1),
         {"w": np.ones((1, 6, 8)), "r": np.ones((1, 3, 2)), "b": np.ones((1, 12))}),
        (node("GRU", "x w r b - h", "y", hidden_size=2, linear_before_reset=1),
         {"w": np.ones((1, 6, 8)), "r": np.ones((1, 6, 2)), "b": np.ones((1, 12)),
          "h": np.ones((1, 1, 2))}),
        (node("LayerNormalization", "x all one", "y", axis=0),
         {"all": np.ones((1, 3, 8)), "one": np.ones(8)}),
    ],
    ids=["groups", "dilated", "uneven", "places without a tap", "shorter than its taps",
         "more parts than numbers", "norm of one axis", "other epsilon", "reset before",
         "recurrence of another shape", "state of another size", "norm's bias of another size"],
)  # fmt: skip
def test_what_a_program_cannot_do_is_left_to_onnxruntime(layer, constants):
    assert program_of(around([layer], constants, (1, 3, 8), WIDE)) is None


UNITS = {"w": np.ones((1, 6, 3)), "r": np.ones((1, 6, 2)), "b": np.ones((1, 12))}


@pytest.mark.parametrize(
    ("shape", "layer", "constants", "made"),
    [
        ((1, 3, 1), node("Conv", "told w", "y"), {"w": np.ones((4, 3, 1))}, 4),
        ((1, 3, 1), node("ConvTranspose", "told w", "y"), {"w": np.ones((3, 4, 1))}, 4),
        ((1, 1, 3), node("GRU", "told w r b", "y", hidden_size=2, linear_before_reset=1), UNITS, 2),
        ((3, 1), node("Transpose", "told", "y", perm=[1, 0]), {}, 3),
    ],
)
def test_a_shape_is_only_believed_where_as_many_numbers_lie(shape, layer, constants, made):
    """A program takes the most of all; by axes it is three numbers, which a Reshape then tells."""
    nodes = [node("ReduceMax", "x", "most", axes=[2]), node("Reshape", "most three", "told"), layer]
    network = around(nodes, constants, (1, 3, 8), made, whole("three", *shape))
    runtime.python_session(network.content)
    assert program_of(network) is None


def test_a_column_and_a_row_that_make_a_table_are_left_to_onnxruntime():
    nodes = [node("Add", "x column", "table"), node("ReduceMax", "table", "y")]
    values = {"column": np.ones((WIDE, 1))}
    assert program_of(around(nodes, values, (1, WIDE), 1)) is None
    compiled(around([node("Add", "x column", "y")], values, (WIDE, 1), WIDE))


def heavy(*nodes, state, **constants):
    """A network with a state of this shape that the nodes make the next of."""
    named = [constant(name, values) for name, values in constants.items()]
    made = [*nodes, node("Sigmoid", "magnitude", "mask")]
    return read_network(proto(made, named, [state]).SerializeToString())


TAPS = np.zeros((1, 1, 1001))
RECURRENT = [
    node("GRU", "state_0 w r b", "y", linear_before_reset=1), node("Reshape", "y shape", "next_0"),
]  # fmt: skip


def gates(units):
    return {
        "w": np.zeros((1, 3 * units, 1)), "r": np.zeros((1, 3 * units, units)),
        "b": np.zeros((1, 6 * units)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "state", "constants"),
    [
        ([node("Conv", "state_0 w", "next_0", pads=[500, 500])], (1, 1, 6000), {"w": TAPS}),
        ([node("Conv", "state_0 w", "next_0", pads=[1 << 40] * 2)], (1, 1, 6000), {"w": TAPS}),
        ([node("ConvTranspose", "state_0 w", "next_0")], (1, 1, 6000), {"w": TAPS}),
        ([node("ConvTranspose", "state_0 w", "next_0", strides=[1 << 40])], (1, 1, 2), {"w": TAPS}),
        ([node("Transpose", "state_0", "next_0", perm=[1, 0])], (500, 500), {}),
        (RECURRENT, (100_000, 1, 1), gates(1)),
        (RECURRENT, (100_000, 1, 1), gates(100)),
    ],
    ids=["filter", "padding", "transposed filter", "stride", "axes", "steps", "units"],
)
def test_a_network_of_too_much_takes_no_memory_before_it_is_left(nodes, state, constants):
    network = heavy(*nodes, state=state, **constants)
    program_of(network)
    tracemalloc.start()
    try:
        assert program_of(network) is None
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_what_finds_no_memory_is_left_to_onnxruntime(monkeypatch):
    def full(program, size):
        raise MemoryError

    monkeypatch.setattr(Program, "scratch", full)
    assert program_of(heavy(node("Identity", "state_0", "next_0"), state=(1, 8))) is None


@pytest.mark.parametrize("size", ["dual-tiny", "dual", "dual-deeper"])
def test_a_dual_path_network_is_a_program(size):
    network = seeded(SIZES[size], 0)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn(
                weight.shape, generator=torch.Generator().manual_seed(weight.numel())
            )
    made = exported(network, name="n", sources=[{"name": "speech", "role": "keep"}])
    program = compiled(made)
    at = next(i for i, line in enumerate(program.lines) if line[0] == CODE["PRODUCT"])
    program.lines[at] = (*program.lines[at][:6], program.lines[at][6] - 1, program.lines[at][7])
    assert not agrees(program, made, runtime.runtime())


def test_tanh_and_sigmoid_are_those_of_numpy():
    x = np.concatenate([np.linspace(-30, 30, 20001), [-1e30, 0, 1e30]]).astype(np.float32)
    tanh = np.array([programs.tanh(each) for each in x])
    sigmoid = np.array([programs.sigmoid(each) for each in x])
    np.testing.assert_allclose(tanh, np.tanh(x.astype(float)), atol=3e-7)
    np.testing.assert_allclose(sigmoid, 0.5 + 0.5 * np.tanh(x.astype(float) / 2), atol=3e-7)
    assert np.isnan(programs.tanh(np.float32(np.nan)))
