"""What NES may begin with: each method's mask, its estimates, and what learns from them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from rtsep.artefacts.network import save_network
from rtsep.learn import gass, mel, offline, starts
from rtsep.learn.corpus import recordings
from rtsep.learn.estimates import estimates, excerpts, pieces
from rtsep.learn.export import carded, exported
from rtsep.learn.families import SIZES, seeded
from rtsep.learn.mixing import Recipe
from rtsep.learn.networks import _Parts, learn_network
from rtsep.learn.scenes import BINS, UNITS, Scenes
from rtsep.learn.tapes import tape
from rtsep.learn.task import Task
from rtsep.learn.training import turned
from rtsep.metrics import si_sdr

RATE = 48000
SMALL = {"patches": 60, "rank": 6, "passes": 30, "epochs": 6, "width": 4, "steps": 200,
         "search": 40}  # fmt: skip
RECIPE = {"rows": 8, "frames": 60, "fresh": 4, "made": 0, "babble": 0, "rooms": 0, "snr": (-5, 5)}


def tones(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Chords of low tones that change three times a second."""
    t = np.arange(round(seconds * RATE)) / RATE
    pitch = rng.uniform(150, 900, (round(3 * seconds) + 1, 3))[(3 * t).astype(int)]
    return (0.1 * np.sin(2 * np.pi * np.cumsum(pitch, axis=0) / RATE).sum(axis=1)).astype(
        np.float32
    )


