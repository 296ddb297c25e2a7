"""Orthogonal known bases in closed form; the unseen source in the residual's subspace.

Per hop: h0 = P v, the residual's leading subspace W1 follows, h1 = W1 v, and the masks are
made from max(W h, 0) (Ludvigsen, ASVD slides: projection onto v >= 0).
"""

from typing import Any

from numba import carray, types

from rtsep.dsp.activations import correlate
from rtsep.dsp.kernel import kernel, native
from rtsep.dsp.projections import follow, parts, straighten, subtract
from rtsep.separators.rules import is_silent, share_out
from rtsep.separators.slot import HELD, SLOT_TYPE


@kernel
def fit(slot, lane):
    """Activations of all sources; the unseen basis follows unless frozen or silent."""
    known, rank, active = slot.known, slot.rank, slot.active
    correlate(slot.projector, lane.v, lane.h, known, active)
    for f in range(active):
        lane.q[f] = lane.v[f]
    subtract(lane.W, lane.h, lane.q, 0, known, active)
    if rank > known:
        for k in range(known, rank + 1):
            lane.c[k] = 0
        if slot.frozen == 0 and slot.effort < HELD and not is_silent(slot, lane):
            for f in range(active):
                lane.u[f] = lane.q[f]
            follow(
                lane.W, lane.energies, lane.u, lane.c, lane.a, slot.rho, lane.core, lane.vectors,
                lane.turned, known, rank, active,
            )  # fmt: skip
            lane.turn = (lane.turn + 1) % (rank - known)
            straighten(lane.W, slot.projector, lane.a, known + lane.turn, known, rank, active)
        correlate(lane.W[known:], lane.q, lane.h[known:], rank - known, active)


@kernel
def explain(slot, lane):
    """part_s <- what every source holds of the frame, never negative."""
    for s in range(slot.modelled):
        parts(lane.W, lane.h, lane.part[s], slot.first[s], slot.first[s + 1], slot.active)


@native(types.CPointer(SLOT_TYPE))
def separate(pointer: Any) -> None:
    """One mask per source and lane from the lane's magnitudes.  Audio thread."""
    slot = carray(pointer, (1,))[0]
    for i in range(slot.lanes):
        lane = slot.lane[i]
        fit(slot, lane)
        explain(slot, lane)
        share_out(slot, lane)
