"""The graph in an ONNX file, walked before anything is done with it.

Fields as in the ONNX specification's `onnx.proto3`.  Allowed are static shapes, the operators
below, tensors inside the file and nothing else: no external data, no other domain's operators, no
functions, no graphs inside nodes.
"""

import hashlib
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.card import CardError
from rtsep.artefacts.flow import refuse_sizes_by_sound
from rtsep.artefacts.protobuf import Message, Reader, embedded, integer, integers, string

OPSETS = (17, 26)  # first and last
KEY = "rtsep.card"
SUM = "rtsep.graph.sha256"  # of the graph's bytes; a file made elsewhere may lack it
MAX_NODES = 20_000
MAX_SIZE = 1 << 26  # numbers in one tensor
FLOAT = 1
ITEM_BYTES = {
    1: 4,
    2: 1,
    3: 1,
    6: 4,
    7: 8,
    9: 1,
    11: 8,
}  # float, (u)int8, int32, int64, bool, double
SHAPES = 8  # dimensions of a tensor
LIST = 1 << 12  # whole numbers of an attribute

OPERATORS = frozenset(
    """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Ceil Celu Clip Concat
    Constant ConstantOfShape Conv ConvTranspose Cos CumSum Div Dropout Einsum Elu Equal Erf Exp
    Expand Flatten Floor GRU Gather GatherElements Gelu Gemm GlobalAveragePool Greater
    GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization LSTM
    LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Mean Min Mish
    Mul Neg Not Or PRelu Pad Pow RNN Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
    ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round Selu
    Shape Sigmoid Sign Sin Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tan Tanh
    ThresholdedRelu Tile Transpose Unsqueeze Where Xor
    """.split()  # noqa: SIM905
)

MODEL = Message(
    "model",
    {1: "ir_version", 2: "producer_name", 3: "producer_version", 4: "domain", 5: "model_version",
     6: "doc", 7: "graph"},
    {8: "opsets", 14: "metadata", 20: "training", 25: "functions"},
)  # fmt: skip
OPSET = Message("opset", {1: "domain", 2: "version"})
ENTRY = Message("metadata", {1: "key", 2: "value"})
GRAPH = Message(
    "graph",
    {2: "name", 10: "doc"},
    {1: "nodes", 5: "initialisers", 11: "inputs", 12: "outputs", 13: "values", 14: "quantisation",
     15: "sparse", 16: "metadata"},
)  # fmt: skip
NODE = Message(
    "node",
    {3: "name", 4: "operator", 6: "doc", 7: "domain", 8: "overload"},
    {1: "inputs", 2: "outputs", 5: "attributes", 9: "metadata"},
)
ATTRIBUTE = Message(
    "attribute",
    {1: "name", 2: "f", 3: "i", 4: "s", 5: "tensor", 6: "graph", 13: "doc", 14: "type_proto",
     20: "type", 21: "reference", 22: "sparse"},
    {7: "floats", 8: "ints", 9: "strings", 10: "tensors", 11: "graphs", 15: "type_protos",
     23: "sparses"},
)  # fmt: skip
TENSOR = Message(
    "tensor",
    {2: "type", 3: "segment", 8: "name", 9: "raw", 12: "doc", 14: "location"},
    {1: "dims", 4: "floats", 5: "int32s", 6: "strings", 7: "int64s", 10: "doubles", 11: "uint64s",
     13: "external", 16: "metadata"},
)  # fmt: skip
VALUE = Message("value", {1: "name", 2: "type", 3: "doc"}, {4: "metadata"})
TYPE = Message(
    "type", {1: "tensor", 4: "sequence", 5: "map", 6: "denotation", 8: "sparse", 9: "optional"}
)
TENSOR_TYPE = Message("type", {1: "element", 2: "shape"})
SHAPE = Message("shape", {}, {1: "dims"})
DIMENSION = Message("dimension", {1: "value", 2: "symbol", 3: "denotation"})


@dataclass(frozen=True)
class Graph:
    """What a walked file holds.

    metadata : by key.  inputs, outputs : shape by name, in order, all float32.
    initialiser_bytes : of all weights and constants.  operators : names in use.
    """

    metadata: dict[str, str]
    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]
    initialiser_bytes: int
    operators: frozenset[str]


@dataclass(frozen=True)
class Node:
    """One operation.  attributes : whole numbers and lists of them; others are left out."""

    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


