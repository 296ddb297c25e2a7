"""Latency: one number, declared and true to the sample, whatever the sound goes through."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rtsep
from models import SEPARATORS, babble, bits, delayed, model, noise, pair, separator, stream
from rtsep.dsp.stream import MODES

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 50000, 88200, 96000, 192000)


def impulse(place, n=6000):
    x = np.zeros(n, np.float32)
    x[place] = 1
    return x


def delay_by_correlation(x, y):
    """Samples by which y trails x."""
    n = 2 * len(x)
    correlation = np.fft.irfft(np.fft.rfft(y, n) * np.conj(np.fft.rfft(x, n)))
    return int(np.argmax(correlation[: len(x)]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rate", RATES)
def test_an_impulse_comes_out_exactly_that_late(rate, mode):
    """Through transform, mask of one and overlap-add, alone and whole."""
    engine = rtsep.Engine("bypass", rate=rate, latency=mode)
    for place in (0, 1, engine.spec.hop - 1, engine.spec.hop, 1234):
        engine.reset()
        y = engine.process(impulse(place))
        assert np.argmax(np.abs(y)) == place + engine.latency
        np.testing.assert_allclose(y, delayed(impulse(place), engine.latency), atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rate", RATES)
def test_so_it_does_bypassed(rate, mode):
    engine = rtsep.Engine(model(rate=rate), rate=rate, latency=mode, bypass=1)
    assert bits(engine.process(impulse(77))) == bits(delayed(impulse(77), engine.latency))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", SEPARATORS)
def test_so_it_does_at_strength_zero(kind, mode):
    engine = rtsep.Engine(separator(kind), latency=mode, strength=0)
    y = engine.process(impulse(1000))
    np.testing.assert_allclose(y, delayed(impulse(1000), engine.latency), atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", SEPARATORS[:-1])
def test_an_active_mask_does_not_shift_the_sound(kind, mode):
    engine = rtsep.Engine(separator(kind), latency=mode)
    x = noise(24000)
    y = engine.process(x)
    assert np.abs(y - delayed(x, engine.latency)).max() > 0.01, "the mask is not active"
    assert delay_by_correlation(x, y) == engine.latency


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=5))
@settings(deadline=None, max_examples=15)
def test_blocks_have_no_part_in_it(sizes):
    engine = rtsep.Engine("bypass")
    y = stream(engine, impulse(777), sizes)
    assert np.argmax(np.abs(y)) == 777 + engine.latency


def test_it_is_five_milliseconds_in_mode_low():
    engine = rtsep.Engine("bypass")
    assert (engine.latency, engine.rate) == (240, 48000)
    assert engine.meters().latency_ms == pytest.approx(5)


def test_nothing_that_is_done_to_a_stream_changes_it():
    engine = rtsep.Engine(model())
    declared = engine.latency
    engine.process(babble(5000))
    engine.swap(pair())
    engine.set("listen", "all")
    engine.process(babble(5000))
    engine.restore(engine.snapshot())
    y = engine.process(np.concatenate([np.zeros(3000, np.float32), impulse(0)]))
    assert np.argmax(np.abs(y[1000:])) + 1000 == 3000 + declared == 3000 + engine.latency


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(0,), (1,), (5000,), (2, 777)])
def test_the_batch_call_is_in_time_with_its_input(mode, shape):
    x = noise(*shape)
    stems = rtsep.separate(x, 48000, pair(), latency=mode)
    assert all(stem.shape == x.shape for stem in stems.values())
    np.testing.assert_allclose(sum(stems.values()), x, atol=1e-6)


@pytest.mark.parametrize("shape", [(0,), (1,), (2, 777)])
def test_what_is_kept_of_a_recording_is_in_time_with_it(shape):
    x = noise(*shape)
    kept = rtsep.denoise(x, 48000, pair(), keep=["voice", "fan"])
    assert kept.shape == x.shape
    np.testing.assert_allclose(kept, x, atol=1e-6)
