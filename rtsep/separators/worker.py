"""Frames to a thread of its own and masks back: what lies between a stream and its network.

The audio thread hands over the newest frame, numbered, and fetches the mask of the frame that
leaves the delay line now.  Rings and counters are all they share; each word has one writer.  A
mask that is late is held over from the frame before, and counted: nothing is ever shifted.  A
frame whose mask can no longer be used is not evaluated.  Offline the same code runs in place.

A network's frame may last several hops.  Run in place it is run more often, in `phases` that take
turns, each on every so manieth frame and with states of its own: masks then are less stale.
"""

from typing import Any

import numba
import numpy as np
from numba import carray, types

from rtsep.dsp.kernel import kernel, native
from rtsep.dsp.machine import (
    FLUSH,
    acquire,
    address_of,
    call,
    call_for,
    float_mode,
    give,
    nanoseconds,
    pointer_to,
    set_float_mode,
)
from rtsep.dsp.programs import interpret
from rtsep.dsp.records import record_type
from rtsep.dsp.stream import PHASES
from rtsep.dsp.times import HISTOGRAM, enter
from rtsep.separators.slot import BINS, CHANNELS, DRY_PATH

RING = 32  # frames under way at most
DELAYS = 24  # hops that a mask may take; less than RING
INNER, TAPS = 1025, 8  # bins of a network; of one grid that make a bin of the other
ASKED, TAKEN, WANTED, STOP = 0, 8, 16, 24  # places of the shared words, a cache line each
ANSWERED, AT_ONCE = 1, 2  # values of STOP: when all frames are answered; whatever is left

WORKER = record_type(
    # fixed by prepare: what runs the network
    ("step", np.int64),  # address of `int64 step(worker *, lane)`: one frame; 0 if it went well
    # in onnxruntime, by address
    ("run", np.int64),  # of its Run
    ("release", np.int64),  # of its ReleaseStatus
    ("session", np.int64),  # of its session
    ("input_names", np.int64),  # of its list of names
    ("output_names", np.int64),
    ("tensors", np.int64),  # how many go in, and come out: the frame's or its mask, all states
    ("given", np.int64, (CHANNELS, 2)),  # of lists of what goes in, by lane and parity
    ("made", np.int64, (CHANNELS, 2)),  # of lists of what comes out
    # or as a program (programs.py): its arrays, and places among its numbers
    ("lines", np.int64),  # address of int64 (line_count, 8)
    ("line_count", np.int64),
    ("spans", np.int64),  # address of int64 (span_count, 3)
    ("span_count", np.int64),
    ("numbers", np.int64),  # address of float32 (number_count,)
    ("number_count", np.int64),
    ("heard_at", np.int64),  # place of the magnitudes
    ("mask_at", np.int64),  # of the mask
    ("state_at", np.int64),  # of all states before
    ("next_at", np.int64),  # of all states after
    ("states", np.int64),  # address of float32 (lanes, phases, 2, size): all states, both sides
    ("state_size", np.int64),  # floats a lane, phases * 2 * size
    # how the threads meet
    ("semaphore", np.int64),  # its handle
    ("post", np.int64),  # address of what raises it
    ("wait", np.int64),  # address of what waits for it
    ("synchronous", np.int64),  # whether frames are answered in place; control, between streams
    # sizes
    ("lanes", np.int64),  # masks of a frame
    ("delay", np.int64),  # D, hops that a mask may take; 0 for a program
    ("every", np.int64),  # hops from one frame handed over to the next
    ("phases", np.int64),  # in which frames take turns, each with states of its own
    ("bins", np.int64),  # F, of the stream
    ("active", np.int64),  # of these, the first ones, which the network knows
    ("inner", np.int64),  # bins of the network's own grid
    # from the stream's grid to the network's, and back
    ("taps_in", np.int64),  # bins of the stream that make one of the network's
    ("taps_out", np.int64),  # bins of the network that make one of the stream's
    ("first_in", np.int64, (INNER,)),  # the first of the taps of every bin
    ("share_in", np.float32, (INNER, TAPS)),  # the taps' shares of it
    ("first_out", np.int64, (BINS,)),
    ("share_out", np.float32, (BINS, TAPS)),
    # between the threads, the audio thread's where no other is named
    ("words", np.int64, (32,)),  # frames ASKED for, TAKEN (worker), the one WANTED; STOP (control)
    ("frame_of", np.int64, (RING,)),  # number of the frame in a place, -1 for none
    ("frames", np.float32, (RING, CHANNELS, INNER)),  # magnitudes
    ("mask_of", np.int64, (RING,)),  # number of the frame whose mask it is, -1 for none; worker
    ("masks", np.float32, (RING, CHANNELS, BINS)),  # 0..1; worker
    # audio thread
    ("hops", np.int64),  # so far
    ("late", np.int64),  # of these, hops whose mask was not there in time
    # worker
    ("phase", np.int64),  # the frame's
    ("parity", np.int64, (PHASES,)),  # side of the states that is read next, by phase
    ("runs", np.int64),  # frames evaluated, well or not
    ("failed", np.int64),  # of these, frames that gave no mask
    ("skipped", np.int64),  # frames not evaluated, for their masks had no use any more
    ("run_max", np.int64),  # ns, the longest evaluation
    ("histogram", np.int64, (HISTOGRAM,)),  # of evaluations by their time (times.py)
    ("magnitude", np.float32, (CHANNELS, INNER)),  # the frame, as the network has it
    ("mask", np.float32, (CHANNELS, INNER)),  # its mask, as the network gives it
)

