"""Tuning: what is finished stays, what is asked is answered, what is wrong is said."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from command_line import RTSEP, refused, rtsep

from models import babble
from rtsep.artefacts.library import load as load_model
from rtsep.cli.tune import separated
from rtsep.learn import study, tune
from rtsep.metrics import si_sdr

pytest.importorskip("optuna")
pytestmark = pytest.mark.usefixtures("warm")

RATE = 16000
SMALL = ("fan", "--against", "talk", "-o", "fan.npz", "--mixtures", 2, "--seconds", 1)


def talk(n, seed):
    """Tones in syllables."""
    t = np.arange(n) / RATE + seed
    tones = sum(np.sin(2 * np.pi * 150 * k * t + np.sin(3 * t)) / k for k in (1, 2, 4, 6))
    return 0.1 * tones * np.maximum(0, np.sin(9 * t))


@pytest.fixture
def corpora(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, make in (("fan", babble), ("talk", talk)):
        Path(name).mkdir()
        for j in range(2):
            sf.write(f"{name}/{j}.wav", make(5 * RATE, seed=j), RATE, "FLOAT")


def tuned(*words):
    return json.loads(rtsep("tune", *SMALL, *words, "--json").stdout)


def trials(folder="fan.study"):
    done = study.finished(study.load(Path(folder)))
    return {trial.number: (trial.state.name, trial.value, trial.params) for trial in done}


def test_the_best_trial_becomes_the_model_and_a_report(corpora):
    found = tuned("--trials", 9)
    assert found["trials"] == len(trials()) == 9
    assert found["tuning_db"] == max(value or -99 for _, value, _ in trials().values())
    card = load_model("fan.npz").card
    assert (card.rank, card.kind) == (found["settings"]["rank"], found["settings"]["method"])
    assert card.quality["SI-SDR improvement on test mixtures, dB"] == round(found["test_db"], 2)
    assert card.trained_on[0]["corpus"] == "0.wav, 1.wav"
    report = Path("fan.md").read_text()
    assert f"{found['test_db']:.2f}" in report
    assert "optuna" in report
    assert trials()[0][2]["rank"] == 4, "the first trial is the default"
    assert found["tuning_db"] >= trials()[0][1]


def test_killed_and_resumed_it_loses_no_finished_trial(corpora):
    words = [*RTSEP, "tune", *map(str, SMALL), "--trials", "60"]
    child = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    lines = [line for _, line in zip(range(3), child.stderr, strict=False)]
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert lines[2].startswith("3/60")
    before = trials()
    assert len(before) >= 3
    assert not Path("fan.npz").exists()
    done = rtsep("tune", *SMALL, "--trials", len(before) + 1)
    assert f"{len(before)} trials are finished" in done.stderr
    after = trials()
    assert {number: after[number] for number in before} == before
    assert len(after) == len(before) + 1
    running = study.optuna().trial.TrialState.RUNNING
    assert not study.load(Path("fan.study")).get_trials(states=(running,))


def test_a_trial_cut_off_is_tried_again(corpora):
    tuned("--trials", 1)
    opened = study.load(Path("fan.study"))
    cut_off = opened.ask()
    settings = tune.suggest(cut_off, tune.Question("remove", RATE))
    tuned("--trials", 2)
    (again,) = [params for number, (_, _, params) in trials().items() if number > 0]
    assert again == {k: settings[k] for k in again}
    assert again["rank"] == settings["rank"]


def test_ctrl_c_keeps_the_best_so_far(corpora):
    words = [*RTSEP, "tune", *map(str, SMALL), "--trials", "60", "--workers", "2"]
    child = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stderr.readline().startswith("1/60")
    os.killpg(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert "stopped" in errors
    assert "Traceback" not in errors
    assert child.returncode == 0
    assert load_model("fan.npz")


def test_workers_share_a_study_and_end_with_their_parent(corpora):
    words = [*RTSEP, "tune", *map(str, SMALL), "--trials", "60", "--workers", "2"]
    parent = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    parent.stderr.readline()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    time.sleep(1)
    before = len(trials())
    assert before >= 1
    found = tuned("--trials", before)
    assert found["trials"] == before, "nobody has worked on meanwhile"


def test_the_value_is_the_improvement_of_the_sound_to_keep(corpora):
    question = tune.Question("remove", RATE, count=2, seconds=1.0)
    pair = tune.corpora(["fan"], ["talk"], pytest.fail)
    sounds = tune.prepare(question, pair, Path())
    for role, sound in (("remove", "other"), ("keep", "source")):
        basis = tune.learned(tune.default(question), sounds, tune.Question(role, RATE))
        wanted = [
            si_sdr(getattr(each, sound), separated(each.mixture, RATE, basis, "high")[name])
            - si_sdr(getattr(each, sound), each.mixture)
            for each in sounds.tuning
            for name in ["trial" if role == "keep" else "unknown"]
        ]
        got = tune.improvement(basis, sounds.tuning, RATE, "high", separated)
        assert got == pytest.approx(np.mean(wanted))


@pytest.mark.parametrize("role", ["remove", "keep"])
@pytest.mark.parametrize("method", tune.TUNABLE)
def test_the_default_is_within_what_is_searched(role, method):
    """Optuna replaces a queued value that its range does not hold."""
    optuna = study.optuna()
    question = tune.Question(role, RATE, methods=(method,), modes=("low", "high"))
    asked = tune.default(question)
    assert tune.suggest(optuna.trial.FixedTrial(asked), question) == asked
    searched = optuna.create_study()
    searched.enqueue_trial(asked)
    assert tune.suggest(searched.ask(), question) == asked


@pytest.mark.parametrize("method", tune.TUNABLE)
def test_every_method_is_tried(corpora, method):
    found = tuned("--trials", 2, "--method", method)
    assert found["settings"]["method"] == method


# what is refused


def test_another_question_layout_or_version_is_refused_with_both(corpora):
    tuned("--trials", 1)
    before = Path("fan.npz").read_bytes()
    words = refused("tune", *SMALL, "--snr", 3)
    assert "snrs -5.0, 0.0, 5.0, now 3.0" in words
    study.load(Path("fan.study")).set_user_attr("layout", 7)
    assert "has layout 7 (this rtsep: 1)" in refused("tune", *SMALL)
    with sqlite3.connect("fan.study/trials.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v0.9.0.a'")
    assert "cannot be read by optuna" in refused("tune", *SMALL)
    Path("fan.study/trials.sqlite").write_text("no database " * 99)
    assert "cannot be read by optuna" in refused("tune", *SMALL)
    assert Path("fan.npz").read_bytes() == before


def test_a_study_in_use_is_left_alone(corpora):
    Path("fan.study").mkdir()
    with study.in_use(Path("fan.study")):
        assert "is it running?" in refused("tune", *SMALL)


def test_bad_words_are_refused(corpora, monkeypatch):
    assert "--trials 0 is outside" in refused("tune", *SMALL, "--trials", 0)
    assert "method 'plsa' is not tuned" in refused("tune", *SMALL, "--method", "plsa")
    both = ("fan", "--against", "fan", "-o", "fan.npz")
    assert "both the source and the other" in refused("tune", *both)
    Path("empty").mkdir()
    assert "empty: no sound file" in refused("tune", "fan", "--against", "empty", "-o", "f.npz")
    assert "seconds 0 is out of range" in refused("tune", *SMALL, "--seconds", 0)
    assert "seconds inf is out of range" in refused("tune", *SMALL, "--seconds", "inf")
    assert "rate 0 Hz is outside" in refused("tune", *SMALL, "--rate", 0)
    assert "snr nan is outside" in refused("tune", *SMALL, "--snr", "nan")
    assert "snr 1e+09 is outside" in refused("tune", *SMALL, "--snr", "1e9")
    assert not Path("fan.study").exists()
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert "pip install 'rtsep[tune]'" in refused("tune", *SMALL)
    assert not Path("fan.npz").exists()
