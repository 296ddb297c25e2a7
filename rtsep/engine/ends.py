"""What two devices on two clocks call: one gives to the ring between them, the other takes from it.

The engine runs in the output's thread.  With stems, the samples of a block are first laid at the
end of the room that the device has for all of them: what is played never overtakes what is read.
"""

from typing import Any

import numpy as np
from numba import carray, types

from rtsep.dsp.kernel import native
from rtsep.dsp.machine import nanoseconds, pointer_to
from rtsep.engine.crossing import CROSSING_POINTER, deposit, withdraw
from rtsep.engine.process import SAMPLES, count_block, serve_block
from rtsep.engine.state import STATE_TYPE
from rtsep.engine.stems import FLOAT, play_stems

state_at, samples_at = pointer_to(STATE_TYPE), pointer_to(types.float32)


@native(
    SAMPLES, SAMPLES, types.uint64, types.voidptr, types.uint64, CROSSING_POINTER,
    returns=types.int32,
)  # fmt: skip
def input_callback(x: Any, y: Any, n: int, times: Any, flags: int, pointer: Any) -> int:
    """PortAudio's callback of the input's stream; userdata is the crossing's address."""
    cross = carray(pointer, (1,))[0]
    deposit(cross, x, np.int64(n), nanoseconds() * 1e-9)
    if flags != 0:
        cross.flags += 1
    return 0


@native(
    types.int64, types.int64, types.uint64, types.voidptr, types.uint64, CROSSING_POINTER,
    returns=types.int32,
)  # fmt: skip
def output_callback(x: Any, y: Any, n: int, times: Any, flags: int, pointer: Any) -> int:
    """PortAudio's callback of the output's stream: out of the ring, through the engine."""
    begin, count = nanoseconds(), np.int64(n)
    cross = carray(pointer, (1,))[0]
    engine = state_at(cross.engine)
    state = carray(engine, (1,))[0]
    spare = max(state.stems - 1, 0) * state.channels * count
    taken = samples_at(y + FLOAT * spare)
    withdraw(cross, taken, count, begin * 1e-9)
    if state.stems == 0:
        serve_block(engine, taken, taken, count, flags, begin)
    else:
        play_stems(engine, state, y + FLOAT * spare, y, count)
        count_block(state, count, flags, begin)
    of_input = cross.flags
    state.device_flags += of_input - cross.flags_told
    cross.flags_told = of_input
    return 0
