"""OSC: set and asked from another program, bounded, and never believed."""

import logging
import socket

import numpy as np
import pytest
from control_room import desk_for, sounding, until
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

import rtsep
from models import model
from rtsep.control.osc import Osc, message, messages, place
from rtsep.control.serve import serve


def built(address, *values):
    builder = OscMessageBuilder(address=address)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


class Client:
    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(10)

    def send(self, *told):
        self.socket.send(built(*told))

    def next(self):
        ((address, values),) = messages(self.socket.recv(4096))
        return address, values[0]


@pytest.fixture
def osc():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with desk_for(rtsep.Engine(model())) as desk:
        served, said = Osc(desk, str(port), lambda words: said.append(words)), []
        served.start()
        client = Client(port)
        client.desk, client.said, client.port = desk, said, port
        yield client
        client.socket.close()
        served.close()


@pytest.mark.parametrize(
    ("sent", "name", "value"),
    [
        (("/rtsep/strength", 0.5), "strength", 0.5),
        (("/rtsep/strength", 0), "strength", 0),
        (("/rtsep/listen", "residual"), "listen", "residual"),
        (("/rtsep/fan.gain", -12.0), "fan.gain", -12),
        (("/rtsep/fan/gain", -12.0), "fan.gain", -12),
        (("/rtsep/bypass", True), "bypass", 1),
        (("/rtsep/bypass", "on"), "bypass", 1),
    ],
)
def test_setting_and_asking(osc, sent, name, value):
    osc.send(*sent)
    osc.send(f"/rtsep/{name}")
    assert osc.next() == (f"/rtsep/{name}", value)
    assert osc.desk.engine.get(name) == value
    assert osc.said == []


def test_everything_is_told_on_demand(osc):
    osc.send("/rtsep")
    told = dict(osc.next() for _ in range(len(osc.desk.engine.parameters) + 10))
    assert told["/rtsep/strength"] == 1
    assert told.keys() >= {f"/rtsep/{name}" for name in osc.desk.engine.parameters}


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (("/rtsep/strength", "loud"), "strength takes a number, not 'loud'"),
        (("/rtsep/strength", 7.0), "strength=7.0 is outside 0..1"),
        (("/rtsep/strength", float("nan")), "strength=nan is outside"),
        (("/rtsep/strength", 0.5, 0.5), "takes one number or word"),
        (("/rtsep/strength", b"\0\1"), "takes one number or word"),
        (("/rtsep/strenght", 1.0), "nearest: 'strength'"),
        (("/rtsep/meters.nothing",), "no meter"),
    ],
)
def test_wrong_types_and_values_are_answered_in_one_line(osc, sent, words):
    osc.send(*sent)
    address, line = osc.next()
    assert address == "/rtsep/error"
    assert words in line
    assert osc.desk.engine.get("strength") == 1


def test_subscribers_hear_of_changes(osc):
    osc.send("/rtsep/subscribe")
    for _ in osc.desk.engine.parameters:
        osc.next()
    osc.desk.ask(osc.desk.turn, "strength", 0.25, "midi").result(5)
    assert osc.next() == ("/rtsep/strength", 0.25)


def test_a_bundle_is_obeyed_in_order(osc):
    bundle = OscBundleBuilder(IMMEDIATELY)
    for value in (0.1, 0.2, 0.3):
        builder = OscMessageBuilder(address="/rtsep/strength")
        builder.add_arg(value)
        bundle.add_content(builder.build())
    osc.socket.send(bundle.build().dgram)
    osc.send("/rtsep/strength")
    assert osc.next()[1] == pytest.approx(0.3)


def test_noise_is_ignored_and_the_sound_goes_on(osc):
    rng, engine = np.random.default_rng(0), osc.desk.engine
    good = built("/rtsep/strength", 0.5)
    with sounding(engine):
        for turn in range(1000):
            bad = bytearray(good)
            for _ in range(rng.integers(1, 5)):
                bad[rng.integers(len(bad))] = rng.integers(256)
            sent = (rng.bytes(rng.integers(1, 3000)), bytes(bad), b"#bundle\0" * 99)[turn % 3]
            osc.socket.send(sent)
        osc.socket.send(b"x" * 60000)
        osc.send("/elsewhere/strength", 0.1)

        def set_at_last():  # a flood may well push a datagram out
            osc.send("/rtsep/output_gain", -6.0)
            return engine.get("output_gain") == -6

        until(set_at_last)
        before = engine.meters().samples
        until(lambda: engine.meters().samples > before)
    assert 0 <= engine.get("strength") <= 1


def test_noise_writes_no_lines_of_its_own(caplog):
    for data in (b"noise", b"", b"/rtsep/strength\0,c\0\0abcd", b"#bundle\0" + b"\0" * 16):
        messages(data)
    assert caplog.messages == []
    logging.warning("others are heard")
    assert caplog.messages == ["others are heard"]


def test_a_port_in_use_is_told_and_the_rest_goes_on(osc, own_folders):
    said = []
    with serve(rtsep.Engine("bypass"), osc=str(osc.port), say=said.append) as desk:
        assert desk.ask(lambda: 1).result(5) == 1
    assert said == [f"no OSC: port {osc.port} of 127.0.0.1: Address already in use"]


@pytest.mark.parametrize(
    ("where", "address"),
    [("9000", ("127.0.0.1", 9000)), ("0.0.0.0:9000", ("0.0.0.0", 9000))],
)
def test_places(where, address):
    assert place(where) == address


@pytest.mark.parametrize("where", ["", "x", "0", "65536", "a:9000", "1.2.3.4", "::1:9000", "9³"])
def test_no_places(where):
    with pytest.raises(ValueError, match="OSC"):
        place(where)


def test_a_port_open_to_others_is_warned_of():
    said = []
    with desk_for() as desk:
        Osc(desk, "0.0.0.0:9000", said.append)._socket.close()
    assert said == [
        "OSC: anybody who reaches 0.0.0.0:9000 can turn this rtsep: there is no password"
    ]


def test_what_is_built_is_read():
    assert messages(message("/rtsep/listen", "all")) == [("/rtsep/listen", ["all"])]
