"""Meters: what they show is what there was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import network

import rtsep
from models import babble, model, noise, pair, sine
from rtsep.dsp.stream import MODES
from rtsep.dsp.times import HISTOGRAM, quantile_us
from rtsep.engine.crossing import crossing
from rtsep.engine.ends import input_callback, output_callback
from rtsep.engine.meters import SILENT_DB
from rtsep.ports.live import StreamCallback

LEVEL = 20 * np.log10(0.5 / np.sqrt(2))  # of `sine`


def hears(x, **settings):
    engine = rtsep.Engine("bypass", channels=len(x), **settings)
    engine.process(x)
    return engine.meters()


@pytest.mark.parametrize("mode", MODES)
def test_levels_of_a_sine(mode):
    quieter = sine(48000) * np.float32(0.1)
    meters = hears(np.stack([sine(48000), quieter]), latency=mode)
    for levels in (meters.input_db, meters.output_db):
        assert levels == pytest.approx((LEVEL, LEVEL - 20), abs=0.5)
    for peaks in (meters.input_peak_db, meters.output_peak_db):
        assert peaks == pytest.approx((LEVEL + 3.01, LEVEL - 16.99), abs=0.5)
    assert meters.source_db["all"] == pytest.approx(
        10 * np.log10((10 ** (LEVEL / 10)) * 1.01 / 2), abs=0.5
    )


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"output_gain": -20}, (LEVEL, LEVEL - 20)),
        ({"input_gain": -20}, (LEVEL - 20, LEVEL - 20)),
        ({"output_gain": -20, "bypass": 1}, (LEVEL, LEVEL)),
        ({"all.mute": 1}, (LEVEL, SILENT_DB)),
        ({"listen": "residual"}, (LEVEL, SILENT_DB)),
    ],
    ids=str,
)
def test_levels_are_taken_where_they_say(settings, shown):
    """Input after its gain; output as it is given out, gain and bypass included."""
    meters = hears(sine(48000)[None], **settings)
    assert meters.input_db[0] == pytest.approx(shown[0], abs=0.5)
    assert meters.output_db[0] == pytest.approx(shown[1], abs=0.5) or (
        shown[1] == SILENT_DB and meters.output_db[0] < -100
    )


def test_a_sources_level_is_the_mean_over_masks():
    x = np.stack([sine(48000), np.zeros(48000, np.float32)])
    both, each = (hears(x, linked=linked).source_db["all"] for linked in (True, False))
    assert each == pytest.approx(both, abs=0.1)


@pytest.mark.parametrize("kind", ["nmf", "asvd"])
def test_a_sources_level_is_its_stems(kind):
    models = pair(kind)
    engine, x = rtsep.Engine(models), noise(48000)
    stems = engine.separate(x)[:, 0, -24000:]
    for name, stem in zip(engine.sources, stems, strict=True):
        level = 10 * np.log10(np.mean(stem.astype(float) ** 2))
        assert engine.meters().source_db[name] == pytest.approx(level, abs=2)


def test_of_silence_there_is_nothing_to_show():
    meters = hears(np.zeros((2, 4800), np.float32))
    assert meters.input_db == meters.output_db == (SILENT_DB, SILENT_DB)
    assert set(meters.source_db.values()) == {SILENT_DB}
    assert (meters.clipped, meters.nonfinite) == (0, 0)


def test_samples_and_hops_are_counted():
    engine = rtsep.Engine("bypass")
    for n in (1, 119, 120, 1000, 0, 7):
        engine.process(np.zeros(n, np.float32))
    meters = engine.meters()
    assert (meters.samples, meters.hops) == (1247, 1247 // 120)
    assert (meters.blocks, meters.late_blocks) == (0, 0), "blocks are the device's"


def test_clipped_samples_are_counted_as_they_go_out():
    x = np.full(4800, 0.9, np.float32)
    x[1000:1010] = 1.5
    engine = rtsep.Engine("bypass", bypass=1)
    engine.process(x)
    assert engine.meters().clipped == 10
    assert hears(x[None] * 0 + 0.9, output_gain=6).clipped == pytest.approx(4800 - 240, abs=240)


def run_callback(engine, n, flags=0):
    x = np.zeros(n * engine.channels, np.float32)
    call = StreamCallback(engine.callback.address)
    assert call(x.ctypes.data, x.ctypes.data, n, None, flags, engine.address) == 0


def test_late_blocks_are_those_that_took_longer_than_they_last():
    """Two seconds of sound take less; the one sample that makes eight masks takes more."""
    quick = rtsep.Engine("bypass")
    run_callback(quick, 96000)
    assert quick.meters().late_blocks == 0
    models = [model(rate=192000, rank=64)]
    slow = rtsep.Engine(models, rate=192000, latency="high", channels=8, linked=False)
    slow.process(np.zeros((8, 511), np.float32))
    run_callback(slow, 1)
    meters = slow.meters()
    assert (meters.blocks, meters.late_blocks, meters.hops) == (1, 1, 1)


def test_the_devices_flags_are_counted():
    engine = rtsep.Engine("bypass")
    for flags in (0, 1, 2, 4, 0):
        run_callback(engine, 64, flags)
    assert (engine.meters().blocks, engine.meters().device_flags) == (5, 3)


def test_the_flags_of_both_devices_are_counted():
    engine = rtsep.Engine("bypass")
    cross = engine.crossing = crossing(engine.rate, 1, engine.address)
    x = np.zeros(64, np.float32)
    for of_input, of_output in ((2, 0), (2, 4), (0, 0)):
        for callback, flags in ((input_callback, of_input), (output_callback, of_output)):
            call = StreamCallback(callback.address)
            assert call(x.ctypes.data, x.ctypes.data, 64, None, flags, cross.ctypes.data) == 0
    assert (engine.meters().blocks, engine.meters().device_flags) == (3, 3)


@given(st.lists(st.integers(0, HISTOGRAM - 1), max_size=300), st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=60)
def test_a_quantile_is_an_upper_bound_at_most_an_eighth_of_an_octave_too_high(steps, q):
    histogram = np.bincount(np.array(steps, int), minlength=HISTOGRAM)
    shown = quantile_us(histogram, q)
    if not steps:
        assert shown == 0
        return
    middle = 2.0 ** (8 + (np.sort(steps) + 0.5) / 8) / 1000
    true = middle[int(np.ceil(q * len(steps))) - 1]
    assert true <= shown <= true * 2 ** (1 / 8)


def test_hop_times_are_in_order_and_plausible():
    engine = rtsep.Engine(model())
    engine.process(babble(48000))
    meters = engine.meters()
    assert 1 < meters.hop_p50_us <= meters.hop_p99_us
    assert meters.hop_p99_us <= meters.hop_max_us * 2 ** (1 / 8) or meters.hop_max_us > 1e5
    assert meters.load == pytest.approx(meters.hop_p50_us / 2500)
    assert isinstance(meters.load, float)


def test_reading_meters_disturbs_nothing():
    one, other, x = rtsep.Engine(model()), rtsep.Engine(model()), babble(4800)
    for at in range(0, 4800, 480):
        wanted, got = one.process(x[at : at + 480]), other.process(x[at : at + 480])
        other.meters()
        assert wanted.tobytes() == got.tobytes()


@pytest.mark.parametrize("after", ["nmf", "network"])
def test_after_a_swap_no_source_has_the_level_of_another(after):
    engine, hop = rtsep.Engine("bypass"), np.zeros(120, np.float32)
    engine.process(sine(48000))
    assert engine.meters().source_db["all"] == pytest.approx(LEVEL, abs=0.5)
    engine.swap(model("fan") if after == "nmf" else network("fixed"))
    for _ in range(100):
        shown = engine.meters().source_db
        assert "all" not in shown
        assert max(shown.values()) == SILENT_DB
        engine.process(hop)
    engine.process(sine(48000))
    assert max(engine.meters().source_db.values()) == pytest.approx(LEVEL, abs=3)
