"""The virtual microphone: programs find it, its sound is separated, nothing stays behind."""

import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace as Told

import numpy as np
import pytest
import scipy.signal
import soundfile as sf
from control_room import until
from test_soundcard_flow import LEAD, RATE, flows, heard_live

import rtsep
from rtsep.learn import learn_basis
from rtsep.metrics.separation import si_sdr
from rtsep.ports.routing import find_device

RTSEP = [sys.executable, "-m", "rtsep.cli"]
MICROPHONE = "rtsep_main_microphone"
pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("warm", "own_home")]


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    """Presets and models that are no user's; the runtime folder is the server's."""
    for kind in ("DATA_HOME", "STATE_HOME", "CONFIG_HOME"):
        monkeypatch.setenv(f"XDG_{kind}", str(tmp_path / kind))


@pytest.fixture(params=["pulse_server", "pipewire_server"])
def server(request):
    return request.getfixturevalue(request.param)


def run(server, *words):
    done = subprocess.run(
        [*RTSEP, *words], env=server.env, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def listed(server, what="sources"):
    done = subprocess.run(
        ["pactl", "list", "short", what], env=server.env, capture_output=True, text=True, check=True
    )
    return {line.split("\t")[1] for line in done.stdout.splitlines()}


def default_source(server):
    env = {name: value for name, value in server.env.items() if name != "PULSE_SOURCE"}
    return subprocess.check_output(["pactl", "get-default-source"], env=env, text=True).strip()


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Below 1 kHz: a resampler between two clocks moves nothing in it that a tenth of a second
    would tell.
    """
    noise = np.random.default_rng(0).standard_normal(RATE * 6)
    spectrum = np.fft.rfft(noise)
    spectrum[6 * 1000 :] = 0
    noise = np.fft.irfft(spectrum)
    noise *= 0.1 / noise.std()
    path = tmp_path_factory.mktemp("virtual") / "played.wav"
    sf.write(path, np.concatenate([np.zeros(RATE * LEAD), noise]), RATE, subtype="FLOAT")
    return path


def test_route_makes_keeps_and_removes_its_own_devices_alone(server):
    before = listed(server), listed(server, "sinks")
    assert run(server, "route", "status")[1] == "no virtual device of rtsep here\n"
    assert run(server, "route", "up")[1] == "rtsep microphone: made\n"
    assert run(server, "route", "up")[1] == "rtsep microphone: is there already\n"
    assert run(server, "route", "up", "--instance", "b", "--playback")[0] == 0
    told = json.loads(run(server, "route", "status", "--json")[1])
    assert [(each["name"], each["users"]) for each in told] == [
        ("rtsep_b_speaker", 0), (MICROPHONE, 0),
    ]  # fmt: skip
    assert listed(server) - before[0] >= {MICROPHONE}
    assert run(server, "route", "down")[1] == "rtsep microphone: removed\n"
    assert run(server, "route", "down")[1] == "rtsep microphone: was not there\n"
    assert "rtsep_b_speaker" in listed(server, "sinks")
    assert run(server, "route", "down", "--instance", "b", "--playback")[0] == 0
    assert (listed(server), listed(server, "sinks")) == before


def test_pulseaudios_null_sink_works_in_small_steps(pulse_server):
    """Else who records has what is said two seconds later."""
    assert run(pulse_server, "route", "up")[0] == 0
    told = subprocess.check_output(["pactl", "list", "sinks"], env=pulse_server.env, text=True)
    (ours,) = [each for each in told.split("\n\n") if f"Name: {MICROPHONE}_feed" in each]
    assert float(ours.partition("configured ")[2].split()[0]) <= 50_000, ours  # us


def live(server, *words):
    process = subprocess.Popen(
        [*RTSEP, "live", "--virtual", "--model", "bypass", *words],
        env=server.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stderr:
        if line.startswith("from "):
            return process
    pytest.fail(f"ended with {process.wait()}")


@pytest.mark.parametrize(
    ("words", "own"),
    [(["--virtual"], True), (["--playback"], True), (["--playback", "--clocks", "1"], False)],
)
def test_each_end_has_a_stream_of_its_own_unless_told(server, words, own):
    """In one stream both ways what has piled up once stays its delay, and it may wait busily."""
    done = run(server, "live", *words, "--model", "bypass", "--seconds", "0.1")
    assert done[0] == 0, done[2]
    assert ("each on its own clock" in done[2]) == own, done[2]


def test_it_comes_with_the_stream_goes_with_it_and_gives_the_default_back(server):
    chosen = "mic_feed.monitor"  # not what a server falls back to by itself
    subprocess.run(["pactl", "set-default-source", chosen], env=server.env, check=True)
    until(lambda: default_source(server) == chosen)
    before = listed(server)
    process = live(server, "--default")
    assert MICROPHONE in listed(server)
    until(lambda: default_source(server) == MICROPHONE)  # PipeWire: by way of its session manager
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert listed(server) == before
    until(lambda: default_source(server) == chosen)


def test_what_a_crashed_run_left_is_used_again_and_removed(server):
    before = listed(server)
    process = live(server)
    process.kill()
    process.wait()
    assert MICROPHONE in listed(server)
    process = live(server)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert listed(server) == before


ROUTED = """
import os, sys
from rtsep.ports.routing import default_device, routed
from rtsep.ports.virtual import Virtual

virtual = Virtual(sys.argv[1])
with routed(virtual) as route, default_device(virtual):
    print(route.source, flush=True)
    sys.argv[2] == "crash" and os._exit(9)
"""


def test_after_a_crash_the_microphone_of_before_is_recorded_and_given_back(server):
    """Not rtsep's own, which is the default still, nor any other."""
    chosen = "virt_out.monitor"  # not the first there is
    subprocess.run(["pactl", "set-default-source", chosen], env=server.env, check=True)
    until(lambda: default_source(server) == chosen)
    for words in (["main", "crash"], ["second", "crash"], ["second", "end"], ["main", "end"]):
        done = subprocess.run(
            [sys.executable, "-c", ROUTED, *words], env=server.env, capture_output=True, text=True
        )
        assert done.stdout == chosen + "\n", done.stderr
    until(lambda: default_source(server) == chosen)


JABRA = [
    Told(name="alsa_output.usb-Jabra.monitor", description="Monitor of Jabra Evolve Stereo"),
    Told(name="alsa_input.usb-Jabra.mono", description="Jabra Evolve Mono"),
    Told(name="alsa_output.hdmi.monitor", description="Monitor of HDMI"),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("jabra", "alsa_input.usb-Jabra.mono"),
        ("monitor of jabra", "alsa_output.usb-Jabra.monitor"),
        ("hdmi", "alsa_output.hdmi.monitor"),
    ],
)
def test_a_headset_is_found_by_part_of_its_name_though_what_it_plays_has_it_too(wanted, found):
    assert find_device(JABRA, wanted, "input") == found


