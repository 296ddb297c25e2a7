"""The systemd user unit: what is written, with systemd running and without, and what is spared."""

import configparser
import json
import os
import shlex
import stat
import subprocess
import sys

import pytest

from rtsep.control import systemd as systemd_unit
from rtsep.control.systemd import Unit, folder, quoted, text, write

RTSEP = [sys.executable, "-m", "rtsep.cli", "service"]
FAKE = """#!/bin/sh
echo "$@" >> "$SYSTEMCTL_LOG"
case "$*" in
  *is-active*) echo active ;;
  *restart*) [ -z "$SYSTEMCTL_BROKEN" ] || { echo "Job failed." >&2; exit 1; } ;;
esac
"""


@pytest.fixture
def home(own_folders, monkeypatch):
    """A home without systemd."""
    (own_folders / "bin").mkdir()
    monkeypatch.setenv("PATH", str(own_folders / "bin"))
    return own_folders


@pytest.fixture
def systemd(home, monkeypatch):
    """A `systemctl` that answers, and what it was told."""
    program = home / "bin" / "systemctl"
    program.write_text(FAKE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("SYSTEMCTL_LOG", str(home / "log"))
    return home / "log"


def run(*words, code=0):
    done = subprocess.run([*RTSEP, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def parsed(path):
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(path.read_text())
    return unit


def test_without_systemd_it_says_exactly_what_is_left_to_do(home):
    told, left = run("install", "--default", "--osc", "9000")
    path = home / "config/systemd/user/rtsep.service"
    assert told == f"rtsep.service: written to {path}, starts at login\n"
    assert "systemctl --user daemon-reload && systemctl --user restart rtsep.service" in left
    words = shlex.split(left.splitlines()[-1])
    assert words[:4] == [sys.executable, "-P", "-m", "rtsep.cli"]
    assert words[4:] == ["live", "--virtual", "--instance", "main", "--default", "--osc", "9000"]
    assert shlex.split(parsed(path)["Service"]["ExecStart"]) == words
    assert (path.parent / "default.target.wants/rtsep.service").resolve() == path
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "default.target.wants", "rtsep.service",
    ]  # fmt: skip


def test_the_command_in_the_unit_runs(home):
    run("install", "--instance", "b", "--playback")
    path = home / "config/systemd/user/rtsep-b.service"
    words = shlex.split(parsed(path)["Service"]["ExecStart"])
    env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home), "PULSE_SERVER": "unix:/none"}
    done = subprocess.run(words, cwd=home, env=env, capture_output=True, text=True, timeout=60)
    assert done.stderr.startswith("rtsep: no PulseAudio and no PipeWire")


def test_what_it_may_do_leaves_sound_alone(home):
    run("install")
    unit = parsed(home / "config/systemd/user/rtsep.service")
    service = unit["Service"]
    assert service["Restart"] == "on-failure"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"  # a microphone may come late
    assert service["NoNewPrivileges"] == "yes"
    assert "AF_UNIX" in service["RestrictAddressFamilies"]
    assert not {"MemoryDenyWriteExecute", "RestrictRealtime", "PrivateDevices", "PrivateNetwork",
                "PrivateTmp", "LimitRTPRIO"} & set(service)  # fmt: skip


def test_with_systemd_it_is_started_told_and_stopped(systemd):
    assert "rtsep.service: started" in run("install")[0]
    told = json.loads(run("status", "--json")[0])
    assert (told["installed"], told["enabled"], told["active"]) == (True, True, "active")
    assert not told["answers"]
    assert "rtsep.service: active, starts at login" in run("status")[0]
    assert run("uninstall")[0] == "rtsep.service: stopped and removed\n"
    calls = [line for line in systemd.read_text().splitlines() if "show" not in line]
    assert calls == [
        "--user daemon-reload", "--user restart rtsep.service", "--user is-active rtsep.service",
        "--user is-active rtsep.service", "--user stop rtsep.service", "--user daemon-reload",
    ]  # fmt: skip


def test_no_start_only_enables(systemd):
    assert "started" not in run("install", "--no-start")[0]
    assert "restart" not in systemd.read_text()


def test_what_systemd_refuses_is_one_line(systemd, monkeypatch):
    monkeypatch.setenv("SYSTEMCTL_BROKEN", "1")
    error = run("install", code=2)[1]
    assert error == "rtsep: systemctl --user restart rtsep.service: Job failed.\n"


def test_a_systemd_that_hangs_is_one_line(systemd, monkeypatch):
    monkeypatch.setattr(systemd_unit, "PATIENCE", 0.2)
    (systemd.parent / "bin" / "systemctl").write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(OSError, match=r"--user is-active x: no answer in 0\.2 s"):
        systemd_unit._systemctl("is-active", "x")


def test_again_and_away_leave_nothing_behind(home):
    before = sorted(home.rglob("*"))
    run("install")
    first = (home / "config/systemd/user/rtsep.service").read_bytes()
    run("install")
    assert (home / "config/systemd/user/rtsep.service").read_bytes() == first
    assert run("uninstall")[0] == "rtsep.service: removed\n"
    assert run("uninstall")[0] == "rtsep.service: was not there\n"
    assert run("status")[0] == "rtsep.service: not installed (rtsep service install)\n"
    left = set(home.rglob("*")) - set(before)
    assert all(path.is_dir() for path in left)


@pytest.mark.parametrize("words", [("install",), ("uninstall",), ("status",)])
def test_units_of_others_stay_as_they_are(home, words):
    path = home / "config/systemd/user/rtsep.service"
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\nExecStart=/bin/true\n")
    assert run(*words, code=2)[1] == f"rtsep: {path} is not rtsep's: it stays as it is\n"
    assert path.read_text().endswith("/bin/true\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [(("--preset", "none"), "no preset 'none'"), (("--instance", "a b"), "instance 'a b'"),
     (("--midi", "a\nb"), "cannot stand in a unit")],
)  # fmt: skip
def test_bad_words_write_nothing(home, words, line):
    assert line in run("install", *words, code=2)[1]
    assert not (home / "config/systemd").exists()


def test_a_full_disk_leaves_the_unit_that_was(home, monkeypatch):
    unit = Unit()
    write(unit, text("one", ["live"]))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(unit, text("two", ["live"]))
    assert "rtsep: one" in unit.path.read_text()
    assert [path.name for path in unit.path.parent.iterdir() if path.is_file()] == [unit.name]
    assert stat.S_IMODE(unit.path.stat().st_mode) & 0o022 == 0


@pytest.mark.parametrize(
    ("word", "written"),
    [("a b", '"a b"'), ('"', '"\\""'), ("100%", '"100%%"'), ("$HOME", '"$$HOME"'),
     ("\\", '"\\\\"')],
)  # fmt: skip
def test_words_reach_the_program_as_they_are(word, written):
    assert quoted(word) == written


def test_other_systems_are_told_what_there_is(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(OSError, match="systemd is Linux's"):
        folder()
