"""Mixtures at given ratios, corpora in parts, and arrays kept for all processes."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import babble
from rtsep.learn import cache
from rtsep.learn.corpus import recordings
from rtsep.learn.mixtures import excerpt, material, mix, mixtures, part, parted, sounding_power

RATE = 8000


def corpus(*lengths, seed=0):
    """Recordings of babble, lengths in samples."""
    sounds = [(babble(n, seed=seed + j), RATE) for j, n in enumerate(lengths)]
    return recordings(sounds, skip=pytest.fail)


def heard(recording):
    return np.concatenate([*recording.blocks()])


@settings(deadline=None)
@given(st.floats(-20, 20), st.integers(400, 9000), st.floats(1e-3, 10), st.integers(0, 99))
def test_the_ratio_over_sounding_parts_is_the_one_asked_for(snr, n, scale, seed):
    s, o = babble(n, seed=seed), np.float32(scale) * babble(n, seed=seed + 1)
    made = mix(s, o, snr, RATE)
    powers = [sounding_power(x, RATE) for x in (made.source, made.other)]
    assert 10 * np.log10(powers[0] / powers[1]) == pytest.approx(snr, abs=1e-3)
    assert np.array_equal(made.source, s)
    assert np.array_equal(made.mixture, made.source + made.other)


def test_silence_around_a_sound_does_not_change_its_ratio():
    s, o = babble(8000), babble(8000, seed=1)
    padded = np.concatenate([s[:4000], np.zeros(4000, np.float32)])
    gain = [mix(x, o, 0, RATE).other[0] / o[0] for x in (s[:4000].repeat(2), padded)]
    assert gain[0] == pytest.approx(gain[1], rel=0.01)


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 0.9), st.floats(0.01, 1))
def test_a_part_is_the_samples_between_two_times(begin, span):
    (whole,) = corpus(100_000)
    end = min(1.0, begin + span)
    times = begin * whole.seconds, end * whole.seconds
    piece = part(whole, *times)
    first, last = (round(t * RATE) for t in times)
    assert np.array_equal(heard(piece), heard(whole)[first:last])
    assert piece.length == len(heard(piece))


@pytest.mark.parametrize("lengths", [(5000,), (4001, 90_000), (3000,) * 5, (900,) * 23])
def test_parts_are_disjoint_and_all_of_the_corpus(lengths):
    whole = corpus(*lengths)
    parts = parted(whole, (0.6, 0.2, 0.2), seed=3)
    assert len(parts) == 3
    assert all(parts)
    samples = np.concatenate([heard(r) for each in parts for r in each])
    assert np.array_equal(np.sort(samples), np.sort(np.concatenate([heard(r) for r in whole])))
    assert sum(r.length for r in parts[0]) == pytest.approx(0.6 * len(samples), rel=0.1)


def test_mixtures_are_the_same_for_the_same_seed_alone():
    pair = corpus(20_000, 9000), corpus(30_000, seed=9)
    made = [mixtures(*pair, rate=RATE, count=3, seconds=0.5, seed=seed) for seed in (1, 1, 2)]
    assert [each.snr for each in made[0]] == [-5, 0, 5]
    assert all(len(each.mixture) == 4000 for each in made[0])
    assert all(np.array_equal(a.mixture, b.mixture) for a, b in zip(*made[:2], strict=True))
    assert not np.array_equal(made[0][0].mixture, made[2][0].mixture)


def test_short_recordings_repeat_and_silent_ones_are_passed_over():
    rng = np.random.default_rng(0)
    (short,) = corpus(300)
    assert np.array_equal(excerpt([short], 700, RATE, rng)[300:600], heard(short))
    silent = recordings([(np.zeros(9000, np.float32), RATE)], skip=pytest.fail)
    assert excerpt([*silent, short], 200, RATE, rng).any()
    with pytest.raises(ValueError, match="20 excerpts are silent"):
        excerpt(silent, 200, RATE, rng)


def test_what_makes_no_ratio_is_refused():
    x = babble(400)
    with pytest.raises(ValueError, match=r"\(400,\) and other \(399,\)"):
        mix(x, x[1:], 0, RATE)
    with pytest.raises(ValueError, match="powers 0 and"):
        mix(0 * x, x, 0, RATE)
    with pytest.raises(ValueError, match="0 signal to noise"):
        mixtures(corpus(900), corpus(900), rate=RATE, snrs=())


def test_material_is_bounded_and_of_all_recordings():
    found = material(corpus(30_000, 30_000), 2 * RATE, 1.0)
    assert len(found) == pytest.approx(2 * RATE, abs=64)


# arrays kept in files


def test_what_is_kept_is_made_once_and_again_when_damaged_or_stale(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"x": np.arange(5.0)}

    for key in ([1], [1], [2]):
        assert np.array_equal(cache.cached(tmp_path, "x", key, make)["x"], np.arange(5))
    assert len(made) == 2
    for content in (b"", b"PK\x03\x04", b"not at all"):
        (tmp_path / f"x-{cache.digest([1])}.npz").write_bytes(content)
        assert cache.cached(tmp_path, "x", [1], make)["x"].sum() == 10
    assert len(made) == 5


def test_a_writer_cut_off_leaves_nothing_behind(tmp_path, monkeypatch):
    def cut_off(file, **arrays):
        file.write(b"PK half of it") if hasattr(file, "write") else Path(file).write_bytes(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", cut_off)
    with pytest.raises(KeyboardInterrupt):
        cache.cached(tmp_path, "x", [1], lambda: {"x": np.zeros(3)})
    assert not [*tmp_path.iterdir()]


def test_two_processes_at_once_both_read_whole_arrays(tmp_path):
    code = """
        import sys, pathlib, numpy as np
        from rtsep.learn.cache import cached
        for turn in range(40):
            make = lambda: {"x": np.full(20_000, turn)}
            assert (cached(pathlib.Path(sys.argv[1]), "x", turn, make)["x"] == turn).all()
    """
    words = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    racers = [subprocess.Popen(words) for _ in range(2)]
    assert [racer.wait(60) for racer in racers] == [0, 0]
    assert len([*tmp_path.iterdir()]) == 40
