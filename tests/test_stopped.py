"""Nobody records for a while: the streams themselves stop, and go on as soon as somebody does."""

import contextlib
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from control_room import desk_for, until
from test_listeners import asked, end, loud, noise, own_home, recorder, server
from test_virtual import MICROPHONE, live
from two_clocks import EPOCH, Device
from two_clocks import run as in_simulated_time

import rtsep
from models import babble, model
from rtsep.control.lesson import Lesson
from rtsep.control.places import socket_path
from rtsep.control.wire import Line
from rtsep.ports import soundcard
from rtsep.ports.devices import Device as Card
from rtsep.ports.live import call_stream
from rtsep.ports.portaudio import Route
from rtsep.ports.soundcard import SoundcardStream, SoundServerLost

__all__ = ["asked", "noise", "own_home", "server"]
RATE, CARD = 48000, Card(0, "pulse", "ALSA", 2, 2, 48000)


class PortAudio:
    """A stream that calls the engine when told to."""

    latency = (0.01, 0.01)

    def __init__(self):
        self.did, self.hangs, self.fails = [], threading.Event(), False

    def start(self):
        self.did.append("start")
        if self.fails:
            raise OSError("the server is gone")

    def stop(self):
        self.did.append("stop")
        while self.hangs.is_set():
            time.sleep(0.01)

    def close(self):
        self.did.append("close")


@pytest.fixture
def device(monkeypatch):
    device = PortAudio()
    monkeypatch.setattr(soundcard, "open_stream", lambda *_: device)
    monkeypatch.setattr(soundcard, "UNHEARD", 0.3)
    yield device
    device.hangs.clear()


@pytest.fixture
def stream(device):
    with SoundcardStream(rtsep.Engine(model()), Route(CARD, CARD, RATE, 1)) as stream:
        play(stream)
        yield stream
        device.hangs.clear()


def play(stream, seconds=0.2):
    """What the device calls while it is started."""
    return call_stream(stream.engine, babble(round(seconds * RATE), seed=3)[:, None].copy())


def left_alone(stream):
    """Told that nobody hears it until it stops."""
    until(lambda: stream.heed(False) or stream.stopped)


def test_it_stops_when_nobody_has_heard_it_for_long_and_starts_at_once(stream, device):
    stream.heed(True)
    stream.heed(False)
    assert not stream.stopped
    left_alone(stream)
    assert device.did == ["start", "stop"]
    assert stream.engine.halted
    assert not stream.engine.live
    stream.heed(False)
    stream.heed(True)
    assert device.did == ["start", "stop", "start"]
    assert (stream.engine.live, stream.engine.halted, stream.engine.unheard) == (True, False, False)


def test_without_its_device_it_stops_at_once_whoever_hears(stream, device):
    stream.heed(True, False)
    assert stream.stopped
    stream.check()
    stream.heed(True, False)
    stream.heed(True)
    assert not stream.stopped
    assert device.did == ["start", "stop", "start"]


def test_a_stopped_stream_is_no_dead_server(stream, device, monkeypatch):
    monkeypatch.setattr(soundcard, "STALL", 0.05)
    left_alone(stream)
    for _ in range(10):
        stream.check()
        time.sleep(0.02)
    stream.heed(True)
    with pytest.raises(SoundServerLost):  # started, it has to call
        until(lambda: stream.check())
    assert device.did == ["start", "stop", "start"]


def test_a_server_that_died_meanwhile_is_found_at_the_start(stream, device):
    left_alone(stream)
    device.fails = True
    stream.heed(True)
    with pytest.raises(SoundServerLost, match="no longer answers"):
        stream.check()


def test_a_server_that_dies_while_it_stops_is_found(stream, device, monkeypatch):
    monkeypatch.setattr(soundcard, "STALL", 0.05)
    monkeypatch.setattr(soundcard, "PATIENCE", 0.05)
    device.hangs.set()
    with pytest.raises(SoundServerLost):
        until(lambda: stream.heed(False) or stream.check())


def test_a_stopped_stream_is_closed_without_another_stop(stream, device):
    left_alone(stream)
    stream.close()
    stream.heed(True)
    assert device.did == ["start", "stop", "close"]


def test_what_control_does_meanwhile_is_done(stream):
    left_alone(stream)
    engine = stream.engine
    assert max(engine.meters().input_db) == -120
    engine.set("strength", 0.25)
    for name in ("one", "two", "three"):  # each would wait for a running stream to take the last
        engine.swap(model(name, seed=len(name)))
    assert engine.snapshot() is not None
    stream.heed(True)
    play(stream)
    assert engine.sources[0] == "three"
    assert engine.get("strength") == 0.25
    assert max(engine.meters().input_db) > -60
    assert engine._state["active"] == engine._state["requested"]


