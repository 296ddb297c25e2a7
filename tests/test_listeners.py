"""Who records the virtual microphone: nothing is separated for nobody, all of it for anybody."""

import json
import signal
import subprocess
import time
from types import SimpleNamespace as Told

import numpy as np
import pytest
from control_room import until
from test_soundcard_flow import RATE
from test_virtual import MICROPHONE, live, own_home, run, server

from rtsep.control.places import socket_path
from rtsep.control.wire import Line
from rtsep.ports.listeners import is_recorded
from rtsep.ports.virtual import Virtual, wanted_modules

__all__ = ["own_home", "server"]
STEMS = ("fan", "un known")


class Pulse:
    """A sound server's lists: two microphones of rtsep among other devices.  Ours plays."""

    def __init__(self):
        self.modules, self.sources, self.sinks = (
            [],
            [Told(index=0, name="mic", state="running")],
            [],
        )
        for virtual, stems in ((Virtual(), STEMS), (Virtual("main2"), ())):
            for kind, arguments, _ in wanted_modules(virtual, 1, stems):
                self.make(kind, arguments)
        self.outputs = [Told(source=0, owner_module=None)]  # rtsep, of the real one
        remaps = [module for module in self.modules if "remap" in module.name]
        for module in remaps:
            master = module.argument.partition("master=")[2].split()[0]
            self.outputs.append(Told(source=self.index(master), owner_module=module.index))
        self.inputs = [Told(sink=sink.index) for sink in self.sinks]

    def make(self, kind, arguments):
        name = arguments.partition("_name=")[2].split()[0]
        index = 10 + len(self.modules)
        self.modules.append(Told(index=index, name=kind, argument=arguments + " "))
        if "null" in kind:
            self.sinks.append(Told(index=index, name=name))
            name += ".monitor"
        state = "running" if "null" in kind else "idle"
        self.sources.append(Told(index=index, name=name, state=state))

    def index(self, name):
        return next(source.index for source in self.sources if source.name == name)

    module_list = property(lambda self: lambda: self.modules)
    source_list = property(lambda self: lambda: self.sources)
    sink_list = property(lambda self: lambda: self.sinks)
    source_output_list = property(lambda self: lambda: self.outputs)
    sink_input_list = property(lambda self: lambda: self.inputs)


def recorded(pulse):
    return is_recorded(pulse, Virtual(), STEMS)


