"""The real device goes and comes back: rtsep never hears itself, and has it again by its name."""

import json
import os
import signal
import subprocess
from types import SimpleNamespace as Told

import pytest
from control_room import until
from test_virtual import live, own_home, server

from rtsep.ports.presence import Presence

__all__ = ["own_home", "server"]
OWN = "rtsep_main_microphone"


class Pulse:
    """A server with two microphones and rtsep's; our stream records the first, as others do."""

    def __init__(self, playback=False):
        names = ("usb", "hdmi.monitor", "mic", OWN)
        self.devices = [Told(index=i, name=name, proplist={}) for i, name in enumerate(names)]
        self.playback, self.streams = playback, [self.stream(7, os.getpid()), self.stream(8, 1)]

    def stream(self, index, process):
        told = {"application.process.id": str(process)}
        return Told(index=index, proplist=told, source=0, sink=0)

    def go(self, device, to):
        """Take a device away and lead its streams to another, None for nowhere."""
        self.devices = [each for each in self.devices if each.index != device]
        for each in self.streams if to is not None else ():
            each.source = each.sink = to
        if to is None:
            self.streams = []

    def move(self, stream, device):
        found = next(each for each in self.streams if each.index == stream)
        found.source = found.sink = device

    def __getattr__(self, name):
        if name == "server_info":
            return lambda: Told(default_source_name=OWN, default_sink_name=OWN)
        played = name.startswith("sink")
        if played != self.playback:
            raise AttributeError(name)
        if name in ("source_list", "sink_list"):
            return lambda: self.devices
        return self.move if name.endswith("_move") else lambda: self.streams


@pytest.mark.parametrize("playback", [False, True])
@pytest.mark.parametrize(("to", "there"), [(1, True), (2, True), (None, False)])
def test_a_device_that_goes_is_missed_unless_another_real_one_takes_its_place(playback, to, there):
    pulse, presence = Pulse(playback), Presence("usb", playback)
    assert presence.look(pulse)
    pulse.go(0, to)
    assert presence.look(pulse) == there
    assert presence.instead == ("mic" if there else "")
    pulse.devices.append(Told(index=9, name="usb", proplist={}))  # plugged in again
    assert presence.look(pulse)
    assert presence.instead == ""
    ours, others = (pulse.streams or [Told(source=9), Told(source=to)])[:2]
    assert (ours.source, others.source) == (9, to)  # others stay where they were led


@pytest.mark.parametrize("playback", [False, True])
def test_where_it_would_hear_itself_it_takes_another_microphone_and_no_monitor(playback):
    pulse, presence = Pulse(playback), Presence("usb", playback)
    pulse.go(0, 3)  # to ours, the default one
    assert presence.look(pulse)
    assert presence.instead == "mic"
    assert [each.source for each in pulse.streams] == [2, 3]  # and no one else's stream is led
    pulse.devices = [each for each in pulse.devices if each.name != "mic"]
    pulse.move(7, 3)
    assert not presence.look(pulse)
    assert presence.instead == ""
    assert pulse.streams[0].source == 3


@pytest.mark.parametrize("playback", [False, True])
def test_a_device_that_was_gone_between_two_looks_is_known_by_its_index(playback):
    pulse, presence = Pulse(playback), Presence("usb", playback)
    presence.look(pulse)
    pulse.go(0, 2)
    pulse.devices.append(Told(index=9, name="usb", proplist={}))
    assert presence.look(pulse)
    assert [each.source for each in pulse.streams] == [9, 2]
    pulse.move(7, 2)  # by hand, from then on
    assert presence.look(pulse)
    assert pulse.streams[0].source == 2


def test_a_speakers_monitor_is_no_microphone():
    """The server leads to it; the other would be heard, and what they say sent back to them."""
    pulse, presence = Pulse(), Presence("usb")
    pulse.go(0, 1)
    assert presence.look(pulse)
    assert (presence.instead, pulse.streams[0].source) == ("mic", 2)


def test_who_leads_our_stream_elsewhere_by_hand_is_obeyed():
    pulse, presence = Pulse(), Presence("usb")
    presence.look(pulse)
    pulse.move(7, 1)
    assert presence.look(pulse)
    assert pulse.streams[0].source == 1


# with real servers


def pactl(server, *words):
    return subprocess.check_output(["pactl", *words], env=server.env, text=True)


def recorded(server, process):
    """Names of what a process records."""
    sources = json.loads(pactl(server, "-f", "json", "list", "sources"))
    names = {each["index"]: each["name"] for each in sources}
    outputs = json.loads(pactl(server, "-f", "json", "list", "source-outputs"))
    ours = [each for each in outputs
            if each["properties"].get("application.process.id") == str(process.pid)]  # fmt: skip
    return {names.get(each["source"]) for each in ours if not each["corked"]}


@pytest.mark.servers
@pytest.mark.usefixtures("warm", "own_home")
def test_a_microphone_pulled_and_put_back_is_recorded_again_and_rtsep_itself_never(server):
    plug = ["load-module", "module-null-sink", "sink_name=usb", "rate=48000", "channels=1"]
    module = pactl(server, *plug).strip()
    process = live(server, "--always", "--default", "--input", "usb.monitor")
    until(lambda: recorded(server, process) == {"usb.monitor"}, 60)
    pactl(server, "unload-module", module)
    until(lambda: not recorded(server, process) & {"usb.monitor", OWN}, 60)
    pactl(server, *plug)
    until(lambda: recorded(server, process) == {"usb.monitor"}, 60)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0, errors
    assert ("is gone" in errors) == ("is back" in errors)


@pytest.mark.servers
@pytest.mark.usefixtures("warm", "own_home")
def test_another_microphone_takes_the_place_of_one_that_is_pulled(server):
    """Though rtsep's is the default one."""
    plug, other = (
        ["load-module", "module-remap-source", f"source_name={name}", f"master={sink}.monitor"]
        for name, sink in (("usb", "virt_out"), ("laptop", "mic_feed"))
    )
    module = pactl(server, *plug).strip()
    pactl(server, *other)
    process = live(server, "--always", "--default", "--input", "usb")
    until(lambda: recorded(server, process) == {"usb"}, 60)
    pactl(server, "unload-module", module)
    until(lambda: recorded(server, process) == {"laptop"}, 60)
    pactl(server, *plug)
    until(lambda: recorded(server, process) == {"usb"}, 60)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0, errors
    assert "usb is gone; laptop takes its place" in errors
    assert "usb is back" in errors


@pytest.mark.servers
@pytest.mark.usefixtures("warm", "own_home")
def test_once_ends_with_its_microphone(pulse_server):
    """PipeWire lets a stream without its microphone record another one, or silence."""
    plug = ["load-module", "module-null-sink", "sink_name=usb", "rate=48000", "channels=1"]
    module = pactl(pulse_server, *plug).strip()
    process = live(pulse_server, "--always", "--default", "--once", "--input", "usb.monitor")
    until(lambda: recorded(pulse_server, process) == {"usb.monitor"}, 60)
    pactl(pulse_server, "unload-module", module)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 2, errors
    assert errors.splitlines()[-1] == "rtsep: usb.monitor is gone"
    until(lambda: OWN not in pactl(pulse_server, "list", "short", "sources"), 10)
