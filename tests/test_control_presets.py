"""Presets: written whole, read to the letter or refused in one line, put onto a running desk."""

import os
import subprocess
import sys
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from command_line import rtsep as rtsep_
from control_room import served_line, sounding, until
from hypothesis import given
from hypothesis import strategies as st

import rtsep
from models import model
from rtsep.cli.serving import as_left
from rtsep.control import presets, serve, shelf
from rtsep.control.desk import Busy
from rtsep.control.mapping import Mapping
from rtsep.control.presets import Preset, PresetError, from_toml, migrated, path_of, to_toml
from rtsep.control.surface import Surface
from rtsep.control.wire import Refused

FULL = Preset(
    ("rain", "speech"), ("speech",), "medium", "nano", {"input": "USB", "output": "BlackHole"},
    {"strength": 0.6, "listen": "residual", "rain.gain": -12.0, "bypass": 0.0},
    (Mapping("strength", number=7, channel=1, takeover="pickup"),
     Mapping("preset", "program", 3, preset="call"), Mapping("rain.gain", "cc14", 1, low=-40.0)),
)  # fmt: skip
pytestmark = pytest.mark.usefixtures("own_folders")


def test_what_is_saved_is_loaded():
    path = presets.save("call", FULL)
    assert path.read_text().startswith("models = [")
    assert presets.load("call") == FULL
    assert presets.names() == ["call"]
    assert from_toml(to_toml(Preset())) == Preset()


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(st.lists(words, min_size=1, max_size=3), words, st.floats(0, 1))
def test_any_words_survive(models, midi, strength):
    preset = Preset(tuple(models), midi=midi, parameters={"strength": strength})
    assert from_toml(to_toml(preset)) == preset


def test_a_file_cut_at_any_byte_is_refused_in_one_line():
    whole, path = to_toml(FULL), presets.save("call", FULL)
    for end in range(len(whole.rstrip())):
        path.write_bytes(whole[:end])
        with pytest.raises(PresetError) as refused:
            presets.load("call")
        assert str(refused.value).startswith(str(path))
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "version None"),
        ("version = 2\n[end]", "version 2 is newer than this rtsep's (1)"),
        ("version = '1'\n[end]", "version '1'"),
        ("version = 0\n[end]", "version 0"),
        ("version = 1", "cut short: [end] is missing"),
        ("version = 1\ncolour = 1\n[end]", "'colour' is unknown"),
        ("version = 1\nmodels = 3\n[end]", "models is 3"),
        ("version = 1\nmodels = []\n[end]", "models is empty"),
        ("version = 1\nmodels = ['a']\nlatency = 'tiny'\n[end]", "latency 'tiny' is none of low"),
        ("version = 1\nmodels = ['a']\nmidi = 3\n[end]", "midi is 3"),
        ("version = 1\nmodels = ['a']\n[parameters]\nstrength = 2\n[end]",
         "strength=2 is outside 0..1"),
        ("version = 1\nmodels = ['a']\n[parameters]\nstrenght = 1\n[end]", "nearest: 'strength'"),
        ("version = 1\nmodels = ['a']\n[parameters]\n'a.gain' = 99\n[end]", "a.gain=99 is outside"),
        ("version = 1\nmodels = ['a']\n[parameters]\n'a.gian' = 9\n[end]", "nearest: 'a.gain'"),
        ("version = 1\nmodels = ['a']\n[parameters]\nstrength = [1]\n[end]", "[parameters] is"),
        ("version = 1\nmodels = ['a']\n[devices]\nscreen = 'x'\n[end]", "'screen' is none of"),
        ("version = 1\nmodels = ['a']\nmappings = 3\n[end]", "mappings is no list"),
        ("version = 1\nmodels = ['a']\n[[mappings]]\nparameter = 'x'\nkind = 'y'\n[end]",
         "kind='y' is none of"),
        ("version = 1\nmodels = ['a']\n[[mappings]]\nparameter = 'strength'\nlow = 1" + "0" * 400
         + "\n[end]", "is no number"),
        ("version = 1\nmodels = ['a']\n[parameters]\nstrength = 1" + "0" * 400 + "\n[end]",
         "strength="),
        ("version = 1\nmodels = ['a']\n" + "[[mappings]]\nnumber = 1\n" * 513 + "[end]",
         "513 mappings (at most 512)"),
        ("\xff", "version None"),
        ("a = " + "[" * 5000, "preset"),
        ("# " + "x" * (1 << 20), "over 1048576 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_preset_is_refused_in_one_line(text, message):
    path = path_of("bad")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("latin-1" if text == "\xff" else "utf-8"))
    with pytest.raises(PresetError) as refused:
        presets.load("bad")
    assert "\n" not in str(refused.value)
    if text != "\xff":
        assert message in str(refused.value)


