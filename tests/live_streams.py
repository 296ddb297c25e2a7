"""Live engines as a device runs them, without one."""

import ctypes

import numpy as np

import rtsep
from models import noise
from rtsep.engine.process import judge_at
from rtsep.ports.live import StreamCallback

RATE, BLOCK = 48000, 480
_judge = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 3)(judge_at.address)


class Stream:
    """A live engine whose blocks take as long as one says."""

    def __init__(self, models="bypass", **how):
        self.engine = rtsep.Engine(models, **how)
        self.engine.live, self.now = True, 10**12
        self.play(noise(RATE // 2, level=0.01))

    def play(self, x, busy=0.1, pace=1.0):
        """busy : of the period, what each block takes.  pace : 1 is real time."""
        period, pieces = 10**9 * BLOCK // RATE, []
        for start in range(0, len(x), BLOCK):
            pieces.append(self.engine.process(x[start : start + BLOCK]))
            _judge(self.engine.address, BLOCK, self.now, self.now + int(busy * period))
            self.now += int(period / pace)
        return np.concatenate(pieces)

    def late(self, blocks, busy=1.5):
        return self.play(noise(blocks * BLOCK, level=0.01), busy)

    @property
    def rung(self):
        return self.engine.meters().rung


def play_stems(engine, x, blocks, callback=None, userdata=None):
    """x : (channels, n).  Returns (stems, channels, n), block by block through a callback.

    It is the engine's own unless told.
    """
    call = StreamCallback((callback or engine.callback).address)
    width, given, at = engine.stems * engine.channels, [], 0
    for block in blocks:
        piece = np.ascontiguousarray(x[:, at : at + block].T)
        y = np.full((len(piece), width), 7, np.float32)
        call(piece.ctypes.data, y.ctypes.data, len(piece), None, 0, userdata or engine.address)
        given.append(y.T.reshape(engine.stems, engine.channels, -1))
        at += block
    return np.concatenate(given, axis=2)
