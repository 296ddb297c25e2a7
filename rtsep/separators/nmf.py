"""Known bases fixed, the unknown source's basis learned as the sound goes by.

Per hop, warm-started: `alternations` times [`steps` activation steps, one step of the unknown
basis], then one mask per source from what its components explain of the frame.
"""

from typing import Any

import numpy as np
from numba import carray, types

from rtsep.dsp.activations import model, solve
from rtsep.dsp.bases import adapt
from rtsep.dsp.kernel import kernel, native
from rtsep.separators.rules import is_silent, share_out, total_of
from rtsep.separators.slot import FULL, HELD, SLOT_TYPE

LEAST_SHARE = np.float32(1e-7)  # least activation, relative to the frame's sum


@kernel
def take_frame(lane, power, active):
    """Into u, v ^ power: what the divergence is measured on."""
    for f in range(active):
        lane.u[f] = lane.v[f] * lane.v[f] if power == 2 else lane.v[f]


@kernel
def fit(slot, lane):
    """Activations, and the unknown basis unless frozen or silent."""
    total = total_of(lane.u, slot.active)
    lane.peak = max(total, lane.peak * np.float32(0.9999))
    floor = LEAST_SHARE * total + np.float32(1e-12)
    held = slot.frozen != 0 or slot.effort >= HELD
    still = held or slot.rank == slot.known or is_silent(slot, lane)
    prior = (1 - slot.rho) * slot.pseudo_count * lane.peak
    for k in range(slot.rank):
        lane.h[k] = max(lane.h[k], floor)
        lane.previous[k] = lane.h[k]
    alternations = slot.alternations if slot.effort == FULL else 1
    for turn in range(alternations):
        solve(
            slot.divergence, slot.steps, lane.W, lane.u, lane.h, lane.previous, slot.sparsity,
            slot.smoothness, floor, lane.y, lane.q, lane.a, lane.c, slot.rank, slot.active,
        )  # fmt: skip
        if not still:
            adapt(
                lane.W, lane.statistics, lane.u, lane.h, slot.rho, prior,
                turn == alternations - 1, lane.y, lane.q, slot.known, slot.rank, slot.active,
            )  # fmt: skip


@kernel
def explain(slot, lane):
    """part_s <- what every source holds of the frame."""
    for s in range(slot.modelled):
        first, last = slot.first[s], slot.first[s + 1]
        model(lane.W[first:last], lane.h[first:last], lane.part[s], last - first, slot.active)


@native(types.CPointer(SLOT_TYPE))
def separate(pointer: Any) -> None:
    """One mask per source and lane from the lane's magnitudes.  Audio thread."""
    slot = carray(pointer, (1,))[0]
    for i in range(slot.lanes):
        lane = slot.lane[i]
        take_frame(lane, slot.power, slot.active)
        fit(slot, lane)
        explain(slot, lane)
        share_out(slot, lane)
