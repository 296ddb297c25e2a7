"""A device's clock, read off the times of its callbacks: a delay-locked loop.

    e = now - (time + span T) ;  time <- time + span T + sqrt(2) w D e ;  T <- T + w^2 D e / rate
with D = span / rate, the jitter of single callbacks filtered out by the loop's bandwidth w
(F. Adriaensen, Using a DLL to filter time, 2005).  It begins wide and narrows.  An error that
stays is no jitter: the device has lost samples, and the line begins anew from there.
"""

import numpy as np

from rtsep.dsp.kernel import kernel
from rtsep.dsp.records import record_type

SETTLING = 0.15  # s in which a device that starts fills its own memory
WIDEST, NARROWEST = 0.5, 0.05  # Hz
NARROWING = 2.0  # bandwidth in Hz times age in s
LATEST = 0.1  # s that an error may stay
FARTHEST = 2e-3  # of a period, from what the rate says

CLOCK = record_type(
    ("started", np.int64),  # whether there is a line
    ("span", np.int64),  # samples of the last block; the output's alone
    ("largest", np.int64),  # samples of the largest block
    ("time", np.float64),  # s, of the last callback, without its jitter
    ("period", np.float64),  # s per sample
    ("first", np.float64),  # s, of the first callback
    ("age", np.float64),  # s since the line began
    ("jitter", np.float64),  # s, the largest error while the line was young
    ("astray", np.float64),  # s that errors have been larger
)


@kernel(exact=True)
def anchor(clock, now, rate):
    """Begin a line at `now`, in s; what is known of the period stays.  Audio thread."""
    if clock.period == 0:
        clock.period = 1 / np.float64(rate)
    clock.time, clock.age, clock.astray, clock.jitter, clock.started = now, 0, 0, 0, 1


@kernel(exact=True)
def is_lost(clock, error, seconds):
    """Whether an error is larger than any jitter before, and has been for long."""
    if abs(error) <= 2 * clock.jitter + np.float64(1e-3):
        clock.astray = 0
    else:
        clock.astray += seconds
    return clock.astray > LATEST


@kernel(exact=True)
def follow(clock, now, span, rate):
    """Let `time` and `period` follow a callback at `now`, `span` samples after the last one.

    now, time : s.  period : s per sample.  jitter : s, the largest error while the line is young.
    """
    seconds = np.float64(span) / rate
    due = clock.time + span * clock.period
    error = now - due
    if clock.started == 0:
        clock.first = now
    if now - clock.first <= SETTLING or is_lost(clock, error, seconds):
        anchor(clock, now, rate)
        return
    bandwidth = min(max(NARROWING / max(clock.age, 1e-3), NARROWEST), WIDEST)
    w = min(2 * np.pi * bandwidth, 0.3 / max(seconds, 1e-6))
    clock.time = due + np.sqrt(2.0) * w * seconds * error
    period = clock.period + w * w * seconds * error / rate
    clock.period = min(max(period, (1 - FARTHEST) / rate), (1 + FARTHEST) / rate)
    clock.age += seconds
    if clock.age < 1:
        clock.jitter = max(clock.jitter, min(abs(error), LATEST))
