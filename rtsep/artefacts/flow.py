"""What in a graph depends on what: names followed from node to node.

A size that is told by the sound could be small when a network is tried and vast when it runs: the
inputs that tell sizes must be constants, or come from other shapes.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rtsep.artefacts.card import CardError

if TYPE_CHECKING:
    from rtsep.artefacts.onnx import Node

# Places of the inputs that tell how large an output is.
REDUCE = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
SIZES = {
    "ConstantOfShape": (0,), "Expand": (1,), "Pad": (1, 3), "Reshape": (1,), "Slice": (1, 2, 3, 4),
    "Split": (1,), "Squeeze": (1,), "Tile": (1,), "Unsqueeze": (1,),
} | {f"Reduce{each}": (1,) for each in REDUCE}  # fmt: skip


def refuse_sizes_by_sound(steps: Sequence["Node"], heard: Iterable[str]) -> None:
    """CardError where an output is as large as what is `heard` says."""
    sounding = _following(steps, heard)
    for step in steps:
        told = {step.inputs[at] for at in SIZES.get(step.operator, ()) if at < len(step.inputs)}
        if told & sounding:
            raise CardError(
                f"operator {step.operator!r} takes a size from the sound (wanted: fixed)"
            )


def _following(steps: Sequence["Node"], heard: Iterable[str]) -> set[str]:
    """Names whose values, not only their shapes, depend on those heard."""
    readers = defaultdict(list)
    for step in steps:
        for name in step.inputs if step.operator != "Shape" else ():
            readers[name].append(step.outputs)
    found = {*heard} - {""}
    left = [*found]
    while left:
        for names in readers.pop(left.pop(), ()):
            new = {*names} - found - {""}
            found |= new
            left += new
    return found
