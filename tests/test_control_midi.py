"""Real MIDI between processes: found by name, in order, pulled and put back; and none at all."""

import json
import os
import subprocess
import sys
import time
from statistics import median
from types import SimpleNamespace

import pytest
from control_room import until

from rtsep.control import midi
from rtsep.control.midi import find_port, plain

LEARN = ("midi", "learn", "strength", "--takeover", "pickup")
HERE = os.path.dirname(__file__)

SENDER = """
import json, sys, time, rtmidi
out, back, got = (rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="nano"),
                  rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name="nano"), [])
out.open_virtual_port("KONTROL")
back.open_virtual_port("KONTROL back")
back.set_callback(lambda event, _: got.append(event[0]))
bare = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="nano-bare")
print("up", flush=True)
for line in sys.stdin:
    told = json.loads(line)
    sent, bare_sent = [], []
    if any("ear" in port for port in bare.get_ports()) and not bare.is_port_open():
        bare.open_port(next(i for i, port in enumerate(bare.get_ports()) if "ear" in port))
    for message in told:
        sent.append(time.monotonic())
        out.send_message(message)
        time.sleep(0.003)
        if bare.is_port_open():
            bare_sent.append(time.monotonic())
            bare.send_message(message)
            time.sleep(0.003)
    print(json.dumps({"sent": sent, "bare": bare_sent, "got": got}), flush=True)
for each in (out, back, bare):
    each.delete()
"""

HEARER = """
import json, sys, time
from control_room import desk_for
from rtsep.control.mapping import Mapping
from rtsep.control.midi import Controller
from rtsep.control.surface import Surface

with desk_for() as desk:
    told = [Mapping("strength", "bend"), Mapping("output_gain", number=7)]
    surface, heard, said = Surface(desk, told), [], []
    desk.listen(lambda change: heard.append((change.id, change.value, time.monotonic())))
    controller = Controller(surface, "KONTROL", said.append)
    controller.start()
    print("up", flush=True)
    for line in sys.stdin:
        if line.strip():
            desk.ask(desk.turn, "output_gain", float(line), "socket").result(5)
        print(json.dumps({"heard": heard, "said": said, "port": controller.port}), flush=True)
    controller.close()
"""


# The same with an ear beside it that does nothing but look at the clock.
BESIDE = (
    HEARER.replace(
        '    print("up"',
        '''    import rtmidi
    ear, bare = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name="nano-ear"), []
    ear.open_virtual_port("ear")
    ear.set_callback(lambda event, _: bare.append((event[0], time.monotonic())))
    print("up"''',
    ).replace('"said": said', '"said": said, "bare": bare')
    + "    ear.delete()\n"
)


