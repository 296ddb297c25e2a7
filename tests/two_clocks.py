"""Two devices in simulated time: each calls when its own clock says so, give or take some jitter.

The world has one true time, in seconds.  The sound is a function of it, sampled where the input's
clock ticks; whatever comes out is played where the output's clock ticks.
"""

import ctypes
from dataclasses import dataclass

import numpy as np

from rtsep.engine.crossing import WRITTEN, crossing, deposit_at, resume, withdraw_at

EPOCH = 1000.0  # s, when the world begins
_shape = [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2
_deposit = ctypes.CFUNCTYPE(None, *_shape)(deposit_at.address)
_withdraw = ctypes.CFUNCTYPE(None, *_shape)(withdraw_at.address)


@dataclass
class Device:
    """ppm : of its clock.  blocks : sizes, over and over.  jitter : s, a callback is late at most.

    stall : (from, to) in s of its own time: no callbacks there; lost : its samples then as well.
    """

    ppm: float = 0.0
    blocks: tuple[int, ...] = (480,)
    jitter: float = 1e-3
    stall: tuple[float, float] = (0.0, 0.0)
    lost: bool = False


@dataclass
class Heard:
    """y : what was played.  delay : samples from the sampling to the playing, block by block."""

    y: np.ndarray
    delay: np.ndarray
    seconds: np.ndarray
    record: np.void
    first_integral: float = 0.0


def calls(device, rate, seconds, output, seed):
    """Starts and sizes in the device's samples, and the times at which it calls, of all blocks."""
    count = int(np.ceil(seconds * rate / np.mean(device.blocks)))
    sizes = np.resize(device.blocks, count)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    if device.lost:
        stalled = (starts >= device.stall[0] * rate) & (starts < device.stall[1] * rate)
        starts, sizes = starts[~stalled], sizes[~stalled]
    true = (starts if output else starts + sizes) / (rate * (1 + 1e-6 * device.ppm))
    late = np.random.default_rng(seed).uniform(0, device.jitter, len(true))
    at = true + late
    if not device.lost:
        at = np.where((at > device.stall[0]) & (at < device.stall[1]), device.stall[1], at)
    return starts, sizes, np.maximum.accumulate(at)


def sound(hertz, level, start, n, rate):
    return (level * np.sin(2 * np.pi * hertz / rate * np.arange(start, start + n))).astype("f4")


def run(
    source, sink, seconds, *, rate=48000, hertz=1000.0, level=0.5, ring=0.0, seed=0,
    resumed=None, epoch=EPOCH,
):  # fmt: skip
    """A sine from one device to the other, from `epoch` on.  ring : what is in it before anything
    is written.  resumed : the record of a run that was halted.
    """
    record = crossing(rate, 1)
    if resumed is not None:
        record.view(np.uint8)[:] = np.frombuffer(resumed.tobytes(), np.uint8)
        resume(record)
    one, address = record[0], record.ctypes.data
    first, began = float(one["integral"]), int(one["words"][WRITTEN])
    if resumed is None:
        one["ring"] = ring
    i_start, i_size, i_at = calls(source, rate, seconds + 2, False, seed)
    o_start, o_size, o_at = calls(sink, rate, seconds, True, seed + 1)
    tone = sound(hertz, level, 0, int(i_start[-1] + i_size[-1]), rate)
    y = np.zeros(int(o_start[-1] + o_size[-1]), "f4")
    speed_in, speed_out = (rate * (1 + 1e-6 * d.ppm) for d in (source, sink))
    delay = np.full(len(o_at), np.nan)
    x_at, y_at = tone.ctypes.data, y.ctypes.data
    i_ns = ((epoch + i_at) * 1e9).astype(int).tolist()
    o_ns = ((epoch + o_at) * 1e9).astype(int).tolist()
    i_list = list(zip((x_at + 4 * i_start).tolist(), i_size.tolist(), i_ns, strict=True))
    o_list = list(zip((y_at + 4 * o_start).tolist(), o_size.tolist(), o_ns, strict=True))
    lost = i_start - np.concatenate([[0], np.cumsum(i_size)[:-1]])
    taken = 0
    for k, (place, n, now) in enumerate(o_list):
        while taken < len(i_list) and i_list[taken][2] <= now:
            _deposit(address, *i_list[taken])
            taken += 1
        _withdraw(address, place, n, now)
        if one["primed"]:
            heard = one["whole"] - began + one["part"] - n * one["ratio"] + lost[taken - 1]
            delay[k] = o_start[k] / speed_out * speed_in - heard
    return Heard(y, delay, o_at, one.copy(), first)


def residual(y, hertz, rate):
    """What of y does not continue as a sine of that frequency does, of the same length less 2."""
    return y[2:] + y[:-2] - 2 * np.cos(2 * np.pi * hertz / rate) * y[1:-1]
