"""Parameters on their way to a new value, in a straight line over a fixed number of steps.

A glide table has rows TARGET, GOAL, VALUE, STEP, LEFT and a column per parameter.  The target is
read once, when a block begins; values then move step by step, so where blocks end changes nothing.
"""

from rtsep.dsp.kernel import kernel
from rtsep.engine.state import GOAL, LEFT, STEP, TARGET, VALUE


@kernel(exact=True)
def latch(glides, column, span):
    """Take a new target as the goal, to be reached in `span` steps.  Audio thread, per block."""
    target = glides[TARGET, column]
    if target != glides[GOAL, column]:
        glides[GOAL, column] = target
        glides[STEP, column] = (target - glides[VALUE, column]) / span
        glides[LEFT, column] = span


@kernel(exact=True)
def glide(glides, column):
    """Move one step and return the value.  Audio thread, per sample or per hop."""
    left = glides[LEFT, column]
    if left > 0:
        glides[LEFT, column] = left - 1
        if left == 1:
            glides[VALUE, column] = glides[GOAL, column]
        else:
            glides[VALUE, column] += glides[STEP, column]
    return glides[VALUE, column]
