"""The words that options offer are those that the library knows."""

import pytest

from rtsep.artefacts.card import FIELDS
from rtsep.cli import learn, midi, options, train
from rtsep.control import mapping, presets
from rtsep.dsp.activations import DIVERGENCES
from rtsep.dsp.stream import MODES
from rtsep.learn.basis import LEARN
from rtsep.learn.families import SIZES
from rtsep.learn.gass import KINDS
from rtsep.learn.networks import LOSSES
from rtsep.learn.task import METHODS


@pytest.mark.parametrize(
    ("offered", "known"),
    [
        (options.Latency, MODES),
        (learn.Method, LEARN),
        (learn.Divergence, DIVERGENCES),
        (midi.Action, mapping.ACTIONS),
        (midi.Takeover, mapping.TAKEOVERS),
        (midi.Curve, mapping.CURVES),
        (train.Way, METHODS),
        (train.Extent, SIZES),
        (train.Loss, LOSSES),
        (train.Kind, KINDS),
    ],
)
def test_what_is_offered_is_what_is_known(offered, known):
    assert {each.value for each in offered} == set(known)


def test_a_role_is_one_that_a_card_may_have():
    assert all(FIELDS["role"].holds(each.value) for each in learn.Role)


def test_a_preset_takes_every_latency_mode():
    assert presets.LATENCY in MODES
    for mode in MODES:
        assert presets.Preset(latency=mode).latency == mode
