"""From the clock of one device to the clock of another: a ring, and a resampler that keeps it even.

The input's callback puts samples into the ring, the output's takes them out, `ratio` of them for
each one it plays.  Both read their clocks off the times of their callbacks, so the ring's fill is
known at one moment as a line, whatever the sizes of blocks and their jitter:
    fill(t) = written + (t - time) / period - read
    ratio = 1 + 2 w e / rate + integral of w^2 e / rate,   e = fill - target
(F. Adriaensen, Controlling adaptive resampling, 2012).  The target is fixed before the first sound
and stays.  Where samples are missing the sound fades out and in, in its place; where too many are,
or for too long, it begins anew with the same target.
"""

from typing import Any

import numba
import numpy as np
from numba import carray, types

from rtsep.dsp.clocks import CLOCK, follow
from rtsep.dsp.kernel import kernel, native
from rtsep.dsp.machine import acquire, give
from rtsep.dsp.records import record_type, zeroed
from rtsep.dsp.resampling import HALF, PHASES, TAPS, filtered, phases, weigh_phases
from rtsep.engine.process import SAMPLES
from rtsep.separators.slot import CHANNELS

RING, MOMENTS, FADE = 1 << 16, 16, 64
INPUT, OUTPUT = 0, 1
WRITTEN, MOMENT, RESTART = 0, 8, 16  # places of the shared words, a cache line each
PRIME = 0.5  # s of silence in which blocks and jitter are seen
AGAIN = 0.2  # s of it where both devices are known, and only halted
STARVED, ASTRAY = 0.05, 0.1  # s that samples may be missing, or the fill be off
WIDEST, NARROWEST, NARROWING = 0.1, 0.01, 0.4  # Hz, Hz, Hz s: the loop's bandwidth by its age
PROPORTIONAL = 3.0  # s before the integral is moved
KNOWN = 30.0  # s before it is kept over a halt
FARTHEST = 1e-3  # of the ratio from one

CROSSING = record_type(
    # fixed before the streams start
    ("engine", np.int64),  # address of an engine's record, 0 for none
    ("rate", np.int64),  # Hz, nominal of both
    ("channels", np.int64),
    ("C", np.float32, (PHASES + 1, TAPS)),  # the resampler's `phases`
    # between the threads
    ("words", np.int64, (32,)),  # samples WRITTEN, MOMENTs: the input's; RESTARTs: the output's
    ("moments", np.float64, (MOMENTS, 3)),  # ring: s, samples written by then, s per sample
    ("ring", np.float32, (CHANNELS, RING + TAPS)),  # samples; its first TAPS again at its end
    ("clock", CLOCK, (2,)),  # INPUT and OUTPUT
    # the input's thread
    ("restarted", np.int64),  # number of the RESTART that is done
    ("deposits", np.int64),  # blocks so far
    ("flags", np.int64),  # blocks that the input's device flagged
    # the output's thread
    ("flags_told", np.int64),  # of those flags, how many the engine has counted
    ("primed", np.int64),  # whether samples are taken out
    ("priming", np.int64),  # samples of silence left before that
    ("room", np.int64),  # samples of the target that are for jitter
    ("target", np.int64),  # samples, what the fill is to be
    ("whole", np.int64),  # place of the next sample to be made, in samples written,
    ("part", np.float64),  # and what is between, 0..1
    ("ratio", np.float64),  # samples taken out for each one played
    ("integral", np.float64),  # of the ratio less one: how much faster the input's clock is
    ("age", np.float64),  # s that samples have been taken out
    ("level", np.float64),  # 0..1, fading out and in where samples are missing
    ("missing", np.float64),  # s that samples have been missing
    ("astray", np.float64),  # s that the fill has been off by more than blocks make
    ("c", np.float32, (TAPS,)),  # scratch: the filter for `part`
    # its meters
    ("starved", np.int64),  # blocks that lacked samples
    ("restarts", np.int64),  # times it began anew
)
CROSSING_TYPE: Any = numba.from_dtype(CROSSING)
CROSSING_POINTER = types.CPointer(CROSSING_TYPE)