class Other:
    """A process that answers every line with one of JSON."""

    def __init__(self, script, env):
        paths = os.pathsep.join([HERE, os.path.dirname(HERE)])
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], env=env | {"PYTHONPATH": paths}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout.readline() == "up\n"

    def ask(self, line=""):
        print(line, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.wait()


def last_heard(hearer):
    return (hearer.ask()["heard"] or [(None, None, None)])[-1][1]


@pytest.fixture
def rtmidi():
    return pytest.importorskip("rtmidi", reason="python-rtmidi has no wheel for this Python")


def clients(server):
    """Names of a JACK server's clients, without the numbers that tell equal ones apart."""
    done = subprocess.run(["jack_lsp"], env=server.env, capture_output=True, text=True)
    return {line.partition(":")[0].partition("-")[0] for line in done.stdout.splitlines()}


@pytest.fixture
def start(jack_server, rtmidi):
    started = []

    def begin(script):
        started.append(Other(script, jack_server.env))
        return started[-1]

    yield begin
    for each in started:
        each.end()
    # A jackd that is told to end while it still counts on the dead leaves its slot taken.
    until(lambda: not {"nano", "rtsep"} & clients(jack_server))


def bend(i):
    return [0xE0, i & 0x7F, i >> 7]


def test_five_hundred_messages_in_order_and_hardly_later_than_they_can_be(start):
    """As late as the machine makes any message, by a bare ear in the same process, and no later."""
    sender, hearer = start(SENDER), start(BESIDE)
    until(lambda: hearer.ask()["port"] is not None)
    told = sender.ask(json.dumps([bend(i) for i in range(500)]))
    while last_heard(hearer) != 499 / 16383:  # a starved machine drops some
        sender.ask(json.dumps([bend(499)]))
    found = hearer.ask()
    heard = [(round(value * 16383), when) for _, value, when in found["heard"]]
    order = [i for i, _ in heard]
    assert order == sorted(order)
    ours = median(1000 * (when - told["sent"][i]) for i, when in heard)
    bare = [(fine | coarse << 7, when) for (_, fine, coarse), when in found["bare"]]
    least = median(1000 * (when - told["bare"][i]) for i, when in bare)
    print(f"MIDI to parameter: median {ours:.2f} ms of {len(heard)}, bare {least:.2f}")
    assert len(order) > 0.8 * len(bare) > 200, "it drops some; not so many"
    assert ours < 3 * least + 10


def test_a_controller_pulled_and_put_back_works_again_and_is_told_where_it_stands(start):
    hearer = start(HEARER)
    assert hearer.ask()["port"] is None
    for turn in (1, 2):
        sender = start(SENDER)
        until(lambda: hearer.ask()["port"] is not None)
        sender.ask(json.dumps([[0xB0, 7, 100 + turn]]))
        until(lambda turn=turn: last_heard(hearer) == (100 + turn) / 127 * 84 - 60)
        hearer.ask(str(-18))
        until(lambda sender=sender: sender.ask("[]")["got"][-1:] == [[0xB0, 7, 64]])
        sender.kill()
        until(lambda: hearer.ask()["port"] is None)
    said = hearer.ask()["said"]
    assert "no MIDI port 'KONTROL' (there are: none); waiting for it" in said
    assert said.count("MIDI from nano:KONTROL") == 2
    assert "MIDI: nano:KONTROL is gone; waiting for it" in said


def carries_a_fader_again(server, start, hearer):
    """Start a killed server again, and a controller with it."""
    server.start_again("jack_lsp")
    sender = start(SENDER)
    until(lambda: hearer.ask()["port"] is not None)
    sender.ask(json.dumps([[0xB0, 7, 101]]))
    until(lambda: last_heard(hearer) == 101 / 127 * 84 - 60)


def test_a_sound_server_killed_and_started_again_carries_the_fader_again(start, jack_server):
    hearer, sender = start(HEARER), start(SENDER)
    until(lambda: hearer.ask()["port"] is not None)
    jack_server.kill()
    sender.kill()
    until(lambda: hearer.ask()["port"] is None)
    carries_a_fader_again(jack_server, start, hearer)
    assert any("is gone; waiting" in said for said in hearer.ask()["said"])


def test_a_subsystem_that_was_not_there_is_found_when_it_comes(start, jack_server):
    jack_server.kill()
    hearer = start(HEARER)
    assert hearer.ask() == {
        "heard": [], "port": None,
        "said": ["MIDI: no MIDI subsystem answers (ALSA sequencer, JACK); waiting for it"],
    }  # fmt: skip
    carries_a_fader_again(jack_server, start, hearer)


def test_a_virtual_port_is_there_to_be_connected(start, jack_server):
    hearer = start(HEARER.replace('"KONTROL"', '"virtual"'))
    assert hearer.ask()["port"] == "whoever connects to rtsep-midi:control"
    ports = subprocess.run(["jack_lsp"], env=jack_server.env, capture_output=True, text=True)
    assert "rtsep-midi:control" in ports.stdout.split()


def rtsep(env, *words, program=("-m", "rtsep.cli")):
    return subprocess.run(
        [sys.executable, *program, *map(str, words)], env=env, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip


def test_the_ports_are_listed(start, jack_server):
    start(SENDER)
    done = rtsep(jack_server.env, "midi", "list")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "nano:KONTROL\n"


def test_a_fader_is_learned_by_the_command_and_remembered(start, jack_server, own_folders, warm):
    import numpy as np
    import soundfile as sf

    sf.write(own_folders / "mic.wav", np.zeros(48000 * 60), 48000)
    env = jack_server.env | {key: os.environ[key] for key in os.environ if key[:4] == "XDG_"}
    sender = start(SENDER)
    words = ["live", "-m", "bypass", "--input-file", own_folders / "mic.wav", "--midi", "kontrol"]
    live = subprocess.Popen(
        [sys.executable, "-m", "rtsep.cli", *map(str, words)], env=env,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert any("MIDI from nano:KONTROL" in line for line in live.stderr)
        learning = subprocess.Popen(
            [sys.executable, "-m", "rtsep.cli", *LEARN],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        while learning.poll() is None:
            sender.ask(json.dumps([[0xB3, 20, 127], [0xB3, 20, 126]]))
            time.sleep(0.1)
        assert "cc 20, channel 4" in learning.stdout.read()
        learning.stdout.close()
        sender.ask(json.dumps([[0xB3, 20, 127], [0xB3, 20, 0]]))
        until(lambda: rtsep(env, "get", "strength").stdout.strip() == "0", 60)
    finally:
        live.terminate()
        live.communicate(timeout=30)
    shown = rtsep(env, "preset", "show", "last").stdout
    assert 'takeover = "pickup"' in shown
    assert "channel = 4" in shown


def test_without_any_midi_one_line_says_so(rtmidi):
    env = os.environ | {"JACK_DEFAULT_SERVER": "rtsep_test_nobody", "JACK_NO_START_SERVER": "1"}
    if os.path.exists("/dev/snd/seq"):
        return
    done = rtsep(env, "midi", "list")
    assert done.returncode == 2
    assert "rtsep: no MIDI subsystem answers" in done.stderr


def test_without_rtmidi_one_line_names_the_package():
    script = "import sys; sys.modules['rtmidi'] = None; from rtsep.cli.main import run; run()"
    done = rtsep(os.environ, "midi", "list", program=("-c", script))
    assert done.returncode == 2
    assert done.stderr == "rtsep: python-rtmidi is missing: pip install 'rtsep[midi]'\n"


PORTS = ["nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0", "Launch Control:Launch Control MIDI 1 24:0",
         "Midi Through:Midi Through Port-0 14:0"]  # fmt: skip


def test_ports_are_found_by_part_of_their_name():
    assert find_port(PORTS, "nano") == PORTS[0]
    assert find_port(PORTS, "LAUNCH control") == PORTS[1]
    assert find_port([*PORTS, "nano:a 20:0"], "nano:a") == "nano:a 20:0"
    assert plain(PORTS[0]) == "nanoKONTROL2:nanoKONTROL2 MIDI 1"


class Port:
    """An end of rtmidi's that sees other ports at every look."""

    def __init__(self, *looks):
        self.looks, self.did = list(looks), []

    def get_ports(self):
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def __getattr__(self, name):
        return lambda *_, **__: self.did.append(name)


def test_a_controller_that_goes_while_it_is_being_found_is_waited_for(monkeypatch):
    nano = ["nano:nano 20:0"]
    ends = [Port([], nano, [], nano), Port([])]
    library = SimpleNamespace(API_UNIX_JACK=99)
    monkeypatch.setattr(midi, "rtmidi", lambda: library)
    monkeypatch.setattr(midi, "opened", lambda kind: ends[kind == "MidiOut"])
    monkeypatch.setattr(midi, "GLANCE", 0.01)
    said, desk = [], SimpleNamespace(post=lambda *_: None)
    surface = SimpleNamespace(desk=desk, hear=None, show_all=None, port="")
    controller = midi.Controller(surface, "nano", said.append)
    controller.start()
    until(lambda: controller.port == nano[0])
    controller.close()
    assert said[1:] == ["MIDI: nano:nano is gone; waiting for it", "MIDI from nano:nano"]


@pytest.mark.parametrize(
    ("ports", "wanted", "words"),
    [
        (PORTS, "MIDI 1", "'MIDI 1' is ambiguous: nanoKONTROL2:nanoKONTROL2 MIDI 1, Launch"),
        (PORTS, "lunch control", "no MIDI port 'lunch control' .nearest: 'Launch Control:"),
        ([], "nano", "no MIDI port 'nano' .there are: none"),
    ],
)
def test_no_port_or_several_are_told(ports, wanted, words):
    with pytest.raises(ValueError, match=words):
        find_port(ports, wanted)
