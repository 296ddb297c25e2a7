"""A mask network: the masks of its first source, and what they leave to the other one."""

from typing import Any

from numba import carray, types

from rtsep.dsp.kernel import native
from rtsep.separators.slot import SLOT_TYPE
from rtsep.separators.worker import fetch, hand_over, worker_at


@native(types.CPointer(SLOT_TYPE))
def look(pointer: Any) -> None:
    """The newest frame on its way to the network.  Audio thread."""
    slot = carray(pointer, (1,))[0]
    hand_over(carray(worker_at(slot.worker), (1,))[0], slot)


@native(types.CPointer(SLOT_TYPE))
def separate(pointer: Any) -> None:
    """Masks of the frame that leaves the delay line.  Audio thread."""
    slot = carray(pointer, (1,))[0]
    fetch(carray(worker_at(slot.worker), (1,))[0], slot)
    for i in range(slot.lanes):
        mask, m = slot.lane[i].mask, slot.lane[i].network
        for f in range(slot.bins):
            mask[0, f], mask[1, f] = m[f], 1 - m[f]
