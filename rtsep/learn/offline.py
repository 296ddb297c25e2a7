"""A mask network over a whole recording, by onnxruntime: to judge it where no engine runs.

Transform, mask and overlap-add as in the engine, the network in as many phases.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from rtsep.artefacts.network import Network
from rtsep.dsp.stream import StreamSpec, phases_of, stream_spec
from rtsep.dsp.windows import window_pair
from rtsep.learn.corpus import Samples

Array = NDArray[np.float32]

COST = "us a frame, onnxruntime, one thread, p50"
TIMED = 500  # frames


def session(network: Network) -> Any:
    """One thread, no spinning."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(network.content, options)


def masks(network: Network, magnitudes: Array) -> Array:
    """Masks (T, F) of |X| (T, F), frame by frame from states of zero.

    Above the bandwidth they are the mean over the highest octave that the network knows.
    """
    run = session(network).run
    states = [np.zeros(shape, np.float32) for shape in network.card.states]
    found = np.empty_like(magnitudes)
    for t, magnitude in enumerate(magnitudes):
        given = {f"state_{i}": state for i, state in enumerate(states)}
        mask, *states = run(None, {"magnitude": magnitude[None], **given})
        found[t] = mask[0]
    active = int(network.card.bandwidth * network.card.window / network.card.rate) + 1
    found[:, active:] = found[:, active // 2 : active].mean(axis=1, keepdims=True)
    return found


def cost(network: Network) -> dict[str, float]:
    """What a frame takes on this machine, as a card says it: the median over frames of noise."""
    run, rng = session(network).run, np.random.default_rng(0)
    given = {f"state_{i}": np.zeros(s, np.float32) for i, s in enumerate(network.card.states)}
    given["magnitude"] = np.abs(rng.standard_normal((1, network.card.bins))).astype(np.float32)
    spent = np.empty(TIMED)
    for t in range(TIMED):
        begin = time.perf_counter()
        run(None, given)
        spent[t] = time.perf_counter() - begin
    return {COST: round(1e6 * float(np.median(spent)), 1)}


def separated(network: Network, samples: Samples, mode: str = "high") -> Samples:
    """The kept source of (n,) samples at the network's rate, its delay taken off."""
    spec = stream_spec(network.card.rate, mode)
    turns, every = pace(network, spec)
    return filtered(samples, spec, lambda V: in_turns(network, V, turns), every)


def masks_of_hops(network: Network, magnitudes: Array, spec: StreamSpec) -> Array:
    """Masks (T, F) of |X| (T, F) of every hop of a stream, as `separated` applies them."""
    turns, every = pace(network, spec)
    found = in_turns(network, magnitudes[::every], turns)
    return np.repeat(found, every, axis=0)[: len(magnitudes)]


def pace(network: Network, spec: StreamSpec) -> tuple[int, int]:
    """Networks that take turns, and hops from one frame to the next."""
    hops = max(1, round(network.card.hop / spec.hop))
    turns = phases_of(hops)
    return turns, hops // turns


def in_turns(network: Network, magnitudes: Array, turns: int) -> Array:
    """Masks (T, F) of |X| (T, F) by as many networks, each on every so manieth frame."""
    found = np.empty_like(magnitudes)
    for turn in range(turns):
        found[turn::turns] = masks(network, magnitudes[turn::turns])
    return found


def filtered(
    samples: Samples, spec: StreamSpec, mask: Callable[[Array], Array], every: int = 1
) -> Samples:
    """(n,) samples under m (T, F) of |X| (T, F), which is asked for every so manieth frame."""
    analysis, synthesis = window_pair(spec)
    lead = spec.window - spec.hop  # the first frame ends with the first hop, as in a stream
    padded = np.pad(samples, (lead, spec.window))
    framed = np.lib.stride_tricks.sliding_window_view(padded, spec.window)[:: spec.hop]
    X = scipy.fft.rfft(framed * analysis.astype(np.float32), axis=-1)
    m = np.repeat(mask(np.abs(X[::every]).astype(np.float32)), every, axis=0)[: len(X)]
    frames = scipy.fft.irfft(X * m, axis=-1) * synthesis
    out = np.zeros(len(padded), np.float32)
    for t, frame in enumerate(frames):
        out[t * spec.hop : t * spec.hop + spec.window] += frame.astype(np.float32)
    return out[lead : lead + len(samples)]
