"""A controller's side of the desk: mapped, learned, told of changes; bytes in, bytes out."""

import contextlib
import json
import socket
import sys
import time

import pytest
from control_room import desk_for, served_line, until

import rtsep
from models import pair
from rtsep.control.mapping import Mapping
from rtsep.control.places import socket_path
from rtsep.control.presets import Preset
from rtsep.control.serve import GLANCE
from rtsep.control.surface import Surface
from rtsep.control.wire import Refused

FADER = Mapping("strength", number=7)


@contextlib.contextmanager
def surface_for(*table, engine=None, **how):
    with desk_for(engine) as desk:
        surface = Surface(desk, table, **how)
        surface.sent = []
        surface.send = lambda message: surface.sent.append(tuple(message))
        surface.heard_now = lambda *data: desk.ask(surface.hear, data).result(5)
        yield surface


def test_a_fader_turns_its_parameter_and_others_hear_of_it():
    with surface_for(FADER) as surface:
        heard = []
        surface.desk.listen(heard.append)
        surface.heard_now(0xB0, 7, 127, 7, 0)
        assert surface.desk.engine.get("strength") == 0
        assert [(change.value, change.origin) for change in heard] == [(0.0, "midi")]


def test_a_change_from_elsewhere_moves_the_fader_and_its_echo_moves_nothing():
    with surface_for(FADER) as surface:
        surface.heard_now(0xB0, 7, 64)
        surface.desk.ask(surface.desk.turn, "strength", 0.3, "socket").result(5)
        assert surface.sent == [(0xB0, 7, 38)]
        surface.heard_now(*surface.sent[0])
        assert surface.desk.engine.get("strength") == 0.3


def test_two_controls_of_one_parameter_follow_each_other_and_come_to_rest():
    with surface_for(FADER, Mapping("strength", number=8, low=1.0, high=0.0)) as surface:
        surface.heard_now(0xB0, 7, 100)
        assert surface.sent == [(0xB0, 8, 27)]
        for _ in range(5):
            before, surface.sent = list(surface.sent), []
            for message in before:
                surface.heard_now(*message)
        assert surface.sent == []
        assert surface.desk.engine.get("strength") == 100 / 127


def test_a_controller_put_back_is_told_where_everything_stands():
    with surface_for(FADER, Mapping("bypass", "note", 1, action="toggle")) as surface:
        surface.desk.ask(surface.show_all).result(5)
        assert sorted(surface.sent) == [(0x90, 1, 0), (0xB0, 7, 127)]


def test_a_flood_is_bounded_and_the_last_word_is_kept():
    with surface_for(FADER) as surface:
        for turn in range(5000):
            surface.desk.post(surface.hear, (0xB0, 7, turn % 128))
            surface.desk.post(surface.hear, (0xF0, *range(100), 0xF7))
        until(lambda: surface.desk._jobs.empty())
        surface.heard_now(0xB0, 7, 32)
        assert surface.desk.engine.get("strength") == 32 / 127


def test_mappings_of_absent_sources_wait_for_them():
    table = [Mapping("rain.gain", number=7)]
    with surface_for(*table, engine=rtsep.Engine("bypass")) as surface:
        surface.heard_now(0xB0, 7, 0)
        surface.desk.ask(surface.desk.swap, ["rain"], None, "socket").result(10)
        surface.heard_now(0xB0, 7, 127)
        assert surface.desk.engine.get("rain.gain") == 24


@pytest.mark.parametrize(
    ("moved", "told", "expected"),
    [
        ((0xB2, 7, 5, 7, 6), {}, Mapping("strength", number=7, channel=3)),
        ((0xB0, 7, 5, 39, 6), {}, Mapping("strength", "cc14", 7, 1)),
        ((0xB0, 99, 2, 98, 3, 6, 5, 38, 1), {}, Mapping("strength", "nrpn", 259, 1)),
        ((0xE3, 1, 2), {}, Mapping("strength", "bend", 0, 4)),
        ((0x90, 60, 9), {}, Mapping("strength", "note", 60, 1, action="momentary")),
        ((0xB0, 7, 1), {"action": "twos", "channel": 0},
         Mapping("strength", number=7, action="twos")),
        ((0xB0, 7, 1), {"takeover": "pickup", "low": 0.5},
         Mapping("strength", number=7, channel=1, takeover="pickup", low=0.5)),
        ((0x90, 60, 9), {"parameter": "bypass"},
         Mapping("bypass", "note", 60, 1, action="toggle")),
        ((0xB0, 48, 100), {}, Mapping("strength", number=48, channel=1)),
        ((0xB0, 41, 127, 41, 0), {"parameter": "bypass"},
         Mapping("bypass", number=41, channel=1, action="toggle")),
        ((0xC0, 5), {"parameter": "bypass"},
         Mapping("bypass", "program", 5, 1, action="toggle")),
        ((0xC0, 5), {"parameter": "preset", "preset": "call"},
         Mapping("preset", "program", 5, 1, preset="call")),
    ],
)  # fmt: skip
def test_learning_maps_what_moves_next(moved, told, expected):
    with surface_for() as surface:
        future = surface.desk.ask(surface.learn, {"parameter": "strength"} | told).result(5)
        surface.heard_now(*moved)
        assert future.result(5) == expected
        assert surface.table == [expected]