def test_nothing_of_before_is_heard_after(stream):
    stream.engine.unheard = False
    play(stream)
    left_alone(stream)
    stream.heed(True)
    silence = babble(RATE // 10)[:, None] * 0
    assert not call_stream(stream.engine, silence.copy()).any()


def test_a_lesson_has_the_stream_go_on(stream, tmp_path):
    left_alone(stream)
    going = threading.Event()

    def heeding():
        while not going.wait(0.01):
            stream.heed(False)
            if not stream.stopped:
                play(stream, 0.02)

    def learn(samples, rate, name, role):
        assert len(samples) == rate // 2
        rtsep.save(tmp_path / f"{name}.npz", model(name, seed=4))
        return tmp_path / f"{name}.npz"

    listener = threading.Thread(target=heeding)
    listener.start()
    try:
        with desk_for(stream.engine) as desk:
            told = Lesson(desk, learn).teach({"name": "drill", "seconds": 0.5})
        assert told["sources"][0] == "drill"
        until(lambda: stream.stopped)
    finally:
        going.set()
        listener.join()


def test_two_clocks_go_on_with_what_they_know():
    """After a halt the delay is what it was, and there soon; a young guess of the drift is none."""
    for seconds, known in ((60, True), (10, False)):
        source, sink = Device(100, (128,)), Device(-100, (128,))
        before = in_simulated_time(source, sink, seconds)
        after = in_simulated_time(
            source, sink, 20, resumed=before.record, epoch=EPOCH + seconds + 100
        )
        ppm = 1e6 * after.first_integral
        assert ppm == pytest.approx(200 if known else 0, abs=20)
        assert after.record["target"] == before.record["target"]
        assert after.record["restarts"] == 0
        sounding = after.seconds[~(after.delay != after.delay)]
        assert sounding[0] < 0.4


def test_an_input_that_starts_later_is_waited_for():
    """What it said before the halt is not taken for now."""
    before = in_simulated_time(Device(), Device(), 40)
    late = Device(stall=(0, 0.5), lost=True)
    after = in_simulated_time(late, Device(), 5, resumed=before.record, epoch=EPOCH + 100)
    assert after.record["restarts"] == 0
    assert after.record["starved"] == before.record["starved"] == 0


# with real servers


def ask(**request):
    with Line(socket_path("main")) as line:
        return line.ask(**request)


def stands():
    """Whether no sound comes in."""
    before = ask(do="get", id="meters.samples")
    time.sleep(0.3)
    return before == ask(do="get", id="meters.samples")


def worked(process):
    """Processor time so far, in ticks."""
    words = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def share(process, seconds):
    before = worked(process)
    time.sleep(seconds)
    return worked(process) - before


@pytest.mark.servers
def test_it_costs_next_to_nothing_and_comes_back(server, warm, noise, asked, tmp_path):
    process = live(server, "--input", "mic_feed.monitor", "--model", "rain")
    until(stands, 60)
    assert asked()["resting"] == "nobody records"
    unheard = share(process, 4)
    ask(do="set", id="strength", value=0.5)
    assert ask(do="swap", models=["fire"])["sources"][0] == "fire"
    recording = recorder(server, tmp_path / "heard", MICROPHONE)
    until(lambda: loud(tmp_path / "heard"), 60)
    assert asked()["resting"] == ""
    heard = share(process, 4)
    print(f"unheard {unheard}, heard {heard} ticks")
    assert unheard <= heard / 4
    assert ask(do="get", id="strength")["value"] == 0.5
    end(recording)
    until(stands, 60)
    teaching = threading.Thread(target=listen_for_long, daemon=True)
    teaching.start()
    until(lambda: not stands(), 60)
    assert end(process) == 0


def listen_for_long():
    with contextlib.suppress(OSError, ValueError):  # until the end of whom it asks
        ask(do="teach", name="hiss", seconds=600)


@pytest.mark.servers
def test_a_server_killed_while_it_is_stopped(pulse_server, warm, own_home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", pulse_server.env["XDG_RUNTIME_DIR"])
    process = live(pulse_server, "--input", "mic_feed.monitor")
    until(stands, 60)
    pulse_server.kill()
    alarm = threading.Timer(60, process.kill)
    alarm.start()
    assert any("waiting for it" in line for line in process.stderr)
    pulse_server.start_again("pactl", "info")
    assert any(line.startswith("from ") for line in process.stderr)
    alarm.cancel()
    threading.Thread(target=process.stderr.read, daemon=True).start()
    words = ["paplay", "--raw", "--rate=48000", "--channels=1", "--format=s16le", "-d", "mic_feed"]
    playing = subprocess.Popen([*words, "--latency-msec=50", "/dev/urandom"], env=pulse_server.env)
    recording = recorder(pulse_server, tmp_path / "heard", MICROPHONE)
    until(lambda: loud(tmp_path / "heard"), 60)
    for each in (recording, playing):
        end(each)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
