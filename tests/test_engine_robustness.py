"""Robustness: whatever comes in, what goes out is finite and the next sound is heard."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rtsep
from models import SEPARATORS, babble, bits, delayed, engine, model, noise, separator, sine
from rtsep.dsp.stream import MODES

RATE = 16000
TINY = np.finfo(np.float32).tiny


def numbers(record, path=""):
    """Every array of floats in a record, by its path."""
    for name in record.dtype.names:
        field = record[name]
        if field.dtype.names:
            for i, inner in enumerate(np.atleast_1d(field).ravel()):
                yield from numbers(inner, f"{path}{name}[{i}].")
        elif field.dtype.kind == "f":
            yield path + name, np.atleast_1d(field)


def sick(running, ill):
    return [name for name, array in numbers(running._state) if ill(array).any()]


def denormal(array):
    return (array != 0) & (np.abs(array) < np.finfo(array.dtype).tiny)


broken = st.sampled_from([np.nan, np.inf, -np.inf, 1e38, -1e38, 3e38, 1e20, 1e7])


@pytest.mark.parametrize("kind", SEPARATORS)
@given(st.lists(st.tuples(st.integers(0, 5999), broken), min_size=1, max_size=20))
@settings(deadline=None, max_examples=10)
def test_broken_samples_are_silence_and_are_counted(kind, places):
    x = babble(9000)
    mended = x.copy()
    for place, value in places:
        x[place], mended[place] = value, 0
    running = engine(kind)
    y = running.process(x)
    assert bits(y) == bits(engine(kind).process(mended))
    assert running.meters().nonfinite == len({place for place, _ in places})
    assert not sick(running, lambda array: ~np.isfinite(array))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", SEPARATORS)
def test_nothing_but_broken_samples_is_silence(kind, mode):
    running = engine(kind, latency=mode)
    assert not running.process(np.full(6000, np.nan, np.float32)).any()
    x = babble(9000)
    heard = running.process(x)
    assert np.isfinite(heard).all()
    assert np.std(heard[-2000:]) > 1e-4 * np.std(x)


def after_the_loudest(running):
    """The loudest that is let in, at the highest gain, out of silence and back into it."""
    x = noise(6000, seed=3)
    largest = x / np.abs(x).max() * np.float32(1e6)
    for sound in (0 * x, largest, 0 * x, largest, x):
        assert np.isfinite(running.process(sound)).all()
    assert not sick(running, lambda array: ~np.isfinite(array))
    y = running.process(babble(9000))
    assert np.isfinite(y).all()
    return y


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("divergence", ["kl", "euclidean", "itakura-saito"])
@pytest.mark.parametrize(
    "options", [{}, {"smoothness": 1000.0}, {"exponent": 8.0}, {"decision": 0.0}], ids=str
)
def test_the_loudest_sound_overflows_nothing(divergence, power, options):
    loud = model(rate=RATE, divergence=divergence, power=power)
    after_the_loudest(
        rtsep.Engine(loud, rate=RATE, options=options, input_gain=24, max_attenuation=100)
    )


@pytest.mark.parametrize("rate", [RATE, 192000])
@pytest.mark.parametrize("kind", ["asvd", "asvd known"])
def test_nor_does_it_in_closed_form(kind, rate):
    for mode in MODES:
        models = separator(kind, rate=rate)
        after_the_loudest(rtsep.Engine(models, rate=rate, latency=mode, input_gain=24))


@pytest.mark.parametrize("kind", SEPARATORS)
def test_nothing_in_the_state_is_ever_denormal(kind):
    """Sound, a long decay, silence: the slow numbers a processor chokes on.

    The delay line and the capture ring keep the input as it came; nothing is computed of them.
    """
    running, x = engine(kind, release=0.5), babble(16000)
    decay = np.exp(-np.arange(16000) / 150).astype(np.float32)
    for sound in (x, x * decay, x * np.float32(1e-38), 0 * x, 0 * x):
        y = running.process(sound)
        assert not denormal(y).any()
        assert not set(sick(running, denormal)) - {"dry", "capture"}


def test_denormal_input_is_zero():
    x = np.full(4000, TINY / 8, np.float32)
    assert not engine("bypass").process(x).any()
    assert not engine("nmf").process(x).any()


def denormals_survive():
    """Whether this thread computes with denormal numbers, as Python's threads do."""
    return bool((np.full(64, TINY, np.float32) / np.float32(4)).all())


