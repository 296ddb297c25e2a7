"""The memory of one separator: everything `separate` reads and writes, inside the engine's record.

A slot holds capacities, not shapes: how much of them is in use are run-time counts, so no model
ever compiles anything beside a running stream.  A lane is what one mask needs; linked channels
share lane 0, unlinked ones have a lane each.

Prepare writes what is fixed, control the row TARGET of the glides, the audio thread all else.
Letters are those of `rtsep.dsp.activations`, `rtsep.dsp.projections` and `rtsep.separators.rules`:
u, y and q mean one thing while parts are fitted, another while masks are made of them.
"""

from typing import Any

import numba
import numpy as np

from rtsep.dsp.records import record_type

BINS, RANK, UNKNOWN, SOURCES, CHANNELS = 1040, 256, 32, 8, 8
FULL, ONE_ALTERNATION, HELD, DRY_PATH = range(4)  # of slot.effort; HELD learns nothing

LANE = record_type(
    # so far
    ("peak", np.float32),  # of the frames' sums so far, slowly falling
    ("frames", np.int64),  # so far that were not silent, where masks are decision-directed
    # the frame, (bins,)
    ("v", np.float32, (BINS,)),  # in: magnitudes, of the newest frame for `look`
    ("u", np.float32, (BINS,)),  # v ^ power, or asvd's residual to be used up; then v^2
    ("y", np.float32, (BINS,)),  # the model W h; then the variance to be removed, as explained
    ("q", np.float32, (BINS,)),  # the ratio u / y, or asvd's residual; then L, of fast and slow
    # activations, (rank,)
    ("h", np.float32, (RANK + 1,)),  # of the frame; where the next one's begin
    ("previous", np.float32, (RANK + 1,)),  # of the frame before
    ("a", np.float32, (RANK + 1,)),  # scratch: numerators of a step; asvd: projections once more
    ("c", np.float32, (RANK + 1,)),  # scratch: denominators (KL: numerators); asvd: projections
    # parts, masks and gains
    ("part", np.float32, (SOURCES, BINS)),  # what every source holds of the frame, of v ^ power
    ("mask", np.float32, (SOURCES, BINS)),  # out: masks, summing to one
    ("last_gain", np.float32, (BINS,)),  # of the last hop, from which gains fall slowly
    # what is to be removed, and what is kept (rules.py)
    ("fast", np.float32, (BINS,)),  # variance as the model explains it, following fast
    ("slow", np.float32, (BINS,)),  # variance as heard where nothing else seems to be
    ("presence", np.float32, (BINS,)),  # 0..1, mean probability that there is something else
    ("past", np.float32, (BINS,)),  # |G X|^2, what was kept of the last frame
    ("g", np.float32, (BINS,)),  # G, the gain of what is kept
    # a network's
    ("network", np.float32, (BINS,)),  # its mask of that frame, or of one before where that is late
    # bases, and how the unknown source's is learned
    ("energies", np.float64, (UNKNOWN,)),  # asvd: eigenvalues of the unknown rows of W
    ("core", np.float64, (UNKNOWN + 1, UNKNOWN + 1)),  # asvd's scratch: to be diagonalised
    ("vectors", np.float64, (UNKNOWN + 1, UNKNOWN + 1)),  # asvd's scratch: its eigenvectors
    ("turn", np.int64),  # asvd: which unknown row was straightened last
    ("turned", np.float32, (UNKNOWN, BINS)),  # asvd's scratch: the next unknown rows of W
    ("statistics", np.float32, (UNKNOWN, BINS)),  # nmf: A of the online basis
    ("W", np.float32, (RANK, BINS)),  # basis, known rows first, then the unknown source's
)

SLOT = record_type(
    # addresses
    ("separate", np.int64),  # of `void separate(slot *)`
    ("look", np.int64),  # of the same for what sees the newest frame; 0 for none
    ("separate_bases", np.int64),  # of the bases' own `separate`, for a hybrid; 0 without bases
    ("worker", np.int64),  # of the WORKER record of a network; 0 for none
    # counts
    ("lanes", np.int64),  # in use
    ("bins", np.int64),  # F
    ("active", np.int64),  # bins that all bases know: the first ones
    ("sources", np.int64),  # masks of a lane
    ("modelled", np.int64),  # sources that the bases explain: the first ones
    ("known", np.int64),  # components K0 of known sources: the first rows of W
    ("rank", np.int64),  # all components K
    ("delay", np.int64),  # hops between the newest frame and the one separated
    # parts from frames: nmf.py, asvd.py
    ("divergence", np.int64),  # KL, EUCLIDEAN or ITAKURA_SAITO
    ("power", np.int64),  # 2 where parts add up to |X|^2, else to |X|
    ("steps", np.int64),  # of the activations in an alternation
    ("alternations", np.int64),  # a hop, at FULL effort: steps, then one of the unknown basis
    ("smoothness", np.float32),  # lambda, penalty on change of the activations
    ("rho", np.float32),  # what a hop leaves of the unknown basis' memory
    ("pseudo_count", np.float32),  # p, how firmly that basis stays
    ("silence", np.float32),  # sum of v under which nothing is learned
    # masks from parts: rules.py
    ("exponent", np.float32),  # of the parts in the masks
    ("decision", np.float32),  # alpha, memory of the decision-directed gain; 0 is plain Wiener
    ("fast_memory", np.float32),  # what a hop leaves of lane.fast
    ("slow_memory", np.float32),  # of lane.slow
    ("presence_memory", np.float32),  # of lane.presence
    ("slow_share", np.float32),  # of lane.slow in L, the rest is lane.fast's
    ("blind", np.int64),  # whether lane.slow begins at what is heard, not at what the model says
    ("settling", np.int64),  # frames at first in which lane.slow is their mean
    # the audio thread, hop by hop
    ("frozen", np.int64),  # whether the unknown basis is to stay as it is
    ("blend", np.float32),  # of a hybrid: 0 for the bases' masks, 1 for the network's
    ("effort", np.int64),  # the rung of the ladder: FULL .. DRY_PATH
    # by source, by component
    ("kept", np.int64, (SOURCES,)),  # 1 for a source to keep
    ("first", np.int64, (SOURCES + 1,)),  # first component of every modelled source, then the end
    ("sparsity", np.float32, (RANK,)),  # L1 penalty on every activation
    ("glides", np.float64, (5, 2 * SOURCES)),  # gain of every source, then how far it is open
    ("lane", LANE, (CHANNELS,)),
    ("projector", np.float32, (RANK, BINS)),  # asvd: P, rows that give the known activations
)

SLOT_TYPE: Any = numba.from_dtype(SLOT)