def crossing(rate: int, channels: int, engine: int = 0) -> Any:
    """A record of shape (1,) for two devices at `rate` Hz.  engine : address of its record."""
    record = zeroed(CROSSING)
    one = record[0]
    one["engine"], one["rate"], one["channels"] = engine, rate, channels
    one["C"] = phases()
    one["priming"], one["ratio"] = round(PRIME * rate), 1
    return record


def resume(record: Any) -> None:
    """Prepare for both streams to start again, at the same target.  Not while either runs."""
    one = record[0]
    one["words"][RESTART] += 1
    one["clock"]["started"] = 0
    one["primed"], one["priming"] = 0, round(AGAIN * one["rate"])
    one["missing"], one["astray"], one["level"] = 0, 0, 0
    if one["age"] < KNOWN:
        one["integral"] = 0


# the input's thread


@kernel(exact=True)
def deposit(cross, x, n, now):
    """Put n samples a channel, interleaved, into the ring at `now` s.  Input's audio thread."""
    clock, written = cross.clock[INPUT], cross.words[WRITTEN]
    if acquire(cross.words, RESTART) != cross.restarted:
        cross.restarted = cross.words[RESTART]
        clock.started = 0
    clock.largest = max(clock.largest, n)
    follow(clock, now, n, cross.rate)
    for i in range(n):
        at = (written + i) % RING
        for c in range(cross.channels):
            a = x[i * cross.channels + c]
            cross.ring[c, at] = a
            if at < TAPS:
                cross.ring[c, at + RING] = a
    give(cross.words, WRITTEN, written + n)
    number = cross.words[MOMENT]
    moment = cross.moments[number % MOMENTS]
    moment[0], moment[1], moment[2] = clock.time, np.float64(written + n), clock.period
    give(cross.words, MOMENT, number + 1)
    cross.deposits += 1


# the output's thread


@kernel(exact=True)
def line(cross, time):
    """How many samples have been written by `time` s, as the input's clock has it; -1 if none."""
    number = acquire(cross.words, MOMENT)
    if number == 0 or cross.words[RESTART] != cross.restarted:
        return np.float64(-1)
    moment = cross.moments[(number - 1) % MOMENTS]
    return moment[1] + (time - moment[0]) / moment[2]


