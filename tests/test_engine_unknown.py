"""The unknown source in the engine: learned, frozen, held in silence, stored and restored."""

import naive
import numpy as np
import pytest

import models
from rtsep import Engine

f32 = np.float32


@pytest.fixture(params=["nmf", "asvd"])
def listener(request):
    engine = Engine(models.model(kind=request.param, rate=16000), rate=16000)
    engine.process(models.babble(8000))
    return engine


def same(one, other):
    return all(
        models.bits(getattr(one, field)) == models.bits(getattr(other, field))
        for field in ("W", "statistics", "energies")
    )


def test_it_learns_while_there_is_sound(listener):
    before = listener.snapshot()
    listener.process(models.babble(400, seed=1))
    assert not same(before, listener.snapshot())


def test_frozen_it_stays_bit_for_bit(listener):
    listener.set("freeze", 1)
    listener.process(models.babble(800, seed=1))  # the switch is a glide of 20 ms
    before = listener.snapshot()
    listener.process(models.babble(16000, seed=2))
    assert same(before, listener.snapshot())
    listener.set("freeze", 0)
    listener.process(models.babble(1600, seed=3))
    assert not same(before, listener.snapshot())


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_silence_holds_it_bit_for_bit(listener, level):
    listener.process(models.noise(1024, level=level))  # the last sound leaves the window
    before = listener.snapshot()
    listener.process(models.noise(16000, level=level))
    assert same(before, listener.snapshot())


@pytest.mark.parametrize("power", [1, 2])
def test_quiet_sound_is_sound_whatever_the_power(power):
    """Silence begins at -80 dB of full scale, for magnitudes and for powers."""
    engine = Engine(models.model(rate=16000, power=power), rate=16000)
    engine.process(models.noise(16000))
    for level, moves in ((10 ** (-74 / 20), True), (10 ** (-90 / 20), False)):
        engine.process(models.noise(1024, level=level))
        before = engine.snapshot()
        engine.process(models.noise(8000, level=level, seed=1))
        assert same(before, engine.snapshot()) != moves


def test_a_snapshot_restores_it_bit_for_bit(listener):
    taken = listener.snapshot()
    listener.process(models.babble(16000, seed=5))
    assert not same(taken, listener.snapshot())
    listener.restore(taken)
    assert same(taken, listener.snapshot())


def test_a_snapshot_is_a_copy(listener):
    taken = listener.snapshot()
    before = [models.bits(taken.W), models.bits(taken.statistics)]
    listener.process(models.babble(4000, seed=5))
    assert before == [models.bits(taken.W), models.bits(taken.statistics)]


def test_a_snapshot_of_another_rank_is_refused(listener):
    same_kind = models.model(kind=listener.snapshot().kind, rate=16000)
    other = Engine(same_kind, rate=16000, options={"unknown_rank": 3})
    with pytest.raises(ValueError, match=r"\(1, 3, 257\).*\(1, 16, 257\)"):
        listener.restore(other.snapshot())


@pytest.mark.parametrize(("one", "other"), [("nmf", "asvd"), ("asvd", "nmf")])
def test_a_snapshot_of_another_kind_is_refused(one, other):
    taken = Engine(models.model(kind=one, rate=16000), rate=16000).snapshot()
    assert taken.kind == one
    listening = Engine(models.model(kind=other, rate=16000), rate=16000)
    before = listening.snapshot()
    with pytest.raises(ValueError, match=f"of kind {one}, the stream separates by {other}"):
        listening.restore(taken)
    assert same(before, listening.snapshot())
    with pytest.raises(ValueError, match=f"of kind {one}, the stream separates by bypass"):
        Engine("bypass", rate=16000).restore(taken)


def test_every_lane_learns_for_itself():
    engine = Engine(models.model(rate=16000), rate=16000, channels=2, linked=False)
    engine.process(np.stack([models.babble(8000), np.zeros(8000, f32)]))
    one, other = engine.snapshot().W
    fresh = Engine(models.model(rate=16000), rate=16000, channels=2, linked=False).snapshot().W
    assert models.bits(other) == models.bits(fresh[1])
    assert models.bits(one) != models.bits(fresh[0])


def changing_source(n, rate):
    """A tone complex that becomes another one half way."""
    t = np.arange(n) / rate
    chords = ((300, 700, 1900), (450, 1200, 2600))
    first, second = (sum(np.sin(2 * np.pi * f * t + f) for f in chord) for chord in chords)
    swell = 1 + 0.8 * np.sin(2 * np.pi * 3 * t)
    return 0.1 * swell * np.where(t < t[-1] / 2, first, second)


def test_online_is_at_most_a_decibel_behind_offline():
    """Against NMF that hears all of the recording, after half a second to warm up."""
    rate, n = 16000, 48000
    fan = models.model(rate=rate, rank=8, seed=3)
    rng = np.random.default_rng(4)
    unseen = changing_source(n, rate)
    engine = Engine(fan, rate=rate, latency="medium", options={"unknown_rank": 8})
    spec = engine.spec
    analysis, synthesis = naive.windows(spec.window, spec.synthesis // 2, spec.hop)
    colour = (fan.on(spec).T @ rng.gamma(2.0, 1.0, (8, n // spec.hop))).T
    hiss = naive.spectra(rng.standard_normal(n), analysis, spec.hop) * 20 * colour
    known = naive.samples(hiss, synthesis, spec.hop, 0, n)[:n]
    known *= np.std(unseen) / np.std(known)
    mixture = known + unseen

    online = engine.separate(mixture.astype(f32))[1, 0]
    X = naive.spectra(mixture, analysis, spec.hop)
    W, H = naive.offline_semi_supervised(fan.on(spec).T.astype(float), np.abs(X).T, 8, 80)
    mask = naive.wiener([W[:, :8] @ H[:8], W[:, 8:] @ H[8:]])[1].T
    offline = naive.samples(X * mask, synthesis, spec.hop, spec.synthesis, n)
    reference = models.delayed(unseen, spec.synthesis)
    warm = slice(rate // 2, len(X) * spec.hop)
    reached, bound, given = (
        naive.si_sdr(reference[warm], sound[warm])
        for sound in (online, offline, models.delayed(mixture, spec.synthesis))
    )
    assert reached >= bound - 1
    assert reached >= given + 3