def test_a_fader_stays_one_of_seven_bits_beside_a_button_32_numbers_on():
    with surface_for() as surface:
        surface.heard_now(0xB0, 32, 127, 32, 0)
        future = surface.desk.ask(surface.learn, {"parameter": "strength"}).result(5)
        surface.heard_now(0xB0, 0, 60, 0, 61)
        assert future.result(5) == Mapping("strength", number=0, channel=1)
        surface.heard_now(0xB0, 32, 127, 0, 127)
        assert surface.desk.engine.get("strength") == 1


def test_a_pedal_that_sends_programs_toggles_each_time():
    with surface_for(Mapping("bypass", "program", 5, action="toggle")) as surface:
        seen = []
        for _ in range(4):
            surface.heard_now(0xC0, 5)
            seen.append(surface.desk.engine.get("bypass"))
    assert seen == [1, 0, 1, 0]


def test_whoever_hangs_up_learns_nothing(own_folders):
    """Ctrl-C on `rtsep midi learn`: the next control that moves turns what it did before."""
    blend = Mapping("output_gain", number=20)
    with served_line(preset=Preset(("bypass",), mappings=(blend,))) as (desk, line):
        desk.surface.deaf = ""
        line.send({"do": "learn", "parameter": "strength"})
        until(lambda: desk.surface._pupil)
        line.close()
        until(lambda: not desk.surface._pupil)
        desk.ask(desk.surface.hear, (0xB0, 20, 0)).result(5)
        assert desk.surface.table == [blend]
        assert desk.engine.get("output_gain") == -60


def test_who_only_says_no_more_is_answered(own_folders):
    """As `nc` does at the end of its input."""
    with served_line() as (desk, _), socket.socket(socket.AF_UNIX) as half:
        desk.surface.deaf = ""
        half.connect(str(socket_path("main")))
        half.sendall(b'{"do": "learn", "parameter": "strength"}\n')
        half.shutdown(socket.SHUT_WR)
        until(lambda: desk.surface._pupil)
        time.sleep(3 * GLANCE)
        desk.ask(desk.surface.hear, (0xB0, 20, 0)).result(5)
        half.settimeout(20)
        assert json.loads(half.recv(4096))["mapping"]["number"] == 20


def test_learning_again_replaces_the_control_and_what_moves_meanwhile_turns_nothing():
    with surface_for(FADER) as surface:
        future = surface.desk.ask(surface.learn, {"parameter": "output_gain", "channel": 0})
        surface.heard_now(0xB0, 7, 3)
        assert surface.desk.engine.get("strength") == 1
        assert future.result(5).result(5).parameter == "output_gain"
        assert [mapping.parameter for mapping in surface.table] == ["output_gain"]


def test_what_cannot_be_learned_is_told_at_once():
    with surface_for() as surface:
        with pytest.raises(ValueError, match="nearest: 'strength'"):
            surface.desk.ask(surface.learn, {"parameter": "strenght"}).result(5)
        first = surface.desk.ask(surface.learn, {"parameter": "strength"}).result(5)
        surface.desk.ask(surface.learn, {"parameter": "bypass"}).result(5)
        with pytest.raises(ValueError, match="another mapping"):
            first.result(5)


def test_learning_and_forgetting_by_the_socket(own_folders):
    with served_line() as (desk, line):
        desk.surface.deaf = ""
        with pytest.raises(Refused, match="'colour' is unknown"):
            line.ask(do="learn", parameter="strength", colour="red")
        assert line.ask(do="mappings")["mappings"] == []
        assert line.ask(do="forget", parameter="strength")["forgotten"] == 0
        assert desk.dropped == 0


def test_where_no_control_can_move_learning_is_refused_at_once(own_folders, monkeypatch):
    with served_line() as (_, line), pytest.raises(Refused, match="with --midi PORT"):
        line.ask(do="learn", parameter="strength")
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    with (
        served_line(midi="nano", say=lambda words: None) as (_, line),
        pytest.raises(Refused, match="no MIDI: python-rtmidi is missing: pip install"),
    ):
        line.ask(do="learn", parameter="strength")


def test_a_program_change_loads_a_preset(own_folders):
    loaded = []
    with surface_for(load=loaded.append) as surface:
        surface.heard_now(0xC0, 2)
        surface.desk.ask(surface.use, [Mapping("preset", "program", 2, preset="call")]).result(5)
        surface.heard_now(0xC0, 2, 3)
    assert loaded == ["#2", "call", "#3"]


def test_mute_by_a_pad_is_heard_in_the_sound():
    """From a note to silence, gliding: no sample steps further than the sound itself does."""
    import numpy as np

    from models import sine, stream

    engine = rtsep.Engine(pair(), strength=0.0)
    with surface_for(Mapping("voice.mute", "note", 1, action="toggle"), engine=engine) as surface:
        x = sine(24000, hertz=200)
        before = stream(engine, x, [480])
        surface.heard_now(0x90, 1, 100)
        after = stream(engine, x, [480])
        assert engine.get("voice.mute") == 1
        steps = np.abs(np.diff(np.concatenate([before[4800:], after])))
        assert steps.max() < 1.2 * np.abs(np.diff(before[4800:])).max()


def test_a_full_table_is_refused():
    with surface_for() as surface, pytest.raises(ValueError, match=r"513 mappings \(at most 512\)"):
        surface.desk.ask(surface.use, [FADER] * 513).result(5)
