"""Parameters: who is kept, what can be set, and that no turn is heard as a click."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rtsep
from models import delayed, engine, model, noise, sine, stream

RATE = 16000
WHOLE = {"max_attenuation": 100}


# who is kept


def test_roles_say_what_is_kept_unless_the_caller_does():
    fan, voice = model(rate=RATE), model("voice", rate=RATE, role="keep")
    assert rtsep.Engine(fan, rate=RATE).keep == ("unknown",)
    assert rtsep.Engine(voice, rate=RATE).keep == ("voice",)
    assert rtsep.Engine([fan, voice], rate=RATE).keep == ("voice",)
    assert rtsep.Engine([fan, voice], rate=RATE).sources == ("fan", "voice")
    assert rtsep.Engine([fan, voice], rate=RATE, unknown=True).sources[-1] == "unknown"
    assert rtsep.Engine(fan, rate=RATE, unknown=False).sources == ("fan",)
    assert rtsep.Engine(fan, rate=RATE, keep="fan").keep == ("fan",)
    assert rtsep.Engine(fan, rate=RATE, keep="speech").keep == ("unknown",)
    assert rtsep.Engine(fan, rate=RATE, keep="noise").keep == ("fan",)
    assert rtsep.Engine(voice, rate=RATE, keep="noise").keep == ("unknown",)


def test_a_source_that_is_not_there_cannot_be_kept():
    with pytest.raises(ValueError, match=r"no source 'fans'.*fan, unknown.*nearest: 'fan'"):
        engine(keep="fans")


@pytest.mark.parametrize("sources", [["fan"] * 3, ["fan2", "fan2"], ["fan", "fan", "fan2"]])
def test_every_source_has_a_name_of_its_own(sources):
    running = rtsep.Engine([model(name, rate=RATE) for name in sources], rate=RATE)
    assert len(set(running.sources)) == len(sources) + 1
    stems = rtsep.separate(noise(3000), RATE, [model(name, rate=RATE) for name in sources])
    np.testing.assert_allclose(sum(stems.values()), noise(3000), atol=1e-6)


# turning


def test_parameters_are_listed_as_they_are_turned():
    running = engine()
    assert {
        "strength", "max_attenuation", "bypass", "listen", "input_gain", "output_gain",
        "noise_floor", "freeze", "fan.gain", "fan.mute", "fan.solo", "unknown.gain",
    } <= set(running.parameters)  # fmt: skip
    for name, parameter in running.parameters.items():
        assert parameter.id == name
        assert running.get(name) == parameter.default
        assert parameter.low < parameter.high


@pytest.mark.parametrize(
    ("name", "value", "error", "says"),
    [
        ("strength", 1.01, ValueError, r"strength=1.01 is outside 0\.\.1"),
        ("strength", float("nan"), ValueError, "strength=nan"),
        ("strength", "much", TypeError, "strength takes a number, not 'much'"),
        ("strength", None, TypeError, "strength"),
        ("bypass", 0.5, ValueError, "bypass=0.5 is neither 0 nor 1"),
        ("listen", "nothing", ValueError, "listen='nothing' is none of source, residual, all"),
        ("strengt", 1, ValueError, "no parameter 'strengt'.*'strength'"),
        ("rain.gain", 1, ValueError, "no parameter 'rain.gain'"),
    ],
)
def test_what_cannot_be_set_is_refused_and_changes_nothing(name, value, error, says):
    running = engine()
    before = {each: running.get(each) for each in running.parameters}
    with pytest.raises(error, match=says):
        running.set(name, value)
    assert before == {each: running.get(each) for each in running.parameters}


@pytest.mark.parametrize("one", [1, 1.0, True, np.float32(1), np.int64(1), np.bool_(True)])
def test_every_kind_of_number_is_a_number(one):
    running = engine()
    for name in ("strength", "bypass"):
        running.set(name, one)
        assert running.get(name) == 1


@given(
    st.sampled_from(
        [
            ("strength", 0), ("bypass", 1), ("output_gain", -60), ("input_gain", -60),
            ("unknown.mute", 1), ("listen", "residual"), ("fan.gain", 0), ("max_attenuation", 0),
        ]
    ),
    st.integers(2000, 3000),
)  # fmt: skip
@settings(deadline=None, max_examples=25)
def test_no_turn_clicks(turn, position):
    """A slow sine is never steeper while something turns than it was before, but a little."""
    running, x = engine(), sine(8000, RATE, 100.0)
    y = stream(running, x, [160], [(position, *turn)])
    steepest = np.abs(np.diff(x)).max()
    assert np.abs(np.diff(y))[1000:].max() <= 1.5 * steepest


def test_a_turn_arrives_within_its_glide():
    for name, parameter in engine().parameters.items():
        assert 0 < parameter.glide <= 0.1, name
    x = noise(8000)
    y = stream(rtsep.Engine("bypass", rate=RATE), x, [100], [(4000, "output_gain", -60)])
    end = 4000 + round(0.02 * RATE)
    np.testing.assert_allclose(y[end:], delayed(x, 80)[end:] * 1e-3, atol=1e-6)
    np.testing.assert_allclose(y[:4000], delayed(x, 80)[:4000], atol=1e-6)


def test_initial_values_are_there_from_the_first_sample():
    x = np.ones(2000, np.float32)
    y = rtsep.Engine("bypass", rate=RATE, output_gain=6).process(x)
    np.testing.assert_allclose(y[80:], 10 ** (6 / 20), rtol=1e-5)
