"""How scenes are mixed, told in words."""

import pytest

from rtsep.learn.mixing import Recipe, told
from rtsep.learn.networks import Task, _paced


def test_what_is_told_is_what_scenes_are_made_by():
    words = ["snr=0..12.5", "rooms=0.5", "speed=0", "late=1e-1"]
    task = Task("supervised", "a", None, clean="b", recipe=told(words))
    recipe = _paced(task)
    assert (recipe.snr, recipe.rooms, recipe.speed, recipe.late) == ((0, 12.5), 0.5, 0, 0.1)
    assert recipe.babble == Recipe().babble
    assert told([]) == {}


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("rooms", "scene 'rooms' is no NAME=VALUE of snr, rooms"),
        ("rows=3", "scene 'rows=3' is no NAME=VALUE of snr, rooms"),
        ("snr=3", "scene 'snr=3' (wanted: snr=FROM..TO)"),
        ("rooms=0..1", "scene 'rooms=0..1' (wanted: rooms=a number)"),
        ("snr=a..3", "scene 'snr=a..3': 'a' is no number"),
        ("snr=1..2..3", "'2..3' is no number"),
        ("snr=5..-5", "snr 5..-5 goes down"),
        ("snr=-70..0", "snr=-70 is outside -60..60"),
        ("rooms=1.5", "rooms=1.5 is outside 0..1"),
        ("speed=nan", "speed=nan is outside 0..0.9"),
        ("other_speed=1", "other_speed=1 is outside 0..0.9"),
    ],
)
def test_other_words_are_refused_in_one_line(word, line):
    with pytest.raises(ValueError, match=r"^[^\n]*$") as refused:
        told([word])
    assert line in str(refused.value)
