"""The delay line of spectra that a network's masks wait for, and the restart that changes it.

A network sees the newest frame; what is gained and given out is the frame of D hops before.  Where
a swap changes D, or puts one network in another's place, the stream fades out, restarts with the
new delay, and fades in.
"""

import numpy as np

from rtsep.dsp.kernel import kernel
from rtsep.dsp.machine import address_of, call
from rtsep.engine.ladder import effort


@kernel
def look(state):
    """Show the newest magnitudes to the active slot's network."""
    slot = state.slot[state.active]
    if slot.look != 0:
        slot.effort = effort(state)
        for i in range(state.lanes):
            for f in range(state.bins):
                slot.lane[i].v[f] = state.magnitude[i, f]
        call(slot.look, address_of(slot))


@kernel
def exchange(one, other, bins):
    """Swap the contents of two arrays."""
    for f in range(bins):
        kept = one[f]
        one[f] = other[f]
        other[f] = kept


@kernel
def hold_back(state):
    """The newest spectra and magnitudes into the line, those of D hops before out of it."""
    if state.delay == 0:
        return
    line = state.ahead[state.ahead_at]
    for c in range(state.channels):
        exchange(line[c, 0], state.spectrum[c, 0], state.bins)
        exchange(line[c, 1], state.spectrum[c, 1], state.bins)
    for i in range(state.lanes):
        exchange(line[i, 2], state.magnitude[i], state.bins)
    state.ahead_at = (state.ahead_at + 1) % state.delay


@kernel
def must_restart(state):
    """Whether the swap asked for cannot be a crossfade."""
    if state.requested == state.active:
        return False
    new, old = state.slot[state.requested], state.slot[state.active]
    return new.delay != old.delay or new.worker != 0 or old.worker != 0


@kernel
def take_over(state):
    """Make the requested slot the active one, with its own delay and an empty line."""
    state.source_power[:] = 0
    state.active = state.requested
    state.delay = state.slot[state.active].delay
    state.latency = state.synthesis + state.delay * state.hop
    state.hush = state.delay + 1
    state.ahead_at = 0
    state.ahead[:] = 0


@kernel
def restart(state):
    """Fade out, take over, fade in, a step a hop; the level is what the next samples end at."""
    state.level = state.next_level
    due = must_restart(state)
    if due and state.level == 0:
        take_over(state)
        due = False
    if due:
        state.next_level = max(state.level - 1 / state.fade_hops, np.float64(0))
    elif state.hush > 0:
        state.hush -= 1
    elif state.level < 1:
        state.next_level = min(state.level + 1 / state.fade_hops, np.float64(1))
