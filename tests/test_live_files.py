"""The embedded live loop: the same engine, the same callback, a recording for a microphone."""

import time

import numpy as np
import pytest
import soundfile as sf

import rtsep
from models import babble, model, noise
from rtsep.ports import live
from rtsep.ports.live import call_stream, play
from rtsep.ports.recordings import examine


@pytest.fixture
def microphone(tmp_path):
    def recording(x, rate=48000):
        sf.write(tmp_path / "mic.wav", np.atleast_2d(x).T, rate, subtype="FLOAT")
        return examine(tmp_path / "mic.wav")

    return recording


def engine_for(found, models="bypass", **settings):
    return rtsep.Engine(models, rate=found.rate, channels=found.channels, **settings)


@pytest.mark.parametrize("block", [1, 127, 480, 4096, 100000])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_plays_what_process_returns(tmp_path, microphone, block, channels):
    n = 2000 if block == 1 else 20011
    x = np.stack([babble(n, seed=c) for c in range(channels)])
    found = microphone(x)
    played = play(found, tmp_path / "out.wav", engine_for(found, model()), block=block, pace=None)
    y = sf.read(tmp_path / "out.wav", dtype="float32", always_2d=True)[0].T
    assert np.array_equal(y, engine_for(found, model()).process(x))
    assert played.seconds == n / 48000
    assert not played.ended_early


@pytest.mark.parametrize("n", [1, 127, 480])
def test_the_callback_by_its_address_equals_process(n):
    x = noise(2, 5000)
    engine, other = (rtsep.Engine(model(), channels=2) for _ in range(2))
    blocks = [call_stream(engine, x[:, i : i + n].T.copy()).T for i in range(0, 5000, n)]
    assert np.array_equal(np.concatenate(blocks, axis=1), other.process(x))
    assert engine.meters().blocks == len(blocks)


def test_it_keeps_the_pace_of_the_clock(microphone):
    found = microphone(noise(24000))
    begin = time.monotonic()
    played = play(found, None, engine_for(found), block=480)
    assert 0.5 <= time.monotonic() - begin < 1.5
    assert played.wall_seconds == pytest.approx(0.5, abs=0.4)


def test_pace_is_a_factor(microphone):
    found = microphone(noise(48000))
    assert 0.25 <= play(found, None, engine_for(found), pace=4.0).wall_seconds < 0.9


def test_lateness_is_counted_and_not_passed_on(microphone, monkeypatch):
    """A halt of 100 ms makes some blocks late; the deadlines stay where they were."""
    found = microphone(noise(24000))
    engine, real, calls = engine_for(found), live.call_stream, iter(range(10**6))

    def halted(engine, x):
        if next(calls) == 10:
            time.sleep(0.1)
        return real(engine, x)

    monkeypatch.setattr(live, "call_stream", halted)
    played = play(found, None, engine, block=480)
    assert 5 <= played.late_starts <= 30
    assert played.wall_seconds < 0.6 + 0.3


def test_seconds_end_it_sooner(tmp_path, microphone):
    found = microphone(noise(48000))
    play(found, tmp_path / "out.wav", engine_for(found), seconds=0.25, pace=None)
    assert sf.info(tmp_path / "out.wav").frames == 12000


def test_stopping_keeps_what_was_played(tmp_path, microphone):
    found, told = microphone(noise(48000)), [0.0]
    played = play(
        found, tmp_path / "out.wav", engine_for(found), pace=None,
        tell=lambda seconds, _: told.append(seconds), ended=lambda: told[-1] >= 0.4,
    )  # fmt: skip
    assert played.ended_early
    assert sf.info(tmp_path / "out.wav").frames == round(played.seconds * 48000) < 30000


def test_it_tells_ten_times_a_second_of_sound(microphone):
    found, told = microphone(noise(48000)), []
    play(found, None, engine_for(found), pace=None, tell=lambda *when: told.append(when))
    assert 10 <= len(told) <= 11
    assert all(total == 1.0 for _, total in told)


def test_an_error_leaves_no_file(tmp_path, microphone):
    x = noise(48000)
    x[30000] = np.inf
    found = microphone(x)
    engine = engine_for(found)
    with pytest.raises(ValueError, match="holds inf at sample 30000"):
        play(found, tmp_path / "out.wav", engine, pace=None)
    assert not (tmp_path / "out.wav").exists()
    assert not engine.live


def test_the_engine_is_live_only_meanwhile(microphone):
    found, seen = microphone(noise(48000)), []
    engine = engine_for(found)
    play(found, None, engine, pace=None, tell=lambda *_: seen.append(engine.live))
    assert set(seen) == {True}
    assert engine.live is False


def test_wrong_engines_and_blocks_are_refused(tmp_path, microphone):
    found = microphone(noise(1000))
    with pytest.raises(ValueError, match="48000 Hz with 1 channels, the engine 44100 Hz with 2"):
        play(found, None, rtsep.Engine("bypass", rate=44100, channels=2))
    with pytest.raises(ValueError, match="block=0"):
        play(found, None, engine_for(found), block=0)
    with pytest.raises(ValueError, match="is the input"):
        play(found, found.path, engine_for(found))
