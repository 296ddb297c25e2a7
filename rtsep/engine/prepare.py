"""The record as a stream finds it, and as it is after a swap that no stream runs to the end."""

from typing import Any

import numpy as np

from rtsep.dsp.spectra import twiddles
from rtsep.dsp.stream import StreamSpec
from rtsep.dsp.windows import window_pair
from rtsep.engine import state as layout
from rtsep.engine.process import process_block

FADE_SECONDS = 0.05  # from one model's masks to another's
GLIDE_SECONDS = 0.02  # of a parameter to a new value


def prepare_stream(record: Any, spec: StreamSpec, *, channels: int, lanes: int, stems: int) -> None:
    """Everything zero but what is fixed for as long as a stream runs; both slots empty.

    record : STATE, shape (1,).
    """
    record.view(np.uint8)[:] = 0
    state = record[0]
    state["process"], state["stems"] = process_block.address, stems
    for field in ("rate", "window", "hop", "synthesis", "bins"):
        state[field] = getattr(spec, field)
    state["channels"], state["lanes"] = channels, lanes
    analysis, synthesis = window_pair(spec)
    state["analysis_window"][: spec.window] = analysis
    state["synthesis_window"][: spec.window] = synthesis
    state["roots"][:, : spec.window] = twiddles(spec.window)
    state["fade_hops"] = max(1, round(FADE_SECONDS * spec.rate / spec.hop))
    state["spans"][: layout.STRENGTH] = round(GLIDE_SECONDS * spec.rate)
    state["spans"][layout.STRENGTH :] = max(1, round(GLIDE_SECONDS * spec.rate / spec.hop))
    state["level"] = state["next_level"] = 1


def take_delay(state: Any) -> None:
    """The stream's delay is that of the active slot from here on."""
    state["delay"] = state["slot"][int(state["active"])]["delay"]
    state["latency"] = int(state["synthesis"]) + int(state["delay"]) * int(state["hop"])
    state["ahead_at"], state["ahead"][:] = 0, 0


def end_fade(state: Any) -> None:
    """The requested slot is the active one at once.  Not beside a stream that runs."""
    if state["active"] == state["requested"]:
        return
    state["stem_out"][:] = state["stem_tail"][:] = 0
    state["source_power"][:] = 0
    state["active"], state["fade"] = int(state["requested"]), 0
    state["level"], state["next_level"], state["hush"] = 1, 1, 0
    if state["slot"]["worker"].any():
        take_delay(state)
