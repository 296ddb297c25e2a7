"""The local socket: who may speak, what is answered, and what hostile clients cannot do."""

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from command_line import refused
from control_room import desk_for, served_line, sounding

import rtsep
from models import model
from rtsep.cli.serving import free_instance
from rtsep.control import places
from rtsep.control.lesson import Lesson
from rtsep.control.places import (
    answers,
    chosen,
    claim,
    free_name,
    hand_over,
    runtime_folder,
    socket_path,
    take_over,
)
from rtsep.control.serve import DEAF, serve
from rtsep.control.server import CLIENTS
from rtsep.control.wire import LONGEST_LINE, Line, Refused


@pytest.fixture(autouse=True)
def runtime(own_folders):
    return own_folders / "run"


def raw(instance="main"):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(socket_path(instance)))
    return connection


def test_get_set_toggle_and_status():
    engine = rtsep.Engine("bypass")
    with served_line(engine) as (_, line):
        assert line.ask(do="set", id="strength", value=0.6)["value"] == 0.6
        assert engine.get("strength") == 0.6
        assert line.ask(do="get", id="strength")["value"] == 0.6
        assert line.ask(do="toggle", id="bypass")["value"] == 1
        assert line.ask(do="get")["values"]["bypass"] == 1
        assert line.ask(do="get", id="meters.latency_ms")["value"] == 5
        assert line.ask(do="status")["pid"] == os.getpid()
        assert len(line.ask(do="describe")["parameters"]) == len(engine.parameters)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"hello", "no JSON"),
        (b"[1]", "a list (wanted: an object"),
        (b"[" * 60000, "no JSON"),
        (b'{"do": 3}', "'do' is '3' (wanted: get, describe, set"),
        (b'{"do": "fly"}', "'do' is 'fly'"),
        (b'{"do": "set"}', "'set' needs 'id'"),
        (b'{"do": "set", "id": "strength"}', "needs 'value'"),
        (b'{"do": "set", "id": "strength", "value": [1]}', "'value' is '[1]'"),
        (b'{"do": "set", "id": ["x"], "value": 1}', "'id' is"),
        (b'{"do": "set", "id": "strength", "value": 2}', "strength=2 is outside 0..1"),
        (b'{"do": "set", "id": "strength", "value": NaN}', "strength=nan is outside"),
        (b'{"do": "set", "id": "strength", "value": 1e999}', "strength=inf is outside"),
        (b'{"do": "set", "id": "strength", "value": ' + b"9" * 5000 + b"}", "no JSON"),
        (b'{"do": "get", "id": "\\ud800"}', "no parameter"),
        (b'{"do": "watch", "meters": 0}', "meters=0 is outside"),
        (b'{"do": "swap", "models": [1]}', "'models' is"),
        (b"\xff\xfe", "no JSON"),
    ],
)  # fmt: skip
def test_bad_requests_get_one_line_and_the_connection_stays(sent, words):
    with served_line() as _, raw() as client:
        file = client.makefile("rb")
        client.sendall(sent + b"\n")
        answer = json.loads(file.readline())
        assert not answer["ok"]
        assert words in answer["error"]
        client.sendall(b'{"do": "get", "id": "strength"}\n')
        assert json.loads(file.readline()) == {"ok": True, "value": 1.0}


def test_a_line_over_the_limit_ends_its_connection():
    with served_line() as (_, line), raw() as client:
        client.sendall(b"x" * (LONGEST_LINE + 1))
        answer = json.loads(client.makefile("rb").readline())
        assert f"a line over {LONGEST_LINE} bytes" in answer["error"]
        assert line.ask(do="get", id="strength")["ok"]


def test_watchers_hear_every_change():
    with served_line() as (_, line), Line(socket_path("main")) as watcher:
        watcher.ask(do="watch", meters=0.05)
        line.ask(do="set", id="strength", value=0.25)
        events = watcher.messages()
        change = next(event for event in events if event["event"] == "change")
        assert change == {"event": "change", "id": "strength", "value": 0.25, "from": "socket"}
        assert next(e for e in events if e["event"] == "meters")["values"]["meters.load"] >= 0