def test_our_own_streams_are_nobody():
    assert not recorded(Pulse())


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (MICROPHONE, True), (f"{MICROPHONE}_fan", True), (f"{MICROPHONE}_un_known", True),
        (f"{MICROPHONE}_feed.monitor", True), ("mic", False), ("rtsep_main2_microphone", False),
        ("rtsep_main2_microphone_feed.monitor", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("module", [None, 99])
def test_whoever_records_any_of_it_counts(name, ours, module):
    pulse = Pulse()
    pulse.outputs.append(Told(source=pulse.index(name), owner_module=module))
    assert recorded(pulse) == ours


def test_one_that_shows_by_the_microphones_running_counts():
    pulse = Pulse()
    pulse.sources[pulse.sources.index(
        next(each for each in pulse.sources if each.name == f"{MICROPHONE}_fan"))
    ].state = "running"  # fmt: skip
    assert recorded(pulse)


def test_sound_that_was_led_elsewhere_never_rests():
    pulse = Pulse()
    pulse.inputs = [Told(sink=0)]
    assert recorded(pulse)


# with real servers


@pytest.fixture
def asked(server, monkeypatch):
    """What the running instance answers to its status."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", server.env["XDG_RUNTIME_DIR"])

    def ask():
        with Line(socket_path("main")) as line:
            return line.ask(do="status")

    return ask


def rests(asked):
    return asked()["resting"] == "nobody records"


@pytest.fixture
def noise(server):
    """Into the microphone, for as long as the test takes."""
    words = ["paplay", "--raw", "--rate=48000", "--channels=1", "--format=s16le"]
    playing = subprocess.Popen(
        [*words, "--volume=20000", "--latency-msec=50", "-d", "mic_feed", "/dev/urandom"],
        env=server.env,
    )
    yield
    playing.terminate()
    playing.wait()


def recorder(server, path, device=MICROPHONE):
    words = ["parec", "-d", device, "--latency-msec=20", f"--rate={RATE}", "--channels=1"]
    with path.open("wb") as file:
        return subprocess.Popen([*words, "--format=float32le"], env=server.env, stdout=file)


def end(process):
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    return process.returncode


@pytest.mark.servers
def test_it_rests_until_somebody_records_and_rests_again(server, warm, noise, asked, tmp_path):
    process = live(server, "--input", "mic_feed.monitor", "--stems", "--model", "rain")
    for device in (MICROPHONE, f"{MICROPHONE}_unknown"):
        until(lambda: rests(asked), 60)
        hops = asked_hops(server)
        recording = recorder(server, tmp_path / "heard", device)
        until(lambda: asked()["resting"] == "", 60)
        until(lambda: loud(tmp_path / "heard"), 60)
        end(recording)
        until(lambda: rests(asked), 60)
        assert asked_hops(server) > hops
    assert end(process) == 0


def asked_hops(server):
    return int(run(server, "get", "meters.idle_hops")[1])


def loud(path):
    """Whether the last half second of what was recorded is sound."""
    samples = np.fromfile(path, np.float32)[-RATE // 2 :]
    return len(samples) == RATE // 2 and np.sqrt(np.mean(samples**2)) > 1e-3


@pytest.mark.servers
def test_people_are_told_why(pulse_server, warm, own_home):
    process = live(pulse_server, "--input", "mic_feed.monitor")
    assert any(line.endswith("  resting: nobody records\n") for line in process.stderr)
    assert run(pulse_server, "get")[1].endswith("\nresting: nobody records\n")
    assert json.loads(run(pulse_server, "get", "--json")[1])["resting"] == "nobody records"
    assert end(process) == 0


@pytest.mark.servers
def test_what_does_not_end_in_the_virtual_microphone_alone_never_rests(
    pulse_server, warm, own_home
):
    ways = {"main": ["--always"], "main2": ["--playback", "--output", "virt_out"]}
    processes = [live(pulse_server, *words) for words in ways.values()]
    time.sleep(3)
    for name in ways:
        asked = run(pulse_server, "get", "meters.resting", "--instance", name)
        assert asked[1] in ("0\n", "1\n")
    assert [end(process) for process in processes] == [0, 0]


@pytest.mark.servers
def test_a_patch_without_a_stream_counts_too(pipewire_server, warm, own_home):
    """As JACK's clients make it: no recording stream, but the microphone runs."""
    process = live(pipewire_server, "--input", "mic_feed.monitor")

    def resting():
        return run(pipewire_server, "get", "meters.resting")[1] == "2\n"

    until(resting, 60)
    link = ["pw-link", "rtsep microphone:capture_MONO", "virt_out:playback_MONO"]
    subprocess.run(link, env=pipewire_server.env, check=True)
    until(lambda: not resting(), 60)
    subprocess.run([link[0], "-d", *link[1:]], env=pipewire_server.env, check=True)
    until(resting, 60)

    def heard_elsewhere():
        """A stream that is just being stopped does not always let itself be moved."""
        for sound in sink_inputs(pipewire_server, process.pid):
            move = ["pactl", "move-sink-input", sound, "virt_out"]
            subprocess.run(move, env=pipewire_server.env)
        return not resting()

    until(heard_elsewhere, 60)
    assert end(process) == 0


def sink_inputs(server, pid):
    """Numbers of the streams that a process plays."""
    told = subprocess.check_output(["pactl", "list", "sink-inputs"], env=server.env, text=True)
    mine = [each for each in told.split("\n\n") if f'application.process.id = "{pid}"' in each]
    return [each.split("#")[1].split()[0] for each in mine]