@kernel(exact=True)
def aim(cross):
    """Fix the target: a block of each device, the filter's half, a fade, room for their jitter.

    It grows only where a device comes with larger blocks than before.
    """
    rate = cross.rate
    blocks = cross.clock[INPUT].largest + cross.clock[OUTPUT].largest
    if cross.room == 0:
        jitter = 1.5 * rate * (cross.clock[INPUT].jitter + cross.clock[OUTPUT].jitter)
        cross.room = np.int64(min(max(jitter, 1e-3 * rate), max(1e-2 * rate, 4.0 * blocks)))
    cross.target = max(cross.target, min(blocks + HALF + FADE + cross.room, RING // 2))


@kernel(exact=True)
def begin_anew(cross):
    """Fall silent, learn the clocks again, and go on at the same target."""
    cross.primed, cross.priming = 0, np.int64(PRIME * cross.rate)
    cross.missing, cross.astray, cross.level = 0, 0, 0
    cross.clock[OUTPUT].started = 0
    cross.restarts += 1
    give(cross.words, RESTART, cross.words[RESTART] + 1)


@kernel(exact=True)
def prime(cross, written, n):
    """Begin to read, `target` samples behind what is written, once the clocks are known."""
    if written < 0:
        return
    cross.priming -= n
    if cross.priming > 0:
        return
    aim(cross)
    place = written - cross.target
    if place < HALF:
        return
    cross.whole = np.int64(place)
    cross.part = place - cross.whole
    cross.age, cross.level, cross.primed = 0, 0, 1


@kernel(exact=True)
def steer(cross, written, n):
    """Turn the ratio so that the fill comes to the target and stays there."""
    seconds = np.float64(n) / cross.rate
    e = written - np.float64(cross.whole) - cross.part - cross.target
    w = 2 * np.pi * min(max(NARROWING / max(cross.age, 1e-3), NARROWEST), WIDEST)
    x = cross.integral + 2 * w * e / cross.rate
    if abs(x) < FARTHEST and cross.age > PROPORTIONAL:
        cross.integral += w * w * seconds * e / cross.rate
    cross.ratio = 1 + min(max(x, -FARTHEST), FARTHEST)
    cross.age += seconds
    largest = cross.clock[INPUT].largest + cross.clock[OUTPUT].largest
    if abs(e) > max(1e-2 * cross.rate, np.float64(largest)):
        cross.astray += seconds
    else:
        cross.astray = 0


@kernel(exact=True)
def there(cross):
    """How many of the next samples can be made of what has been written."""
    left = acquire(cross.words, WRITTEN) - HALF - cross.whole - cross.part
    return np.int64(np.ceil(left / cross.ratio))


@kernel(exact=True)
def fade(cross, left):
    """The level of the next sample, when `left` can still be made: at none it is zero."""
    if left <= 0:
        cross.level = 0
    elif left <= cross.level * FADE:
        cross.level -= cross.level / left
    else:
        cross.level = min(cross.level + 1 / FADE, 1.0)
    return np.float32(cross.level)


@kernel(exact=True)
def read(cross, y, n, leaving):
    """The next n samples a channel, interleaved; silence where the ring has none.

    leaving : fade out by the end.
    """
    can = there(cross)
    last = min(can, n) if leaving else can
    for i in range(n):
        level = fade(cross, last - i)
        if level > 0:
            weigh_phases(cross.C, cross.part, cross.c)
        start = (cross.whole - HALF + 1) % RING
        for c in range(cross.channels):
            a = filtered(cross.c, cross.ring[c], start) if level > 0 else np.float32(0)
            y[i * cross.channels + c] = level * a
        cross.part += cross.ratio
        step = np.int64(cross.part)
        cross.whole += step
        cross.part -= step
    if can < n:
        cross.starved += 1
        cross.missing += np.float64(n) / cross.rate
    else:
        cross.missing = 0


@kernel(exact=True)
def is_lost(cross):
    """Whether to begin anew: samples are missing, or the fill is off, for too long."""
    ahead = cross.words[WRITTEN] - cross.whole
    return ahead > RING // 4 * 3 or cross.missing > STARVED or cross.astray > ASTRAY


@kernel(exact=True)
def withdraw(cross, y, n, now):
    """Take n samples a channel out of the ring, interleaved, at `now` s.  Output's audio thread."""
    clock = cross.clock[OUTPUT]
    follow(clock, now, clock.span, cross.rate)
    clock.span, clock.largest = n, max(clock.largest, n)
    written = line(cross, clock.time)
    if cross.primed == 0:
        prime(cross, written, n)
    elif written >= 0:
        steer(cross, written, n)
    if cross.primed == 0:
        for i in range(n * cross.channels):
            y[i] = np.float32(0)
        return
    lost = is_lost(cross)
    read(cross, y, n, lost)
    if lost:
        begin_anew(cross)


@native(CROSSING_POINTER, SAMPLES, types.int64, types.int64)
def deposit_at(pointer: Any, x: Any, n: int, now: int) -> None:
    """`deposit` at a time in ns that the caller tells."""
    deposit(carray(pointer, (1,))[0], x, n, now * 1e-9)


@native(CROSSING_POINTER, SAMPLES, types.int64, types.int64)
def withdraw_at(pointer: Any, y: Any, n: int, now: int) -> None:
    """`withdraw` at a time in ns that the caller tells."""
    withdraw(carray(pointer, (1,))[0], y, n, now * 1e-9)
