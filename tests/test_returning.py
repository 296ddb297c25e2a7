"""A sound server that dies and comes back: the sound returns by itself, as it was."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from control_room import until

from rtsep.cli import returning
from rtsep.cli.returning import MARK, Return, handed_over, patient, pause, run_again
from rtsep.cli.serving import free_instance

RTSEP = [sys.executable, "-m", "rtsep.cli"]
ANSWER = {"jack_server": ["jack_lsp"], "pulse_server": ["pactl", "info"]}
DEVICES = {
    "jack_server": ["--input", "system", "--output", "system", "--host-api", "jack"],
    "pulse_server": ["--virtual", "--input", "mic_feed.monitor", "--device-latency", "0.04"],
}
PATIENCE = 60
pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("warm")]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Presets and models that are no user's, and sockets where the server has none."""
    for kind in ("DATA_HOME", "STATE_HOME", "CONFIG_HOME"):
        monkeypatch.setenv(f"XDG_{kind}", str(tmp_path / kind))
    (tmp_path / "run").mkdir(mode=0o700)
    if "XDG_RUNTIME_DIR" not in os.environ:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))


@pytest.fixture(params=ANSWER)
def lost(request, tmp_path):
    server = request.getfixturevalue(request.param)
    server.kind = request.param
    return server


class Live:
    """A running `rtsep live`."""

    def __init__(self, server, *words):
        self.process = subprocess.Popen(
            [*RTSEP, "live", *DEVICES[server.kind], *words], env=server.env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said = []

    def wait_for(self, words):
        """Until it has said so."""
        alarm = threading.Timer(PATIENCE, self.process.kill)
        alarm.start()
        for line in self.process.stderr:
            self.said.append(line)
            if words in line:
                alarm.cancel()
                return
        pytest.fail("".join(self.said))

    def end(self):
        self.process.send_signal(signal.SIGINT)
        told, errors = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, errors
        return json.loads(told)


def rtsep(server, *words):
    return subprocess.check_output([*RTSEP, *words], env=server.env, text=True, timeout=PATIENCE)


@pytest.mark.timeout(600)
def test_a_server_killed_and_started_five_times(lost, tmp_path):
    log = tmp_path / "log.jsonl"
    live = Live(lost, "--model", "rain", "--strength", "0.3", "--json", "--log", str(log))
    live.wait_for(" s  input")
    number = live.process.pid
    rtsep(lost, "set", "strength", "0.6")
    times = 5 if lost.kind == "jack_server" else 2
    for _ in range(times):
        lost.kill()
        live.wait_for("waiting for it")
        lost.start_again(*ANSWER[lost.kind])
        live.wait_for(" s  input")
    assert live.process.pid == number
    assert float(rtsep(lost, "get", "strength", "--json")) == pytest.approx(0.6)
    told = live.end()
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["lost"] for e in events if e["event"] == "start"] == list(range(times + 1))
    assert len([e for e in events if e["event"] == "lost"]) == times
    assert events[-1]["event"] == "end"
    assert told["lost"] == times
    assert told["sources"][0] == "rain"
    assert told["meters"]["blocks"] > 0


def test_the_next_run_gets_all_of_it(monkeypatch):
    back, handed = Return("studio", {"source": "mic", "host_api": "ALSA"}, 12.5, 3), {}
    monkeypatch.setattr(os, "execve", lambda program, words, env: handed.update(env))
    run_again(back)
    monkeypatch.setenv(MARK, handed[MARK])
    assert handed_over() == back
    assert handed_over() is None


def test_the_longer_it_is_away_the_seldomer_it_is_looked_for(monkeypatch):
    tried, slept = [Return("studio", {"source": "mic"}, 60.0, 3)], []
    monkeypatch.setattr(returning, "run_again", tried.append)
    monkeypatch.setattr(returning.time, "sleep", slept.append)
    for _ in range(30):
        with patient(tried[-1]):
            raise OSError("no microphone")
    assert slept[0] == 0.5
    assert slept == sorted(slept)
    assert slept[-1] == 2.5
    assert sum(slept[:6]) < 6
    last = tried[-1]
    assert (last.instance, last.devices, last.times, last.tries) == (
        "studio",
        {"source": "mic"},
        3,
        30,
    )
    assert pause(10**9) == 2.5


def test_its_name_stays_its_own_while_it_waits():
    """Through every run that replaces the one before; a kill lets go of it."""
    words = """from rtsep.cli.returning import Return, run_again
from rtsep.cli.serving import free_instance
free_instance("studio")
run_again(Return("studio"))"""
    live = ["live", "--model", "bypass", "--input", "no such microphone"]
    with subprocess.Popen([sys.executable, "-c", words, *live], stderr=subprocess.DEVNULL) as run:
        environment = Path(f"/proc/{run.pid}/environ")
        try:
            until(lambda: b'"tries": 2' in environment.read_bytes(), PATIENCE)
            with pytest.raises(OSError, match="instance 'studio' is running already"):
                free_instance("studio")
        finally:  # else its parent would wait for it for ever
            run.kill()
    assert free_instance("studio") == "studio"


def test_ctrl_c_ends_the_wait(jack_server):
    jack_server.kind = "jack_server"
    live = Live(jack_server, "--model", "bypass")
    live.wait_for(" s  input")
    jack_server.kill()
    live.wait_for("waiting for it")
    live.process.send_signal(signal.SIGINT)
    live.process.communicate(timeout=PATIENCE)
    assert live.process.returncode in (0, 130, -signal.SIGINT)
