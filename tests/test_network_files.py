"""Network files from strangers: what they may hold, and that all else is one clear line."""

import json
import subprocess
import sys

import networks
import numpy as np
import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_files import network_card, opens, refusal
from networks import F, constant, fixed, gru, node, proto, saved, smoothed
from onnx import helper

from rtsep.artefacts import library, runtime, trial
from rtsep.artefacts.card import CardError, to_json
from rtsep.artefacts.network import load_network, read_network, tensors_of
from rtsep.artefacts.onnx import SUM, nodes_and_constants, sum_of

GRU, SMOOTHED = gru().SerializeToString(), smoothed().SerializeToString()


@pytest.mark.parametrize("kind", networks.KINDS)
def test_a_network_is_read_tried_and_written_again(kind, tmp_path):
    path = saved(tmp_path / "net.onnx", networks.KINDS[kind]())
    network = library.load(path)
    assert network.content == path.read_bytes()
    library.save(tmp_path / "other.onnx", network)
    assert library.load(tmp_path / "other.onnx").digest == network.digest
    assert network.card.source == "speech"


def changed(kind=smoothed, **card):
    """A network whose file is edited by `edit`, whose card is as it was."""

    def by(edit):
        made = kind(**card)
        edit(made)
        return made

    return by


def renamed(field, before, after):
    def edit(made):
        for each in getattr(made.graph, field):
            each.name = after if each.name == before else each.name

    return edit


def reshaped(field, at, dims):
    def edit(made):
        value = getattr(made.graph, field)[at]
        value.CopyFrom(helper.make_tensor_value_info(value.name, 1, dims))

    return edit


def external(made):
    weight = made.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")


def quietly_external(made):
    made.graph.initializer[0].external_data.add(key="location", value="weights.bin")


def giant(made):
    made.graph.initializer[0].dims[:] = [1 << 30, 1 << 30]


def shorter(made):
    made.graph.initializer[0].raw_data = b"1234567"


def in_node(made):
    external(wrapped := smoothed())
    made.graph.node.append(node("Constant", "", "c", value=wrapped.graph.initializer[0]))


def branch(made):
    made.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=made.graph))


def hidden_branch(made):
    made.graph.node.append(helper.make_node("Add", ["x"], ["y"], then_branch=made.graph))


def function(made):
    made.functions.append(helper.make_function("d", "f", [], [], [], made.opset_import))


def no_card(made):
    del made.metadata_props[:]


def card_of_a_basis(made):
    from made_files import card

    made.metadata_props[0].value = to_json(card())


def two_cards(made):
    made.metadata_props.add(key="rtsep.card", value=to_json(network_card()))


