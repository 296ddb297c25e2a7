"""Small models made up for tests, and the sounds that fit them."""

import numpy as np

import rtsep
from rtsep.artefacts.basis import Basis
from rtsep.artefacts.card import Card
from rtsep.dsp.stream import MODES, stream_spec


def peaky(rank, bins, seed):
    """Columns (bins, rank) that sum to one, each with a few broad peaks and no zero."""
    rng = np.random.default_rng(seed)
    f, centre = np.arange(bins)[:, None], rng.uniform(0, bins, (4, 1, rank))
    width = rng.uniform(0.01, 0.06, (4, 1, rank)) * bins
    W = np.exp(-(((f - centre) / width) ** 2)).sum(axis=0) + 1e-3
    return (W / W.sum(axis=0)).astype(np.float32)


def orthonormal(rank, bins, seed):
    W = np.linalg.qr(np.random.default_rng(seed).uniform(0, 1, (bins, rank)))[0]
    return (W * np.sign(W.sum(axis=0))).astype(np.float32)


def model(source="fan", kind="nmf", *, rank=6, rate=48000, seed=0, role="remove", **card):
    """A known source of nothing in particular, for all latency modes of a rate."""
    specs = {mode: stream_spec(rate, mode) for mode in MODES}
    make = orthonormal if kind == "asvd" else peaky
    values = {"divergence": "kl", "power": 1, "bandwidth": rate / 2, **card}
    windows = {mode: [s.window, s.hop, s.synthesis] for mode, s in specs.items()}
    described = Card(f"{source}-model", kind, source, role, rate, rank=rank, windows=windows,
                     **values)  # fmt: skip
    return Basis(described, {mode: make(rank, s.bins, seed) for mode, s in specs.items()})


def pair(kind="nmf", rate=48000, **card):
    """Two known sources, one to keep and one to remove, so that nothing is unknown."""
    return [
        model("voice", kind, rate=rate, seed=1, role="keep", **card),
        model("fan", kind, rate=rate, seed=2, **card),
    ]


def noise(*shape, seed=0, level=0.1):
    return (level * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def babble(n, seed=0, level=0.1):
    """Coloured noise whose level and colour wander, float32 (n,)."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n + 64)
    smooth = np.convolve(x, np.hanning(32) / 8, "same") * (1 + np.sin(np.arange(n + 64) / 3000))
    return (level * (0.3 * x + smooth)[:n]).astype(np.float32)


def sine(n, rate=48000, hertz=1000.0, level=0.5):
    return (level * np.sin(2 * np.pi * hertz / rate * np.arange(n))).astype(np.float32)


def delayed(x, delay):
    """What comes out of a mask of one: silence, then x; same length."""
    return np.concatenate([np.zeros((*x.shape[:-1], delay), x.dtype), x], axis=-1)[
        ..., : x.shape[-1]
    ]


def stream(engine, x, blocks, events=()):
    """x in blocks of the sizes in `blocks`, over and over; events : (position, id, value).

    Every event's position is also a block's end, as it must be to be obeyed to the sample.
    """
    pieces, at, turn, events = [], 0, 0, sorted(events, key=lambda event: event[0])
    while at < x.shape[-1]:
        for _, name, value in (event for event in events if event[0] == at):
            engine.set(name, value)
        later = [position for position, *_ in events if position > at]
        end = min([at + blocks[turn % len(blocks)], x.shape[-1], *later])
        pieces.append(engine.process(x[..., at:end].copy()))
        at, turn = end, turn + 1
    return np.concatenate(pieces, axis=-1)


def bits(x):
    """The bytes of an array, to compare NaN, zeros' signs and all."""
    return np.ascontiguousarray(x).tobytes()


def separator(kind, rate=48000, **card):
    """What an engine takes as its model, by a name for tests."""
    return {
        "nmf": lambda: model(rate=rate, **card),
        "nmf known": lambda: pair(rate=rate, **card),
        "asvd": lambda: model(kind="asvd", rate=rate, **card),
        "asvd known": lambda: pair("asvd", rate, **card),
        "bypass": lambda: "bypass",
    }[kind]()


SEPARATORS = ("nmf", "nmf known", "asvd", "asvd known", "bypass")


def engine(kind="nmf", rate=16000, **settings):
    """An engine of `separator(kind)`, at the rate of most tests of engines."""
    return rtsep.Engine(separator(kind, rate=rate), rate=rate, **settings)