@pytest.mark.parametrize("words", [[], ["--playback"]])
def test_a_device_in_use_is_not_taken_away(server, words):
    """Nor made to last; nor while nobody records it and its stream rests."""
    process = live(server, *words)
    what = "speaker" if words else "microphone"
    for verb in ("down", "up"):
        code, _, errors = run(server, "route", verb, *words)
        assert code == 2
        assert errors == f"rtsep: rtsep {what} is in use by a running rtsep (end that first)\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert run(server, "route", "down", *words)[1] == f"rtsep {what}: was not there\n"


def test_two_instances_at_once(server):
    first, second = live(server), live(server)
    assert {MICROPHONE, "rtsep_main2_microphone"} <= listed(server)
    for process in (second, first):
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_what_is_played_into_the_microphone_comes_out_of_the_virtual_one(server, played, tmp_path):
    words = ["--virtual", "--input", "mic_feed.monitor", "--device-latency", "0.04"]
    report = flows(server, words, played, tmp_path, MICROPHONE)
    assert report is not None
    assert report["meters"]["deposits"] > 0  # on two clocks


def test_it_comes_out_separated(pulse_server, tmp_path):
    """A noise that was learned, and a voice-like sound that was not."""
    random, t = np.random.default_rng(0), np.arange(6 * RATE) / RATE
    noise = 0.1 * random.standard_normal(8 * RATE)
    pitch = 2 * np.pi * np.cumsum(150 + 40 * np.sin(2 * np.pi * t)) / RATE
    voice = 0.05 * sum(np.sin(k * pitch) / k for k in range(1, 20)) * (np.sin(4 * t) > -0.3)
    lead = np.zeros(LEAD * RATE)
    sf.write(tmp_path / "mixture.wav", np.r_[lead, voice + noise[: len(voice)]], RATE, "FLOAT")
    rtsep.save(tmp_path / "fan.npz", learn_basis([(noise[-2 * RATE :], RATE)], name="fan"))
    words = ["--virtual", "--input", "mic_feed.monitor", "--device-latency", "0.04"]
    words += ["--model", str(tmp_path / "fan.npz"), "--clocks", "1"]  # compared by the sample
    before = si_sdr(voice, voice + noise[: len(voice)])
    after = max(best_si_sdr(voice, heard(pulse_server, words, tmp_path)[0]) for _ in range(2))
    assert after > before + 4
    stem = heard(pulse_server, [*words, "--stems"], tmp_path, f"{MICROPHONE}_unknown")[0]
    assert best_si_sdr(voice, stem) > before + 2