def test_the_socket_is_the_owners_alone(runtime):
    with served_line():
        assert stat.S_IMODE(socket_path("main").stat().st_mode) == 0o600
        assert stat.S_IMODE(runtime_folder().stat().st_mode) == 0o700
    assert not socket_path("main").exists()


def test_an_open_folder_is_closed_and_a_foreign_one_refused(runtime, monkeypatch):
    (runtime / "rtsep").mkdir(mode=0o777)
    (runtime / "rtsep").chmod(0o777)
    assert stat.S_IMODE(runtime_folder().stat().st_mode) == 0o700
    mine = os.getuid()
    monkeypatch.setattr(places.os, "getuid", lambda: mine + 1)
    with pytest.raises(PermissionError, match=f"belongs to user {mine} \\(we are {mine + 1}\\)"):
        runtime_folder()


def test_a_symlink_is_no_folder(runtime, tmp_path):
    (runtime / "rtsep").symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        runtime_folder()


def test_what_a_crash_left_is_taken_over():
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(socket_path("main")))
    stale.close()
    assert socket_path("main").exists()
    assert not answers(socket_path("main"))
    assert free_name() == "main"
    with served_line() as (_, line):
        assert line.ask(do="status")["ok"]


def test_a_second_instance_has_another_name_and_a_taken_one_is_told():
    said = []
    with served_line() as (_, line):
        assert free_name() == "main2"
        with serve(rtsep.Engine("bypass"), instance="main", say=said.append):
            assert line.ask(do="status")["ok"]
        with served_line(instance="studio") as (_, other):
            other.ask(do="set", id="strength", value=0.5)
            assert line.ask(do="get", id="strength")["value"] == 1
            assert chosen("studio") == "studio"
            assert chosen(None) == "main"
    assert "instance 'main' is running already" in said[0]
    with pytest.raises(ConnectionError, match="no rtsep is running"):
        chosen(None)


def test_a_name_is_held_before_its_socket_is_there():
    """So that two that start at once do not share a device; a kill lets go of it."""
    words = "from rtsep.control.places import claim, free_name; print(free_name(claim)); input()"
    first, second = (
        subprocess.Popen([sys.executable, "-uc", words], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    )  # fmt: skip
    assert sorted(each.stdout.readline() for each in (first, second)) == ["main\n", "main2\n"]
    with pytest.raises(OSError, match="instance 'main' is running already"):
        free_instance("main")
    for each in (first, second):
        each.kill()
        each.communicate()
    assert free_instance() == free_instance("main") == "main"


def test_a_claim_is_left_to_the_next_program_and_to_no_child():
    assert claim("studio")
    lock = hand_over("studio")
    assert os.get_inheritable(lock)
    take_over("studio", lock)
    assert not os.get_inheritable(lock)
    assert hand_over("unclaimed") is hand_over(None) is None


@pytest.mark.parametrize("words", [["--virtual"], ["--input-file", "mic.wav"]])
def test_live_takes_no_name_of_one_that_runs(words):
    """It would take its virtual microphone away at the end, and write over its last state."""
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(socket_path("studio")))
        there.listen()
        told = refused("live", *words, "--instance", "studio")
        assert told == "instance 'studio' is running already (running: studio)"
        assert free_instance("other") == "other"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 65, "\0", "-x"])
def test_no_instance_has_such_a_name(name):
    with pytest.raises(ValueError, match="is no name"):
        socket_path(name)


def test_a_path_that_is_too_long_is_told(tmp_path, monkeypatch):
    folder = tmp_path / ("x" * 90)
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    said = []
    with serve(rtsep.Engine("bypass"), say=said.append):
        pass
    assert "(at most 107)" in said[0]


