"""Live stems: a device's block in, every source on channels of its own out.

Output channel s * channels + c is channel c of source s by its raw mask, without strength, gains
or floor: together the sources are the input, `latency` samples later.  After a swap to fewer
sources the channels that are left over are silent; sources beyond the last channel are not heard.
"""

from typing import Any

import numpy as np
from numba import carray, types

from rtsep.dsp.kernel import kernel, native
from rtsep.dsp.machine import call, nanoseconds
from rtsep.engine.process import STATE_POINTER, count_block
from rtsep.engine.state import ROOM

FLOAT = 4  # bytes


@kernel
def play_stems(pointer, state, x, y, n):
    """A block in pieces; the mix, which nobody hears, goes where there is room for it."""
    one, mix = np.int64(1), np.int64(state.mix.ctypes.data)
    width = state.stems * state.channels
    done = np.int64(0)
    while done < n:
        count = min(n - done, np.int64(ROOM))
        call(
            state.process, pointer, x + FLOAT * done * state.channels, mix,
            y + FLOAT * done * width, state.stems, count, one, state.channels,
        )  # fmt: skip
        done += count


@native(
    types.int64, types.int64, types.uint64, types.voidptr, types.uint64, STATE_POINTER,
    returns=types.int32,
)  # fmt: skip
def stems_callback(x: Any, y: Any, n: int, times: Any, flags: int, pointer: Any) -> int:
    """As `stream_callback`, with `stems` times as many channels out as in."""
    begin = nanoseconds()
    state = carray(pointer, (1,))[0]
    play_stems(pointer, state, x, y, np.int64(n))
    count_block(state, np.int64(n), flags, begin)
    return 0