def walk(content: bytes, longest: int) -> Graph:
    """The graph of a file; CardError for what may not be in one.

    longest : bytes of a text in the metadata.
    """
    reader = Reader()
    model = reader.read(memoryview(content), MODEL)
    for name in ("functions", "training"):
        if model[name]:
            raise CardError(f"model: has {name} (wanted: a graph and nothing else)")
    if model["graph"] is None:
        raise CardError("model: has no graph")
    _check_opsets(reader, model["opsets"])
    whole = embedded(model["graph"], "graph")
    graph = reader.read(whole, GRAPH)
    for name in ("sparse", "quantisation"):
        if graph[name]:
            raise CardError(f"graph: has {name} tensors (wanted: plain ones)")
    size = sum(_tensor_bytes(reader, each) for each in graph["initialisers"])
    steps, constants = _walk_nodes(reader, graph["nodes"])
    inputs = _values(reader, graph["inputs"], "input")
    refuse_sizes_by_sound(steps, inputs)
    metadata = _metadata(reader, model["metadata"], longest)
    _check_sum(metadata.get(SUM), sum_of(whole))
    return Graph(
        metadata,
        inputs,
        _values(reader, graph["outputs"], "output"),
        size + constants,
        frozenset(step.operator for step in steps),
    )


def sum_of(graph: bytes | memoryview) -> str:
    """What `SUM` holds, by which a weight that changed on a disk or on its way is noticed."""
    return hashlib.sha256(graph).hexdigest()


def _check_sum(told: str | None, found: str) -> None:
    if told is not None and told != found:
        raise CardError(
            "graph: damaged, or changed after it was exported "
            f"(its SHA-256 begins {found[:12]!r}, the file says {told[:12]!r})"
        )


def _check_opsets(reader: Reader, opsets: list[Any]) -> None:
    seen = 0
    for each in opsets:
        opset = reader.read(embedded(each, "opset"), OPSET)
        domain = string(opset["domain"], "opset")
        if domain not in ("", "ai.onnx"):
            raise CardError(f"operators of domain {domain[:64]!r} (wanted: ONNX's own)")
        version, seen = integer(opset["version"], "opset"), seen + 1
        if not OPSETS[0] <= version <= OPSETS[1]:
            raise CardError(f"opset {version} (wanted: {OPSETS[0]}..{OPSETS[1]})")
    if seen != 1:
        raise CardError(f"{seen} opsets (wanted: one)")


