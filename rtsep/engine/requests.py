"""What control asks of a running stream, served at a hop's boundary.

Control fills the staging fields, then raises the request counter; the audio thread does what is
asked and raises the served counter to the same number.
"""

import time
from collections.abc import Callable
from typing import Any

from rtsep.dsp.kernel import kernel

PATIENCE_SECONDS = 2.0


def wait_until(done: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """TimeoutError where it is not done in time.  Control thread."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} was not served within {seconds:g} s")
        time.sleep(0.002)


def ask(state: Any, request: str) -> None:
    """Have a running stream serve a "snapshot" or a "restore".  Control thread."""
    asked, served = f"{request}_request", f"{request}_served"
    state[asked] += 1
    wait_until(lambda: state[served] == state[asked], asked)


@kernel
def copy_rows(source, first, target, start, rows, bins):
    """Rows first .. of one array to rows start .. of another."""
    for k in range(rows):
        for f in range(bins):
            target[start + k, f] = source[first + k, f]


@kernel
def copy_snapshot(state, slot):
    """The unknown source's basis into the staging fields."""
    rows = slot.rank - slot.known
    for i in range(slot.lanes):
        lane = slot.lane[i]
        copy_rows(lane.W, slot.known, state.staged_W[i], 0, rows, slot.bins)
        copy_rows(lane.statistics, 0, state.staged_statistics[i], 0, rows, slot.bins)
        for k in range(rows):
            state.staged_energies[i, k] = lane.energies[k]


@kernel
def copy_restore(state, slot):
    """The unknown source's basis out of the staging fields."""
    rows = slot.rank - slot.known
    for i in range(slot.lanes):
        lane = slot.lane[i]
        copy_rows(state.staged_W[i], 0, lane.W, slot.known, rows, slot.bins)
        copy_rows(state.staged_statistics[i], 0, lane.statistics, 0, rows, slot.bins)
        for k in range(rows):
            lane.energies[k] = state.staged_energies[i, k]


@kernel
def serve(state):
    """Serve what is asked.  Audio thread, once per hop."""
    if state.snapshot_request != state.snapshot_served:
        copy_snapshot(state, state.slot[state.active])
        state.snapshot_served = state.snapshot_request
    if state.restore_request != state.restore_served:
        copy_restore(state, state.slot[state.active])
        state.restore_served = state.restore_request
