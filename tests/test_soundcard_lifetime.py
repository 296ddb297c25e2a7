"""However a running stream ends, the process neither crashes nor hangs."""

import os
import signal
import subprocess
import sys
import time
import warnings

import pytest
import servers

OPEN = """
import gc, os, sys, time
import rtsep
from rtsep.ports.portaudio import find_route
from rtsep.ports.soundcard import SoundcardStream, SoundServerLost

def opened():
    route = find_route({device!r}, {device!r}, rate=48000, channels=1)
    engine = rtsep.Engine("bypass", rate=48000, channels=1)
    stream = SoundcardStream(engine, route, latency=0.04)
    stream.start()
    while engine.meters().blocks < 5:
        time.sleep(0.01)
    print("running", flush=True)
    return stream

"""
WAYS = {
    "stopped": ("stream = opened(); stream.close(); stream.close()", 0),
    "dropped": ("stream = opened(); del stream; gc.collect(); time.sleep(0.2); gc.collect()", 0),
    "left open": ("stream = opened()", 0),
    "left by sys.exit": ("stream = opened(); sys.exit(7)", 7),
    "exception": ("stream = opened(); raise KeyError('planted')", 1),
    "exception inside": ("with opened(): raise KeyError('planted')", 1),
    "terminated": ("stream = opened(); os.kill(os.getpid(), 15); time.sleep(9)", -signal.SIGTERM),
    "opened twice": ("for _ in range(3): stream = opened(); stream.close()", 0),
}
WATCH = """
try:
    while True:
        time.sleep(0.1)
        stream.check()
except SoundServerLost as error:
    print("lost:", error, flush=True)
"""
DEATHS = {
    "watched": "stream = opened()" + WATCH,
    "watched, then closed": "stream = opened()" + WATCH + "stream.close()",
    "closed": "stream = opened(); time.sleep(1); stream.close()",
    "left open": "stream = opened(); time.sleep(1)",
    "dropped": "stream = opened(); time.sleep(1); del stream",
}
SERVERS = {"jack": servers.jack, "pulse": servers.pulse}
DEVICES = {"jack": "system", "pulse": "pulse"}
ANSWER = {"jack": ["jack_lsp"], "pulse": ["pactl", "info"]}
pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("warm")]
PATIENCE = 60  # seconds for a whole process


def start(kind):
    if lacking := servers.missing(kind):
        pytest.skip(f"no {', '.join(lacking)} here: `tools/test --servers` installs them")
    return SERVERS[kind]()


@pytest.fixture(scope="module", params=SERVERS)
def running(request):
    """One server for all that leaves it alive."""
    with start(request.param) as server:
        server.device, server.question = DEVICES[request.param], ANSWER[request.param]
        yield server


@pytest.fixture
def server(running):
    """The same, anew where it has died meanwhile: PulseAudio was seen to, once in many runs."""
    if not running.answers(*running.question):
        codes = [child.poll() for child in running.children]
        warnings.warn(f"the server died ({codes}):\n{running.logs()[-4000:]}", stacklevel=1)
        running.kill()
        running.start_again(*running.question)
        time.sleep(2.5)  # as long as PulseAudio's sinks take to find their step
    return running


@pytest.fixture(params=SERVERS)
def victim(request):
    """A server to kill."""
    with start(request.param) as server:
        server.device = DEVICES[request.param]
        yield server


def child(server, script):
    program = OPEN.format(device=server.device) + script
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", program], env=server.env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process):
    try:
        return process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # faulthandler tells where it hangs
        pytest.fail("hangs:\n" + process.communicate()[1])


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_ends_well(server, way):
    script, code = WAYS[way]
    process = child(server, script)
    told, errors = ended(process)
    assert "running" in told, errors
    assert process.returncode == code, errors


@pytest.mark.parametrize("way", DEATHS)
def test_a_dead_server_neither_crashes_nor_hangs(victim, way):
    process = child(victim, DEATHS[way])
    assert process.stdout.readline() == "running\n"
    victim.kill()
    told, errors = ended(process)
    assert process.returncode == 0, errors
    assert ("no longer answers" in told) == way.startswith("watched")


def test_a_halted_process_is_not_a_dead_server(server):
    """Ctrl-Z for longer than the watchdog's patience."""
    script = (
        "stream = opened()\nfor _ in range(40): time.sleep(0.1); stream.check()\nstream.close()"
    )
    process = child(server, script)
    assert process.stdout.readline() == "running\n"
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(3)
    os.kill(process.pid, signal.SIGCONT)
    _, errors = ended(process)
    assert process.returncode == 0, errors