WRONG = {
    "no card": (no_card, "no card"),
    "a basis's card": (card_of_a_basis, "kind 'nmf'"),
    "two cards": (two_cards, "given twice"),
    "no magnitude": (renamed("input", "magnitude", "sound"), "no input 'magnitude'"),
    "no state": (lambda made: made.graph.input.pop(), "no input 'state_0'"),
    "no next": (lambda made: made.graph.output.pop(), "no output 'next_0'"),
    "one too many": (
        lambda made: made.graph.output.append(networks.tensor("more", [1])), "output 'more'",
    ),
    "wrong bins": (reshaped("input", 0, [1, 257]), "(1, 257) (card: (1, 513))"),
    "wrong mask": (reshaped("output", 0, [513]), "(513,) (card: (1, 513))"),
    "wrong state": (reshaped("input", 1, [1, 7]), "(1, 7) (card: (1, 513))"),
    "dynamic": (reshaped("input", 0, ["batch", 513]), "dynamic dimension 'batch'"),
    "nameless dynamic": (reshaped("output", 0, [None, 513]), "dynamic dimension"),
    "negative": (reshaped("input", 0, [-1, 513]), "dimension of -1"),
    "no shape": (reshaped("input", 0, None), "no shape"),
    "external data": (external, "lies in another file"),
    "quiet external data": (quietly_external, "lies in another file"),
    "external data in a node": (in_node, "lies in another file"),
    "a giant tensor": (giant, "at most 67108864 numbers"),
    "a short tensor": (shorter, "has 7 bytes (its dimensions: 4)"),
    "an unknown operator": (
        lambda made: made.graph.node.append(node("Frobnicate", "x", "y")), "'Frobnicate'",
    ),
    "a vast list": (
        lambda made: made.graph.node.append(node("Constant", "", "c", value_ints=[*range(5000)])),
        "attribute 'value_ints': over 4096 numbers",
    ),
    "a loop": (lambda made: made.graph.node.append(node("Loop", "x", "y")), "'Loop'"),
    "a branch": (branch, "operator 'If'"),
    "a hidden branch": (hidden_branch, "holds a graph"),
    "another domain": (
        lambda made: made.graph.node.append(helper.make_node("Add", ["x"], ["y"], domain="evil")),
        "domain 'evil'",
    ),
    "another domain's opset": (
        lambda made: made.opset_import.append(helper.make_opsetid("com.microsoft", 1)),
        "domain 'com.microsoft'",
    ),
    "an old opset": (lambda made: setattr(made.opset_import[0], "version", 9), "opset 9"),
    "functions": (function, "has functions"),
    "doubles": (
        lambda made: made.graph.input[0].CopyFrom(helper.make_tensor_value_info("m", 11, [1, 513])),
        "elements of type 11",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_network_is_refused_in_one_line(what, tmp_path):
    edit, words = WRONG[what]
    path = tmp_path / "net.onnx"
    path.write_bytes(changed()(edit).SerializeToString())
    assert words in refusal(path)


def test_a_card_that_promises_fewer_weights_is_refused(tmp_path):
    assert "(card: 1000)" in refusal(saved(tmp_path / "net.onnx", gru(initialiser_bytes=1000)))


def test_a_second_graph_cannot_hide_behind_the_first(tmp_path):
    """Other readers merge the two."""
    path = tmp_path / "net.onnx"
    path.write_bytes(SMOOTHED + SMOOTHED)
    assert "given twice" in refusal(path)


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"onnx", b"\xff" * 99, b"\x3a\xff\xff\xff\xff\x7f"]
)
def test_what_is_no_protocol_buffer_is_refused(content, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    refusal(path)


def test_folders_missing_files_and_large_ones_are_refused(tmp_path):
    (tmp_path / "dir.onnx").mkdir()
    refusal(tmp_path / "dir.onnx")
    refusal(tmp_path / "none.onnx")
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(1 << 32)
    assert "over 67108864 bytes" in refusal(tmp_path / "large.onnx")


@pytest.mark.parametrize("content", [GRU, SMOOTHED], ids=["gru", "smoothed"])
def test_half_a_file_is_refused_wherever_it_ends(content):
    ends = {*range(0, len(content), max(1, len(content) // 150)), *range(100)}
    for end in sorted(ends - {len(content)}):
        with pytest.raises(CardError) as caught:
            read_network(content[:end])
        assert str(caught.value).isprintable()


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_refused(content):
    assert opens(read_network, content) is None


@given(st.lists(st.tuples(st.integers(0, len(SMOOTHED) - 1), st.integers(0, 255)), max_size=4))
@settings(max_examples=300, deadline=None)
@example([])
def test_a_file_with_changed_bytes_is_a_network_or_a_card_error(edits):
    content = bytearray(SMOOTHED)
    for place, value in edits:
        content[place] = value
    opens(read_network, bytes(content))


def summed() -> tuple[bytes, int, int]:
    """A file that has its graph's sum, and where the graph begins and ends in it."""
    made = smoothed()
    graph = made.graph.SerializeToString()
    made.metadata_props.add(key=SUM, value=sum_of(graph))
    content = made.SerializeToString()
    begins = content.index(graph)
    return content, begins, begins + len(graph)


def test_no_bit_of_a_graph_that_has_its_sum_may_change():
    content, begins, ends = summed()
    assert read_network(content).content == content
    unnoticed = [
        place
        for place in range(begins, ends)
        if opens(read_network, content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    ]
    assert unnoticed == []


def test_a_changed_weight_is_told_with_both_sums():
    content, begins, ends = summed()
    weight = np.float32(0.2).tobytes()
    changed = content.replace(weight, np.float32(0.3).tobytes())
    found, told = sum_of(changed[begins:ends]), sum_of(content[begins:ends])
    with pytest.raises(CardError, match="damaged") as caught:
        read_network(changed)
    assert found[:12] in str(caught.value)
    assert told[:12] in str(caught.value)


def test_a_sum_that_is_none_is_told_in_one_printable_line():
    made = smoothed()
    made.metadata_props.add(key=SUM, value="\x1b[31m\nred")
    assert opens(read_network, made.SerializeToString()) is None


def test_a_million_fields_are_not_read_one_by_one():
    with pytest.raises(CardError, match="over 400000 fields"):
        read_network(b"\x08\x01".replace(b"\x08", b"\x72\x00")[:2] * 500_000)


def test_memory_beyond_the_cards_word_is_refused_by_a_trial(tmp_path):
    """A kilobyte of file that would fill gigabytes."""
    nodes = [
        node("Expand", "magnitude shape", "vast"),
        node("ReduceMean", "vast axis", "mask", keepdims=0),
    ]
    sizes = {"shape": [1 << 22, 1, 513], "axis": [0]}
    bomb = proto(nodes, [constant(*each, np.int64) for each in sizes.items()], opset=18)
    assert "does not load and run in 67108864 bytes" in refusal(saved(tmp_path / "bomb.onnx", bomb))


def sized_by(nodes, **constants):
    """A mask over a frame repeated as often as `count` says, which the nodes make."""
    told = [
        node("Concat", "count bins", "dims", axis=0), node("Expand", "magnitude dims", "vast"),
        node("ReduceMean", "vast", "mean", axes=[0], keepdims=1), node("Clip", "mean", "mask"),
    ]  # fmt: skip
    held = [constant(name, *value) for name, value in constants.items()]
    return proto([*nodes, *told], [constant("bins", [F], np.int64), *held])


def test_memory_that_the_sound_would_ask_for_is_refused(tmp_path):
    """Nothing in silence, in which a file is tried; gigabytes in a loud frame."""
    nodes = [
        node("ReduceMax", "magnitude", "most", keepdims=0, axes=[0, 1]),
        node("Mul", "most much", "more"), node("Cast", "more", "n", to=7),
        node("Add", "n one", "count"),
    ]  # fmt: skip
    made = sized_by(nodes, much=([1e6],), one=([1], np.int64))
    assert "'Expand' takes a size from the sound" in refusal(saved(tmp_path / "net.onnx", made))


def test_sizes_of_frames_and_constants_may_tell_sizes():
    nodes = [node("Shape", "magnitude", "shape"), node("Gather", "shape first", "count")]
    read_network(sized_by(nodes, first=([0], np.int64)).SerializeToString())


def test_long_lists_of_whole_numbers_are_read():
    """Of a file that is a network, there is no reason to fail."""
    made = fixed()
    made.graph.node.insert(0, node("Constant", "", "many", value_ints=[*range(300)]))
    nodes, _ = nodes_and_constants(read_network(made.SerializeToString()).content)
    assert nodes[0].attributes == {"value_ints": [*range(300)]}


def test_a_graph_that_does_not_hold_together_is_refused_by_a_trial(tmp_path):
    path = saved(tmp_path / "net.onnx", changed()(lambda made: made.graph.node.pop(0)))
    assert "onnxruntime refuses it" in refusal(path)


def test_a_trial_is_made_once(tmp_path, monkeypatch):
    path = saved(tmp_path / "net.onnx", fixed(0.123))
    load_network(path)
    monkeypatch.setattr(trial, "measure", pytest.fail)
    load_network(path)


def test_a_trial_tells_what_it_took():
    network = read_network(GRU)
    took = trial.measure(GRU, *tensors_of(network.card), 64 << 20)
    assert len(GRU) < took < 64 << 20


def test_without_onnxruntime_the_command_that_installs_it_is_told(tmp_path, monkeypatch):
    path = saved(tmp_path / "net.onnx", fixed())
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install onnxruntime"):
        load_network(path)


@pytest.mark.parametrize("kind", networks.KINDS)
def test_the_c_interface_computes_what_the_python_session_does(kind):
    network = networks.network(kind)
    inputs, outputs = tensors_of(network.card)
    library = runtime.runtime()
    assert library is not None, "the wheel has no shared library"
    session = runtime.Session(library, network.content, list(inputs), list(outputs))
    oracle = runtime.python_session(network.content)
    given = {name: np.zeros(shape, np.float32) for name, shape in inputs.items()}
    made = {name: np.zeros(shape, np.float32) for name, shape in outputs.items()}
    values = [
        [session.tensor(a.ctypes.data, a.shape) for a in side.values()] for side in (given, made)
    ]
    rng = np.random.default_rng(0)
    for _ in range(20):
        given["magnitude"][:] = np.abs(rng.normal(0, 3, (1, 513)))
        wanted = oracle.run(list(outputs), given)
        session.run(*values)
        for array, other in zip(made.values(), wanted, strict=True):
            np.testing.assert_array_equal(array, other)
        for i in range(len(outputs) - 1):
            given[f"state_{i}"][:] = made[f"next_{i}"]
    session.close()


def test_models_show_tells_a_networks_card(tmp_path):
    path = saved(tmp_path / "net.onnx", gru(cost={"run_us": 80}))
    shown = subprocess.run(
        [sys.executable, "-m", "rtsep.cli", "models", "show", path, "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(shown.stdout)["cost"] == {"run_us": 80}
