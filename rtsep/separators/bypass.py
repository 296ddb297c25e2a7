"""The separator that separates nothing: one source, mask one.  The ruler for latency."""

from typing import Any

from numba import carray, types

from rtsep.dsp.kernel import native
from rtsep.separators.slot import SLOT_TYPE


@native(types.CPointer(SLOT_TYPE))
def separate(pointer: Any) -> None:
    """Mask one for the only source.  Audio thread."""
    slot = carray(pointer, (1,))[0]
    for i in range(slot.lanes):
        mask = slot.lane[i].mask
        for f in range(slot.bins):
            mask[0, f] = 1
