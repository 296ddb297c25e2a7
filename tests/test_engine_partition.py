"""Partition: where blocks end changes nothing, not one bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rtsep
from models import SEPARATORS, babble, bits, engine, model, noise, pair, separator, stream
from rtsep.dsp.stream import MODES
from rtsep.ports.live import StreamCallback

RATE = 16000
PRIMES = (1, 2, 3, 7, 13, 31, 127, 241, 509, 1021, 2039, 4093, 8191)
blocks = st.lists(st.one_of(st.integers(1, 8192), st.sampled_from(PRIMES)), min_size=1, max_size=9)
turns = st.sampled_from(
    [
        ("strength", 0.3), ("strength", 1.0), ("max_attenuation", 12), ("noise_floor", -50),
        ("release", 0.2), ("bypass", 1), ("bypass", 0), ("listen", "residual"), ("listen", "all"),
        ("input_gain", -6), ("output_gain", 6), ("freeze", 1),
    ]
)  # fmt: skip
events = st.lists(
    st.tuples(st.sampled_from([0, 1, 97, 1000, 1024, 3333, 7001]), turns), max_size=6
).map(lambda drawn: [(at, *turn) for at, turn in drawn])
settled = settings(deadline=None, max_examples=15)


def sound(channels):
    x = babble(9000)
    return x if channels == 1 else np.stack([np.roll(x, 99 * c) for c in range(channels)])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", SEPARATORS)
@given(blocks, events)
@settled
def test_every_partition_gives_the_same_bits(kind, mode, sizes, turned):
    x = sound(1)
    whole = stream(engine(kind, latency=mode), x, [len(x)], turned)
    cut = stream(engine(kind, latency=mode), x, sizes, turned)
    assert bits(whole) == bits(cut)


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("kind", ["nmf", "asvd"])
@given(blocks, events)
@settled
def test_so_does_every_partition_of_stereo(kind, linked, sizes, turned):
    x = sound(2)
    streams = [engine(kind, channels=2, linked=linked) for _ in range(2)]
    whole, cut = stream(streams[0], x, [9000], turned), stream(streams[1], x, sizes, turned)
    assert bits(whole) == bits(cut)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 40, 127, 128, 4093])
def test_every_block_size_gives_the_same_bits(size):
    x = sound(1)
    assert bits(engine("nmf").process(x)) == bits(stream(engine("nmf"), x, [size]))


@given(st.lists(st.integers(0, 8999), max_size=6))
@settled
def test_stems_are_the_same_bits_too(cuts):
    x = sound(2)
    whole = engine("nmf", channels=2).separate(x)
    other = engine("nmf", channels=2)
    parts = np.split(x, sorted(cuts), axis=1)
    assert bits(whole) == bits(np.concatenate([other.separate(part) for part in parts], axis=2))


@given(blocks, st.integers(1, 8000))
@settled
def test_a_swap_stamped_by_its_position_is_part_of_the_law(sizes, position):
    def swapped(sizes):
        running = engine("nmf")
        before = stream(running, sound(1)[:position], sizes)
        running.swap(separator("asvd", rate=RATE))
        return np.concatenate([before, stream(running, sound(1)[position:], sizes)])

    assert bits(swapped([9000])) == bits(swapped(sizes))


@pytest.mark.parametrize("mode", MODES)
def test_the_batch_call_is_the_stream(mode):
    x, models = babble(6000), pair(rate=RATE)
    batch = rtsep.separate(x, RATE, models, latency=mode)
    running = rtsep.Engine(models, rate=RATE, latency=mode)
    delay = np.zeros(running.latency, np.float32)
    cuts = np.split(np.concatenate([x, delay]), [1, 240, 241, 5000])
    stems = np.concatenate([running.separate(part) for part in cuts], axis=2)[:, 0]
    assert tuple(batch) == running.sources
    for stem, of_batch in zip(stems, batch.values(), strict=True):
        assert bits(stem[running.latency :]) == bits(of_batch)


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_the_devices_callback_is_the_stream(channels):
    """Interleaved in, interleaved out, the same bits."""
    x = sound(channels)
    through_python, device = engine("nmf", channels=channels), engine("nmf", channels=channels)
    callback = StreamCallback(device.callback.address)
    interleaved = np.ascontiguousarray(np.atleast_2d(x).T)
    y, at = np.full_like(interleaved, np.nan), 0
    for n in (1, 2, 7, 128, 1024, 240, 7598):
        given_in, given_out = interleaved[at:], y[at:]
        assert (
            callback(given_in.ctypes.data, given_out.ctypes.data, n, None, 0, device.address) == 0
        )
        at += n
    assert at == 9000
    assert bits(np.atleast_2d(through_python.process(x)).T) == bits(y)
    assert (device.meters().blocks, device.meters().samples) == (7, 9000)


def test_a_float64_block_is_the_float32_block():
    x = sound(1)
    wide = engine("nmf").process(x.astype(np.float64))
    assert wide.dtype == np.float32
    assert bits(wide) == bits(engine("nmf").process(x))


def test_a_strided_block_is_its_copy():
    x = np.ascontiguousarray(np.repeat(sound(2), 3, axis=1)[:, ::3])
    strided = np.repeat(sound(2), 3, axis=1)[:, ::3]
    assert bits(engine("nmf", channels=2).process(strided)) == bits(
        engine("nmf", channels=2).process(x)
    )
    assert bits(engine("nmf").process(sound(1)[::-1])) == bits(
        engine("nmf").process(sound(1)[::-1].copy())
    )


def test_in_place_is_out_of_place():
    for channels in (1, 2):
        x = sound(channels)
        wanted = engine("nmf", channels=channels).process(x)
        own = x.copy()
        assert engine("nmf", channels=channels).process(own, out=own) is own
        assert bits(own) == bits(wanted)


def test_two_engines_in_turn_are_two_engines_alone():
    x, other = sound(1), noise(9000, seed=9)
    alone, one, two = (
        engine("nmf"),
        engine("nmf"),
        rtsep.Engine(model(rate=RATE, seed=8), rate=RATE),
    )
    pieces = []
    for at in range(0, 9000, 500):
        pieces.append(one.process(x[at : at + 500]))
        two.process(other[at : at + 500])
        two.set("strength", (at % 1000) / 1000)
    assert bits(np.concatenate(pieces)) == bits(alone.process(x))