def _metadata(reader: Reader, entries: list[Any], longest: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in entries:
        entry = reader.read(embedded(each, "metadata"), ENTRY)
        key = string(entry["key"], "metadata")
        if key in found:
            raise CardError(f"metadata: {key[:64]!r} is given twice")
        found[key] = string(entry["value"], "metadata", longest)
    return found


def _values(reader: Reader, values: list[Any], name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the graph's inputs or outputs, by name."""
    found: dict[str, tuple[int, ...]] = {}
    for each in values:
        value = reader.read(embedded(each, name), VALUE)
        called = string(value["name"], name)
        if called in found:
            raise CardError(f"{name} {called[:64]!r} is given twice")
        found[called] = _shape(reader, value["type"], f"{name} {called[:64]!r}")
    return found


def _shape(reader: Reader, value: Any, name: str) -> tuple[int, ...]:
    kind = reader.read(embedded(value, name), TYPE)
    if kind["tensor"] is None:
        raise CardError(f"{name} is no tensor")
    tensor = reader.read(embedded(kind["tensor"], name), TENSOR_TYPE)
    if (element := integer(tensor["element"], name)) != FLOAT:
        raise CardError(f"{name} has elements of type {element} (wanted: {FLOAT}, float32)")
    if tensor["shape"] is None:
        raise CardError(f"{name} has no shape (wanted: static dimensions)")
    dims = reader.read(embedded(tensor["shape"], name), SHAPE)["dims"]
    if len(dims) > SHAPES:
        raise CardError(f"{name} has {len(dims)} dimensions (at most {SHAPES})")
    return tuple(_dimension(reader, each, name) for each in dims)


def _dimension(reader: Reader, value: Any, name: str) -> int:
    dimension = reader.read(embedded(value, name), DIMENSION)
    if dimension["symbol"] is not None or dimension["value"] is None:
        symbol = string(dimension["symbol"], name)[:64]
        raise CardError(f"{name} has a dynamic dimension {symbol!r} (wanted: static ones)")
    size = integer(dimension["value"], name)
    if not 1 <= size <= MAX_SIZE:
        raise CardError(f"{name} has a dimension of {size} (wanted: 1..{MAX_SIZE})")
    return size


def _tensor_bytes(reader: Reader, value: Any) -> int:
    """Bytes of a weight or constant, which must be in the file."""
    tensor = reader.read(embedded(value, "tensor"), TENSOR)
    name = f"tensor {string(tensor['name'], 'tensor')[:64]!r}"
    if integer(tensor["location"], name) or tensor["external"]:
        raise CardError(f"{name} lies in another file (wanted: all data in this one)")
    if tensor["segment"] is not None or tensor["strings"]:
        raise CardError(f"{name} is in segments or of strings (wanted: numbers, whole)")
    dims, kind = integers(tensor["dims"], name, SHAPES), integer(tensor["type"], name)
    if kind not in ITEM_BYTES:
        raise CardError(
            f"{name} has elements of type {kind} (wanted: {', '.join(map(str, ITEM_BYTES))})"
        )
    if any(not 0 <= size <= MAX_SIZE for size in dims) or prod(dims) > MAX_SIZE:
        raise CardError(f"{name} has dimensions {dims} (at most {MAX_SIZE} numbers)")
    size = prod(dims) * ITEM_BYTES[kind]
    if tensor["raw"] is not None and len(embedded(tensor["raw"], name)) != size:
        raise CardError(f"{name} has {len(tensor['raw'])} bytes (its dimensions: {size})")
    return size


def _walk_nodes(reader: Reader, nodes: list[Any]) -> tuple[list[Node], int]:
    """Operations, without attributes, and bytes of the constants in these."""
    if len(nodes) > MAX_NODES:
        raise CardError(f"graph: {len(nodes)} nodes (at most {MAX_NODES})")
    steps, size = [], 0
    for each in nodes:
        node = reader.read(embedded(each, "node"), NODE)
        operator, domain = string(node["operator"], "node"), string(node["domain"], "node")
        if domain not in ("", "ai.onnx"):
            raise CardError(
                f"operator {operator[:64]!r} of domain {domain[:64]!r} is not ONNX's own"
            )
        if operator not in OPERATORS:
            raise CardError(f"operator {operator[:64]!r} is not allowed in a network")
        steps.append(Node(operator, *_ends(node), {}))
        size += sum(_attribute_bytes(reader, each) for each in node["attributes"])
    return steps, size


def _ends(node: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Names of inputs and outputs."""
    inputs, outputs = ([string(e, "node") for e in node[side]] for side in ("inputs", "outputs"))
    return inputs, outputs


def _attribute_bytes(reader: Reader, value: Any) -> int:
    attribute = reader.read(embedded(value, "attribute"), ATTRIBUTE)
    name = string(attribute["name"], "attribute")[:64]
    inner = ("graph", "graphs", "sparse", "sparses", "reference", "type_proto", "type_protos")
    if surplus := [each for each in inner if attribute[each]]:
        raise CardError(f"attribute {name!r} holds a {surplus[0]} (wanted: numbers)")
    integers(attribute["ints"], f"attribute {name!r}", LIST)  # refused now, not when it is run
    tensors = [*attribute["tensors"], *([attribute["tensor"]] if attribute["tensor"] else [])]
    return sum(_tensor_bytes(reader, each) for each in tensors)


def nodes_and_constants(content: bytes) -> tuple[list[Node], dict[str, NDArray[Any]]]:
    """Operations in order and constants by name, of a file that `walk` has passed."""
    reader = Reader()
    model = reader.read(memoryview(content), MODEL)
    graph = reader.read(model["graph"], GRAPH)
    constants = dict(_constant(reader, each) for each in graph["initialisers"])
    return [_node(reader, each) for each in graph["nodes"]], constants


def _node(reader: Reader, value: Any) -> Node:
    node = reader.read(value, NODE)
    attributes: dict[str, Any] = {}
    for each in node["attributes"]:
        attribute = reader.read(each, ATTRIBUTE)
        name = string(attribute["name"], "attribute")
        given = attribute["i"] if attribute["i"] is not None else attribute["ints"]
        attributes[name] = given if isinstance(given, int) else integers(given, name, LIST)
    return Node(string(node["operator"], "node"), *_ends(node), attributes)


def _constant(reader: Reader, value: Any) -> tuple[str, NDArray[Any]]:
    """Name and values; none where they are not kept as raw float32 or int64."""
    tensor = reader.read(value, TENSOR)
    kinds = {FLOAT: "<f4", 7: "<i8"}
    kind, dims = kinds.get(tensor["type"]), integers(tensor["dims"], "tensor", SHAPES)
    name = string(tensor["name"], "tensor")
    if kind is None or tensor["raw"] is None:
        return name, np.zeros(0, np.float32)
    return name, np.frombuffer(tensor["raw"], kind).reshape(dims)
