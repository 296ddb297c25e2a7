"""Samples to frames: the stream and the whole give the same, and an excerpt is even."""

import naive_learn
import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.dsp.stream import MODES, stream_spec
from rtsep.dsp.windows import window_pair
from rtsep.learn.corpus import resampled
from rtsep.learn.frames import Excerpt, framed, frames


def hiss(seconds=0.5, rate=8000, seed=0, level=0.1):
    """Coloured noise in two colours that take turns."""
    n = int(seconds * rate)
    x = np.random.default_rng(seed).standard_normal(n + 8)
    smooth = np.convolve(x, np.hanning(8), "same")[:n]
    turn = np.sin(np.arange(n) * 60 / rate) > 0
    return (level * np.where(turn, smooth, x[:n])).astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 3000), st.integers(1, 90), st.integers(1, 120),
    st.lists(st.integers(0, 3000), max_size=8),
)  # fmt: skip
def test_frames_of_a_stream_are_those_of_the_whole(n, window, hop, cuts):
    x = np.arange(n, dtype=np.float32)
    blocks = np.split(x, sorted(min(cut, n) for cut in cuts))
    hop = min(hop, window)
    found = np.concatenate([np.zeros((0, window)), *framed(blocks, window, hop)])
    assert np.array_equal(found, naive_learn.frames(x, window, hop).reshape(-1, window))


@pytest.mark.parametrize("mode", MODES)
def test_magnitudes_are_seen_through_the_modes_own_window(mode):
    x, spec = hiss(), stream_spec(8000, mode)
    analysis = window_pair(spec)[0]
    X = naive_learn.frames(x.astype(np.float64), spec.window, spec.hop)
    assert np.allclose(frames(x, spec), np.abs(np.fft.rfft(X * analysis)).T, atol=1e-4)


def test_silent_frames_are_left_out():
    spec = stream_spec(8000, "high")
    x = np.concatenate([np.zeros(4096), hiss(), np.zeros(4096)]).astype(np.float32)
    assert frames(x, spec).shape[1] < frames(x + np.float32(0.1), spec).shape[1] - 40
    assert frames(0 * x, spec).shape == (257, 0)
    assert frames(x[:9], spec).shape == (257, 0)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(0, 40), max_size=6), max_size=6), st.integers(4, 50))
def test_an_excerpt_is_even_and_bounded(recordings_, most):
    excerpt, n = Excerpt(2, most), 0
    for batches in recordings_:
        frames_ = [np.repeat(np.arange(n + 1, n + 1 + sum(batches)), 2).reshape(-1, 2)]
        cuts = np.cumsum(batches)[:-1] if batches else []
        assert excerpt.add(np.split(frames_[0].astype(np.float32), cuts)) == sum(batches)
        n += sum(batches)
    kept = excerpt.X[: excerpt.count, 0]
    assert excerpt.count <= most
    assert excerpt.count >= min(n, most // 2)
    assert np.array_equal(kept, 1 + np.arange(excerpt.count) * excerpt.step)


def test_an_excerpt_forgets_what_turned_out_broken():
    excerpt = Excerpt(2, 8)
    excerpt.add([np.ones((3, 2), np.float32)])

    def broken():
        yield np.full((2, 2), 7, np.float32)
        raise ValueError("disc scratched")

    with pytest.raises(ValueError, match="scratched"):
        excerpt.add(broken())
    excerpt.add([np.full((2, 2), 5, np.float32)])
    assert excerpt.X[: excerpt.count, 0].tolist() == [1, 1, 1, 5, 5]


def test_resampling_as_a_stream_is_resampling_at_once():
    x = hiss(1, 16000)
    found = np.concatenate([*resampled(np.split(x, [1, 5, 7000]), 16000, 48000)])
    assert np.allclose(found, soxr.resample(x, 16000, 48000), atol=1e-5)
