"""Nobody listens: nothing is separated, and all of it again as soon as somebody does."""

import numpy as np
import pytest
from live_streams import BLOCK, RATE, Stream, play_stems

import rtsep
from models import babble, delayed, model, noise, sine
from rtsep.engine.prepare import FADE_SECONDS
from rtsep.engine.rest import AWAKE, SILENCE, UNHEARD

FADE = round(FADE_SECONDS * RATE)


def resting(stream):
    return stream.engine.meters().resting


def away(stream, seconds=1.0):
    """Nobody hears so much; then somebody does."""
    stream.engine.unheard = True
    quiet = stream.play(babble(round(seconds * RATE), seed=7))
    stream.engine.unheard = False
    return quiet


@pytest.mark.parametrize("kind", ["nmf", "asvd"])
def test_what_nobody_hears_is_not_separated(kind):
    stream = Stream(model(kind=kind))
    stream.play(babble(RATE))
    lane = stream.engine._state["slot"][0]["lane"][0]
    basis, activations = lane["W"].copy(), lane["h"].copy()
    before = stream.engine.meters().idle_hops
    quiet = away(stream)
    hops = RATE // stream.engine.spec.hop
    assert stream.engine.meters().idle_hops - before == hops
    assert resting(stream) == UNHEARD
    assert not quiet[stream.engine.spec.hop :].any()
    assert np.array_equal(basis, lane["W"])
    assert np.array_equal(activations, lane["h"])
    stream.play(babble(RATE, seed=8))
    assert resting(stream) == AWAKE
    assert not np.array_equal(activations, lane["h"])


@pytest.mark.parametrize("start", [0, 1, 77])
@pytest.mark.parametrize("block", [BLOCK, 128, 1000])
def test_sound_is_whole_within_a_block_and_a_fade(start, block):
    """Once it has faded in it is, to the bit, what it would have been had it never rested."""
    engine, other = (rtsep.Engine("bypass") for _ in range(2))
    engine.live, engine.unheard = True, True
    x = sine(2 * RATE, RATE, 300.0)
    y = np.zeros_like(x)
    heard = RATE + start
    for at in [0, *range(heard, len(x), block)]:
        engine.unheard = at < heard
        piece = slice(at, min(heard if at < heard else at + block, len(x)))
        y[piece] = engine.process(x[piece])
    wanted = other.process(x)
    whole = heard + block + FADE + engine.latency
    assert not y[RATE // 2 : heard].any()
    assert np.array_equal(y[whole:], wanted[whole:])
    assert np.abs(np.diff(y[RATE // 2 :])).max() < 1.2 * np.abs(np.diff(x)).max()


@pytest.mark.parametrize("bypass", [0, 1])
def test_it_fades_in_evenly(bypass):
    stream = Stream("bypass", bypass=bypass)
    stream.engine.unheard = True
    assert not stream.play(sine(RATE))[2 * stream.engine.spec.hop :].any()
    stream.engine.unheard = False
    x, delay = sine(RATE), stream.engine.latency
    y = stream.play(x)
    line = np.clip((np.arange(RATE) - delay / 2) / FADE, 0, 1)
    assert np.abs(y - line * delayed(x, delay))[2 * delay :].max() <= 0.5 * 2 * delay / FADE
    assert np.abs(y[: 2 * delay]).max() <= 0.5 * 2 * delay / FADE


def test_masks_are_there_as_soon_as_the_sound_is():
    """A noise that is to go is gone from the start, not let through while something settles."""
    stream = Stream(model(role="remove"), max_attenuation=100)
    x = noise(RATE, level=0.1)
    before = np.sqrt(np.mean(stream.play(x)[RATE // 2 :] ** 2))
    away(stream)
    after = stream.play(x)
    loudest = max(np.sqrt(np.mean(after[i : i + 4800] ** 2)) for i in range(0, RATE, 2400))
    assert loudest < 1.5 * before


def test_the_frame_is_kept_up_meanwhile():
    """So that the masks of the first hop that is heard see what came in just before it."""
    stream, x = Stream(model()), babble(RATE, seed=7)
    stream.play(babble(RATE))
    stream.engine.unheard = True
    stream.play(x)
    history, window = stream.engine._state["history"][0], stream.engine.spec.window
    assert np.array_equal(history[:window], x[-window:])


def test_all_stems_rest_and_come_back():
    engine, other = (rtsep.Engine([model("fan", rate=16000)], rate=16000) for _ in range(2))
    x, stems = babble(32000), len(engine.sources)
    engine.stems = stems
    engine.live = True
    y = [play_stems(engine, x[None, :8000], [8000])[:, 0]]
    engine.unheard = True
    y.append(play_stems(engine, x[None, 8000:16000], [8000])[:, 0])
    engine.unheard = False
    y.append(play_stems(engine, x[None, 16000:], [16000])[:, 0])
    assert not y[1][:, engine.spec.hop :].any()
    late = y[2].sum(axis=0)
    settled = engine.spec.synthesis + 2 * engine.spec.hop
    wanted = delayed(x, other.latency)[16000:]
    assert np.abs(late - wanted)[settled:].max() <= 1e-5
    assert np.abs(late).max() <= 1.01 * np.abs(x).max()


def test_a_model_swapped_where_nobody_hears_is_swapped():
    stream = Stream(model())
    stream.engine.unheard = True
    stream.play(babble(RATE))
    stream.engine.swap(model("drums", seed=4))
    stream.play(babble(RATE))
    assert stream.engine._state["active"] == stream.engine._state["requested"]
    assert resting(stream) == UNHEARD


def test_levels_fall_and_the_input_is_still_shown():
    stream = Stream(model())
    stream.play(babble(RATE))
    assert max(stream.engine.meters().source_db.values()) > -60
    stream.engine.unheard = True
    stream.play(babble(3 * RATE, seed=5))
    meters = stream.engine.meters()
    assert max(meters.source_db.values()) < -100
    assert meters.output_db[0] < -100
    assert meters.input_db[0] > -60
    assert stream.engine.capture(0).shape == (0,)


def test_silence_where_nobody_hears_and_sound_where_somebody_does():
    stream = Stream("bypass")
    stream.engine.unheard = True
    stream.play(np.zeros(3 * RATE, np.float32))
    stream.engine.unheard = False
    stream.play(np.zeros(RATE, np.float32))
    assert resting(stream) == SILENCE
    x = babble(RATE)
    y, delay = stream.play(x), stream.engine.latency
    assert np.abs(y[delay:] - x[:-delay]).max() < 1e-6


@pytest.mark.parametrize("freewheel", [True, False])
def test_offline_somebody_always_hears(freewheel):
    engine, other = (rtsep.Engine(model()) for _ in range(2))
    engine.unheard, engine.freewheel, engine.live = True, freewheel, freewheel
    x = babble(RATE)
    assert np.array_equal(engine.process(x), other.process(x))
    assert engine.meters().resting == AWAKE
