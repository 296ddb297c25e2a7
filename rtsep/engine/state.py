"""The record: the whole state of an engine, shared by the audio thread and control.

One writer per field.  Control writes row TARGET of the glides, `requested`, `ladder`, `unheard`,
the request counters and what they ask for; compiled code in the audio thread writes everything
else.
"""

from typing import Any

import numba
import numpy as np

from rtsep.dsp.records import record_type
from rtsep.dsp.times import HISTOGRAM
from rtsep.separators.slot import BINS, CHANNELS, SLOT, SOURCES, UNKNOWN
from rtsep.separators.worker import DELAYS

WINDOW, HOP, DRY, CAPTURE = 2048, 512, 1 << 14, 1 << 19
ROOM = 1024  # samples a channel

# Rows of a glide table, whose columns are parameters.
TARGET, GOAL, VALUE, STEP, LEFT = range(5)

# Columns of the engine's glides: the first three move per sample, the others per hop.
INPUT_GAIN, OUTPUT_GAIN, BYPASS = range(3)
STRENGTH, MAX_ATTENUATION, NOISE_FLOOR, RELEASE, LISTEN_DRY, LISTEN_WET = range(3, 9)
FREEZE, BLEND = 9, 10
PARAMETERS = 11

# Columns of a slot's glides: a gain per source, then how far it is open (0 is muted).
GAIN, OPEN = 0, SOURCES

STATE = record_type(
    # fixed by prepare
    ("process", np.int64),
    ("rate", np.int64),
    ("window", np.int64),
    ("hop", np.int64),
    ("synthesis", np.int64),
    ("bins", np.int64),
    ("latency", np.int64),
    ("channels", np.int64),
    ("lanes", np.int64),
    ("stems", np.int64),
    ("fade_hops", np.int64),
    ("analysis_window", np.float32, (WINDOW,)),
    ("synthesis_window", np.float32, (WINDOW,)),
    ("roots", np.float32, (2, WINDOW)),
    ("spans", np.int64, (PARAMETERS,)),
    # control
    ("glides", np.float64, (5, PARAMETERS)),
    ("requested", np.int64),
    ("ladder", np.int64),
    ("unheard", np.int64),
    ("snapshot_request", np.int64),
    ("restore_request", np.int64),
    # the stream
    ("fill", np.int64),
    ("at", np.int64),
    ("active", np.int64),
    ("fade", np.int64),
    ("stem_slot", np.int64),
    ("delay", np.int64),
    ("hush", np.int64),
    ("level", np.float64),
    ("next_level", np.float64),
    ("ahead_at", np.int64),
    ("hop_in", np.float32, (CHANNELS, HOP)),
    ("hop_out", np.float32, (CHANNELS, HOP)),
    ("dry", np.float32, (CHANNELS, DRY)),
    ("history", np.float32, (CHANNELS, WINDOW)),
    ("tail", np.float32, (CHANNELS, WINDOW)),
    ("spectrum", np.float32, (CHANNELS, 2, BINS)),
    ("shaded", np.float32, (2, BINS)),
    ("work", np.float32, (4, WINDOW // 2)),
    ("frame", np.float32, (WINDOW,)),
    ("power", np.float32, (BINS,)),
    ("magnitude", np.float32, (CHANNELS, BINS)),
    ("gain", np.float32, (CHANNELS, BINS)),
    ("other_gain", np.float32, (CHANNELS, BINS)),
    ("stem_tail", np.float32, (SOURCES, CHANNELS, WINDOW)),
    ("stem_out", np.float32, (SOURCES, CHANNELS, HOP)),
    ("room", np.float32, (CHANNELS * ROOM,)),
    ("capture", np.float32, (CAPTURE,)),
    ("ahead", np.float32, (DELAYS, CHANNELS, 3, BINS)),
    # what is too much, or nothing at all
    ("rung", np.int64),
    ("paced", np.int64),
    ("mark_sample", np.int64),
    ("mark_time", np.int64),
    ("strain", np.float64),
    ("calm", np.float64),
    ("relapse", np.float64),
    ("patience", np.float64),
    ("relief", np.float64),
    ("loud", np.int64),
    ("quiet", np.int64),
    ("overloads", np.int64),
    ("idle_hops", np.int64),
    ("resting", np.int64),
    # served at a hop boundary
    ("snapshot_served", np.int64),
    ("restore_served", np.int64),
    ("staged_W", np.float32, (CHANNELS, UNKNOWN, BINS)),
    ("staged_statistics", np.float32, (CHANNELS, UNKNOWN, BINS)),
    ("staged_energies", np.float64, (CHANNELS, UNKNOWN)),
    # meters
    ("samples", np.int64),
    ("hops", np.int64),
    ("blocks", np.int64),
    ("late_blocks", np.int64),
    ("device_flags", np.int64),
    ("clipped", np.int64),
    ("nonfinite", np.int64),
    ("hop_max", np.int64),
    ("input_power", np.float64, (CHANNELS,)),
    ("output_power", np.float64, (CHANNELS,)),
    ("input_peak", np.float64, (CHANNELS,)),
    ("output_peak", np.float64, (CHANNELS,)),
    ("given_energy", np.float64, (CHANNELS,)),
    ("given_peak", np.float64, (CHANNELS,)),
    ("source_power", np.float64, (SOURCES,)),
    ("taken_power", np.float32, (BINS,)),
    ("given_power", np.float32, (BINS,)),
    ("histogram", np.int64, (HISTOGRAM,)),
    ("slot", SLOT, (2,)),
)

LEVELS = (
    "input_power", "output_power", "input_peak", "output_peak", "given_energy", "given_peak",
    "source_power", "taken_power", "given_power",
)  # fmt: skip
SOUND = ("hop_in", "hop_out", "dry", "history", "tail", "stem_tail", "stem_out", "ahead")

STATE_TYPE: Any = numba.from_dtype(STATE)
