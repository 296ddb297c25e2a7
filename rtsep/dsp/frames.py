"""Samples to frames and back to samples.

R is the hop, K the window, 2M the synthesis length, all in samples.
"""

from rtsep.dsp.kernel import kernel


@kernel
def advance(history, samples, window, hop):
    """Move a frame on by one hop: forget the oldest samples, append the newest.

    history : float32 (>= window,), the frame.  samples : float32 (>= hop,).
    """
    for i in range(window - hop):
        history[i] = history[i + hop]
    for i in range(hop):
        history[window - hop + i] = samples[i]


@kernel
def overlap_add(tail, frame, window, synthesis, hop, samples):
    """Add the end of a windowed frame to the tail and take the finished hop off its front.

    tail : float32 (>= synthesis,), what earlier frames left.  samples : (>= hop,), overwritten.
    """
    for i in range(synthesis):
        tail[i] += frame[window - synthesis + i]
    for i in range(hop):
        samples[i] = tail[i]
    for i in range(synthesis - hop):
        tail[i] = tail[i + hop]
    for i in range(synthesis - hop, synthesis):
        tail[i] = 0
