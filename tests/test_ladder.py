"""Too little time, simulated, and nothing to hear: less is done, and all of it again."""

import numpy as np
import pytest
from live_streams import RATE, Stream

import rtsep
from models import babble, model, noise, sine
from rtsep.engine.ladder import CALM, LONGEST
from rtsep.separators.slot import DRY_PATH


def test_late_blocks_lead_down_and_calm_leads_up():
    stream = Stream()
    seen = [stream.rung]
    for _ in range(4):
        stream.late(4)
        seen.append(stream.rung)
    assert seen == [0, 1, 2, 3, 3]
    assert stream.engine.meters().overloads == 3
    for rung in (2, 1, 0):
        stream.play(noise(round(RATE * (CALM + 0.1)), level=0.01))
        assert stream.rung == rung
    assert stream.engine.meters().overloads == 3


def test_a_late_block_now_and_then_is_no_overload():
    stream = Stream()
    for _ in range(20):
        stream.late(1, busy=8)
        stream.play(noise(RATE, level=0.01), busy=0.9)
    assert stream.engine.meters().overloads == 0


def test_a_step_up_that_was_too_early_makes_the_next_wait_longer():
    stream = Stream()
    for turn in range(8):
        stream.late(4)
        assert stream.rung == 1
        stream.play(noise(round(RATE * min(CALM * 2**turn - 0.1, LONGEST - 0.1)), level=0.01))
        assert stream.rung == 1
        stream.play(noise(RATE, level=0.01))
        assert stream.rung == 0


@pytest.mark.parametrize("kind", ["nmf", "asvd"])
def test_the_dry_path_is_in_time_and_comes_without_a_click(kind):
    stream = Stream(model(kind=kind, role="keep"), max_attenuation=100)
    delay, x = stream.engine.latency, sine(3 * RATE)
    before = stream.play(x[:RATE])
    during = np.concatenate([stream.play(x[RATE : RATE + 9600], 1.5), stream.play(x[57600:])])
    y = np.concatenate([before, during])
    assert stream.engine.latency == delay
    there = slice(RATE + 9600, 2 * RATE)
    assert np.array_equal(y[there], x[there.start - delay : there.stop - delay])
    assert np.abs(np.diff(y[RATE // 2 :])).max() < 1.2 * np.abs(np.diff(x)).max()


def test_less_is_learned_and_less_is_solved():
    stream = Stream(model())
    lane = stream.engine._state["slot"][0]["lane"][0]
    stream.play(babble(RATE))
    for rung in (1, 2, DRY_PATH):
        stream.late(4)
        assert stream.rung == rung
        stream.play(babble(RATE // 10))
        basis, activations = lane["W"].copy(), lane["h"].copy()
        y = stream.play(babble(RATE // 10, seed=1))
        assert np.isfinite(y).all()
        assert np.array_equal(basis, lane["W"]) == (rung >= 2)
        assert np.array_equal(activations, lane["h"]) == (rung == DRY_PATH)


@pytest.mark.parametrize("way", ["offline", "freewheel", "faster than time"])
def test_only_in_real_time(way):
    stream = Stream(model())
    stream.engine.live = way != "offline"
    stream.engine.freewheel = way == "freewheel"
    pace = 15.0 if way == "faster than time" else 1.0
    x = babble(RATE)
    y = np.concatenate([stream.play(x, pace=pace), stream.play(x, 1.5, pace)])
    assert (stream.rung, stream.engine.meters().overloads) == (0, 0)
    other = Stream(model())
    assert np.array_equal(y, np.concatenate([other.play(x), other.play(x)]))


def test_what_was_left_out_is_not_left_out_afterwards():
    """An engine that ended live on the last rung learns and solves offline."""
    stream = Stream(model())
    stream.late(20)
    stream.engine.live = False
    lane = stream.engine._state["slot"][0]["lane"][0]
    basis, activations = lane["W"].copy(), lane["h"].copy()
    stream.engine.process(babble(RATE))
    assert not np.array_equal(basis, lane["W"])
    assert not np.array_equal(activations, lane["h"])


@pytest.mark.parametrize("kind", ["bypass", "nmf"])
def test_silence_is_no_work_and_sound_comes_back_at_once(kind):
    stream = Stream(model() if kind == "nmf" else "bypass")
    stream.play(babble(RATE))
    quiet = stream.play(np.zeros(3 * RATE, np.float32))
    meters = stream.engine.meters()
    assert meters.idle_hops * stream.engine.spec.hop > 1.5 * RATE
    assert not quiet[-RATE:].any()
    x, delay = babble(RATE, seed=3), stream.engine.latency
    y = stream.play(x)
    assert stream.engine.meters().idle_hops <= meters.idle_hops + 1
    if kind == "bypass":
        assert np.abs(y[delay:] - x[:-delay]).max() < 1e-6
    else:
        assert np.abs(y[delay : delay + 480]).max() > 0


def test_silence_offline_is_worked_on():
    engine = rtsep.Engine(model())
    engine.process(np.zeros(3 * RATE, np.float32))
    assert engine.meters().idle_hops == 0


def test_a_model_swapped_in_silence_is_swapped():
    stream = Stream(model())
    stream.play(np.zeros(3 * RATE, np.float32))
    stream.engine.swap(model("drums", seed=4))
    stream.play(np.zeros(RATE, np.float32))
    assert stream.engine._state["active"] == stream.engine._state["requested"]
