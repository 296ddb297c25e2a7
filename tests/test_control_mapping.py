"""Mappings: ranges, curves, switches, relative knobs, and when a fader takes hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.control.feedback import Echo
from rtsep.control.gestures import Gesture, gestures
from rtsep.control.mapping import (
    CURVES,
    RELATIVE,
    Hands,
    Mapping,
    mapping_from,
    position_of,
    taken,
    turned,
    value_at,
)
from rtsep.engine.parameters import parameters_of

PARAMETERS = parameters_of(("voice", "fan"), ("voice",))
SIGNED = [*range(64), *range(-64, 0)]


def translate(data, table, hands, parameters, current):
    """What MIDI bytes set, (parameter id, value); what they set comes before what was current."""
    told = []
    for gesture in gestures(data, hands.reading):
        latest = dict(told)

        def now(name, latest=latest):
            return latest[name] if name in latest else current(name)

        told += turned(gesture, table, hands, parameters, now)
    return told


def played(table, *messages, **values):
    """What messages of (number, value) on channel 1, or whole messages, set in the end."""
    now = {name: parameter.default for name, parameter in PARAMETERS.items()} | values
    hands, told = Hands(), []
    for message in messages:
        data = message if len(message) != 2 else (0xB0, *message)
        for name, value in translate(data, table, hands, PARAMETERS, now.__getitem__):
            now[name] = value
            told.append((name, value))
    return told


def cc(parameter="strength", number=7, **how):
    return [Mapping(parameter, number=number, **how)]


@pytest.mark.parametrize(
    ("mapping", "message", "expected"),
    [
        (cc(), (0xB0, 7, 127), [("strength", 1.0)]),
        (cc(), (0xB0, 7, 0), [("strength", 0.0)]),
        (cc(), (0xB5, 7, 127), [("strength", 1.0)]),
        (cc(channel=6), (0xB5, 7, 127), [("strength", 1.0)]),
        (cc(channel=6), (0xB0, 7, 127), []),
        (cc(), (0xB0, 8, 127), []),
        (cc(low=0.5, high=0.75), (0xB0, 7, 127), [("strength", 0.75)]),
        (cc(low=1.0, high=0.0), (0xB0, 7, 127), [("strength", 0.0)]),
        (cc("output_gain"), (0xB0, 7, 127), [("output_gain", 24.0)]),
        (cc("listen"), (0xB0, 7, 127), [("listen", "all")]),
        (cc("listen"), (0xB0, 7, 64), [("listen", "residual")]),
        (cc("bypass"), (0xB0, 7, 64), [("bypass", 1.0)]),
        (cc("bypass"), (0xB0, 7, 63), [("bypass", 0.0)]),
        (cc("gone.gain"), (0xB0, 7, 63), []),
        (cc(low=-9.0, high=9.0), (0xB0, 7, 127), [("strength", 1.0)]),
        ([Mapping("strength", "cc14", 7)], (0xB0, 7, 0, 39, 1), [("strength", 0.0),
                                                                 ("strength", 1 / 16383)]),
        ([Mapping("strength", "nrpn", 259)], (0xB0, 99, 2, 98, 3, 6, 127), [("strength", 1.0)]),
        ([Mapping("strength", "bend")], (0xE0, 127, 127), [("strength", 1.0)]),
        ([Mapping("strength", "bend", channel=2)], (0xE0, 127, 127), []),
        ([Mapping("strength", "note", 60)], (0x90, 60, 127), [("strength", 1.0)]),
        ([Mapping("bypass", "note", 60, action="momentary")], (0x90, 60, 1, 60, 0),
         [("bypass", 1.0), ("bypass", 0.0)]),
        ([Mapping("bypass", "note", 60, action="momentary")], (0x90, 60, 9, 0x80, 60, 9),
         [("bypass", 1.0), ("bypass", 0.0)]),
        ([Mapping("bypass", "note", 60, action="toggle")],
         (0x90, 60, 9, 60, 0, 60, 9, 60, 0, 60, 9),
         [("bypass", 1.0), ("bypass", 0.0), ("bypass", 1.0)]),
        (cc("bypass", action="toggle"), (0xB0, 7, 127, 7, 0, 7, 127), [("bypass", 1.0),
                                                                       ("bypass", 0.0)]),
        (cc("listen", action="toggle"), (0xB0, 7, 127, 7, 0, 7, 127), [("listen", "residual"),
                                                                       ("listen", "all")]),
        (cc("strength", action="momentary"), (0xB0, 7, 0, 7, 127), [("strength", 0.0),
                                                                    ("strength", 1.0)]),
        ([Mapping("preset", "program", 3, preset="call")], (0xC0, 3), [("preset", "call")]),
        ([Mapping("preset", "program", -1)], (0xC0, 3), [("preset", "#3")]),
        ([Mapping("preset", "program", 4)], (0xC0, 3), []),
        ([Mapping("preset", "note", 4, preset="a")], (0x90, 4, 9, 4, 0), [("preset", "a")]),
    ],
)  # fmt: skip
def test_messages_to_values(mapping, message, expected):
    told = played(mapping, message)
    assert [name for name, _ in told] == [name for name, _ in expected]
    for (_, value), (_, wanted) in zip(told, expected, strict=True):
        assert value == (pytest.approx(wanted) if isinstance(wanted, float) else wanted)


@pytest.mark.parametrize(
    ("coding", "byte", "steps"),
    [
        *[("twos", byte, steps) for byte, steps in enumerate(SIGNED)],
        *[("offset", byte, byte - 64) for byte in range(128)],
        *[("sign", byte, byte if byte < 64 else 64 - byte) for byte in range(128)],
    ],
)
def test_relative_codings(coding, byte, steps):
    assert RELATIVE[coding](byte) == steps
    at = played(cc(action=coding), (7, byte), strength=0.5)[0][1]
    assert at == pytest.approx(min(max(0.5 + steps / 127, 0), 1))


def test_a_relative_knob_clicks_through_words():
    knob = cc("listen", action="twos")
    assert [value for _, value in played(knob, (7, 1), (7, 1), (7, 1), (7, 127))] == [
        "residual", "all", "all", "residual",
    ]  # fmt: skip


def test_equal_moves_are_equal_steps_in_db():
    fader = cc("output_gain")[0]
    steps = np.diff([value_at(fader, PARAMETERS["output_gain"], i / 127) for i in range(128)])
    assert steps == pytest.approx(np.full(127, 84 / 127))


@given(st.floats(0, 1), st.sampled_from(sorted(CURVES)), st.floats(-80, 24), st.floats(-80, 24))
def test_positions_and_values_are_inverses(position, curve, low, high):
    mapping, parameter = (
        Mapping("fan.gain", low=low, high=high, curve=curve),
        PARAMETERS["fan.gain"],
    )
    value = value_at(mapping, parameter, position)
    assert min(low, high) <= value <= max(low, high)
    if abs(high - low) > 1e-3:
        again = value_at(mapping, parameter, position_of(mapping, parameter, value))
        assert again == pytest.approx(value, abs=1e-6)


faders = st.lists(st.integers(0, 127), min_size=1, max_size=40)


@pytest.mark.parametrize("takeover", ["pickup", "scale"])
def test_the_first_word_of_a_far_fader_moves_nothing(takeover):
    assert played(cc(takeover=takeover), (7, 100), strength=0.1) == []


@pytest.mark.parametrize("takeover", ["jump", "pickup", "scale"])
def test_a_fast_move_from_top_to_bottom_is_not_lost(takeover):
    fader = cc(takeover=takeover)
    for strength in (0.0, 0.2, 0.5, 0.99, 1.0):
        told = played(fader, (7, 127), (7, 0), strength=strength)
        assert (told[-1] if told else ("strength", strength)) == ("strength", 0.0)
    assert played(fader, (7, 0), (7, 127), strength=0.3)[-1] == ("strength", 1.0)


def test_pickup_takes_hold_where_the_fader_passes_the_value_and_keeps_it():
    told = played(cc(takeover="pickup"), *[(7, v) for v in (10, 30, 50, 70, 90, 20)], strength=0.5)
    assert [round(value * 127) for _, value in told] == [70, 90, 20]


@pytest.mark.parametrize("curve", sorted(CURVES))
def test_a_fader_that_holds_the_value_never_loses_it_to_rounding(curve):
    fader = cc("output_gain", takeover="pickup", low=-41.3, high=11.7, curve=curve)
    moves = [(7, v) for pair in zip(range(128), range(127, -1, -1), strict=True) for v in pair]
    told = played(fader, (7, 0), (7, 127), *moves)
    assert len(told) == 1 + len(moves)


def test_pickup_lets_go_when_another_hand_moves_the_value():
    fader, hands, now = cc(takeover="pickup"), Hands(), {"strength": 1.0}

    def move(v):
        told = translate((0xB0, 7, v), fader, hands, PARAMETERS, now.__getitem__)
        now.update(told)
        return told

    assert move(127)
    assert move(100)
    now["strength"] = 0.2
    assert not move(90)
    assert move(20)
    assert move(10)


@given(faders, st.floats(0, 1))
def test_pickup_never_jumps_past_where_it_was_passed(moves, strength):
    """Until the fader has come to the value or passed it, nothing changes."""
    told = played(cc(takeover="pickup"), *[(7, v) for v in moves], strength=strength)
    sides = np.sign(np.array(moves) / 127 - strength)
    near = np.abs(np.array(moves) / 127 - strength) <= 1.5 / 127
    if not near.any() and (sides == sides[0]).all():
        assert told == []
    if (sides[:1] * sides[-1:] < 0).all():
        assert told[-1] == ("strength", moves[-1] / 127)


@given(faders, st.floats(0, 1), st.sampled_from([0, 127]))
def test_scale_meets_the_fader_at_both_ends(moves, strength, end):
    ends = [*moves, 127 - end, end]
    told = played(cc(takeover="scale"), *[(7, v) for v in ends], strength=strength)
    assert told[-1][1] == pytest.approx(end / 127, abs=1e-9)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_scaling_goes_the_way_the_fader_goes(last, now, current):
    at = taken("scale", last, now, current)
    if at is not None and abs(now - current) > 1.5 / 127:
        assert (at - current) * (now - last) >= 0


mappings = st.builds(
    Mapping,
    parameter=st.sampled_from(sorted(PARAMETERS)),
    kind=st.sampled_from(["cc", "note"]),
    number=st.integers(0, 5),
    channel=st.integers(0, 2),
    action=st.sampled_from(["absolute", "toggle", "momentary"]),
    takeover=st.sampled_from(["jump", "pickup", "scale"]),
    low=st.none() | st.floats(-200, 200),
    high=st.none() | st.floats(-200, 200),
    curve=st.sampled_from(sorted(CURVES)),
)
bytes_near = st.lists(
    st.sampled_from([0xB0, 0xB1, 0x90, 0x80, 0xE0, 0xC0, 0xF0, 0xF7, *range(6), 64, 99, 127]),
    max_size=120,
)


@given(st.lists(mappings, max_size=6), bytes_near)
def test_whatever_comes_every_value_is_one_the_parameter_takes(table, stream):
    now = {name: parameter.default for name, parameter in PARAMETERS.items()}
    for name, value in translate(stream, table, Hands(), PARAMETERS, now.__getitem__):
        assert PARAMETERS[name].check(value) == value


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "no parameter is named"),
        ({"parameter": "strength", "colour": 1}, "'colour' is unknown"),
        ({"parameter": 3}, "parameter=3 is no word"),
        ({"parameter": "strength", "kind": "sysex"}, "kind='sysex' is none of cc, cc14"),
        ({"parameter": "strength", "number": 128}, r"number=128 is no whole number in 0\.\.127"),
        ({"parameter": "strength", "number": 1.5}, "number=1.5 is no whole number"),
        ({"parameter": "strength", "number": True}, "number=True is no whole number"),
        ({"parameter": "strength", "kind": "cc14", "number": 32}, r"number=32 is outside 0\.\.31"),
        ({"parameter": "strength", "channel": 17}, r"channel=17 is no whole number in 0\.\.16"),
        ({"parameter": "strength", "takeover": "grab"}, "takeover='grab' is none of jump"),
        ({"parameter": "strength", "curve": []}, "curve='\\[\\]' is none of"),
        ({"parameter": "strength", "low": float("nan")}, "low=nan is no number"),
        ({"parameter": "strength", "step": None}, "step=None is no number"),
        ({"parameter": "strength", "action": "twos", "kind": "note"}, "needs kind 'cc'"),
    ],
)
def test_what_is_no_mapping_is_refused(told, words):
    with pytest.raises((ValueError, TypeError), match=words):
        mapping_from(told)


FED = [
    (Mapping("strength", number=7, channel=3), 0.5, [(0xB2, 7, 64)]),
    (Mapping("strength", number=7), 1.0, [(0xB0, 7, 127)]),
    (Mapping("strength", "cc14", 7), 1.0, [(0xB0, 7, 127), (0xB0, 39, 127)]),
    (Mapping("strength", "nrpn", 259), 0.5, [(0xB0, 99, 2), (0xB0, 98, 3), (0xB0, 6, 64),
                                             (0xB0, 38, 0)]),
    (Mapping("strength", "bend", channel=2), 1.0, [(0xE1, 127, 127)]),
    (Mapping("bypass", "note", 60, action="toggle"), 1.0, [(0x90, 60, 127)]),
    (Mapping("bypass", "note", 60, action="toggle"), 0.0, [(0x90, 60, 0)]),
    (Mapping("strength", number=7, low=1.0, high=0.0), 1.0, [(0xB0, 7, 0)]),
    (Mapping("strength", number=7, feedback=False), 1.0, []),
    (Mapping("preset", "program", 1), 1.0, []),
]  # fmt: skip


@pytest.mark.parametrize(("mapping", "value", "expected"), FED)
def test_values_are_shown_on_the_control(mapping, value, expected):
    parameter = PARAMETERS.get(mapping.parameter, PARAMETERS["strength"])
    told = Echo().answer(mapping, parameter, value)
    assert [tuple(message) for message in told] == expected


@pytest.mark.parametrize(("mapping", "value", "expected"), FED)
def test_what_is_shown_reads_back_as_the_value(mapping, value, expected):
    if mapping.action != "absolute" or not expected:
        return
    hands = Hands()
    stream = [byte for message in expected for byte in message]
    told = translate(stream, [mapping], hands, PARAMETERS, {"strength": 0.1}.__getitem__)
    assert told[-1][1] == pytest.approx(value, abs=1 / 127)


def test_a_control_is_not_told_what_it_said_nor_believed_when_it_repeats_what_it_was_told():
    echo, fader, strength = Echo(), cc()[0], PARAMETERS["strength"]
    moved = next(gestures((0xB0, 7, 64), Hands().reading))
    assert not echo.is_echo(fader, moved)
    assert echo.answer(fader, strength, 64 / 127) == []
    (message,) = echo.answer(fader, strength, 0.25)
    assert echo.answer(fader, strength, 0.25) == []
    assert echo.is_echo(fader, Gesture("cc", 1, 7, message[2]))
    assert not echo.is_echo(fader, Gesture("cc", 1, 7, message[2] + 1))


@pytest.mark.parametrize("kind", ["cc14", "nrpn"])
@pytest.mark.parametrize("touched", [False, True])
def test_neither_half_of_fourteen_bits_is_believed_when_it_is_an_echo(kind, touched):
    echo, fader, reading = Echo(), Mapping("strength", kind, 3), Hands().reading

    def said(messages):
        return [
            (echo.is_echo(fader, gesture), gesture.value)
            for message in messages for gesture in gestures(message, reading)
            if fader.hears(gesture)
        ]  # fmt: skip

    if touched:  # it sends both halves
        said(Echo().answer(fader, PARAMETERS["strength"], 0.123))
    for value in (0.6, 0.0, 76 * 128 / 16383, 0.6004, 1.0):
        told = echo.answer(fader, PARAMETERS["strength"], value)
        assert [each for each, _ in said(told)] == [True, True]
    for value in (9830, 76 * 128, 76 * 128 + 1):  # moved by hand, across one coarse step
        moved = said(Echo().answer(fader, PARAMETERS["strength"], value / 16383))
        assert moved[-1] == (False, value)


def test_a_fader_for_all_channels_is_answered_on_its_own():
    echo, fader = Echo(), cc()[0]
    echo.is_echo(fader, Gesture("cc", 5, 7, 1))
    assert echo.answer(fader, PARAMETERS["strength"], 1.0)[0][0] == 0xB4
