"""To a network and from one: the stream fades out, restarts with its new delay, fades in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import network

import rtsep
from models import babble, bits, delayed, model, sine, stream

PLACES = {
    "bypass": "bypass", "fixed": network("fixed"), "sized": network("sized"), "nmf": model(),
}  # fmt: skip
WORKER = {"worker": 1}
SWAPS = [("bypass", "fixed"), ("fixed", "bypass"), ("nmf", "sized"), ("fixed", "sized")]


def engine(kind="bypass", **settings):
    """In a mode where a network sees every frame, so that where it began does not matter."""
    return rtsep.Engine(
        PLACES[kind], max_attenuation=100, latency="medium", options=WORKER, **settings
    )


def swapped(before, after, x, at, sizes=(5000,)):
    running = engine(before)
    y = stream(running, x[:at], sizes)
    running.swap(PLACES[after], keep="all" if after == "bypass" else None)
    return running, np.concatenate([y, stream(running, x[at:], sizes)])


@pytest.mark.parametrize(("before", "after"), SWAPS)
def test_latency_is_the_new_models_and_true(before, after):
    x = babble(30000)
    running, y = swapped(before, after, x, 9000)
    assert running.latency == engine(after).latency
    wanted = engine(after).process(x)
    settled = 9000 + 2 * 2400 + running.latency + 2 * 1024
    np.testing.assert_allclose(y[settled:], wanted[settled:], atol=1e-6)
    assert running.meters().latency_ms == pytest.approx(running.latency / 48)


def test_before_the_swap_it_is_the_old_model_and_in_between_it_is_silent():
    x = babble(30000)
    _, y = swapped("bypass", "fixed", x, 9000)
    alone = engine().process(x)
    assert bits(y[:9000]) == bits(alone[:9000])
    silent = np.abs(y[9000:14000]) < 1e-9
    assert silent.sum() >= 3 * 256
    assert not silent[:2000].any()


def test_nothing_clicks():
    x = sine(40000, hertz=200)
    _, y = swapped("bypass", "fixed", x, 9000)
    assert np.abs(np.diff(y)).max() <= 1.2 * np.abs(np.diff(x)).max()
    running = engine(bypass=1)
    before = running.process(x[:9000])
    running.swap(PLACES["fixed"])
    y = np.concatenate([before, running.process(x[9000:])])
    assert np.abs(np.diff(y)).max() <= 1.2 * np.abs(np.diff(x)).max()
    assert bits(y[-9000:]) == bits(delayed(x, running.latency)[-9000:])


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=5), st.integers(1, 9000))
@settings(deadline=None, max_examples=10)
def test_a_restart_is_part_of_the_law(sizes, at):
    x = babble(16000)
    assert bits(swapped("nmf", "sized", x, at)[1]) == bits(swapped("nmf", "sized", x, at, sizes)[1])


def test_reset_after_a_swap_is_new():
    x = babble(9000)
    running, _ = swapped("bypass", "sized", x, 4000)
    running.reset()
    assert bits(running.process(x)) == bits(engine("sized").process(x))


def test_a_failed_swap_leaves_all_as_it_was():
    x = babble(16000)
    running, alone = engine("sized"), engine("sized")
    y = running.process(x[:8000])
    with pytest.raises(ValueError, match="cannot be made"):
        running.swap(network("sized", bins=33, hop=32))
    assert running.sources == ("speech", "unknown")
    assert bits(np.concatenate([y, running.process(x[8000:])])) == bits(alone.process(x))


def test_stems_after_a_swap_are_the_new_ones_at_once():
    x = babble(16000)
    running = engine()
    running.separate(x[:4000])
    running.swap(PLACES["fixed"])
    stems = running.separate(x[4000:])
    settled = running.latency + 2048
    wanted = delayed(x, running.latency)[4000:]
    np.testing.assert_allclose(stems[:, 0].sum(axis=0)[settled:], wanted[settled:], atol=1e-6)
    np.testing.assert_allclose(stems[0, 0][settled:], 0.25 * wanted[settled:], atol=1e-6)