WORKER_TYPE: Any = numba.from_dtype(WORKER)
WORKER_POINTER = types.CPointer(WORKER_TYPE)
worker_at = pointer_to(WORKER_TYPE)
floats_at = pointer_to(types.float32)
integers_at = pointer_to(types.int64)


@kernel
def regrid(source, first, share, taps, target, bins):
    """target_f <- sum of `taps` bins of the source, from first_f on, by their shares."""
    for f in range(bins):
        total = np.float32(0)
        for t in range(taps):
            total += share[f, t] * source[first[f] + t]
        target[f] = total


@kernel
def hand_over(worker, slot):
    """The newest magnitudes, in lane.v, to the worker, every so many hops.  Audio thread."""
    if worker.hops % worker.every != 0:
        return
    number = worker.hops // worker.every
    place = number % RING
    if acquire(worker.words, TAKEN) > number - RING:
        for i in range(worker.lanes):
            regrid(
                slot.lane[i].v, worker.first_in, worker.share_in, worker.taps_in,
                worker.frames[place, i], worker.inner,
            )  # fmt: skip
        worker.frame_of[place] = number
    give(worker.words, ASKED, number + 1)
    if slot.effort >= DRY_PATH:
        return
    if worker.synchronous != 0:
        while answer(worker):
            pass
    else:
        call(worker.post, worker.semaphore, np.int64(1), np.int64(0))


@kernel
def fetch(worker, slot):
    """The mask of the frame that leaves the delay line, into lane.network.  Audio thread."""
    due = worker.hops - worker.delay
    worker.hops += 1
    if due < 0:
        return
    number = due // worker.every
    give(worker.words, WANTED, number)
    place = number % RING
    if acquire(worker.mask_of, place) != number:
        worker.late += 1
        return
    for i in range(worker.lanes):
        for f in range(worker.bins):
            slot.lane[i].network[f] = worker.masks[place, i, f]


@kernel
def forget(worker):
    """Zero every state."""
    states = carray(floats_at(worker.states), worker.lanes * worker.state_size)
    for i in range(worker.lanes * worker.state_size):
        states[i] = 0


@kernel
def is_mask(mask, bins):
    """Whether it is near 0..1 everywhere; what is not a number is not."""
    good = 0
    for f in range(bins):
        good += mask[f] > np.float32(-1) and mask[f] < np.float32(2)
    return good == bins


