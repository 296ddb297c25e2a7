"""The scripts that print GASS's figures and table 2's, on sounds made up here."""

import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools" / "reproduce"))

import gass
import nes_sound
from kept import Kept


def band(low: float, high: float, n: int, seed: int) -> np.ndarray:
    """Noise between two shares of the rate, swelling, at a root mean square of 0.1."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum[: int(low * n)] = spectrum[int(high * n) :] = 0
    x = np.fft.irfft(spectrum, n) * np.interp(
        np.arange(n), np.arange(0, n, 999), rng.random(len(range(0, n, 999)))
    )
    return (0.1 * x / np.sqrt(np.mean(x**2))).astype(np.float32)


def test_what_is_chosen_blindly_does_not_depend_on_its_own_truth():
    scores = np.random.default_rng(0).standard_normal((5, 3, 3))
    objectives = np.random.default_rng(1).standard_normal((5, 3))
    for kind in ("gan", "vae"):
        blind, oracle = gass.chosen(kind, scores, objectives)
        assert (oracle[:, 0] == scores[:, :, 0].max(axis=1)).all()
        assert (blind[:, 0] <= oracle[:, 0]).all()
        other = scores.copy()
        other[2] = other[2, ::-1]
        again, _ = gass.chosen(kind, other, objectives)
        place = [int(np.flatnonzero((s[2] == b[2]).all(axis=1))[0])
                 for s, b in ((scores, blind), (other, again))]  # fmt: skip
        assert place[0] == place[1]


def test_gass_is_judged_as_nmf_is():
    torch.set_num_threads(1)
    sources = np.stack([band(0.02, 0.1, 12000, 0), band(0.2, 0.4, 12000, 1)])
    sources /= sources.std(axis=1, keepdims=True)
    pair = gass.Pair(("a", "b"), [gass.magnitudes(x) for x in sources], sources)
    perfect = gass.judged(pair, [gass.magnitudes(x) for x in sources])
    assert perfect[0] > 25
    assert gass.by_nmf(pair, (20, 20))[0] > 10
    scores, objectives = gass.tried(pair, "vae", 150, 80)
    assert scores.shape == (gass.RESTARTS, 3)
    assert objectives.shape == (gass.RESTARTS,)
    assert scores[:, 0].min() > 5


def test_patches_are_joined_as_they_were():
    x = np.stack([band(0.02, 0.4, nes_sound.LENGTH, seed) for seed in range(2)])
    test = nes_sound.Clips(x, 0 * x)
    patches = nes_sound.patches(test.Y)
    assert patches.shape == (8, 257, 64)
    np.testing.assert_array_equal(nes_sound.joined(patches), test.Y)


def test_table_two_knows_a_good_estimate_from_the_mixture():
    x, b = (
        np.stack([band(low, low + 0.1, nes_sound.LENGTH, seed) for seed in range(2)])
        for low in (0.05, 0.3)
    )
    test = nes_sound.Clips(x, b)
    of_x = nes_sound.patches(nes_sound.Clips(x, 0 * b).Y)
    mixture = nes_sound.patches(test.Y)
    assert nes_sound.median_sdr(test, mixture) == pytest.approx(0, abs=0.5)
    assert nes_sound.median_sdr(test, of_x) > 20
    of_b = nes_sound.patches(nes_sound.Clips(b, 0 * b).Y)
    assert nes_sound.median_sdr(test, nes_sound.by_nmf(of_b, mixture, mixture)) > 2


def test_latent_mixtures_of_mel_bands_leave_the_unobserved_source():
    torch.set_num_threads(1)
    x, b, alone = (
        np.stack([band(low, low + 0.1, nes_sound.LENGTH, seed) for seed in seeds])
        for low, seeds in ((0.05, (0, 1)), (0.3, (2, 3)), (0.3, (4, 5)))
    )
    y, of_b = (nes_sound.patches(nes_sound.Clips(*each).Y) for each in ((x, b), (0 * b, alone)))
    separate = nes_sound.by_lmm(of_b, y, 300, 4)
    assert nes_sound.median_sdr(nes_sound.Clips(x, b), y - separate(y)) > 5


def test_full_supervision_keeps_its_pairs_and_synthetic_draws_them_anew(monkeypatch):
    told = {}

    def learner(epochs, width, **choices):
        def learn(y, b):
            told[epochs] = choices
            return lambda y: 0 * y

        return learn

    monkeypatch.setattr(nes_sound, "learner", learner)
    y = np.ones((4, 257, 64), np.complex64)
    for iterations, name in ((2, "supervised"), (3, "synthetic")):
        given = SimpleNamespace(
            half=False, cool=True, redraw=True, epochs=5, iterations=iterations, width=4, masks=1,
            seed=7,
        )  # fmt: skip
        (estimate,) = nes_sound.methods(y, y, y, y, given)[name]()
        np.testing.assert_array_equal(estimate, y)
    assert told == {
        10: {"half": False, "cool": True, "seed": 7, "redraw": False},
        15: {"half": False, "cool": True, "seed": 7, "redraw": True},
    }


def test_table_two_runs_nothing_twice(tmp_path, monkeypatch):
    given = SimpleNamespace(
        kept=tmp_path / "figures.json", methods=["NES", "Const"], unseen=["speech", "noise"]
    )
    runs = []

    def methods(*_):
        return {name: lambda name=name: iter(runs.append(name) or [3.0, 2.0, 1.0])
                for name in given.methods}  # fmt: skip

    monkeypatch.setattr(nes_sound, "prepared", lambda *_: (None, []))
    monkeypatch.setattr(nes_sound, "methods", methods)
    monkeypatch.setattr(nes_sound, "median_sdr", lambda _, estimate: estimate)
    first, again = ([*nes_sound.rows(given, "small")] for _ in range(2))
    assert first == again
    assert len(runs) == 4
    assert first[2].measured == [1.0]
    assert first[2].published == nes_sound.PUBLISHED["speech"]["NES"]
    assert [*nes_sound.rows(given, "large")] == first
    assert len(runs) == 8
    assert [*nes_sound.rows(given, "small")] == first
    assert len(runs) == 8
    given.unseen = ["noise"]
    one_way = [*nes_sound.rows(given, "small")]
    assert one_way
    assert all(row.what.startswith("noise from speech") for row in one_way)


def test_what_a_method_begins_with_is_learned_once(tmp_path, monkeypatch):
    y, runs = np.full((2, 257, 64), 1 + 2j, np.complex64), []

    def masking(b, y, given):
        runs.append(given.seed)
        return lambda y: np.float32(0.25) * y

    def eggs(b, y, learn, iterations, start):
        yield (lambda y: y - start), start

    monkeypatch.setattr(nes_sound, "adversarial_masking", masking)
    monkeypatch.setattr(nes_sound, "eggs", eggs)
    for path in (tmp_path / "a.json", tmp_path / "a.json", tmp_path / "b.json", None):
        for size, task in (("small", "speech"), ("large", "speech"), ("small", "noise")):
            given = SimpleNamespace(half=False, cool=False, redraw=False, epochs=1, iterations=1,
                                    width=4, masks=1, seed=len(runs))  # fmt: skip
            keep = partial(Kept(path, size).array, task)
            (found,) = nes_sound.methods(y, y, y, y, given, keep)["AM+NES"]()
            np.testing.assert_array_equal(found, np.float32(0.75) * y)
    assert runs == [*range(9)]  # three of each file and three of none; a's second run learns none
