"""Each server starts, answers, carries what it promises, and leaves nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import servers

CONTEXTS = {"pulse": servers.pulse, "pipewire": servers.pipewire, "jack": servers.jack}
HOST_APIS = "import sounddevice as sd; print([a['name'] for a in sd.query_hostapis()])"


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _ask(env: dict[str, str], *command: str) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.servers
@pytest.mark.parametrize("kind", CONTEXTS)
def test_server_stops_with_its_children_and_folder(kind: str) -> None:
    if lacking := servers.missing(kind):
        pytest.skip(f"no {', '.join(lacking)} here: `tools/test --servers` installs them")
    before = dict(os.environ)
    with CONTEXTS[kind]() as server:
        pids = [child.pid for child in server.children]
        assert all(map(_alive, pids))
    assert not any(map(_alive, pids))
    assert not server.folder.exists()
    assert dict(os.environ) == before


@pytest.mark.parametrize("fixture", ["pulse_server", "pipewire_server"])
def test_nodes_are_there(fixture: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(fixture)
    sources = _ask(server.env, "pactl", "list", "short", "sources")
    assert "mic_feed.monitor" in sources
    assert "rtsep_mic" in sources


def test_portaudio_sees_jack(jack_server: servers.Server) -> None:
    assert "JACK" in _ask(jack_server.env, sys.executable, "-c", HOST_APIS)


def test_portaudio_sees_pipewire_as_jack(pipewire_server: servers.Server) -> None:
    env = servers.through_jack(pipewire_server.env)
    assert "JACK" in _ask(env, sys.executable, "-c", HOST_APIS)


def test_freewheel_outruns_the_clock(jack_server: servers.Server) -> None:
    frames = "import jack, time; c = jack.Client('clock'); c.activate(); a = c.last_frame_time; "
    frames += "time.sleep(1); print(c.last_frame_time - a)"  # frame_time is a guess meanwhile
    jack_server.freewheel(True)
    assert int(_ask(jack_server.env, sys.executable, "-c", frames)) > 2 * 48000
    jack_server.freewheel(False)


def test_kill_is_at_once(jack_server: servers.Server) -> None:
    jack_server.kill()
    assert not any(_alive(child.pid) for child in jack_server.children)


def test_steal_is_a_share() -> None:
    before = servers.host_steal()
    time.sleep(0.1)
    assert 0.0 <= servers.steal_since(before) <= 1.0
