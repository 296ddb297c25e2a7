"""What happens where the time is too short.

Three late blocks within a second are one step down: one alternation a hop, then the unknown basis
held, then the dry path faded in, in time with what it replaces, and the separator at rest.  Calm
is a step up again; a step that was too early makes the next wait longer.  None of it happens
offline, or where blocks come faster than time: output then depends on input alone.
"""

import numpy as np

from rtsep.dsp.kernel import kernel
from rtsep.separators.slot import DRY_PATH, FULL, HELD

LATE = 3.0  # late blocks; one a second is forgotten
CALM, LONGEST = 2.0, 60.0  # s without a late block before a step up
RELAPSE = 10.0  # s after a step up within which one down says that it was too early
FADE = 0.05  # s into the dry path
PACE = 0.25  # s of sound over which the pace is looked at


@kernel(exact=True)
def keep_pace(state, now):
    """Whether sound comes no faster than half as fast again as time.  now : ns."""
    passed = np.float64(state.samples - state.mark_sample) / state.rate
    if passed >= PACE:
        state.paced = (now - state.mark_time) * 1e-9 > passed / 1.5
        state.mark_sample, state.mark_time = state.samples, now


@kernel(exact=True)
def step_down(state):
    if state.rung < DRY_PATH:
        state.rung += 1
        state.overloads += 1
    if state.relapse > 0:
        state.patience = min(2 * state.patience, LONGEST)
    state.strain, state.calm, state.relapse = 0, 0, 0


@kernel(exact=True)
def step_up(state):
    if state.rung > FULL:
        state.rung -= 1
        state.relapse = RELAPSE
    elif state.calm > LONGEST:
        state.patience = CALM
    state.calm = 0


@kernel(exact=True)
def judge(state, n, begin, end):
    """Take account of a block of n samples that was worked on from `begin` to `end`, in ns."""
    keep_pace(state, begin)
    if state.real_time == 0 or state.paced == 0:
        state.rung, state.strain = FULL, 0
        return
    seconds = np.float64(n) / state.rate
    state.patience = max(state.patience, CALM)
    state.strain = max(state.strain - seconds, 0.0)
    state.calm += seconds
    state.relapse = max(state.relapse - seconds, 0.0)
    if (end - begin) * 1e-9 > seconds:
        state.strain += 1
        state.calm = 0
    if state.strain >= LATE:
        step_down(state)
    elif state.calm > (state.patience if state.rung > FULL else LONGEST):
        step_up(state)


@kernel(exact=True)
def rung_of(state):
    """The rung, where there is a ladder at all."""
    return state.rung if state.real_time != 0 else FULL


@kernel(exact=True)
def relieve(state):
    """How much of the dry path there is, moved on by a sample."""
    dry = rung_of(state) == DRY_PATH
    if dry or state.relief > 0:
        step = 1 / (FADE * state.rate)
        state.relief = min(max(state.relief + (step if dry else -step), 0.0), 1.0)
    return state.relief


@kernel(exact=True)
def effort(state):
    """The rung for the separators: at the dry path's they rest only once it is all there is."""
    rung = rung_of(state)
    return HELD if rung == DRY_PATH and state.relief < 1 else rung
