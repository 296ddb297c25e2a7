"""How scenes are mixed, told in words."""

import numpy as np
import pytest

from rtsep.learn import scenes
from rtsep.learn.mixing import Recipe, told
from rtsep.learn.networks import _paced, learn_network
from rtsep.learn.task import Task


def test_what_is_told_is_what_scenes_are_made_by():
    words = ["snr=0..12.5", "rooms=0.5", "speed=0", "late=1e-1"]
    task = Task("supervised", "a", None, clean="b", recipe=told(words))
    recipe = _paced(task)
    assert (recipe.snr, recipe.rooms, recipe.speed, recipe.late) == ((0, 12.5), 0.5, 0, 0.1)
    assert recipe.babble == Recipe().babble
    assert told([]) == {}


@pytest.mark.parametrize(
    ("source", "words", "shares"),
    [
        ("speech", [], [0.35, 0.1]),
        ("noise", [], [0, 0]),
        ("noise", ["made=0.2", "babble=0.05"], [0.2, 0.05]),
        ("speech", ["made=0"], [0, 0.1]),
    ],
)
def test_noise_is_made_up_and_talkers_are_added_where_the_source_is_speech(
    tmp_path, monkeypatch, source, words, shares
):
    """Observed are voices, say, where it is not: they are all that the source is heard in."""
    rng, found = np.random.default_rng(0), []
    sounds = [(rng.standard_normal(30000).astype(np.float32), 48000) for _ in range(2)]

    class Heard(scenes.Scenes):
        def __init__(self, sources, others, recipe, *more):
            found.append([recipe.made, recipe.babble])
            super().__init__(sources, others, recipe, *more)

    monkeypatch.setattr(scenes, "Scenes", Heard)
    task = Task(
        "supervised", sounds[0], tmp_path, clean=sounds[1], size="tiny",
        recipe={"rows": 2, "fresh": 1, "frames": 20} | told(words), plan={"epochs": 1, "steps": 1},
    )  # fmt: skip
    learn_network(task, name="n", source=source)
    judged, learned = found
    assert judged == [0, 0]
    assert learned == shares


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
