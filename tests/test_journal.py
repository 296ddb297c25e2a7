"""`rtsep live --log`: what happens, as JSON lines, wherever they go."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
import soundfile as sf
from control_room import desk_for, until

import rtsep
from rtsep.cli import options
from rtsep.cli.journal import Journal, Watch, journal, written

RTSEP = [sys.executable, "-m", "rtsep.cli"]


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def events(path):
    return [line["event"] for line in lines(path.read_text())]


@pytest.fixture
def played(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(48000 * 60)
    sf.write(tmp_path / "noise.wav", np.tile(noise, 5), 48000)  # longer than any machine is slow
    return ["live", "-m", "bypass", "--input-file", str(tmp_path / "noise.wav")]


def run(*words, code=0):
    done = subprocess.run([*RTSEP, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.usefixtures("warm", "own_folders")
def test_from_the_start_to_the_end_on_standard_output(played):
    told = lines(run(*played, "--seconds", "0.5", "--log", "-").stdout)
    assert [line["event"] for line in told] == ["remark", "start", "end"]
    start, end = told[1:]
    assert start["way"] == "noise.wav to nothing"
    assert (start["models"], start["rate"], start["lost"]) == (["bypass"], 48000, 0)
    assert end["meters"]["samples"] == 24000
    times = [datetime.fromisoformat(line["time"]) for line in told]
    assert times == sorted(times)


@pytest.mark.usefixtures("warm", "own_folders")
def test_a_file_is_appended_to_and_has_the_error_that_ended_it(played, tmp_path):
    log = tmp_path / "log.jsonl"
    run(*played, "--seconds", "0.2", "--log", str(log))
    run("live", "-m", "bypass", "--input-file", "missing.wav", "--log", str(log), code=2)
    assert events(log) == ["remark", "start", "end", "end"]
    assert "missing.wav" in lines(log.read_text())[-1]["error"]


@pytest.mark.usefixtures("warm", "own_folders")
def test_models_that_change_and_a_signal(played, tmp_path):
    log = tmp_path / "log.jsonl"
    live = subprocess.Popen([*RTSEP, *played, "--log", str(log)], stderr=subprocess.DEVNULL)
    until(lambda: log.exists() and "start" in events(log), 60)
    until(lambda: subprocess.run([*RTSEP, "get", "strength"], capture_output=True).returncode == 0)
    run("teach", "fan", "--seconds", "0.5")
    until(lambda: "model" in events(log))
    live.send_signal(signal.SIGTERM)
    assert live.wait(30) == 0
    model = next(line for line in lines(log.read_text()) if line["event"] == "model")
    assert model["sources"] == ["fan", "unknown"]
    assert events(log)[-1] == "end"


@pytest.mark.usefixtures("warm", "own_folders")
def test_where_nothing_can_be_written_is_one_line(played, tmp_path):
    errors = run(*played, "--log", str(tmp_path), code=2).stderr
    assert errors == f"rtsep: {tmp_path}: Is a directory\n"


@pytest.mark.usefixtures("warm", "own_folders")
def test_a_reader_that_goes_away_ends_the_log_not_the_sound(played):
    words = [*RTSEP, *played, "--seconds", "2", "--log", "-"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    live = subprocess.Popen(words, **pipes)
    live.stdout.readline()
    live.stdout.close()
    errors = live.stderr.read().decode()
    assert live.wait(60) == 0, errors
    assert errors.count("no more log: Broken pipe") == 1
    assert "1.0 s  input" in errors


class Counting:
    """An engine whose meters are set by hand."""

    def __init__(self):
        self.engine = rtsep.Engine("bypass")
        self.now = self.engine.meters()

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def meters(self):
        return self.now


def test_what_is_late_is_told_as_it_rises_and_once(tmp_path):
    engine, log = Counting(), tmp_path / "log"
    with desk_for() as desk, journal(str(log)) as book:
        watch = Watch(book, engine, desk)
        watch.look()
        engine.now = replace(engine.now, late_blocks=3, clipped=1)
        watch.look()
        assert log.read_text() == ""
        watch.settle()
        watch.settle()
        engine.now = replace(engine.now, late_blocks=4)
        watch.settle()
        engine.now = replace(engine.now, resting=2)
        watch.settle()
        watch.settle()
        engine.now = replace(engine.now, resting=0)
        watch.settle()
    told = [{k: v for k, v in line.items() if k != "time"} for line in lines(log.read_text())]
    assert told == [
        {"event": "late", "late_blocks": 3, "clipped": 1}, {"event": "late", "late_blocks": 1},
        {"event": "rest", "why": "nobody records"}, {"event": "rest", "why": ""},
    ]  # fmt: skip


def test_remarks_are_heard_while_it_is_open_alone(tmp_path, capsys):
    with journal(str(tmp_path / "log")):
        options.say("MIDI: gone")
    options.say("later")
    (line,) = lines((tmp_path / "log").read_text())
    assert line["words"] == "MIDI: gone"
    assert capsys.readouterr().err == "MIDI: gone\nlater\n"


def test_without_a_log_nothing_is_written(tmp_path):
    with (
        journal(None) as book, desk_for() as desk,
        written(book, desk.engine, desk, "here", 0) as look,
    ):  # fmt: skip
        look()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_once(capsys):
    full = os.open("/dev/full", os.O_WRONLY)
    book = Journal(full)
    for _ in range(3):
        book.write("remark")
    os.close(full)
    assert capsys.readouterr().err == "no more log: No space left on device\n"
