"""MIDI bytes to gestures: every encoding, in whatever pieces the bytes come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsep.control.gestures import Gesture, Reading, gestures


def read(*stream):
    return list(gestures(stream, Reading()))


def of(kind, found):
    return [gesture for gesture in found if gesture.kind == kind]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ((0xB0, 70, 64), [Gesture("cc", 1, 70, 64)]),
        ((0xBF, 70, 127), [Gesture("cc", 16, 70, 127)]),
        ((0x92, 60, 100), [Gesture("note", 3, 60, 100)]),
        ((0x82, 60, 100), [Gesture("note", 3, 60, 0)]),
        ((0x90, 60, 0), [Gesture("note", 1, 60, 0)]),
        ((0xC4, 5), [Gesture("program", 5, 5, 127)]),
        ((0xE0, 0, 64), [Gesture("bend", 1, 0, 8192, 16383)]),
        ((0xE0, 127, 127), [Gesture("bend", 1, 0, 16383, 16383)]),
        ((0xE8, 1, 0), [Gesture("bend", 9, 0, 1, 16383)]),
        ((0xA0, 1, 2), []),
        ((0xD0, 1), []),
        # running status: the second pair and third pair have no status of their own
        ((0xB0, 70, 1, 70, 2, 71, 3), [Gesture("cc", 1, 70, 1), Gesture("cc", 1, 70, 2),
                                       Gesture("cc", 1, 71, 3)]),
        ((0xC0, 1, 2), [Gesture("program", 1, 1, 127), Gesture("program", 1, 2, 127)]),
        # real time bytes come anywhere, and change nothing
        ((0xB0, 0xF8, 70, 0xFE, 5), [Gesture("cc", 1, 70, 5)]),
        # SysEx ends running status; what is in it is no message
        ((0xB0, 70, 1, 0xF0, 1, 2, 3, 0xF7, 70, 2), [Gesture("cc", 1, 70, 1)]),
        ((0xF0, 1, 2, 0xB0, 70, 3), [Gesture("cc", 1, 70, 3)]),
        ((0xF2, 1, 2, 70, 3), []),
        ((70, 3, 70, 4), []),
        ((0xB0, 70, 0xB0, 70, 9), [Gesture("cc", 1, 70, 9)]),
        ((), []),
    ],
)  # fmt: skip
def test_bytes_to_gestures(stream, expected):
    assert read(*stream) == expected


@pytest.mark.parametrize(
    ("stream", "values"),
    [
        ((0xB0, 7, 127), [(127, 127)]),  # only ever coarse: 7 bits reach the top
        ((0xB0, 7, 64, 39, 1), [(64, 127), (8193, 16383)]),
        ((0xB0, 7, 64, 39, 1, 39, 2), [(64, 127), (8193, 16383), (8194, 16383)]),
        ((0xB0, 39, 1, 7, 64, 39, 127), [(1, 16383), (8192, 16383), (8319, 16383)]),
    ],
)
def test_fourteen_bits_in_two_controllers(stream, values):
    found = of("cc14", read(*stream))
    assert [(each.value, each.top) for each in found] == values
    assert {each.number for each in found} == {7}


CHOSEN = (0xB0, 99, 2, 98, 3)  # NRPN 2 * 128 + 3


@pytest.mark.parametrize(
    ("stream", "values"),
    [
        ((6, 127), [(127, 127)]),
        ((6, 64, 38, 5), [(64, 127), (8197, 16383)]),
        ((6, 64, 38, 5, 96, 0), [(64, 127), (8197, 16383), (8198, 16383)]),
        ((38, 0, 97, 0), [(0, 16383), (0, 16383)]),
        ((101, 0, 100, 0, 6, 12), []),  # an RPN: not ours
        ((99, 127, 98, 127, 6, 12), []),  # chooses nothing
    ],
)
def test_nrpn(stream, values):
    found = of("nrpn", read(*CHOSEN, *stream))
    assert [(each.value, each.top) for each in found] == values
    assert {each.number for each in found} <= {259}


def test_nrpn_is_chosen_channel_by_channel():
    found = of("nrpn", read(*CHOSEN, 0xB1, 6, 9, 0xB0, 6, 8))
    assert [(each.channel, each.value) for each in found] == [(1, 8)]


def test_another_fine_number_chooses_another_parameter():
    found = of("nrpn", read(*CHOSEN, 98, 4, 6, 1, 99, 5, 6, 1))
    assert [each.number for each in found] == [2 * 128 + 4, 5 * 128 + 4]


def test_data_entry_without_nrpn_is_a_controller():
    assert of("cc", read(0xB0, 6, 9)) == [Gesture("cc", 1, 6, 9)]


@given(st.binary(max_size=300), st.lists(st.integers(1, 7), max_size=50))
def test_the_pieces_do_not_matter(stream, sizes):
    whole, reading, pieces, at = read(*stream), Reading(), [], 0
    for size in [*sizes, len(stream)]:
        pieces += gestures(stream[at : at + size], reading)
        at += size
    assert pieces == whole


@given(st.binary(max_size=300))
def test_any_bytes_are_read_and_in_range(stream):
    for gesture in read(*stream):
        assert 0 <= gesture.value <= gesture.top
        assert 1 <= gesture.channel <= 16
        assert 0 <= gesture.position <= 1


def test_a_sysex_flood_is_read_through_without_keeping_it():
    reading = Reading()
    assert not list(gestures(bytes([0xF0]) + bytes(1_000_000), reading))
    assert reading.data == []
    assert list(gestures((0xF7, 0xB0, 70, 1), reading)) == [Gesture("cc", 1, 70, 1)]
