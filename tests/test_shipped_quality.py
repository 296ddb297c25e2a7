"""The networks that are shipped, against the SI-SDR on their cards.

With RTSEP_DATA=FOLDER, the recordings that the cards' figures are of, all 42 mixtures of them, to
0.05 dB; without, that there is a figure for each and what it is of.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import rtsep
from rtsep.learn import offline
from rtsep.metrics import si_sdr

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
from quality_set import mixtures

DATA = os.environ.get("RTSEP_DATA")
NETWORKS = [path.stem for path in sorted((Path(__file__).parents[1] / "models").glob("*.onnx"))]
OF = "test speech in test noise, 0, 5 and 10 dB, 42 mixtures, latency high"


@pytest.fixture(scope="module")
def told():
    return [*mixtures(Path(DATA), "test", 1000)]


def shown(found):
    """As a card says it."""
    return pytest.approx(np.mean(found), abs=0.05)


def test_every_card_says_what_its_figures_are_of():
    assert NETWORKS
    assert {rtsep.load(name).card.quality["SI-SDR of"] for name in NETWORKS} == {OF}


if DATA:

    @pytest.mark.parametrize("name", NETWORKS)
    def test_a_network_is_as_good_as_its_card_says(told, name):
        network = rtsep.load(name)
        quality = network.card.quality
        assert len(told) == 42
        assert quality["SI-SDR in"] == shown([si_sdr(x.speech, x.mixture) for x in told])
        after = [si_sdr(x.speech, offline.separated(network, x.mixture)) for x in told]
        assert quality["SI-SDR out"] == shown(after)
