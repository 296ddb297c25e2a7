"""The record: the whole state of an engine, shared by the audio thread and control.

One writer per field.  Control writes row TARGET of the glides, `requested`, `real_time`, `unheard`,
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
ROOM = 1024  # samples a channel of `mix`

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
    ("process", np.int64),  # address of `process_block`
    ("rate", np.int64),  # Hz
    ("window", np.int64),  # samples, as all lengths of a stream
    ("hop", np.int64),
    ("synthesis", np.int64),
    ("bins", np.int64),  # F
    ("channels", np.int64),
    ("lanes", np.int64),  # masks in use: one, or one a channel
    ("stems", np.int64),  # sources given out one by one, 0 for none; `Engine.separate`: not 0
    ("fade_hops", np.int64),  # that a crossfade of slots takes, and each fade around a restart
    ("analysis_window", np.float32, (WINDOW,)),
    ("synthesis_window", np.float32, (WINDOW,)),
    ("roots", np.float32, (2, WINDOW)),  # of unity, `twiddles`
    ("spans", np.int64, (PARAMETERS,)),  # steps a glide takes: samples or hops
    # control
    ("glides", np.float64, (5, PARAMETERS)),  # row TARGET; the audio thread writes the others
    ("requested", np.int64),  # slot that is to be the active one
    ("real_time", np.int64),  # whether the ladder and rest may act: not offline, not freewheeling
    ("unheard", np.int64),  # whether nobody takes what is given out
    ("snapshot_request", np.int64),  # how many have been asked for
    ("restore_request", np.int64),
    # the stream
    ("fill", np.int64),  # samples of this hop that are in, and as many out
    ("dry_at", np.int64),  # place in `dry`
    ("active", np.int64),  # slot that is heard
    ("fade", np.int64),  # hops left until it is the other one
    ("stem_slot", np.int64),  # slot that `stem_tail` is of
    ("delay", np.int64),  # D, hops a spectrum waits for its mask
    ("latency", np.int64),  # samples, synthesis + D hops
    ("hush", np.int64),  # hops until the stream fades in
    ("level", np.float64),  # 0..1, of what is given out, as this hop begins
    ("next_level", np.float64),  # as it ends
    ("ahead_at", np.int64),  # place in `ahead`
    ("hop_in", np.float32, (CHANNELS, HOP)),  # samples coming in, input gain applied
    ("hop_out", np.float32, (CHANNELS, HOP)),  # samples going out, output gain not yet
    ("dry", np.float32, (CHANNELS, DRY)),  # ring of the input as it came
    ("history", np.float32, (CHANNELS, WINDOW)),  # the newest frame's samples
    ("tail", np.float32, (CHANNELS, WINDOW)),  # what earlier frames leave to later samples
    ("spectrum", np.float32, (CHANNELS, 2, BINS)),  # X, real and imaginary, of D hops before
    ("shaded", np.float32, (2, BINS)),  # scratch: a source's
    ("work", np.float32, (4, WINDOW // 2)),  # the transforms' scratch
    ("frame", np.float32, (WINDOW,)),  # scratch: samples of a spectrum
    ("power", np.float32, (BINS,)),  # scratch: |X|^2 of a lane; then how much of a bin is not muted
    ("magnitude", np.float32, (CHANNELS, BINS)),  # |X| by lane, of D hops before
    ("gain", np.float32, (CHANNELS, BINS)),  # g by lane
    ("other_gain", np.float32, (CHANNELS, BINS)),  # g by the slot that fades in
    ("stem_tail", np.float32, (SOURCES, CHANNELS, WINDOW)),  # as `tail`, by source
    ("stem_out", np.float32, (SOURCES, CHANNELS, HOP)),  # as `hop_out`, by source
    ("mix", np.float32, (CHANNELS * ROOM,)),  # what nobody hears beside live stems, interleaved
    ("capture", np.float32, (CAPTURE,)),  # ring of the input, mixed to one channel
    ("ahead", np.float32, (DELAYS, CHANNELS, 3, BINS)),  # ring: X, and |X| by lane, to wait D hops
    # what is too much, or nothing at all
    ("rung", np.int64),  # FULL .. DRY_PATH
    ("paced", np.int64),  # whether sound comes no faster than time
    ("mark_sample", np.int64),  # where the pace was looked at last
    ("mark_time", np.int64),  # ns, the same
    ("strain", np.float64),  # late blocks, one a second forgotten
    ("calm", np.float64),  # s since the last late block or step
    ("relapse", np.float64),  # s left in which a step down says that the one up was too early
    ("patience", np.float64),  # s of calm before a step up
    ("relief", np.float64),  # 0..1, how much of the dry path there is
    ("loud", np.int64),  # whether a sample that is not zero has come in since the last hop
    ("quiet", np.int64),  # zeros in a row, in samples, up to the last hop
    ("overloads", np.int64),  # steps down so far
    ("idle_hops", np.int64),  # hops left out so far
    ("resting", np.int64),  # why the last hop was: AWAKE, SILENCE or UNHEARD
    # served at a hop boundary
    ("snapshot_served", np.int64),  # how many are done
    ("restore_served", np.int64),
    # what a snapshot holds: the audio thread writes it for one, control for a restore
    ("staged_W", np.float32, (CHANNELS, UNKNOWN, BINS)),  # lane.W, its unknown rows
    ("staged_statistics", np.float32, (CHANNELS, UNKNOWN, BINS)),  # lane.statistics
    ("staged_energies", np.float64, (CHANNELS, UNKNOWN)),  # lane.energies
    # meters
    ("samples", np.int64),  # a channel, so far
    ("hops", np.int64),  # so far
    ("blocks", np.int64),  # a device's, so far
    ("late_blocks", np.int64),  # of these, blocks that took longer than they last
    ("device_flags", np.int64),  # blocks that a device flagged
    ("clipped", np.int64),  # samples given out beyond full scale
    ("nonfinite", np.int64),  # samples taken in as zero: NaN, or beyond LOUDEST
    ("hop_max", np.int64),  # ns, the longest hop
    ("input_power", np.float64, (CHANNELS,)),  # mean square over 100 ms, input gain applied
    ("output_power", np.float64, (CHANNELS,)),  # of what is given out
    ("input_peak", np.float64, (CHANNELS,)),  # of |x|, falling 20 dB in a second
    ("output_peak", np.float64, (CHANNELS,)),
    ("given_energy", np.float64, (CHANNELS,)),  # sum of squares given out since the last hop
    ("given_peak", np.float64, (CHANNELS,)),  # the largest of |y| since then
    ("source_power", np.float64, (SOURCES,)),  # sum of |m X|^2 over bins, mean of lanes, 100 ms
    ("taken_power", np.float32, (BINS,)),  # |X|^2 analysed, mean of lanes, 100 ms
    ("given_power", np.float32, (BINS,)),  # the same of what is given out
    ("histogram", np.int64, (HISTOGRAM,)),  # of hops by their time (times.py)
    ("slot", SLOT, (2,)),  # one is `active`; the other was, or will be
)

LEVELS = (
    "input_power", "output_power", "input_peak", "output_peak", "given_energy", "given_peak",
    "source_power", "taken_power", "given_power",
)  # fmt: skip
SOUND = ("hop_in", "hop_out", "dry", "history", "tail", "stem_tail", "stem_out", "ahead")

STATE_TYPE: Any = numba.from_dtype(STATE)
