"""The commands that need a sound card, on a server of their own."""

import json
import signal
import subprocess
import sys

import pytest

RTSEP = [sys.executable, "-m", "rtsep.cli"]
JACK = ["--input", "system", "--output", "system"]
pytestmark = pytest.mark.usefixtures("warm")

# Numba announces every compilation; after a start with a warm cache there is none.
UNCOMPILED = """
import sys
from numba.core import event

class Listener(event.Listener):
    def on_start(self, happened):
        print("compiled:", happened.data, file=sys.stderr)
    def on_end(self, happened):
        pass

event.register("numba:compile", Listener())
event.register("numba:run_pass", Listener())
from rtsep.cli.main import run
run()
"""


def run(server, *words, program=RTSEP):
    return subprocess.run(
        [*program, *map(str, words)], env=server.env, capture_output=True, text=True, timeout=60
    )


def live(server, *words):
    done = run(server, "live", "-m", "bypass", *JACK, *words)
    assert done.returncode == 0, done.stderr
    return done


def test_live_ends_by_itself(jack_server):
    report = json.loads(live(jack_server, "--seconds", 2, "--json").stdout)
    assert 2 <= report["seconds"] < 3
    assert report["meters"]["blocks"] > 300
    assert report["device_latency"] is None or max(report["device_latency"]) < 10
    assert (report["rate"], report["channels"]) == (48000, 1)


def test_nothing_compiles_in_a_fresh_process(jack_server):
    live(jack_server, "--seconds", 0.1)
    program = [sys.executable, "-c", UNCOMPILED]
    done = run(jack_server, "live", "-m", "bypass", *JACK, "--seconds", 0.5, program=program)
    assert done.returncode == 0, done.stderr
    assert "compiled:" not in done.stderr
    assert "compiling" not in done.stderr


def test_devices_lists_both_directions(jack_server):
    found = json.loads(run(jack_server, "devices", "--json").stdout)
    system = next(device for device in found if device["name"] == "system")
    assert (system["inputs"], system["outputs"], system["rate"]) == (1, 1, 48000)
    assert "JACK" in run(jack_server, "devices").stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--input", "sistem"], "nearest: 'system'"),
        (["--input", "99"], "no input device 99"),
        (["--rate", "44100"], "44100"),
        (["--channels", "2"], "2 channels"),
        (["--host-api", "asio"], "no host API 'asio'"),
    ],
)
def test_wrong_devices_are_one_line(jack_server, words, reason):
    done = run(jack_server, "live", "-m", "bypass", *JACK, *words)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("rtsep: ")
    assert reason in line


def test_ctrl_c_is_the_normal_end(jack_server):
    words = [*RTSEP, "live", "-m", "bypass", *JACK, "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(words, env=jack_server.env, **pipes)
    while " s  input" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    told, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert json.loads(told)["meters"]["blocks"] > 100


def test_a_server_that_dies_ends_live_with_one_line_where_it_shall_not_wait(jack_server):
    words = [*RTSEP, "live", "-m", "bypass", "--once", *JACK]
    process = subprocess.Popen(words, env=jack_server.env, stderr=subprocess.PIPE, text=True)
    while " s  input" not in process.stderr.readline():
        pass
    jack_server.kill()
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2, errors
    assert errors.splitlines()[-1].startswith("rtsep: the sound server of")


def test_learn_from_the_microphone(pulse_server, tmp_path):
    feed = subprocess.Popen(
        "pacat -d mic_feed --raw --format=float32le --rate=48000 --channels=1 --latency-msec=50"
        f" < <({sys.executable} -c \"import numpy as np, sys; sys.stdout.buffer.write((0.1 *"
        " np.random.default_rng(0).standard_normal(48000 * 30)).astype('f4').tobytes())\")",
        shell=True, executable="/bin/bash", env=pulse_server.env,
    )  # fmt: skip
    try:
        words = [
            "--live",
            3,
            "-o",
            tmp_path / "hiss.npz",
            "--rank",
            4,
            "--input",
            "pulse",
            "--json",
        ]
        done = run(pulse_server, "learn", *words)
    finally:
        feed.kill()
        feed.wait()
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)
    assert card["trained_on"][0]["seconds"] == 3
    assert "recording 3 s" in done.stderr
