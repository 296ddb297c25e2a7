"""A basis on the bins of any stream."""

from dataclasses import replace

import numpy as np
import pytest
from made_files import basis, card

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.card import CardError
from rtsep.dsp.stream import MODES, stream_spec


def test_a_basis_on_its_own_grid_is_itself():
    for kind in ("nmf", "asvd"):
        made = basis(kind)
        for mode in MODES:
            rows = made.on(stream_spec(8000, mode))
            assert np.allclose(rows, made.W[mode].T, atol=1e-6)


@pytest.mark.parametrize("kind", ["nmf", "asvd"])
@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("made_at", [16000, 48000])
def test_a_basis_on_any_stream_is_normalised_and_silent_over_its_bandwidth(kind, rate, made_at):
    made = basis(kind, rate=made_at, rank=8, bandwidth=3000.0)
    spec = stream_spec(rate, "medium")
    rows = made.on(spec)
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    assert rows.shape == (8, spec.bins)
    assert not rows[:, np.arange(spec.bins) * spec.bin_hz > 3000].any()
    if kind == "nmf":
        assert rows.min() >= 0
        assert np.allclose(rows.sum(axis=1), 1, atol=1e-5)
    else:
        assert np.allclose(rows @ rows.T, np.eye(8), atol=1e-5)


@pytest.mark.parametrize("rate", [44100, 96000, 192000])
def test_a_peak_stays_at_its_frequency(rate):
    made = card(rate=48000, rank=1)
    spec = stream_spec(rate, "high")
    hertz = np.arange(made.bins("high")) * 48000 / 1024
    W = np.exp(-(((hertz - 3000) / 400) ** 2))[:, None].astype(np.float32)
    rows = Basis(made, {mode: W / W.sum() for mode in MODES}).on(spec)
    expected = np.exp(-(((np.arange(spec.bins) * spec.bin_hz - 3000) / 400) ** 2))
    assert np.allclose(rows[0], expected / expected.sum(), atol=0.02 * rows.max())


def test_components_beyond_the_stream_are_left_out():
    made = card(rate=48000, rank=2)
    W = np.zeros((made.bins("low"), 2), np.float32)
    W[20, 0] = W[500, 1] = 1
    both = Basis(made, dict.fromkeys(MODES, W))
    assert both.on(stream_spec(48000)).shape[0] == 2
    assert both.on(stream_spec(16000)).shape[0] == 1
    high = Basis(replace(made, rank=1), {mode: W[:, 1:].copy() for mode in MODES})
    with pytest.raises(CardError, match="none of its 1 components"):
        high.on(stream_spec(16000))


def test_a_stream_that_a_model_was_not_made_for_is_refused():
    made = card()
    made.check(stream_spec(44100, "low"))
    only = replace(made, windows={"high": made.windows["high"]})
    with pytest.raises(CardError, match=r"latency high \(stream: low\)"):
        only.check(stream_spec(8000, "low"))
    with pytest.raises(CardError, match=r"bandwidth 50 Hz \(stream: bins of 93.75 Hz\)"):
        replace(made, bandwidth=50.0).check(stream_spec(192000, "low"))
