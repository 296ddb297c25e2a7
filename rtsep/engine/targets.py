"""Parameter values, in the units of the user, to targets in the units of the audio thread."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rtsep.dsp.stream import StreamSpec
from rtsep.engine import state as layout
from rtsep.engine.parameters import Value, amplitude, source_gains

NO_LIMIT_DB, NO_FLOOR_DB = 100.0, -120.0
DRY_AND_WET = {"source": (0, 1), "residual": (1, -1), "all": (1, 0)}


def write_targets(state: Any, spec: StreamSpec, values: dict[str, Value]) -> None:
    """All of the engine's own targets.  Control thread."""

    def number(name: str) -> float:
        return float(values[name])

    targets = state["glides"][layout.TARGET]
    noise = np.sqrt(np.sum(state["analysis_window"][: spec.window] ** 2))  # of level one, per bin
    attenuation, floor = number("max_attenuation"), number("noise_floor")
    release = number("release")
    targets[layout.INPUT_GAIN] = amplitude(number("input_gain"))
    targets[layout.OUTPUT_GAIN] = amplitude(number("output_gain"))
    targets[layout.BYPASS] = number("bypass")
    targets[layout.STRENGTH] = number("strength")
    limited = attenuation < NO_LIMIT_DB
    targets[layout.MAX_ATTENUATION] = amplitude(-attenuation) if limited else 0
    targets[layout.NOISE_FLOOR] = amplitude(floor) * noise if floor > NO_FLOOR_DB else 0
    targets[layout.RELEASE] = np.exp(-spec.hop / spec.rate / release) if release else 0
    targets[layout.FREEZE], targets[layout.BLEND] = number("freeze"), number("blend")
    dry, wet = DRY_AND_WET[str(values["listen"])]
    targets[layout.LISTEN_DRY], targets[layout.LISTEN_WET] = dry, wet


def write_source_targets(slot: Any, sources: Sequence[str], values: dict[str, Value]) -> None:
    """Gain of every source, and how far it is open.  Control thread."""
    targets, count = slot["glides"][layout.TARGET], len(sources)
    targets[layout.GAIN : layout.GAIN + count] = source_gains(values, sources)
    opened = [1 - float(values[f"{name}.mute"]) for name in sources]
    targets[layout.OPEN : layout.OPEN + count] = opened


def settle(glides: Any) -> None:
    """Let every value of a glide table be where it is going to, at once."""
    glides[layout.GOAL] = glides[layout.VALUE] = glides[layout.TARGET]
    glides[layout.LEFT] = 0
