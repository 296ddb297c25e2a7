"""The way of the samples: in, hop by hop, and out again, the same for every size of block.

`process_block` is what files, tests and devices call, all of them the same compiled copy: the
device's callback reaches it by its address in the record.
"""

from typing import Any

import numpy as np
from numba import carray, types

from rtsep.dsp.kernel import kernel, native
from rtsep.dsp.machine import FLUSH, call, float_mode, nanoseconds, set_float_mode
from rtsep.dsp.stream import LOUDEST
from rtsep.engine.delay import restart
from rtsep.engine.glides import glide, latch
from rtsep.engine.hop import run_hop
from rtsep.engine.ladder import judge, relieve
from rtsep.engine.meters import count_time, measure
from rtsep.engine.requests import serve
from rtsep.engine.rest import AWAKE, UNHEARD, reason, stay_ready
from rtsep.engine.state import (
    BYPASS,
    CAPTURE,
    DRY,
    INPUT_GAIN,
    OUTPUT_GAIN,
    PARAMETERS,
    STATE_TYPE,
    STRENGTH,
)
from rtsep.separators.slot import SOURCES

MOST = np.float32(LOUDEST)
SAMPLES, STATE_POINTER = types.CPointer(types.float32), types.CPointer(STATE_TYPE)


@kernel(exact=True)
def latch_all(state):
    """Read every target once."""
    for column in range(PARAMETERS):
        latch(state.glides, column, state.spans[column])
    for i in range(2):
        for column in range(2 * SOURCES):
            latch(state.slot[i].glides, column, state.spans[STRENGTH])


@kernel(exact=True)
def take_in(state, x, start, count, channel_step, sample_step):
    """Samples into the hop, the delay line and the capture ring."""
    for i in range(count):
        gain = np.float32(glide(state.glides, INPUT_GAIN))
        total = np.float32(0)
        for c in range(state.channels):
            a = x[c * channel_step + (start + i) * sample_step]
            if not abs(a) <= MOST:  # also true of NaN
                a = np.float32(0)
                state.nonfinite += 1
            state.dry[c, (state.dry_at + i) % DRY] = a
            state.hop_in[c, state.fill + i] = a * gain
            if a != 0:
                state.loud = 1
            total += a
        state.capture[(state.samples + i) % CAPTURE] = total / state.channels


@kernel(exact=True)
def give_out(state, y, start, count, channel_step, sample_step):
    """Samples out of the hop, crossfaded with the delayed input while bypassed.

    The level is one but around a restart.
    """
    for i in range(count):
        gain = np.float32(glide(state.glides, OUTPUT_GAIN))
        bypass = np.float32(max(glide(state.glides, BYPASS), relieve(state)))
        passed = (state.fill + i + 1) / state.hop
        level = np.float32(state.level + passed * (state.next_level - state.level))
        for c in range(state.channels):
            dry = state.dry[c, (state.dry_at + i + DRY - state.latency) % DRY]
            a = (1 - bypass) * (state.hop_out[c, state.fill + i] * gain) + bypass * dry
            a *= level
            y[c * channel_step + (start + i) * sample_step] = a
            state.given_energy[c] += np.float64(a) * np.float64(a)
            state.given_peak[c] = max(state.given_peak[c], np.float64(abs(a)))
            if abs(a) > 1:
                state.clipped += 1


@kernel(exact=True)
def give_stems(state, stems, sources, start, count, channel_step):
    """Sources' samples, source by source, channel by channel: in planes, or interleaved."""
    sample_step = sources * state.channels if channel_step == 1 else 1
    for s in range(sources):
        for c in range(state.channels):
            place = (s * state.channels + c) * channel_step + start * sample_step
            for i in range(count):
                stems[place + i * sample_step] = state.stem_out[s, c, state.fill + i]


@kernel
def turn_hop(state):
    """Run a hop and take its time."""
    begin = nanoseconds()
    restart(state)
    serve(state)
    why = reason(state)
    if why == AWAKE:
        run_hop(state)
    else:
        state.idle_hops += 1
    if why == UNHEARD:
        stay_ready(state)
    state.resting = why
    measure(state)
    count_time(state, nanoseconds() - begin)


@kernel(exact=True)
def run_block(state, x, y, stems, sources, n, channel_step, sample_step):
    """Cut a block at the hops' ends."""
    latch_all(state)
    done = 0
    while done < n:
        count = min(n - done, state.hop - state.fill)
        take_in(state, x, done, count, channel_step, sample_step)
        give_out(state, y, done, count, channel_step, sample_step)
        give_stems(state, stems, sources, done, count, channel_step)
        state.fill += count
        state.samples += count
        state.dry_at = (state.dry_at + count) % DRY
        done += count
        if state.fill == state.hop:
            turn_hop(state)
            state.fill = 0


@native(STATE_POINTER, SAMPLES, SAMPLES, SAMPLES, *[types.int64] * 4)
def process_block(
    pointer: Any,
    x: Any,
    y: Any,
    stems: Any,
    sources: int,
    n: int,
    channel_step: int,
    sample_step: int,
) -> None:
    """Process n samples a channel, denormal numbers flushed.  Audio thread; never concurrently.

    x, y : sample i of channel c lies at c * channel_step + i * sample_step; they may be the same.
    stems : n samples for each of `sources` and channels, planes of n samples where channel_step is
    n, interleaved where it is 1; none are written if `sources` is 0.
    """
    state = carray(pointer, (1,))[0]
    mode = float_mode()
    set_float_mode(mode | FLUSH)
    run_block(state, x, y, stems, sources, n, channel_step, sample_step)
    set_float_mode(mode)


@native(STATE_POINTER, *[types.int64] * 3)
def judge_at(pointer: Any, n: int, begin: int, end: int) -> None:
    """`judge` of a block whose times in ns the caller tells."""
    judge(carray(pointer, (1,))[0], n, begin, end)


@kernel(exact=True)
def count_block(state, n, flags, begin):
    """Count a device's block, begun at `begin` ns, and whether it is late."""
    state.blocks += 1
    if flags != 0:
        state.device_flags += 1
    end = nanoseconds()
    if (end - begin) * state.rate > n * 1000000000:
        state.late_blocks += 1
    judge(state, n, begin, end)


@kernel(exact=True)
def serve_block(pointer, x, y, n, flags, begin):
    """A device's block, begun at `begin` ns: process it, count it, and what was late of it."""
    state = carray(pointer, (1,))[0]
    none, one = np.int64(0), np.int64(1)
    call(state.process, pointer, x, y, y, none, n, one, state.channels)
    count_block(state, n, flags, begin)


@native(
    SAMPLES, SAMPLES, types.uint64, types.voidptr, types.uint64, STATE_POINTER, returns=types.int32
)
def stream_callback(x: Any, y: Any, n: int, times: Any, flags: int, pointer: Any) -> int:
    """PortAudio's stream callback for interleaved float32, as many channels in as out.

    userdata is the address of the record.  Counts blocks, late blocks and the device's own flags.
    """
    serve_block(pointer, x, y, np.int64(n), flags, nanoseconds())
    return 0
