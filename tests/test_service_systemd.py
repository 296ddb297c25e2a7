"""The unit under a user's systemd that really runs: started, killed, restarted, taken away."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import servers

pytestmark = pytest.mark.usefixtures("warm")
PATIENCE = 60.0  # seconds; systemd waits 5 s before it starts rtsep again


@pytest.fixture
def managed(pulse_server):
    """The environment of a user whose systemd runs, beside PulseAudio."""
    for kind in ("config", "data", "state"):
        (pulse_server.folder / kind).mkdir()
        pulse_server.env[f"XDG_{kind.upper()}_HOME"] = str(pulse_server.folder / kind)
    if not servers.start_systemd(pulse_server):
        pytest.xfail(f"no systemd of a user starts here: {pulse_server.logs()[-300:]}")
    return pulse_server.env


def rtsep(env, *words):
    command = [sys.executable, "-m", "rtsep.cli", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE)


def status(env):
    return json.loads(rtsep(env, "service", "status", "--json").stdout)


def answering(env, before=None):
    """The unit's state and process, once rtsep answers from one that is not `before`."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        state, process = status(env), main_process(env)
        if state["answers"] and process not in ("0", before):
            return state, process
        time.sleep(0.2)
    raise AssertionError(journal(env))


def main_process(env):
    return systemctl(env, "show", "--value", "--property=MainPID", "rtsep.service")


def systemctl(env, *words):
    done = subprocess.run(["systemctl", "--user", *words], env=env, capture_output=True, text=True)
    return done.stdout.strip()


def journal(env):
    return systemctl(env, "status", "--lines=50", "rtsep.service")


def microphones(env):
    told = subprocess.run(["pactl", "list", "short", "sources"], env=env, capture_output=True)
    return b"\trtsep_main_microphone\t" in told.stdout


def test_it_runs_under_systemd_comes_back_when_killed_and_leaves_nothing(managed):
    installed = rtsep(managed, "service", "install")
    assert installed.returncode == 0, installed.stderr
    assert "rtsep.service: started" in installed.stdout
    state, process = answering(managed)
    assert (state["installed"], state["enabled"], state["active"]) == (True, True, "active")
    assert microphones(managed), journal(managed)
    assert rtsep(managed, "set", "strength", "0.5").returncode == 0
    os.kill(int(process), signal.SIGKILL)
    state, _ = answering(managed, process)
    assert state["active"] == "active"
    assert microphones(managed)
    removed = rtsep(managed, "service", "uninstall")
    assert removed.stdout == "rtsep.service: stopped and removed\n"
    assert not microphones(managed)
    assert status(managed) == state | {
        "installed": False, "enabled": False, "active": "inactive", "answers": False
    }  # fmt: skip