def test_each_source_is_a_microphone_of_its_own_and_together_they_are_the_input(
    server, played, tmp_path
):
    before = listed(server)
    process = live(server, "--stems", "--model", "rain", "--input", "mic_feed.monitor")
    stems = {f"{MICROPHONE}_rain", f"{MICROPHONE}_unknown"}
    assert stems <= listed(server)
    process.kill()
    process.wait()
    process = live(server)  # one channel again: what was left over does not fit
    assert MICROPHONE in listed(server)
    assert not stems & listed(server)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert listed(server) == before
    words = ["--virtual", "--stems", "--input", "mic_feed.monitor", "--device-latency", "0.04"]
    words += ["--model", "rain"]
    assert flows(server, words, played, tmp_path, MICROPHONE) is not None
    assert listed(server) == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--stems", "--playback"], "--stems takes neither --playback nor --input-file"),
        (["--virtual", "--stems", *["-m", "rain", "-m", "fire", "-m", "sea"] * 3], "10 channels"),
    ],
)
def test_stems_that_cannot_be_are_one_line(pulse_server, words, line):
    code, _, errors = run(pulse_server, "live", *words)
    assert code == 2
    assert line in errors.splitlines()[-1]
    assert not any(name.startswith("rtsep_main") for name in listed(pulse_server))


def heard(server, words, folder, microphone=MICROPHONE):
    return heard_live(server, words, folder / "mixture.wav", folder, microphone)


def best_si_sdr(reference, recorded):
    """SI-SDR in dB of a second of the reference, where it lies in what was recorded: the median
    of four, since a server without time leaves a gap now and then."""

    def of_piece(piece):
        found = scipy.signal.correlate(recorded, piece, "valid", method="fft")
        at = int(np.argmax(np.abs(found)))
        return si_sdr(piece, recorded[at : at + len(piece)])

    return np.median([of_piece(reference[i * RATE : (i + 1) * RATE]) for i in range(1, 5)])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--virtual", "--input", "nothing like it"], "no input 'nothing like it' (nearest:"),
        (["--virtual", "--output", "x"], "--virtual takes no --output (given: x)"),
        (["--playback", "--input", "x"], "--playback takes no --input (given: x)"),
        (["--default"], "--default needs --virtual or --playback"),
        (["--virtual", "--instance", "a/b"], "instance 'a/b' is no name"),
    ],
)
def test_bad_words_are_one_line(pulse_server, words, line):
    code, out, errors = run(pulse_server, "live", "--model", "bypass", *words)
    assert (code, out) == (2, "")
    assert errors.count("\n") == 1
    assert line in errors
    assert not any(name.startswith("rtsep_main") for name in listed(pulse_server))


def test_without_a_server_one_line(tmp_path):
    env = os.environ | {"PULSE_SERVER": f"unix:{tmp_path}/none", "XDG_RUNTIME_DIR": str(tmp_path)}
    for words in (["route", "up"], ["route", "status"], ["live", "--virtual", "-m", "bypass"]):
        done = subprocess.run([*RTSEP, *words], env=env, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("rtsep: no PulseAudio and no PipeWire")
