"""JACK: ports that say what they are, and links that come back with the program they led to."""

import signal
import subprocess
import sys
import time

import pytest
from control_room import until

from rtsep.ports import jack

RTSEP = [sys.executable, "-m", "rtsep.cli"]
PEER = """
import sys, time, jack
client = jack.Client(sys.argv[1], use_exact_name=True)
client.inports.register("in"); client.outports.register("out")
client.set_process_callback(lambda samples: None)  # without one nobody after it is called
client.activate()
print("ready", flush=True)
sys.stdin.read()
"""
A, B, OURS, SINK = "mic:out", "other:out", "rtsep:input_1", "rtsep:output_1"


def seen(*ports, links=()):
    """Ports as `name`, or `name again` for those of a program that was started anew."""
    runs = {port.removesuffix(" again"): port[-5:] for port in ports}
    return jack.Seen(runs, frozenset(links))


@pytest.mark.parametrize(
    ("before", "now", "made", "wanted"),
    [
        (seen(A, OURS, links=[(A, OURS)]), seen(A, OURS, links=[(A, OURS)]), set(), {(A, OURS)}),
        (seen(A, OURS, links=[(A, OURS)]), seen(OURS), set(), {(A, OURS)}),  # it goes
        (seen(OURS), seen(OURS), set(), {(A, OURS)}),  # it is away
        (seen(OURS), seen(A, OURS), {(A, OURS)}, {(A, OURS)}),  # it comes back
        (seen(A, OURS), seen(f"{A} again", OURS), {(A, OURS)}, {(A, OURS)}),  # at once
        (seen(OURS), seen(A, OURS, links=[(A, OURS)]), set(), {(A, OURS)}),  # others were faster
        (seen(A, OURS, links=[(A, OURS)]), seen(A, OURS), set(), set()),  # taken apart by hand
        (seen(OURS), seen(OURS, B, links=[(B, OURS)]), set(), {(A, OURS), (B, OURS)}),
    ],
)
def test_what_is_missing_and_what_is_wanted(before, now, made, wanted):
    assert jack.missing({(A, OURS)}, before, now) == (made, wanted)


def test_clients_are_named_by_their_instance():
    assert [jack.client_name(name) for name in (None, "main", "b")] == ["rtsep", "rtsep", "rtsep-b"]
    assert len(jack.client_name("x" * 64)) < 64


@pytest.fixture
def start(jack_server, own_folders, monkeypatch):
    """Starts children on the server; they are ended."""
    children = []

    def start(*words):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        child = subprocess.Popen(words, env=jack_server.env, text=True, **pipes)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def peer(start):
    def begin(name):
        child = start(sys.executable, "-c", PEER, name)
        assert child.stdout.readline() == "ready\n"
        return child

    return begin


@pytest.fixture
def live(start, warm):
    def begin(*words):
        child = start(*RTSEP, "live", "-m", "bypass", "--host-api", "jack", *words)
        for line in child.stderr:
            if " s  input" in line:
                return child
        return pytest.fail("it ended")

    return begin


def links(server):
    """What is connected to what: {port: {ports}}."""
    listed = subprocess.check_output(["jack_lsp", "-c"], env=server.env, text=True)
    found, port = {}, ""
    for line in listed.splitlines():
        if line.startswith(" "):
            found[port].add(line.strip())
        else:
            port = line
            found[port] = set()
    return found


def gone(child):
    child.kill()
    child.wait()


def turned(server, tool, *ports):
    subprocess.run([tool, *ports], env=server.env, check=True, capture_output=True)


def test_ports_have_names_and_are_connected(jack_server, live):
    child = live()
    until(lambda: SINK in links(jack_server))
    found = links(jack_server)
    assert found[OURS] == {"system:capture_1"}
    assert found[SINK] == {"system:playback_1"}
    second = live("--instance", "b")
    until(lambda: "rtsep-b:output_1" in links(jack_server))
    for each in (second, child):
        each.send_signal(signal.SIGINT)
        assert each.wait(30) == 0
    assert set(links(jack_server)) == {"system:capture_1", "system:playback_1"}


def test_links_come_back_with_the_program_they_led_to(jack_server, live, peer):
    mic = peer("mic")
    child = live("--input", "mic", "--output", "system")
    until(lambda: links(jack_server).get(OURS) == {A})
    gone(mic)
    until(lambda: links(jack_server)[OURS] == set())
    mic = peer("mic")
    until(lambda: links(jack_server)[OURS] == {A})
    # What a person changes is what comes back.
    other = peer("other")
    turned(jack_server, "jack_disconnect", A, OURS)
    turned(jack_server, "jack_connect", B, OURS)
    until(lambda: links(jack_server)[OURS] == {B})
    until_looked()
    gone(other)
    gone(mic)
    until(lambda: links(jack_server)[OURS] == set())
    peer("other")
    peer("mic")
    until(lambda: links(jack_server)[OURS] == {B})
    until_looked()
    assert links(jack_server)[OURS] == {B}
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 0


def until_looked():
    """Some looks of the patchbay go by."""
    time.sleep(4 * jack.GLANCE)