def fuzzed(rng):
    """One client's bytes: noise, broken JSON, a good request cut somewhere, or a flood."""
    good = json.dumps({"do": "set", "id": "strength", "value": float(rng.random())}).encode()
    kind = int(rng.integers(6))
    if kind == 0:
        return rng.bytes(int(rng.integers(1, 2000)))
    if kind == 1:
        return good[: int(rng.integers(len(good)))]
    if kind == 2:
        return b'{"do":"watch"}\n' + good + b"\n"
    if kind == 3:
        changed = bytearray(good)
        changed[int(rng.integers(len(good)))] = int(rng.integers(256))
        return bytes(changed) + b"\n"
    return (good + b"\n") * 20 if kind == 4 else b"{" * int(rng.integers(1, LONGEST_LINE * 2))


def test_a_thousand_fuzzed_clients_change_nothing_for_the_others():
    """They hang up, never read, or stay; the sound goes on, the next client is served."""
    rng, engine = np.random.default_rng(0), rtsep.Engine(model())
    with sounding(engine), served_line(engine) as (desk, _):
        open_files = len(os.listdir("/proc/self/fd"))
        kept = []
        for _ in range(1000):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            try:
                client.connect(str(socket_path("main")))
                client.send(fuzzed(rng))
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                pass
            if rng.random() < 0.3:
                kept.append(client)
            else:
                client.close()
        before = engine.meters().samples
        with Line(socket_path("main")) as line:
            assert line.ask(do="set", id="strength", value=0.5)["value"] == 0.5
        assert engine.meters().nonfinite == 0
        for client in kept:
            client.close()
        while engine.meters().samples == before:
            time.sleep(0.01)
        assert len(os.listdir("/proc/self/fd")) <= open_files + CLIENTS
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("rtsep-control") == names.count("rtsep-socket") == 1
        assert desk.ask(lambda: 7).result(5) == 7


def received_by(connection):
    """What is left to read until the other side ends it."""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(1 << 16):
            yield piece


def test_who_never_reads_is_ended():
    with served_line() as (_, line), raw() as slow:
        slow.sendall(b'{"do": "watch"}\n')
        for turn in range(8000):
            line.send({"do": "set", "id": "strength", "value": turn % 2})
            if turn % 100 == 99:
                for _, answer in zip(range(100), line.messages(), strict=False):
                    assert answer["ok"]
        assert sum(map(len, received_by(slow))) < 8000 * 60


def lesson(engine, learn, request):
    with sounding(engine), served_line(engine, learn=learn) as (desk, line):
        return line.ask(do="teach", **request), desk


def saved(path, **card):
    rtsep.save(path, model(**card))
    return path


def test_a_lesson_hears_the_microphone_and_swaps_in_what_was_learned(tmp_path):
    heard = []

    def learn(samples, rate, name, role):
        heard.append((len(samples), rate, name, role, float(np.abs(samples).max())))
        return saved(tmp_path / "fan.npz")

    engine = rtsep.Engine("bypass")
    told, desk = lesson(engine, learn, {"name": "fan", "seconds": 0.5, "role": "remove"})
    assert told["sources"] == list(engine.sources) == ["fan", "unknown"]
    assert desk.models == [str(tmp_path / "fan.npz")]
    n, rate, name, role, peak = heard[0]
    assert (n, rate, name, role) == (24000, 48000, "fan", "remove")
    assert peak > 0.01


def test_a_lesson_may_add_and_learning_again_replaces(tmp_path):
    engine = rtsep.Engine(model("hum"))
    hum = str(saved(tmp_path / "hum.npz", source="hum"))
    learn = lambda *_: saved(tmp_path / "fan.npz")  # noqa: E731
    with sounding(engine), served_line(engine, learn=learn, models=[hum]) as (_, line):
        for _ in range(2):
            told = line.ask(do="teach", name="fan", seconds=0.5, add=True)
            assert told["models"] == [hum, str(tmp_path / "fan.npz")]
        assert engine.sources == ("hum", "fan", "unknown")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"name": "../fan", "seconds": 1}, "name '../fan' is no name"),
        ({"name": "fan"}, "needs 'seconds'"),
        ({"name": "fan", "seconds": 0}, "seconds=0 is outside"),
        ({"name": "fan", "seconds": 1e9}, "seconds=1000000000.0 is outside"),
        ({"name": "fan", "seconds": 1, "role": "eat"}, "role='eat' is neither"),
    ],
)
def test_a_lesson_that_cannot_be_is_refused(request_, words):
    with pytest.raises(Refused, match=words):
        lesson(rtsep.Engine("bypass"), lambda *_: None, request_)


