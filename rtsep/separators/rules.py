"""From parts to masks: the last step of every separator that models sources.

Wiener: m_s is the share of part_s ^ exponent.  Decision-directed: what is to be removed has a
variance L, blended of what the model explains of each frame and of a slow track of the frames
that hold nothing else; the gain G of what is kept follows from it, and G and 1 - G are shared out
among the kept and the removed in Wiener's proportion.  The track begins at what the model says;
where the unknown is to be removed nothing has described it, and it begins at what is heard first.
"""

import numpy as np

from rtsep.dsp.gains import decide, follow, track_noise
from rtsep.dsp.kernel import kernel
from rtsep.dsp.masks import extend, regroup, wiener

BIAS = np.float32(4 / np.pi)  # mean power over squared mean magnitude of a complex Gaussian


@kernel
def total_of(v, bins):
    """Sum of a frame."""
    total = np.float32(0)
    for f in range(bins):
        total += v[f]
    return total


@kernel
def is_silent(slot, lane):
    """Whether a frame is too quiet to learn from."""
    return total_of(lane.v, slot.active) < slot.silence


@kernel
def removed_variance(slot, lane):
    """Into u the power, into y the variance that the model says is to be removed."""
    active = slot.active
    for f in range(active):
        lane.u[f] = lane.v[f] * lane.v[f]
        lane.y[f] = 0
    for s in range(slot.modelled):
        if slot.kept[s] == 0:
            for f in range(active):
                lane.y[f] += lane.part[s, f]
    for f in range(active):
        a = lane.y[f]
        lane.y[f] = a if slot.power == 2 else BIAS * a * a


@kernel
def settle_variance(slot, lane):
    """Let fast and slow follow; q <- L, their blend."""
    active = slot.active
    lane.frames += 1
    start = np.float32(lane.frames - 1) / np.float32(lane.frames)  # an average to begin with
    follow(lane.y, lane.fast, min(slot.fast_memory, start), active)
    if lane.frames <= slot.settling:
        follow(lane.u if slot.blind != 0 else lane.y, lane.slow, start, active)
    else:
        track_noise(
            lane.u, lane.slow, lane.presence, slot.slow_memory, slot.presence_memory, active
        )
    for f in range(active):
        lane.q[f] = lane.fast[f] + slot.slow_share * (lane.slow[f] - lane.fast[f])


@kernel
def decision_directed(slot, lane):
    """Masks by the gain of what is kept."""
    removed_variance(slot, lane)
    if not is_silent(slot, lane):
        settle_variance(slot, lane)
        decide(lane.u, lane.q, lane.past, lane.g, slot.decision, slot.active)
        regroup(lane.mask, lane.g, slot.kept, slot.modelled, slot.active)


@kernel
def share_out(slot, lane):
    """Masks of the modelled sources from their parts, over all bins.  Audio thread."""
    wiener(lane.part, lane.mask, slot.exponent, slot.modelled, slot.active)
    if slot.decision > 0:
        decision_directed(slot, lane)
    extend(lane.mask, slot.modelled, slot.active, slot.bins)