@kernel
def evaluate(worker, place):
    """Run the network on one frame of every lane.  Whether its masks are in the ring."""
    for i in range(worker.lanes):
        for f in range(worker.inner):
            worker.magnitude[i, f] = worker.frames[place, i, f]
        if call_for(worker.step, address_of(worker), np.int64(i)) != 0:
            return False
        if not is_mask(worker.mask[i], worker.inner):
            return False
        mask = worker.masks[place, i]
        regrid(
            worker.mask[i], worker.first_out, worker.share_out, worker.taps_out, mask, worker.active
        )
        bound_and_extend(mask, worker.active, worker.bins)
    return True


@kernel
def bound_and_extend(mask, active, bins):
    """Into 0..1; above the bins that the network knows, the mean over its highest octave."""
    low = active // 2
    mean = np.float32(0)
    for f in range(active):
        mask[f] = min(max(mask[f], np.float32(0)), np.float32(1))
        if f >= low:
            mean += mask[f]
    mean /= active - low
    for f in range(active, bins):
        mask[f] = mean


@kernel
def answer(worker):
    """Evaluate the next frame handed over; whether there was one.  Worker thread."""
    number = worker.words[TAKEN]
    if acquire(worker.words, ASKED) <= number:
        return False
    place = number % RING
    if worker.frame_of[place] != number or acquire(worker.words, WANTED) > number:
        worker.skipped += 1
    else:
        begin = nanoseconds()
        worker.phase = number % worker.phases
        if evaluate(worker, place):
            worker.parity[worker.phase] = 1 - worker.parity[worker.phase]
            give(worker.mask_of, place, number)
        else:
            worker.failed += 1
            forget(worker)
        duration = nanoseconds() - begin
        enter(worker.histogram, duration)
        worker.run_max = max(worker.run_max, duration)
        worker.runs += 1
    give(worker.words, TAKEN, number + 1)
    return True


@native(WORKER_POINTER, types.int64, returns=types.int64)
def run_session(pointer: Any, lane: int) -> int:
    """One call of onnxruntime's Run for a lane; 0 where it went well."""
    worker = carray(pointer, (1,))[0]
    status = call_for(
        worker.run, worker.session, np.int64(0), worker.input_names,
        worker.given[lane, worker.parity[0]], worker.tensors, worker.output_names, worker.tensors,
        worker.made[lane, worker.parity[0]],
    )  # fmt: skip
    if status == 0:
        return 0
    call(worker.release, status)
    return 1


@native(WORKER_POINTER, types.int64, returns=types.int64)
def run_program(pointer: Any, lane: int) -> int:
    """The network as a vector program, for a lane: nothing allocated, nobody asked."""
    worker = carray(pointer, (1,))[0]
    lines = carray(integers_at(worker.lines), (worker.line_count, 8))
    spans = carray(integers_at(worker.spans), (worker.span_count, 3))
    numbers = carray(floats_at(worker.numbers), worker.number_count)
    states = carray(floats_at(worker.states), worker.lanes * worker.state_size)
    size, parity = worker.state_size // (2 * worker.phases), worker.parity[worker.phase]
    first = lane * worker.state_size + worker.phase * 2 * size
    side, other = first + parity * size, first + (1 - parity) * size
    for f in range(worker.inner):
        numbers[worker.heard_at + f] = worker.magnitude[lane, f]
    for i in range(size):
        numbers[worker.state_at + i] = states[side + i]
    interpret(lines, worker.line_count, spans, numbers)
    for i in range(size):
        states[other + i] = numbers[worker.next_at + i]
    for f in range(worker.inner):
        worker.mask[lane, f] = numbers[worker.mask_at + f]
    return 0


@native(WORKER_POINTER)
def work(pointer: Any) -> None:
    """Answer frames until told to stop: the whole life of the worker thread, without the GIL.

    Where nobody is left to ask for a mask it ends between two frames.
    """
    worker = carray(pointer, (1,))[0]
    mode = float_mode()
    set_float_mode(mode | FLUSH)
    while acquire(worker.words, STOP) == 0:
        while acquire(worker.words, STOP) != AT_ONCE and answer(worker):
            pass
        call(worker.wait, worker.semaphore, np.int64(-1))
    set_float_mode(mode)
