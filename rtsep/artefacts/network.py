"""A mask network in one ONNX file, its card inside: read, checked, and tried before it is used.

The graph has inputs `magnitude` (1, F) and `state_0`, `state_1`, ..., outputs `mask` (1, F) and
`next_0`, `next_1`, ..., all float32 of static shape; a state's shape is its successor's.
"""

import hashlib
from dataclasses import dataclass, field
from os import PathLike

from rtsep.artefacts import onnx, trial
from rtsep.artefacts.card import MAX_JSON, CardError, NetworkCard, from_json
from rtsep.artefacts.whole import read_whole, shown, write_whole

MAX_FILE = 1 << 26  # bytes

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Network:
    """A mask network: its card and the file's content, which `read_network` has checked."""

    card: NetworkCard
    content: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """Of the content, by which it is known again."""
        return hashlib.sha256(self.content).hexdigest()


def tensors_of(card: NetworkCard) -> tuple[Shapes, Shapes]:
    """Inputs and outputs that a card's network has, in the order they are passed."""
    states = [tuple(shape) for shape in card.states]
    inputs = {"magnitude": (1, card.bins)} | {f"state_{i}": s for i, s in enumerate(states)}
    outputs = {"mask": (1, card.bins)} | {f"next_{i}": s for i, s in enumerate(states)}
    return inputs, outputs


def read_network(content: bytes) -> Network:
    """The network in a file's content; CardError for anything else.  Nothing is run."""
    graph = onnx.walk(content, MAX_JSON)
    if onnx.KEY not in graph.metadata:
        raise CardError(f"no card (metadata has no {onnx.KEY!r})")
    card = from_json(graph.metadata[onnx.KEY])
    if not isinstance(card, NetworkCard):
        raise CardError(f"model {card.name!r}: kind {card.kind!r} (a network is nes)")
    for name, found, wanted in zip(
        ("input", "output"), (graph.inputs, graph.outputs), tensors_of(card), strict=True
    ):
        if complaint := _complaint(name, found, wanted):
            raise CardError(f"model {card.name!r}: {complaint}")
    if graph.initialiser_bytes > card.initialiser_bytes:
        raise CardError(
            f"model {card.name!r}: weights of {graph.initialiser_bytes} bytes "
            f"(card: {card.initialiser_bytes})"
        )
    return Network(card, content)


def _complaint(name: str, found: Shapes, wanted: Shapes) -> str:
    if missing := wanted.keys() - found.keys():
        return f"no {name} {min(missing)!r} (card: {', '.join(wanted)})"
    if surplus := found.keys() - wanted.keys():
        return f"{name} {min(surplus)[:64]!r} is unknown (card: {', '.join(wanted)})"
    for each, shape in wanted.items():
        if found[each] != shape:
            return f"{name} {each!r} has shape {found[each]} (card: {shape})"
    return ""


def load_network(path: str | PathLike[str]) -> Network:
    """Read, check and try a network's file; CardError, begun with the path, where it fails.

    A file never seen before runs once in another process that may take no more memory than its
    card says; that takes a second.
    """
    try:
        network = read_network(read_whole(path, MAX_FILE))
        inputs, outputs = tensors_of(network.card)
        trial.run_once(network.content, network.digest, inputs, outputs, network.card.memory_bytes)
    except CardError as error:
        raise CardError(f"{shown(path)}: {error}") from None
    return network


def save_network(path: str | PathLike[str], network: Network) -> None:
    """Write the file whole or not at all."""
    write_whole(path, lambda file: file.write(network.content))