def test_an_unknown_name_suggests_the_nearest():
    presets.save("meeting", FULL)
    with pytest.raises(PresetError, match="nearest: 'meeting'"):
        presets.load("meetings")
    with pytest.raises(ValueError, match="is no name"):
        presets.load("../meeting")


def test_earlier_versions_are_brought_up_to_date_step_by_step():
    steps = {
        1: lambda told: {**told, "models": [told.pop("model")]},
        2: lambda told: {**told, "latency": "high"},
    }
    told = migrated({"version": 1, "model": "rain"}, steps, 3)
    assert (told["version"], told["models"], told["latency"]) == (3, ["rain"], "high")


def test_a_write_that_fails_leaves_the_old_one(monkeypatch):
    presets.save("call", FULL)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full_disk)
        with pytest.raises(OSError, match="No space left"):
            presets.save("call", Preset())
    assert list(path_of("call").parent.iterdir()) == [path_of("call")]
    assert presets.load("call") == FULL


@pytest.fixture
def fan(tmp_path):
    rtsep.save(tmp_path / "fan.npz", model())
    return str(tmp_path / "fan.npz")


def test_a_running_desk_is_saved_and_brought_back(fan):
    engine = rtsep.Engine(fan)
    with sounding(engine), served_line(engine, models=[fan]) as (desk, line):
        line.ask(do="set", id="fan.gain", value=-20)
        line.ask(do="save", preset="evening")
        line.ask(do="swap", models=["rain"])
        line.ask(do="set", id="strength", value=0.1)
        assert line.ask(do="load", preset="evening")["notes"] == []
        assert engine.sources == ("fan", "unknown")
        assert (engine.get("fan.gain"), engine.get("strength")) == (-20, 1)
        assert desk.models == [fan]


def test_what_has_no_place_or_must_wait_is_said():
    presets.save("call", Preset(("bypass",), latency="high", parameters={"tv.gain": 0.0}))
    with served_line() as (_, line):
        notes = line.ask(do="load", preset="call")["notes"]
    assert notes == ["no source has tv.gain", "at the next start: latency"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"version = 1\nmodels = ['nobody-has-this']\n[end]\n", "no such model"),
        (b"version = 9\n[end]\n", "version 9 is newer"),
        (b"version = 1\nmodels = ['rain']\n[parameters]\nstrength = 3\n[end]\n", "outside 0"),
        (b"version = 1\nmod", "Expected"),
    ],
)
def test_a_bad_preset_leaves_the_sound_as_it_was(fan, text, words):
    engine = rtsep.Engine(fan, strength=0.7)
    path_of("bad").parent.mkdir(parents=True)
    path_of("bad").write_bytes(text)
    with sounding(engine), served_line(engine, models=[fan]) as (_, line):
        with pytest.raises(Refused, match=words):
            line.ask(do="load", preset="bad")
        assert engine.sources == ("fan", "unknown")
        assert engine.get("strength") == 0.7
        before = engine.meters().samples
        until(lambda: engine.meters().samples > before)


def test_the_last_state_is_remembered_for_each_instance():
    with served_line(instance="studio") as (_, line):
        line.ask(do="set", id="strength", value=0.3)
        with pytest.raises(Refused, match="written by itself"):
            line.ask(do="save", preset="last")
    last = presets.load("last", "studio")
    assert last.parameters["strength"] == 0.3
    assert last.models == ("bypass",)


def test_a_disk_that_is_full_is_said_once_and_control_goes_on(monkeypatch):
    said = []

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(presets, "save", full_disk)
    with served_line(say=said.append) as (_, line):
        until(lambda: said)
        assert line.ask(do="set", id="strength", value=0.5)["ok"]
    assert "the last state is not kept" in said[0]


