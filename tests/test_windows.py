"""Windows: what is analysed and synthesised adds up to what came in."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.dsp.stream import MODES, StreamSpec, stream_spec, window_for
from rtsep.dsp.windows import hann, root_hann, window_pair

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 50000, 88200, 96000, 192000)
OFFERED = [stream_spec(rate, mode) for rate in RATES for mode in MODES]


@st.composite
def specs(draw):
    hop, laps = draw(st.integers(1, 130)), draw(st.integers(1, 8))
    half = hop * laps
    return StreamSpec(48000, 2 * half + 2 * draw(st.integers(0, 350)), hop, 2 * half, "low")


def ripple(spec):
    """Largest deviation from one of the overlap-added window products."""
    analysis, synthesis = window_pair(spec)
    product = analysis * synthesis
    lap = -(-spec.window // spec.hop) * spec.hop
    folded = np.pad(product, (lap - spec.window, 0)).reshape(-1, spec.hop).sum(axis=0)
    return np.abs(folded - 1).max()


@pytest.mark.parametrize("spec", OFFERED, ids=str)
def test_every_offered_pair_reconstructs_perfectly(spec):
    assert ripple(spec) <= 2e-15


@given(specs())
@settings(deadline=None, max_examples=200)
def test_every_hop_that_divides_half_the_synthesis_reconstructs_perfectly(spec):
    assert ripple(spec) <= 4e-15


@pytest.mark.parametrize("spec", OFFERED[::5], ids=str)
def test_pair_is_the_published_one_sample_by_sample(spec):
    for ours, twin in zip(
        window_pair(spec), naive.windows(spec.window, spec.synthesis // 2, spec.hop), strict=True
    ):
        np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-12)


@given(specs())
@settings(deadline=None, max_examples=50)
def test_only_the_last_samples_are_synthesised(spec):
    analysis, synthesis = window_pair(spec)
    assert (analysis > 0).all()
    assert (synthesis[: -spec.synthesis] == 0).all()
    assert (synthesis[-spec.synthesis :] > 0).all()


@given(specs(), st.integers(1, 40))
@settings(deadline=None, max_examples=25)
def test_random_sound_comes_back_as_it_went_in(spec, seed):
    analysis, synthesis = window_pair(spec)
    x = np.random.default_rng(seed).standard_normal(4 * spec.synthesis + 10 * spec.hop)
    X = naive.spectra(x, analysis, spec.hop)
    y = naive.samples(X, synthesis, spec.hop, spec.synthesis, len(x))
    whole = len(X) * spec.hop
    np.testing.assert_allclose(
        y[spec.synthesis : whole], x[: whole - spec.synthesis], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("half", [1, 2, 7, 60, 512])
def test_symmetric_pair_is_the_root_of_hann(half):
    spec = StreamSpec(48000, 2 * half, half, 2 * half, "high")
    np.testing.assert_allclose(window_pair(spec)[0], root_hann(2 * half), rtol=1e-12)
    np.testing.assert_allclose(hann(2 * half), naive.hann(2 * half), atol=1e-15)


@pytest.mark.parametrize(("hop", "synthesis", "window"), [(7, 240, 1024), (64, 128, 100)])
def test_what_cannot_reconstruct_is_refused_with_both_values(hop, synthesis, window):
    with pytest.raises(ValueError, match=rf"synthesis={synthesis}.*hop={hop}"):
        window_pair(StreamSpec(48000, window, hop, synthesis, "low"))


@given(st.integers(8000, 192000), st.sampled_from(MODES))
@settings(deadline=None, max_examples=100)
def test_every_rate_has_sizes_that_fit_the_record(rate, mode):
    spec = stream_spec(rate, mode)
    assert spec.window == window_for(rate) == 2 * (spec.bins - 1)
    assert spec.synthesis <= spec.window <= 2048
    assert spec.hop <= 512
    assert spec.synthesis // 2 % spec.hop == 0
    assert mode != "low" or spec.synthesis / rate <= 0.005


def test_sizes_at_48_khz_are_those_of_the_design():
    sizes = [(s.window, s.synthesis, s.hop) for s in (stream_spec(48000, mode) for mode in MODES)]
    assert sizes == [(1024, 240, 120), (1024, 512, 256), (1024, 1024, 256)]


@pytest.mark.parametrize(("rate", "mode"), [(7999, "low"), (192001, "low"), (0, "high")])
def test_a_rate_out_of_range_is_refused(rate, mode):
    with pytest.raises(ValueError, match=rf"rate {rate} Hz.*8000\.\.192000"):
        stream_spec(rate, mode)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match=r"'swift'.*low, medium, high"):
        stream_spec(48000, "swift")
