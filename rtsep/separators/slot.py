"""The memory of one separator: everything `separate` reads and writes, inside the engine's record.

A slot holds capacities, not shapes: how much of them is in use are run-time counts, so no model
ever compiles anything beside a running stream.  A lane is what one mask needs; linked channels
share lane 0, unlinked ones have a lane each.

Field            shape (capacity)          meaning
separate                                   address of `void separate(slot *)`
look                                       the same, of what sees the newest frame; 0 for none
explain                                    of a hybrid, the address of its bases' `separate`
delay                                      hops between the newest frame and the one in lane.v
worker                                     address of the WORKER record of a network
lanes, bins, active                        lanes in use, bins F, bins the model knows
sources, known, rank                       sources, known components K0, all components K
effort                                     the rung of the ladder: FULL .. DRY_PATH
modelled                                   sources that the basis explains: the first ones
first            (SOURCES + 1,)            component range of every source
lane.v           (BINS,)                   in: magnitude of the frame
lane.network     (BINS,)                   the network's mask of that frame, or of one before
lane.mask        (SOURCES, BINS)           out: masks, summing to one
lane.W           (RANK, BINS)              basis, known rows first, then the unknown source's
lane.statistics  (UNKNOWN, BINS)           A of the online basis
"""

from typing import Any

import numba
import numpy as np

from rtsep.dsp.records import record_type

BINS, RANK, UNKNOWN, SOURCES, CHANNELS = 1040, 256, 32, 8, 8
FULL, ONE_ALTERNATION, HELD, DRY_PATH = range(4)  # of slot.effort; HELD learns nothing

LANE = record_type(
    ("peak", np.float32),
    ("frames", np.int64),
    ("v", np.float32, (BINS,)),
    ("u", np.float32, (BINS,)),
    ("y", np.float32, (BINS,)),
    ("q", np.float32, (BINS,)),
    ("h", np.float32, (RANK + 1,)),
    ("previous", np.float32, (RANK + 1,)),
    ("a", np.float32, (RANK + 1,)),
    ("c", np.float32, (RANK + 1,)),
    ("part", np.float32, (SOURCES, BINS)),
    ("mask", np.float32, (SOURCES, BINS)),
    ("held", np.float32, (BINS,)),
    ("fast", np.float32, (BINS,)),
    ("slow", np.float32, (BINS,)),
    ("presence", np.float32, (BINS,)),
    ("past", np.float32, (BINS,)),
    ("g", np.float32, (BINS,)),
    ("network", np.float32, (BINS,)),
    ("energies", np.float64, (UNKNOWN,)),
    ("core", np.float64, (UNKNOWN + 1, UNKNOWN + 1)),
    ("vectors", np.float64, (UNKNOWN + 1, UNKNOWN + 1)),
    ("turned", np.float32, (UNKNOWN, BINS)),
    ("statistics", np.float32, (UNKNOWN, BINS)),
    ("W", np.float32, (RANK, BINS)),
)

SLOT = record_type(
    ("separate", np.int64),
    ("lanes", np.int64),
    ("bins", np.int64),
    ("active", np.int64),
    ("sources", np.int64),
    ("known", np.int64),
    ("rank", np.int64),
    ("divergence", np.int64),
    ("power", np.int64),
    ("steps", np.int64),
    ("alternations", np.int64),
    ("frozen", np.int64),
    ("effort", np.int64),
    ("turn", np.int64),
    ("look", np.int64),
    ("explain", np.int64),
    ("delay", np.int64),
    ("worker", np.int64),
    ("modelled", np.int64),
    ("blend", np.float32),
    ("exponent", np.float32),
    ("smoothness", np.float32),
    ("rho", np.float32),
    ("pseudo_count", np.float32),
    ("silence", np.float32),
    ("decision", np.float32),
    ("fast", np.float32),
    ("slow_share", np.float32),
    ("track", np.float32),
    ("presence", np.float32),
    ("blind", np.int64),
    ("settling", np.int64),
    ("kept", np.int64, (SOURCES,)),
    ("first", np.int64, (SOURCES + 1,)),
    ("sparsity", np.float32, (RANK,)),
    ("gains", np.float64, (5, 2 * SOURCES)),
    ("lane", LANE, (CHANNELS,)),
    ("projector", np.float32, (RANK, BINS)),
)

SLOT_TYPE: Any = numba.from_dtype(SLOT)