def hiss(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Noise from 3 kHz upwards."""
    spectrum = np.fft.rfft(rng.standard_normal(round(seconds * RATE)))
    spectrum[: round(3000 * seconds)] = 0
    return (0.1 * np.fft.irfft(spectrum)).astype(np.float32)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    """Folders and tapes of hiss, of tones, and of both."""
    root, rng = tmp_path_factory.mktemp("heard"), np.random.default_rng(0)
    sounds = {
        "observed": [hiss(2, rng) for _ in range(4)],
        "clean": [tones(2, rng) for _ in range(4)],
    }
    sounds["mixtures"] = [tones(2, rng) + hiss(2, rng) for _ in range(4)]
    tapes = {}
    for name, each in sounds.items():
        (root / name).mkdir()
        for i, sound in enumerate(each):
            soundfile.write(root / name / f"{i}.wav", sound, RATE)
        tapes[name] = tape(recordings(str(root / name), print), RATE, root, name, print)
    return SimpleNamespace(root=root, tapes=tapes, given=starts.Heard(**tapes, **SMALL))


@pytest.mark.parametrize("method", starts.STARTS)
def test_every_method_finds_tones_in_hiss(heard, method):
    rng = np.random.default_rng(9)
    source, mixture = tones(2, rng), hiss(2, rng)
    mixture = mixture + source
    longer = {"am": {"epochs": 30, "width": 8, "patches": 150},
              "lmm": {"epochs": 20, "patches": 150}}  # fmt: skip
    mask = starts.BY[method](replace(heard.given, **longer.get(method, {})))
    spec = offline.stream_spec(RATE, "high")

    def checked(V):
        m = mask(V)
        assert (m.shape, m.dtype) == (V.shape, np.float32)
        assert -1e-5 <= m.min() <= m.max() <= 1 + 1e-5
        return m

    found = offline.filtered(mixture, spec, checked)
    assert si_sdr(source, found) > si_sdr(source, mixture) + (1.5 if method in longer else 4)


@pytest.mark.parametrize("kind", sorted({*gass.KINDS} - {"vae"}))
def test_every_kind_of_generator_finds_tones_in_hiss(heard, kind):
    rng = np.random.default_rng(9)
    source, mixture = tones(2, rng), hiss(2, rng)
    mixture = mixture + source
    mask = starts.by_gass(replace(heard.given, kind=kind, steps=100, search=20))
    found = offline.filtered(mixture, offline.stream_spec(RATE, "high"), mask)
    assert si_sdr(source, found) > si_sdr(source, mixture) + 4


def test_patches_and_masks_go_back_to_where_they_came_from():
    V = np.abs(np.random.default_rng(0).standard_normal((150, BINS))).astype(np.float32)
    assert starts.patches(V).shape == (3, 64, 64)
    np.testing.assert_allclose(starts.patches(V), starts.patches(1e3 * V), rtol=1e-4)
    np.testing.assert_allclose(starts.masked(lambda y: 0.25 * y, V), 0.75, atol=1e-4)
    early = starts.masked(lambda y: np.where(np.arange(64) < 10, y, 0 * y), V)
    np.testing.assert_allclose(early[:10], 0, atol=1e-4)
    np.testing.assert_allclose(early[10:64], 1, atol=1e-4)


def test_mel_bands_share_out_every_bin_and_peak_where_mel_says():
    assert mel.centres(1001, 2000, 3) == pytest.approx([0, 390.9, 1000], abs=0.5)  # 500 mel
    for bins, rate in ((BINS, RATE), (257, 16000)):
        pool, spread = (each(bins, rate, 64) for each in (mel.pool, mel.spread))
        assert pool.shape == spread.T.shape == (bins, 64)
        np.testing.assert_allclose(pool.sum(axis=0), 1, rtol=1e-5)
        np.testing.assert_allclose(spread.sum(axis=0), 1, rtol=1e-5)
        assert (pool.max(axis=1) > 0).all()  # nothing goes unheard
        nearest = np.abs(np.arange(bins)[:, None] - mel.centres(bins, rate, 64)).argmin(axis=1)
        assert (spread.argmax(axis=0) == nearest).mean() > 0.95


def test_the_observed_source_is_learned_as_loud_as_it_is_within_mixtures(heard):
    """However loud its own recordings are; both as loud would say that mixtures are all of it."""
    for snr, quietest, loudest in [((20, 20), 0.0995, 0.0995), ((-5, 20), 0.0995, 0.872)]:
        b, y = replace(heard.given, snr=snr).pictures()
        level = b.mean(axis=(1, 2))
        assert len(b) == len(y) == SMALL["patches"]
        np.testing.assert_allclose(y.mean(axis=(1, 2)), 1, rtol=1e-4)
        assert quietest - 1e-3 < level.min() <= level.max() < loudest + 1e-3
    assert level.max() > 3 * level.min()


def test_estimates_are_made_once_and_are_as_long_as_their_mixtures(heard, tmp_path):
    calls = []

    def method():
        calls.append(1)
        return lambda V: np.full_like(V, 0.5)

    first, again = (estimates(heard.tapes["mixtures"], method, tmp_path, "e") for _ in "ab")
    assert len(calls) == 1
    np.testing.assert_array_equal(first.samples, again.samples)
    np.testing.assert_array_equal(first.edges, heard.tapes["mixtures"].edges)
    np.testing.assert_allclose(first.samples, 0.5 * heard.tapes["mixtures"].samples, atol=1)


def test_estimates_stay_as_loud_under_their_mixtures_as_they_were_made(heard, tmp_path):
    """Much of one recording, little of the next, nothing of the third; in rooms, too."""
    left = iter([0.5, 0.001, 0.0, 0.0])
    made = estimates(
        heard.tapes["mixtures"], lambda: lambda V: np.full_like(V, next(left)), tmp_path, "e"
    )
    np.testing.assert_array_equal(made.edges, heard.tapes["mixtures"].edges)
    recipe = Recipe(**RECIPE | {"rows": 24, "rooms": 0.5, "snr": (0, 0), "alone": 0})
    scenes = Scenes([(made, 1)], [(heard.tapes["observed"], 1)], recipe, 0, lambda Y: Y)
    batch = scenes.batch()
    low = (each[..., : UNITS.bins] for each in (batch.S, turned(batch).S))
    x, b = (each.mean(axis=(1, 2)) for each in low)
    found = 10 * np.log10(x / b + 1e-12)
    wanted = np.array([-120, 20 * np.log10(0.001) + 3, 20 * np.log10(0.5) + 3])
    nearest = wanted[np.abs(found[:, None] - wanted).argmin(axis=1)]
    assert {*nearest} == {*wanted}
    np.testing.assert_allclose(found, nearest, atol=3)


def test_estimates_that_are_no_numbers_are_refused(heard, tmp_path):
    with pytest.raises(ValueError, match=r"estimate 0: peak nan \(wanted: a number"):
        estimates(heard.tapes["mixtures"], lambda: lambda V: V * np.nan, tmp_path, "e")


def test_estimates_without_any_sound_are_refused(heard, tmp_path):
    with pytest.raises(ValueError, match=r"all 4 estimates are silent \(wanted: one that sounds"):
        estimates(heard.tapes["mixtures"], lambda: np.zeros_like, tmp_path, "e")


def test_long_mixtures_are_taken_in_parts(heard, monkeypatch):
    monkeypatch.setattr("rtsep.learn.estimates.SECONDS", 0.7)
    made = heard.tapes["mixtures"]
    parts = [*pieces(made)]
    assert max(map(len, parts)) <= 0.7 * RATE
    np.testing.assert_array_equal(np.concatenate(parts), made.samples)
    assert excerpts(made, 2, 5, 0).shape == (2, 5, BINS)


def task(heard, method, folder, **more):
    return Task(
        method, str(heard.root / "observed"), folder, mixtures=str(heard.root / "mixtures"),
        clean=str(heard.root / "clean"), size="tiny", iterations=2, recipe=RECIPE, start=SMALL,
        plan={"epochs": 1, "steps": 40, "rate": 2e-2}, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "init", "named"),
    [
        ("distil", "nmf", "distil from nmf"),
        ("nes", "asvd", "nes from asvd"),
        ("gass", None, "gass"),
    ],
)
def test_a_streaming_network_learns_from_estimates(heard, tmp_path, method, init, named):
    network = learn_network(task(heard, method, tmp_path, init=init), name="n", source="tones")
    assert network.card.quality["method"] == named
    rng = np.random.default_rng(9)
    source, noise = tones(2, rng), hiss(2, rng)
    found = offline.separated(network, source + noise)
    assert si_sdr(source, found) > si_sdr(source, source + noise) + 5


def test_a_network_teaches_another(heard, tmp_path):
    first = learn_network(task(heard, "supervised", tmp_path / "a"), name="n", source="tones")
    save_network(tmp_path / "teacher.onnx", first)
    given = task(heard, "distil", tmp_path / "b", init=str(tmp_path / "teacher.onnx"))
    assert learn_network(given, name="n").card.quality["method"] == "distil from teacher"
    before = {*(tmp_path / "b").glob("estimates-*.pcm")}
    save_network(tmp_path / "teacher.onnx", carded(first, created="later"))
    with pytest.raises(ValueError, match="made for init"):
        learn_network(given, name="n")
    (tmp_path / "b" / "iteration-0.pt").unlink()
    learn_network(given, name="n")
    assert len(before) == 1
    assert len({*(tmp_path / "b").glob("estimates-*.pcm")} - before) == 1


def test_estimates_of_other_samples_are_made_anew(tmp_path, monkeypatch):
    """Arrays as long, without a name to be told apart by, of either source."""
    monkeypatch.setitem(starts.BY, "nmf", lambda heard: lambda V: np.full_like(V, 0.5))
    given = [(tones(1, np.random.default_rng(seed)), RATE) for seed in range(3)]
    made = []
    for observed, mixtures in [(0, 1), (0, 2), (1, 2), (0, 1)]:
        one = Task("nes", given[observed], tmp_path, mixtures=given[mixtures], init="nmf")
        parts = _Parts(one, print)
        made.append(parts.start())
        np.testing.assert_allclose(made[-1].samples, 0.5 * parts.mixtures.samples, atol=1)
    assert made[0].samples.filename == made[3].samples.filename
    assert len({each.samples.filename for each in made}) == 3


def test_a_start_is_told_at_which_ratios_scenes_are_mixed(heard, tmp_path, monkeypatch):
    told = []
    monkeypatch.setitem(
        starts.BY, "nmf", lambda heard: told.append(heard.snr) or (lambda V: np.full_like(V, 0.5))
    )
    files = set()
    for snr in [(0, 6), (10, 20)]:
        given = replace(task(heard, "nes", tmp_path, init="nmf"), recipe=RECIPE | {"snr": snr})
        files.add(_Parts(given, print).start().samples.filename)
    assert told == [(0, 6), (10, 20)]
    assert len(files) == 2


@pytest.mark.parametrize("size", ["tiny", "dual-tiny"])
def test_a_teacher_hears_frames_at_its_own_pace(heard, tmp_path, size):
    """As `separated` runs it, which the engine is held against."""
    network = exported(seeded(SIZES[size], 0), name="n", sources=[{"name": "x", "role": "keep"}])
    save_network(tmp_path / "n.onnx", network)
    x, spec = hiss(0.3, np.random.default_rng(0)), offline.stream_spec(RATE, "high")
    found = offline.filtered(x, spec, starts.by_network(tmp_path / "n.onnx"))
    np.testing.assert_allclose(found, offline.separated(network, x), atol=1e-6)


def test_a_teacher_of_another_rate_is_refused(tmp_path):
    network = exported(seeded(SIZES["tiny"], 0), name="n", sources=[{"name": "x", "role": "keep"}])
    save_network(tmp_path / "n.onnx", carded(network, rate=16000, bandwidth=8000.0))
    with pytest.raises(ValueError, match=r"1024 samples at 16000 Hz \(wanted: 1024 at 48000 Hz\)"):
        starts.by_network(tmp_path / "n.onnx")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method": "distil"}, "distil needs init"),
        ({"method": "distil", "init": "const"}, "distil needs init"),
        ({"method": "distil", "init": "nmf", "renew": True}, "renew is for nes, not distil"),
        ({"method": "am", "init": "nmf"}, "init 'nmf' is for nes and distil, not am"),
        ({"method": "nes", "init": "magic"}, "init 'magic' is unknown"),
        ({"method": "gass", "clean": None}, "gass learns from clean too"),
        ({"method": "nes", "init": "gass", "clean": None}, "gass learns from clean too"),
        ({"method": "lmm", "mixtures": None}, "lmm learns from mixtures too"),
        ({"method": "lmm", "kind": "gan"}, "kind 'gan' is for gass, not lmm"),
    ],
)
def test_tasks_that_cannot_be_are_refused(tmp_path, changes, told):
    given = {"observed": "b", "folder": tmp_path, "clean": "x", "mixtures": "y"} | changes
    with pytest.raises(ValueError, match=told):
        Task(**given)
