"""A mask network beside known bases: what both would keep, weighed by one control.

Per bin, u is what the bases leave to all they do not know, m the network's mask; with blend b
    g = u^(1 - b) m^b
is the mask of the network's source: 0 trusts the bases alone, 1 the network alone, between them
their attenuations in dB are averaged.  (Measured against requiring that both agree to keep: better
in all figures, tools/measure_quality.py.)  In bands that only one of the two knows, that one
decides.  The rest of one goes to the known sources by the bases' masks, and what these do not
claim to the last source.
"""

from typing import Any

import numpy as np
from numba import carray, types

from rtsep.dsp.kernel import kernel, native
from rtsep.dsp.machine import address_of, call
from rtsep.dsp.masks import TINY
from rtsep.separators.slot import SLOT_TYPE
from rtsep.separators.worker import fetch, worker_at


@kernel
def blended(u, m, blend):
    """G of the module's equation."""
    return max(u, TINY) ** (1 - blend) * max(m, TINY) ** blend


@kernel
def combine(slot, lane, known):
    """Rows of the mask: known sources, the network's, the rest.  known : bins of the network."""
    own = slot.modelled - 1  # row of the bases' unknown, then of the network's source
    for f in range(slot.bins):
        blend = slot.blend
        if f >= slot.active:
            blend = np.float32(1)
        elif f >= known:
            blend = np.float32(0)
        g = blended(lane.mask[own, f], lane.network[f], blend)
        claimed = np.float32(0)
        for s in range(own):
            claimed += lane.mask[s, f]
        scale = (1 - g) / max(claimed + max(1 - g - claimed, np.float32(0)), TINY)
        rest = 1 - g
        for s in range(own):
            lane.mask[s, f] *= scale
            rest -= lane.mask[s, f]
        lane.mask[own, f] = g
        lane.mask[own + 1, f] = max(rest, np.float32(0))


@native(types.CPointer(SLOT_TYPE))
def separate(pointer: Any) -> None:
    """Masks of the frame that leaves the delay line.  Audio thread."""
    slot = carray(pointer, (1,))[0]
    worker = carray(worker_at(slot.worker), (1,))[0]
    call(slot.separate_bases, address_of(slot))
    fetch(worker, slot)
    for i in range(slot.lanes):
        combine(slot, slot.lane[i], worker.active)
