"""When the work of a hop is left out: there is nothing to hear, or nobody who hears it.

Digital silence, once it is all there is inside, is rest until the first sample that is not zero.
Where control says that nobody takes what is given out, it is rest at once, and zeros are given
out; the frame is kept up meanwhile, so that the first hop that is heard again sees what came in
just now, and fades in.  None of it happens offline: output then depends on input alone.
"""

from rtsep.dsp.frames import advance
from rtsep.dsp.kernel import kernel

AWAKE, SILENCE, UNHEARD = range(3)
WORDS = ("", "silence", "nobody records")


@kernel(exact=True)
def reason(state):
    """Why a hop can be left out, AWAKE where it cannot.  Audio thread, once per hop."""
    state.quiet = 0 if state.loud != 0 else state.quiet + state.hop
    state.loud = 0
    settled = state.requested == state.active and state.fade == 0
    inside = state.window + (state.delay + 2) * state.hop
    if state.real_time == 0 or not settled:
        return AWAKE
    if state.unheard != 0:
        return UNHEARD
    if state.stems == 0 and state.quiet > state.rate + inside:
        return SILENCE
    return AWAKE


@kernel
def fall_silent(state):
    """Nothing of before is left to be given out, or to be shown as a level."""
    for c in range(state.channels):
        state.hop_out[c, : state.hop] = 0
        state.tail[c, : state.window] = 0
        for s in range(state.stems):
            state.stem_out[s, c, : state.hop] = 0
            state.stem_tail[s, c, : state.window] = 0
    for i in range(state.lanes):
        state.magnitude[i, : state.bins] = 0
    if state.delay > 0:
        state.ahead[:] = 0


@kernel
def stay_ready(state):
    """A hop that nobody hears: the newest frame is kept, and the way back starts from zero."""
    if state.resting != UNHEARD:
        fall_silent(state)
    for c in range(state.channels):
        advance(state.history[c], state.hop_in[c], state.window, state.hop)
    state.next_level, state.hush = 0, state.delay