def test_a_lesson_that_fails_leaves_the_sound_as_it_was():
    def learn(*_):
        raise ValueError("no active frames")

    engine = rtsep.Engine(model())
    with pytest.raises(Refused, match="no active frames"):
        lesson(engine, learn, {"name": "fan", "seconds": 0.5})
    assert engine.sources == ("fan", "unknown")


def test_a_lesson_that_nobody_waits_for_changes_nothing(tmp_path):
    """Ctrl-C on `rtsep teach`, while it listens and while it learns."""
    engine, learned = rtsep.Engine("bypass"), []
    with sounding(engine), desk_for(engine) as desk:
        lesson = Lesson(desk, lambda *_: learned.append(1) or saved(tmp_path / "fan.npz"))
        for gone in (lambda: True, lambda: bool(learned)):
            with pytest.raises(ValueError, match="nobody waits"):
                lesson.teach({"name": "fan", "seconds": 0.5}, gone)
    assert learned == [1]
    assert engine.sources == ("all",) == rtsep.Engine("bypass").sources


def test_without_sound_there_is_nothing_to_learn():
    with (
        served_line(learn=lambda *_: None) as (_, line),
        pytest.raises(Refused, match="no sound runs"),
    ):
        line.ask(do="teach", name="fan", seconds=1)


def rtsep_cli(*words, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "rtsep.cli", *map(str, words)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_the_commands_turn_a_running_live(tmp_path, warm):
    """A recording is the microphone; get, set, bypass and teach are other processes."""
    import soundfile as sf

    from models import babble

    sf.write(tmp_path / "mic.wav", babble(48000 * 60), 48000, subtype="FLOAT")
    words = [sys.executable, "-m", "rtsep.cli", "live", "-m", "rain"]
    live = subprocess.Popen(
        [*words, "--input-file", str(tmp_path / "mic.wav")], stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while not answers(socket_path("main")) and time.monotonic() < end:
            time.sleep(0.05)
        assert rtsep_cli("set", "strength", "0.6").strip() == "0.6"
        assert rtsep_cli("get", "strength").strip() == "0.6"
        assert "rain.gain" in rtsep_cli("get")
        assert rtsep_cli("set", "rain.gain", "-12", "--json") == "-12.0\n"
        assert rtsep_cli("bypass").strip() == "on"
        assert rtsep_cli("bypass", "off", "--json") == rtsep_cli("get", "bypass", "--json")
        saved = json.loads(rtsep_cli("preset", "save", "call", "--json"))
        assert saved["path"].endswith("call.toml")
        assert json.loads(rtsep_cli("preset", "load", "call", "--json")) == {"notes": []}
        assert json.loads(rtsep_cli("midi", "forget", "strength", "--json")) == {"forgotten": 0}
        assert rtsep_cli("midi", "learn", "strength", code=2) == f"rtsep: {DEAF}\n"
        assert "strength=3.0 is outside 0..1" in rtsep_cli("set", "strength", "3", code=2)
        assert "no instance 'x'" in rtsep_cli("get", "--instance", "x", code=2)
        told = json.loads(rtsep_cli("teach", "fan", "--seconds", "1", "--json"))
        assert told["sources"] == ["fan", "unknown"]
        assert rtsep.load(told["path"]).card.source == "fan"
        assert rtsep_cli("get", "fan.gain").strip() == "-80"
        assert float(rtsep_cli("get", "meters.nonfinite")) == 0
    finally:
        live.terminate()
        live.wait(20)
    assert "no rtsep is running" in rtsep_cli("get", code=2)
