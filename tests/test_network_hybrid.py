"""A network beside learned noises: one control from the ones to the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import network

import rtsep
from models import babble, bits, delayed, model, stream

KINDS_OF_BASES = ("nmf", "asvd")


def models(kind="nmf", net="smoothed"):
    return [network(net), model("fan", kind, seed=3)]


def engine(kind="nmf", net="smoothed", **settings):
    return rtsep.Engine(models(kind, net), max_attenuation=100, latency="medium", **settings)


def masks(running):
    lane, count = running._state["slot"][0]["lane"][0], len(running.sources)
    return lane["mask"][:count, : running.spec.bins].copy()


def test_its_sources_are_the_noises_the_networks_own_and_the_rest():
    running = engine()
    assert (running.sources, running.keep) == (("fan", "speech", "unknown"), ("speech",))
    named = rtsep.Engine([model("fan"), network("gru", ("speech", "noise"))])
    assert named.sources == ("fan", "speech", "noise")
    assert running.get("blend") == 0.5


@pytest.mark.parametrize("kind", KINDS_OF_BASES)
def test_at_one_the_network_decides_alone(kind):
    whole, x = network("smoothed", bandwidth=24000), babble(9000)
    alone = rtsep.Engine(whole, max_attenuation=100, latency="medium")
    running = rtsep.Engine(
        [whole, model("fan", kind)], max_attenuation=100, latency="medium", blend=1
    )
    np.testing.assert_allclose(running.process(x), alone.process(x), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS_OF_BASES)
def test_at_zero_the_bases_decide_alone(kind):
    running, x = engine(kind, blend=0), babble(9000)
    loud = {"max_attenuation": 100}
    alone = rtsep.Engine(model("fan", kind, seed=3), latency="medium", **loud)
    late = rtsep.Engine(models(kind), latency="medium", options={"worker": 1}, **loud, blend=0)
    wanted = alone.process(x)
    np.testing.assert_allclose(running.process(x), wanted, atol=1e-6)
    wanted = delayed(wanted, late.latency - alone.latency)
    np.testing.assert_allclose(late.process(x), wanted, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS_OF_BASES)
@given(st.floats(0, 1))
@settings(deadline=None, max_examples=15)
def test_masks_sum_to_one_whatever_the_blend(kind, blend):
    running = engine(kind, blend=blend)
    running.process(babble(6000))
    made = masks(running)
    np.testing.assert_allclose(made.sum(axis=0), 1, atol=1e-5)
    assert made.min() >= 0
    assert made.max() <= 1 + 1e-6


def test_between_them_attenuations_are_averaged_in_db():
    made = {}
    for blend in (0, 0.25, 0.5, 1):
        running = engine(blend=blend)
        running.process(babble(6000))
        made[blend] = np.maximum(masks(running)[1], 1e-20)
    for blend in (0.25, 0.5):
        averaged = (1 - blend) * np.log(made[0]) + blend * np.log(made[1])
        np.testing.assert_allclose(made[blend], np.exp(averaged), atol=1e-5)
    assert np.abs(made[0] - made[1]).max() > 0.1


def test_what_only_one_of_them_knows_that_one_decides():
    """Bases to 4 kHz, a network to 9 kHz, and the other way round."""
    hertz = np.arange(513) * 48000 / 1024
    for basis_to, network_to in ((4000, 9000), (9000, 4000)):
        made = []
        for blend in (0, 1):
            two = [network("smoothed", bandwidth=network_to), model(bandwidth=basis_to)]
            running = rtsep.Engine(two, blend=blend, latency="medium")
            running.process(babble(6000))
            made.append(masks(running)[1])
        one_knows = (hertz > 4100) & (hertz < 8900)
        np.testing.assert_array_equal(made[0][one_knows], made[1][one_knows])
        assert np.abs(made[0] - made[1])[hertz < 3900].max() > 0.01


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=6))
@settings(deadline=None, max_examples=10)
def test_every_partition_gives_the_same_bits(sizes):
    x, turned = babble(7000), [(1000, "blend", 0.9), (3000, "blend", 0.1)]
    whole = stream(engine(net="gru"), x, [7000], turned)
    assert bits(whole) == bits(stream(engine(net="gru"), x, sizes, turned))


def test_reset_is_new_and_stems_sum_to_the_input():
    x, running = babble(9000), engine()
    first = running.process(x)
    running.reset()
    assert bits(first) == bits(running.process(x))
    stems = rtsep.separate(x, 48000, [network("gru"), model("fan"), model("hum", seed=5)])
    assert tuple(stems) == ("fan", "hum", "speech", "unknown")
    np.testing.assert_allclose(sum(stems.values()), x, atol=1e-6)


def test_a_basis_of_what_the_network_keeps_is_refused():
    with pytest.raises(ValueError, match="'voice-model' is to keep 'voice'"):
        rtsep.Engine([network("gru"), model("voice", role="keep")])
