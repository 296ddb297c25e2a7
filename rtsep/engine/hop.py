"""One hop: a frame in, spectra, masks, one gain per bin, a frame out.  Audio thread.

    g = sum_s gain_s m_s ; g <- max(g, max_attenuation, min(1, noise_floor / |X|)) ;
    g <- 1 - strength + strength g ; release ; g <- g sum_s open_s m_s ; Y = (dry + wet g) X
with (dry, wet) = (0, 1) to hear the source, (1, -1) the residual and (1, 0) all of it.
"""

import numpy as np

from rtsep.dsp.frames import advance, overlap_add
from rtsep.dsp.kernel import kernel
from rtsep.dsp.machine import address_of, call
from rtsep.dsp.masks import apply, audible, blend, bound, multiply, release, shade, weighted
from rtsep.dsp.spectra import add_power, power_to_magnitude, to_frame, to_spectrum
from rtsep.engine.delay import hold_back, look, must_restart
from rtsep.engine.glides import glide
from rtsep.engine.ladder import effort
from rtsep.engine.state import (
    BLEND,
    FREEZE,
    GAIN,
    LISTEN_DRY,
    LISTEN_WET,
    MAX_ATTENUATION,
    NOISE_FLOOR,
    OPEN,
    RELEASE,
    STRENGTH,
    VALUE,
)
from rtsep.separators.slot import DRY_PATH


@kernel
def analyse(state):
    """Spectrum of every channel, magnitude of every lane (the channels' mean power if linked)."""
    bins = state.bins
    for i in range(state.lanes):
        for f in range(bins):
            state.power[f] = 0
        first, last = (i, i + 1) if state.lanes > 1 else (0, state.channels)
        for c in range(first, last):
            advance(state.history[c], state.hop_in[c], state.window, state.hop)
            to_spectrum(
                state.history[c], state.analysis_window, state.spectrum[c], state.work,
                state.roots, state.window,
            )  # fmt: skip
            add_power(state.spectrum[c], state.power, bins)
        power_to_magnitude(state.power, state.magnitude[i], last - first, bins)


@kernel
def separate(state, slot):
    """Hand the magnitudes to a slot's separator and let it make its masks."""
    slot.frozen = state.glides[VALUE, FREEZE] > np.float64(0.5)
    slot.blend = np.float32(state.glides[VALUE, BLEND])
    for i in range(state.lanes):
        for f in range(state.bins):
            slot.lane[i].v[f] = state.magnitude[i, f]
    slot.effort = effort(state)
    if slot.effort < DRY_PATH or slot.worker != 0:
        call(slot.separate, address_of(slot))


@kernel
def weigh(state, slot, lane, gain):
    """The gain that a lane's masks ask for; a muted source's share of a bin is taken out whole.

    Where o_s opens source s, a bin is o = sum_s o_s m_s of what it was, and all else (gains, the
    limit of attenuation, the floor, strength) is as if nothing but that had been there.
    """
    weights, opened, share = slot.glides[VALUE, GAIN:], slot.glides[VALUE, OPEN:], state.power
    muted = False
    for s in range(slot.sources):
        muted = muted or opened[s] < 1
    if muted:
        audible(lane.mask, weights, opened, gain, share, slot.sources, state.bins)
    else:
        weighted(lane.mask, weights, gain, slot.sources, state.bins)
    bound(
        gain, lane.v, np.float32(state.glides[VALUE, MAX_ATTENUATION]),
        np.float32(state.glides[VALUE, NOISE_FLOOR]), np.float32(state.glides[VALUE, STRENGTH]),
        state.bins,
    )  # fmt: skip
    release(gain, lane.last_gain, np.float32(state.glides[VALUE, RELEASE]), state.bins)
    if muted:
        multiply(gain, share, state.bins)


@kernel
def decide(state, slot, gain):
    """Gain of every lane from one slot: glides, masks, weights, mutes."""
    for s in range(slot.sources):
        glide(slot.glides, GAIN + s)
        glide(slot.glides, OPEN + s)
    separate(state, slot)
    for i in range(state.lanes):
        weigh(state, slot, slot.lane[i], gain[i])


@kernel
def cross(state):
    """Gain from the active slot, crossfaded with the requested one while that fades in."""
    decide(state, state.slot[state.active], state.gain)
    if state.requested != state.active and state.fade == 0 and not must_restart(state):
        state.fade = state.fade_hops
    if state.fade == 0:
        return
    decide(state, state.slot[1 - state.active], state.other_gain)
    state.fade -= 1
    share = np.float32(1) - np.float32(state.fade) / np.float32(state.fade_hops)
    for i in range(state.lanes):
        blend(state.gain[i], state.other_gain[i], share, state.bins)
    if state.fade == 0:
        state.source_power[:] = 0  # of other sources from here on
        state.active = 1 - state.active


@kernel
def synthesise(state):
    """Gained spectra back to samples."""
    dry = np.float32(state.glides[VALUE, LISTEN_DRY])
    wet = np.float32(state.glides[VALUE, LISTEN_WET])
    for c in range(state.channels):
        gain = state.gain[c if state.lanes > 1 else 0]
        apply(state.spectrum[c], gain, dry, wet, state.bins)
        to_frame(
            state.spectrum[c], state.synthesis_window, state.frame, state.work, state.roots,
            state.window,
        )  # fmt: skip
        overlap_add(
            state.tail[c], state.frame, state.window, state.synthesis, state.hop, state.hop_out[c]
        )


@kernel
def split(state, slot):
    """Every source by its raw mask, as samples of its own; after a swap they fade in anew."""
    if state.stem_slot != state.active:
        state.stem_slot = state.active
        state.stem_tail[:] = 0
        state.stem_out[:] = 0
    for c in range(state.channels):
        lane = slot.lane[c if state.lanes > 1 else 0]
        for s in range(slot.sources):
            shade(state.spectrum[c], lane.mask[s], state.shaded, state.bins)
            to_frame(
                state.shaded, state.synthesis_window, state.frame, state.work, state.roots,
                state.window,
            )  # fmt: skip
            overlap_add(
                state.stem_tail[s, c], state.frame, state.window, state.synthesis, state.hop,
                state.stem_out[s, c],
            )  # fmt: skip


@kernel
def run_hop(state):
    """All that happens once per hop; `hop_in` is full, `hop_out` is made."""
    for column in range(STRENGTH, BLEND + 1):
        glide(state.glides, column)
    analyse(state)
    look(state)
    hold_back(state)
    cross(state)
    if state.stems != 0:
        split(state, state.slot[state.active])
    synthesise(state)
