"""Swap: another model while the sound goes on, without a gap, a click or a delay."""

import numpy as np
import pytest

import rtsep
from models import babble, bits, delayed, engine, model, noise, pair, separator, sine, stream
from rtsep.engine.prepare import FADE_SECONDS

RATE = 16000
FADE = round(FADE_SECONDS * RATE)


def after_fade(running, position):
    """First sample that holds nothing of the fade any more."""
    return position + FADE + running.spec.window + 2 * running.spec.hop


@pytest.mark.parametrize("start", ["nmf", "nmf known", "asvd"])
@pytest.mark.parametrize("end", ["bypass", "asvd known"])
def test_after_the_fade_it_is_the_new_model_to_the_bit(start, end):
    """Separators without a memory of their own: as if they had run from the start."""
    running, x = engine(start, options={"decision": 0}), babble(16000)
    before = running.process(x[:5000])
    running.swap(separator(end, rate=RATE))
    y = np.concatenate([before, running.process(x[5000:])])
    wanted = engine(end, options={"decision": 0}).process(x)
    settled = after_fade(running, 5000)
    error = np.abs(y - wanted)
    assert error[5000 : 5000 + FADE // 2].max() > 1e-4
    assert bits(y[settled:]) == bits(wanted[settled:])


def test_until_the_swap_it_is_the_old_model_to_the_bit():
    running, x = engine(), babble(8000)
    before = running.process(x[:5000])
    running.swap("bypass")
    after = running.process(x[5000:])
    alone = engine().process(x)
    assert bits(before) == bits(alone[:5000])
    assert bits(after[: running.spec.hop // 2]) != bits(delayed(x, running.latency)[5000:][:20])


@pytest.mark.parametrize("model_after", ["bypass", "nmf known", "asvd"])
def test_nothing_clicks(model_after):
    running, x = engine(options={"decision": 0}), sine(16000, RATE, 100.0)
    before = running.process(x[:6000])
    running.swap(separator(model_after, rate=RATE))
    y = np.concatenate([before, running.process(x[6000:])])
    jumps = np.abs(np.diff(y))
    steady = max(jumps[3000:5900].max(), jumps[-4000:].max(), np.abs(np.diff(x)).max())
    assert jumps[5900:-4000].max() <= 1.2 * steady


def test_the_new_model_fades_in_evenly():
    """From silence to a mask of one: the sound comes in along a straight line."""
    silent = {"voice.gain": -80, "max_attenuation": 100}
    running = rtsep.Engine(pair(rate=RATE), rate=RATE, **silent)
    x, start = sine(6000, RATE, 1000.0), 2000
    before = running.process(x[:start])
    running.swap("bypass")
    y = np.concatenate([before, running.process(x[start:])])
    overlap = running.spec.synthesis
    line = np.clip((np.arange(6000) - start - overlap / 2) / FADE, 0, 1)
    assert np.abs(y - line * delayed(x, running.latency)).max() <= 0.5 * overlap / FADE


def test_a_swap_to_what_sounds_alike_is_not_heard():
    running, x = engine("bypass"), babble(9000)
    before = running.process(x[:3000])
    running.swap("bypass")
    y = np.concatenate([before, running.process(x[3000:])])
    assert np.abs(y - delayed(x, running.latency)).max() <= 1e-6


def test_sources_and_parameters_are_the_new_models_and_equal_names_keep_their_values():
    running = engine(strength=0.5, **{"fan.gain": -7.0})
    running.swap([model("fan", rate=RATE, seed=4), model("rain", rate=RATE)])
    assert running.sources == ("fan", "rain", "unknown")
    assert (running.get("fan.gain"), running.get("strength")) == (-7.0, 0.5)
    assert running.get("rain.gain") == running.parameters["rain.gain"].default
    running.swap(model("voice", rate=RATE, role="keep"))
    assert running.keep == ("voice",)
    with pytest.raises(ValueError, match=r"fan\.gain"):
        running.get("fan.gain")


def test_parameters_turn_the_new_model():
    running, x = engine(), babble(16000)
    running.process(x[:4000])
    running.swap(separator("nmf known", rate=RATE))
    running.set("voice.mute", 1)
    running.set("fan.mute", 1)
    y = running.process(x[4000:])
    assert np.abs(y[after_fade(running, 0) :]).max() <= 1e-6


@pytest.mark.parametrize(
    "impossible",
    [
        lambda: [model("a", rate=RATE), model("b", "asvd", rate=RATE)],
        lambda: [model(str(s), rate=RATE) for s in range(12)],
        lambda: [model(str(s), rate=RATE, rank=200) for s in range(2)],
        lambda: [],
        lambda: "no such model as this",
        lambda: 3.0,
    ],
    ids=["kinds", "sources", "rank", "none", "name", "number"],
)
def test_a_swap_that_fails_leaves_everything_as_it_was(impossible):
    running, x = engine(), babble(12000)
    before = running.process(x[:6000])
    described = running.sources, running.keep, dict(running.parameters), running.note
    with pytest.raises((ValueError, TypeError)):
        running.swap(impossible())
    assert described == (running.sources, running.keep, dict(running.parameters), running.note)
    y = np.concatenate([before, running.process(x[6000:])])
    assert bits(y) == bits(engine().process(x))


def test_a_swap_within_a_swap_ends_at_the_last():
    running, x = engine(), babble(20000)
    running.process(x[:4000])
    running.swap(separator("asvd", rate=RATE))
    running.process(x[4000:4100])
    running.swap("bypass")
    y = running.process(x[4100:])
    settled = after_fade(running, 4100)
    assert bits(y[settled - 4100 :]) == bits(delayed_by_engine(x)[settled:])


def delayed_by_engine(x):
    return engine("bypass").process(x)


def test_stems_are_the_new_models_and_still_add_up_once_they_have_faded_in():
    """One synthesis window after a swap they are whole again; before, they are less, never else."""
    running, x = rtsep.Engine([*pair(rate=RATE), model("rain", rate=RATE)], rate=RATE), noise(9000)
    cuts, totals = np.split(x, [3000, 6000]), []
    for part, following in zip(cuts, ["bypass", pair(rate=RATE), "bypass"], strict=True):
        stems = running.separate(part)
        assert stems.shape == (len(running.sources), 1, 3000)
        totals.append(stems.sum(axis=0)[0])
        running.swap(following)
    total, wanted = np.concatenate(totals), delayed(x, running.latency)
    fading = np.zeros(9000, bool)
    for swapped in (3000, 6000):
        fading[swapped : swapped + 2 * running.latency] = True
    assert np.abs(total - wanted)[~fading].max() <= 1e-6
    assert (np.abs(total) <= np.abs(wanted) + 1e-6).all()


def test_stems_of_the_old_model_are_not_written_over_the_memory_of_others():
    running = rtsep.Engine([*pair(rate=RATE), model("rain", rate=RATE)], rate=RATE)
    running.separate(noise(500))
    running.swap("bypass")
    for size in (1, 7, 80, 500):
        assert running.separate(noise(size)).shape == (1, 1, size)


def test_after_stems_a_block_is_a_block():
    """`process` after `separate` writes its block and not a sample more."""
    running, x = engine(), babble(6000)
    alone = engine().process(x)
    running.separate(x[:1000])
    memory = np.full(4 * 5000, 7, np.float32)
    y = running.process(x[1000:], out=memory[:5000])
    assert (memory[5000:] == 7).all()
    assert bits(y) == bits(alone[1000:])


def test_a_snapshot_after_a_swap_is_the_new_models():
    running = engine(options={"unknown_rank": 4})
    running.process(babble(4000))
    running.swap([model("rain", rate=RATE, rank=3)])
    running.process(babble(4000))
    assert running.snapshot().W.shape == (1, 4, running.spec.bins)
    assert stream(running, babble(4000), [100]).shape == (4000,)


def test_a_swap_keeps_by_roles_unless_told():
    running = engine(keep="fan")
    running.swap(model("rain", rate=RATE))
    assert running.keep == ("unknown",)
    running.swap(model("rain", rate=RATE), keep="rain")
    assert running.keep == ("rain",)
    with pytest.raises(ValueError, match="'rayn'"):
        running.swap(model("rain", rate=RATE), keep="rayn")
    running.reset()
    assert running.keep == ("rain",)