def test_the_last_state_is_kept_after_moments_that_were_too_busy(monkeypatch):
    done, said, tries = Future(), [], iter([Busy("too much"), TimeoutError(), Busy("too much")])
    done.set_result(Preset(midi="nano"))

    def ask(_):
        for error in tries:
            raise error
        return done

    monkeypatch.setattr(shelf, "OFTEN", 0.01)
    desk = SimpleNamespace(ask=ask, listen=lambda _: None)
    memory = shelf.Memory(desk, SimpleNamespace(capture=None), "main", said.append)
    memory.start()
    until(path_of("last").exists)
    memory.close()
    assert presets.load("last").midi == "nano"
    begin = "the last state is not kept: "
    assert said == [begin + "too much", begin + "no answer within 0.01 s", begin + "too much"]


def test_presets_by_number_are_in_the_order_of_their_names():
    for name, strength in (("b", 0.2), ("a", 0.1)):
        presets.save(name, Preset(("bypass",), parameters={"strength": strength}))
    with served_line() as (_, line):
        line.ask(do="load", preset="#1")
        assert line.ask(do="get", id="strength")["value"] == 0.2
        with pytest.raises(Refused, match=r"no preset 2 \(there are 2\)"):
            line.ask(do="load", preset="#2")
        with pytest.raises(Refused, match=r"no preset -1 \(there are 2\)"):
            line.ask(do="load", preset="#-1")


def test_mappings_that_a_preset_brings_are_remembered(monkeypatch):
    """Also where nothing else changes."""
    presets.save("stage", Preset(("bypass",), mappings=(Mapping("strength", number=7),)))
    monkeypatch.setattr(shelf, "OFTEN", 0.01)
    with served_line() as (_, line):
        until(path_of("last").exists)
        assert presets.load("last").mappings == ()
        line.ask(do="load", preset="stage")
    assert presets.load("last").mappings == (Mapping("strength", number=7),)


def test_a_bad_preset_by_a_pad_is_told_once_and_the_sound_goes_on(monkeypatch):
    path_of("bad").parent.mkdir(parents=True)
    path_of("bad").write_bytes(b"version = 1\n")
    pad, said, surfaces = Mapping("preset", "note", 1, preset="bad"), [], []
    made = Preset(("bypass",), mappings=(pad,))
    monkeypatch.setattr(
        serve, "Surface", lambda *how: surfaces.append(Surface(*how)) or surfaces[0]
    )
    with served_line(say=said.append, preset=made) as (desk, line):
        for _ in range(3):
            desk.ask(surfaces[0].hear, (0x90, 1, 9)).result(5)
        assert line.ask(do="get", id="strength")["value"] == 1
    assert said == [f"preset: {path_of('bad')}: it was cut short: [end] is missing"]


def cli(*words_, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "rtsep.cli", *map(str, words_)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_a_file_that_is_no_preset_does_not_hide_the_others():
    presets.save("call", Preset())
    path_of("folder").mkdir()
    path_of("call").with_name("my call.toml").write_bytes(b"")
    lines = rtsep_("preset", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["call", "folder", "my"]
    assert "folder.toml: Is a directory" in lines[1]
    assert "'my call' is no name" in lines[2]


def test_the_commands(tmp_path, warm):
    import soundfile as sf

    presets.save("call", Preset(("rain",), parameters={"strength": 0.25, "rain.mute": 1.0}))
    assert "call" in cli("preset", "list")
    assert "strength = 0.25" in cli("preset", "show", "call")
    assert "no preset 'cal' (nearest: 'call')" in cli("preset", "show", "cal", code=2)
    sf.write(tmp_path / "mic.wav", [[0.1, 0.1]] * 4800, 48000)
    start = ("live", "--input-file", tmp_path / "mic.wav", "--json")
    cli(*start, "--preset", "call", "--set", "rain.mute=0")
    last = presets.load("last")
    assert last.models == ("rain",)
    assert (last.parameters["strength"], last.parameters["rain.mute"]) == (0.25, 0.0)
    cli(*start, "--preset", "last", "--strength", "0.75")
    assert presets.load("last").parameters["strength"] == 0.75
    path_of("call").write_text("version = 1\n")
    assert "cut short" in cli(*start, "--preset", "call", code=2)


def test_a_stream_goes_on_as_it_was_left_or_as_it_was_begun(capsys):
    begun = Preset(("fan",), latency="low")
    left = Preset(("rain",), parameters={"strength": 0.3})
    presets.save(presets.LAST, left, "main")
    assert as_left(None, begun, {"strength": 0.9}) == (left, {})
    path_of(presets.LAST, "main").write_text("strength =")
    assert as_left(None, begun, {"strength": 0.9}) == (begun, {"strength": 0.9})
    assert capsys.readouterr().err.count("the last state is left out") == 1
