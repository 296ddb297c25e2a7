"""The output: masks weighted, bounded, weakened and muted, as `rtsep.engine.hop` defines it."""

import numpy as np
import pytest

import rtsep
from models import SEPARATORS, babble, bits, delayed, engine, model, noise, pair, stream
from rtsep.dsp.stream import MODES

RATE = 16000
WHOLE = {"max_attenuation": 100}


def kept(names, **settings):
    """Stems' worth: an engine of three known sources and the unknown that keeps some."""
    models = [model(name, rate=RATE, seed=s) for s, name in enumerate(("fan", "rain", "clock"))]
    return rtsep.Engine(models, rate=RATE, keep=names, **{**WHOLE, **settings})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", SEPARATORS)
def test_strength_zero_is_the_delayed_input(kind, mode):
    running, x = engine(kind, latency=mode, strength=0), babble(12000)
    assert np.abs(running.process(x) - delayed(x, running.latency)).max() <= 1e-6


@pytest.mark.parametrize("kind", SEPARATORS)
def test_bypass_is_the_delayed_input_to_the_bit_once_faded(kind):
    running, x = engine(kind), babble(12000)
    y = stream(running, x, [512], [(3000, "bypass", 1)])
    settled = 3000 + round(0.02 * RATE)
    assert bits(y[settled:]) == bits(delayed(x, running.latency)[settled:])
    assert np.abs(y - delayed(x, running.latency))[:3000].max() > 0.01 or kind == "bypass"


def test_bypass_knows_no_gain():
    running, x = engine(bypass=1, input_gain=12, output_gain=-30), noise(4000)
    assert bits(running.process(x)) == bits(delayed(x, running.latency))


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("kind", SEPARATORS)
def test_source_and_residual_add_up_to_the_input(kind, linked):
    x = np.stack([babble(9000), noise(9000, seed=1)])
    settings = {"channels": 2, "linked": linked, "strength": 0.8, "noise_floor": -50}
    parts = [engine(kind, listen=what, **settings) for what in ("source", "residual")]
    total = sum(part.process(x) for part in parts)
    assert np.abs(total - delayed(x, parts[0].latency)).max() <= 1e-6


@pytest.mark.parametrize("kind", SEPARATORS)
def test_listening_to_all_is_the_delayed_input(kind):
    running, x = engine(kind, listen="all"), babble(9000)
    assert np.abs(running.process(x) - delayed(x, running.latency)).max() <= 1e-6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("kind", SEPARATORS)
def test_stems_add_up_to_the_input(kind, linked, mode):
    x = np.stack([babble(9000), noise(9000, seed=1)])
    running = engine(kind, channels=2, linked=linked, latency=mode)
    stems = running.separate(x)
    assert stems.shape == (len(running.sources), 2, 9000)
    assert stems.dtype == np.float32
    assert np.abs(stems.sum(axis=0) - delayed(x, running.latency)).max() <= 1e-6


def test_stems_know_neither_strength_nor_gains():
    x = babble(9000)
    turned = {"strength": 0.2, "fan.gain": 6, "unknown.mute": 1, "noise_floor": -30}
    assert bits(engine().separate(x)) == bits(
        engine(**turned, output_gain=12, listen="residual").separate(x)
    )


@pytest.mark.parametrize(
    ("names", "stems"),
    [
        ("fan", [0]),
        (["rain", "unknown"], [1, 3]),
        (["fan", "rain", "clock", "unknown"], [0, 1, 2, 3]),
    ],
)
def test_what_is_kept_is_the_kept_stems_sum(names, stems):
    x = babble(9000)
    y = kept(names).process(x)
    assert np.abs(y - kept(names).separate(x)[stems, 0].sum(axis=0)).max() <= 2e-6


def test_a_gain_scales_its_source_alone():
    x, db = babble(9000), {"fan": -6.0, "rain": 3.0, "clock": -20.0, "unknown": 0.0}
    turned = {f"{name}.gain": value for name, value in db.items()}
    y, stems = kept("fan", **turned).process(x), kept("fan").separate(x)[:, 0]
    wanted = np.tensordot([10 ** (value / 20) for value in db.values()], stems, 1)
    assert np.abs(y - wanted).max() <= 3e-6


def test_a_gain_at_its_bottom_is_off():
    off = {f"{name}.gain": -80 for name in ("fan", "rain", "clock", "unknown")}
    assert not kept("fan", **off).process(babble(9000)).any()