def test_flushing_ends_with_the_block_in_the_calling_thread():
    assert denormals_survive()
    running = engine()
    for call in (running.process, running.separate):
        call(babble(1000))
        assert denormals_survive()


def test_flushing_ends_with_the_block_in_any_other_thread():
    seen = []

    def work():
        engine().process(babble(1000))
        seen.append(denormals_survive())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True]


# shapes and kinds


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("channels", range(1, 9))
def test_up_to_eight_channels_come_out_where_they_went_in(channels, linked):
    x = np.stack([sine(4000, RATE, 200.0 * (c + 1)) for c in range(channels)])
    running = engine(channels=channels, linked=linked, strength=0)
    assert np.abs(running.process(x) - delayed(x, running.latency)).max() <= 1e-6


@pytest.mark.parametrize("channels", [0, 9, -1])
def test_other_numbers_of_channels_are_refused(channels):
    with pytest.raises(ValueError, match=rf"channels={channels} is outside 1\.\.8"):
        engine(channels=channels)


@pytest.mark.parametrize(
    ("channels", "shape"),
    [(1, ()), (8, ()), (1, (2, 10)), (2, (10,)), (2, (3, 10)), (2, (10, 2)), (1, (1, 1, 10))],
)
def test_another_shape_is_refused_and_both_are_named(channels, shape):
    running = engine(channels=channels)
    for call in (running.process, running.separate):
        with pytest.raises(ValueError, match=r"\(.*\).*\("):
            call(np.zeros(shape, np.float32))
    assert running.meters().samples == 0


@pytest.mark.parametrize("block", [[0.0, 1.0], 0.5, None, "sound", b"1234"], ids=repr)
def test_what_is_no_array_is_refused(block):
    with pytest.raises(TypeError, match="float32"):
        engine().process(block)


@pytest.mark.parametrize("kind", ["i2", "i4", "u1", "?", "f2", "c8", "O", ">f4", "U3"])
def test_another_kind_of_number_is_refused_and_named(kind):
    block = np.zeros(10, kind)
    with pytest.raises(TypeError, match=str(block.dtype)):
        engine().process(block)


@pytest.mark.parametrize(
    "out",
    [
        np.zeros(9, np.float32),
        np.zeros((1, 10), np.float32),
        np.zeros(10),
        np.zeros(20, np.float32)[::2],
        np.frombuffer(bytes(40), np.float32),
    ],
    ids=["short", "planes", "float64", "strided", "read-only"],
)
def test_an_out_that_cannot_hold_the_block_is_refused(out):
    with pytest.raises(ValueError, match="out"):
        engine().process(np.ones(10, np.float32), out=out)


@pytest.mark.parametrize("shape", [(0,), (1, 0)])
def test_an_empty_block_is_an_empty_block(shape):
    running, x = engine(), babble(3000)
    first = running.process(x[:1000])
    assert running.process(np.zeros(shape, np.float32)).shape == shape
    assert running.separate(np.zeros(shape, np.float32)).shape == (2, 1, 0)
    assert bits(np.concatenate([first, running.process(x[1000:])])) == bits(engine().process(x))


def test_one_channel_may_come_as_a_row():
    x = babble(3000)
    row = engine().process(x[None])
    assert row.shape == (1, 3000)
    assert bits(row) == bits(engine().process(x))


def test_a_block_may_be_longer_than_the_longest():
    x = babble(40000)
    assert bits(engine(max_block=64).process(x)) == bits(engine().process(x))


def test_the_callers_block_is_left_alone():
    x = babble(3000)
    before = bits(x)
    engine().process(x)
    engine().separate(x)
    assert bits(x) == before
