"""Two devices on two clocks: kept in step, without a click, whatever their blocks and jitter."""

import json
import subprocess
import sys

import numpy as np
import pytest
from two_clocks import Device, residual, run

import rtsep
from models import babble
from rtsep.dsp.resampling import HALF, PHASES, TAPS, filtered, phases, weigh_phases
from rtsep.ports.devices import Device as Card
from rtsep.ports.devices import clocks_of

RATE, MINUTE = 48000, 60


def between(x, position, C):
    """x at a position, as the audio thread reads it."""
    c, whole = np.zeros(TAPS, "f4"), int(position)
    weigh_phases(C, position - whole, c)
    return filtered(c, x, whole - HALF + 1)


@pytest.mark.parametrize(
    ("hertz", "worst_db"),
    [(50, -110), (1000, -95), (6000, -105), (15000, -95), (18000, -90), (20000, -90)],
)
def test_a_sine_between_its_samples(hertz, worst_db):
    """All that is not the sine (ripple, images, the straight lines between phases)."""
    x = np.sin(2 * np.pi * hertz / RATE * np.arange(9000)).astype("f4")
    positions, C = 100 + 1.00037 * np.arange(8000), phases()
    y = np.array([between(x, position, C) for position in positions])
    wrong = y - np.sin(2 * np.pi * hertz / RATE * positions)
    assert 20 * np.log10(np.abs(wrong).max()) < worst_db


def test_a_sample_itself_is_itself():
    x, C = np.random.default_rng(0).standard_normal(500).astype("f4"), phases()
    assert all(between(x, float(at), C) == x[at] for at in range(HALF, 450))
    assert C.shape == (PHASES + 1, TAPS)


def heard_between(heard, first, last):
    there = (heard.seconds >= first) & (heard.seconds < last)
    return heard.delay[there]


@pytest.mark.parametrize(
    ("source", "sink", "rate"),
    [
        (Device(200, (480,), 2e-3), Device(-200, (480,), 1e-3), 48000),
        (Device(-200, (147, 160, 160), 2e-3), Device(200, (512,), 3e-3), 16000),
    ],
    ids=["equal blocks", "unequal blocks"],
)
def test_twenty_minutes_of_drift(source, sink, rate):
    seconds, hertz = 20 * MINUTE, rate / 48
    heard = run(source, sink, seconds, rate=rate, hertz=hertz)
    one = heard.record
    first, last = (
        np.nanmean(heard_between(heard, start, start + 60)) for start in (1, seconds - 60)
    )
    assert abs(first - last) < 16
    assert abs(heard_between(heard, 2, seconds) - last).max() < 40
    assert (one["starved"], one["restarts"]) == (0, 0)
    assert 1e6 * one["integral"] == pytest.approx(source.ppm - sink.ppm, abs=5)
    played = heard.y[2 * rate :].astype(float)
    heard_as = hertz * (1 + 1e-6 * source.ppm) / (1 + 1e-6 * sink.ppm)
    assert np.abs(residual(played, heard_as, rate)).max() < 0.5 * 10 ** (-75 / 20)
    assert np.abs(played).max() == pytest.approx(0.5, abs=1e-3)


def test_clocks_that_agree_are_left_alone():
    heard = run(Device(jitter=0), Device(jitter=0), 20)
    assert abs(heard.record["integral"]) < 1e-9
    assert np.ptp(heard_between(heard, 1, 20)) < 1e-3
    x = 0.5 * np.sin(2 * np.pi * 1000 / RATE * np.arange(20 * RATE)).astype("f4")
    delay = round(heard.delay[-1])
    assert np.abs(heard.y[RATE:] - x[RATE - delay : -delay]).max() < 1e-4


STALLS = {
    "input late": (Device(50, (128,), 1e-3, (20, 20.03)), Device(-50, (128,))),
    "input lost": (Device(50, (128,), 1e-3, (20, 20.5), True), Device(-50, (128,))),
    "little lost": (Device(50, (128,), 1e-3, (20, 20.006), True), Device(-50, (128,))),
    "output late": (Device(50, (128,)), Device(-50, (128,), 1e-3, (20, 20.03))),
    "output lost": (Device(50, (128,)), Device(-50, (128,), 1e-3, (20, 20.5), True)),
    "input bursts": (Device(50, (128,), 21e-3), Device(-50, (256,), 1e-3)),
}


@pytest.mark.parametrize("name", STALLS)
def test_a_stall_passes_and_the_delay_is_what_it_was(name):
    heard = run(*STALLS[name], 60)
    assert not np.isnan(heard_between(heard, 22, 60)).any(), "the sound is back within 2 s"
    before, after = (np.mean(heard_between(heard, a, b)) for a, b in ((10, 19), (45, 60)))
    assert abs(before - after) < 16
    if "late" in name or "bursts" in name:
        assert heard.record["restarts"] == 0, "nothing was lost"


@pytest.mark.parametrize("name", ["input late", "input lost", "little lost"])
def test_what_is_missing_fades_out_and_in(name):
    """A gap is no click: no step larger than a sine's own and a fade's of 64 samples."""
    heard = run(*STALLS[name], 30)
    largest = 0.5 * 2 * np.pi * 1000 / RATE + 0.5 / 16
    assert heard.record["starved"] > 0
    assert np.abs(np.diff(heard.y[RATE:].astype(float))).max() < largest


@pytest.mark.parametrize("stall", [(0.8, 0.83), (0.8, 0.81), (0, 0)])
def test_nothing_is_read_that_has_not_been_written(stall):
    heard = run(Device(50, (128,), 1e-3, stall), Device(-50, (128,)), 1.2, ring=np.nan)
    assert (heard.record["starved"] > 0) == (stall[0] > 0)
    assert np.isfinite(heard.y).all()
    assert np.abs(heard.y).max() > 0.4


def card(index, api):
    return Card(index, "any", api, 1, 1, RATE)


@pytest.mark.parametrize(
    ("source", "sink", "server", "clocks"),
    [
        (card(1, "ALSA"), card(1, "ALSA"), False, 1),
        (card(1, "ALSA"), card(1, "ALSA"), True, 2),
        (card(1, "Core Audio"), card(1, "Core Audio"), True, 1),
        (card(1, "ALSA"), card(2, "ALSA"), False, 2),
        (card(1, "JACK Audio Connection Kit"), card(2, "JACK Audio Connection Kit"), True, 1),
        (card(1, "JACK Audio Connection Kit"), card(2, "ALSA"), False, 2),
    ],
)
def test_who_has_a_clock_of_his_own(source, sink, server, clocks):
    assert clocks_of(source, sink, lambda: server) == clocks


def test_without_a_second_clock_there_is_nothing_to_tell():
    engine = rtsep.Engine("bypass")
    engine.process(babble(480))
    meters = engine.meters()
    assert (meters.drift_ppm, meters.crossing_ms, meters.deposits) == (0, 0, 0)


def test_two_streams_on_a_real_server(jack_server, warm, own_folders):
    """PortAudio calls both compiled callbacks; what they measured is told."""
    words = ["--input", "system", "--output", "system", "--clocks", "2", "--seconds", "4"]
    command = [sys.executable, "-m", "rtsep.cli", "live", "--model", "bypass", "--json", *words]
    done = subprocess.run(
        command, env=jack_server.env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "each on its own clock" in done.stderr
    meters = json.loads(done.stdout)["meters"]
    assert meters["deposits"] > 100
    assert meters["blocks"] > 100
    assert meters["crossing_ms"] > 2 * 128 / 48
    assert abs(meters["drift_ppm"]) <= 1000