def test_a_muted_source_is_taken_out_after_strength():
    """Y = (1 - m) X where strength 0 would have left all of it."""
    x = babble(9000)
    y = kept("fan", strength=0, **{"rain.mute": 1}).process(x)
    wanted = np.delete(kept("fan").separate(x)[:, 0], 1, axis=0).sum(axis=0)
    assert np.abs(y - wanted).max() <= 2e-6


@pytest.mark.parametrize("strength", [0.6, 1])
def test_muting_what_is_kept_leaves_what_is_heard_where_it_is_silent(strength):
    x, turned = babble(9000), {"max_attenuation": 20, "strength": strength}
    y = kept("fan", **turned, **{"fan.mute": 1}).process(x)
    rest = np.delete(kept("fan").separate(x)[:, 0], 0, axis=0).sum(axis=0)
    assert np.abs(y - (1 - strength + strength * 0.1) * rest).max() <= 2e-6
    assert (
        not kept("fan", **(turned | {"max_attenuation": 100, "fan.mute": 1, "strength": 1}))
        .process(x)
        .any()
    )


def test_muting_what_is_removed_leaves_the_kept_as_it_is():
    x, mutes = babble(9000), {f"{name}.mute": 1 for name in ("rain", "clock", "unknown")}
    y = kept("fan", max_attenuation=6, **mutes).process(x)
    assert np.abs(y - kept("fan").separate(x)[0, 0]).max() <= 2e-6


def test_all_muted_is_silence():
    mutes = {f"{name}.mute": 1 for name in ("fan", "rain", "clock", "unknown")}
    y = kept("fan", noise_floor=-20, max_attenuation=3, **mutes).process(babble(9000))
    assert np.abs(y).max() <= 1e-6


def test_a_soloed_source_is_heard_alone_whatever_is_kept():
    x = babble(9000)
    y = kept("fan", **{"clock.solo": 1}).process(x)
    assert np.abs(y - kept("fan").separate(x)[2, 0]).max() <= 2e-6
    both = kept("fan", **{"clock.solo": 1, "rain.solo": 1}).process(x)
    assert np.abs(both - kept("fan").separate(x)[[1, 2], 0].sum(axis=0)).max() <= 2e-6


@pytest.mark.parametrize("db", [0.0, 6.0, 30.0])
def test_no_bin_is_attenuated_more_than_allowed(db):
    """All sources off, only the bound is left: the delayed input, so many dB down."""
    x, off = babble(9000), {"voice.gain": -80}
    running = rtsep.Engine(pair(rate=RATE), rate=RATE, max_attenuation=db, **off)
    wanted = delayed(x, running.latency) * 10 ** (-db / 20)
    assert np.abs(running.process(x) - wanted).max() <= 1e-6


def test_a_noise_floor_is_left_standing_of_louder_noise():
    """White noise at -30 dBFS, everything off but a floor of -50: about -50 are left."""
    x = noise(48000, level=10 ** (-30 / 20))
    running = rtsep.Engine(
        pair(rate=RATE), rate=RATE, noise_floor=-50, **{"voice.gain": -80}, **WHOLE
    )
    left = 20 * np.log10(np.std(running.process(x)[4000:]))
    assert left == pytest.approx(-50, abs=2)


def test_a_noise_floor_leaves_quieter_sound_alone():
    x = noise(20000, level=10 ** (-80 / 20))
    running = engine(noise_floor=-40, **WHOLE)
    np.testing.assert_allclose(running.process(x), delayed(x, running.latency), atol=1e-6)


def test_strength_is_a_line_between_the_input_and_the_separated():
    x, running = babble(9000), engine(strength=0.0)
    none, half, full = (engine(strength=s, **WHOLE).process(x) for s in (0, 0.25, 1))
    np.testing.assert_allclose(half, 0.75 * none + 0.25 * full, atol=2e-6)
    assert running.latency == engine().latency


@pytest.mark.parametrize("name", ["input_gain", "output_gain"])
def test_gains_are_in_decibels(name):
    x = noise(9000)
    running = rtsep.Engine("bypass", rate=RATE, **{name: -12})
    wanted = delayed(x, running.latency) * 10 ** (-12 / 20)
    np.testing.assert_allclose(running.process(x), wanted, atol=1e-6)
