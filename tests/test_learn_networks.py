"""Mask networks: features, scenes, training, export; torch's answers against onnxruntime's."""

import copy
import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from networks import network as made_up

from rtsep.artefacts.network import load_network, save_network
from rtsep.learn import bands, nes, offline, rooms, training
from rtsep.learn.corpus import recordings
from rtsep.learn.descent import DivergedError
from rtsep.learn.export import carded, exported
from rtsep.learn.families import SIZES, seeded
from rtsep.learn.features import features, levels
from rtsep.learn.mixing import Recipe
from rtsep.learn.networks import LOSSES, learn_network
from rtsep.learn.scenes import BINS, HOPS, RATE, UNITS, Scenes, spectra
from rtsep.learn.tapes import tape
from rtsep.learn.task import Task
from rtsep.learn.training import Plan, train
from rtsep.metrics import si_sdr

SPEECH = [{"name": "speech", "role": "keep"}]
SMALL = {"rows": 8, "frames": 60, "fresh": 4, "rooms": 0.0, "made": 0.0, "alone": 0.0,
         "babble": 0.0, "swelling": 0.0, "other_speed": 0.1}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def low_tones(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Tones from 200 to 700 Hz that begin and end."""
    t = np.arange(int(seconds * RATE)) / RATE
    found = sum(np.sin(2 * np.pi * f * t) for f in rng.uniform(200, 700, 4))
    return (0.1 * found * (np.sin(2 * np.pi * 3 * t) > -0.3)).astype(np.float32)


def high_hiss(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Noise from 1.5 to 6 kHz."""
    spectrum = np.fft.rfft(rng.standard_normal(int(seconds * RATE)))
    f = np.fft.rfftfreq(int(seconds * RATE), 1 / RATE)
    spectrum[(f < 1500) | (f > 6000)] = 0
    return (0.3 * np.fft.irfft(spectrum)).astype(np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> SimpleNamespace:
    """Ten recordings each of tones, hiss and other hiss with tones."""
    root, rng = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    for name in ("tones", "hiss", "both"):
        (root / name).mkdir()
    for i in range(10):
        sounds = low_tones(2, rng), high_hiss(2, rng), high_hiss(2, rng)
        for name, sound in zip(
            ("tones", "hiss", "both"), (*sounds[:2], sounds[0] + sounds[2]), strict=True
        ):
            soundfile.write(root / name / f"{i}.wav", sound, RATE)
    return SimpleNamespace(tones=root / "tones", hiss=root / "hiss", both=root / "both")


def scenes_of(folders: SimpleNamespace, folder: Path):
    tapes = [
        tape(recordings(str(each), print), RATE, folder, each.name, print)
        for each in (folders.tones, folders.hiss)
    ]
    return lambda seed: Scenes([(tapes[0], 1.0)], [(tapes[1], 1.0)], Recipe(**SMALL), seed)


@pytest.mark.parametrize(
    ("bins", "bin_hz"), [(513, 46.875), (257, 31.25), (1025, 46.875), (33, 250)]
)
def test_bands_cover_every_bin_once(bins, bin_hz):
    over, pooled = bands.spread(bins, bin_hz), bands.pool(bins, bin_hz)
    np.testing.assert_allclose(over.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(pooled.sum(axis=0), 1, atol=1e-6)
    assert (np.diff(bands.centres(bins, bin_hz)) > 0).all()
    assert over[-1, -1] == 1


def test_the_level_is_the_mean_so_far_and_forgets():
    p = np.ones(5, np.float32) * 7
    np.testing.assert_allclose(levels(p), 7, rtol=1e-6)
    rising = np.concatenate([np.zeros(2000), np.ones(2000)]).astype(np.float32)
    naive, weight = 0.0, 0.0
    for each in rising:
        naive = naive * math.exp(-256 / 48000) + (1 - math.exp(-256 / 48000)) * each
        weight = weight * math.exp(-256 / 48000) + (1 - math.exp(-256 / 48000))
    assert levels(rising)[-1] == pytest.approx(naive / weight, rel=1e-5)


@pytest.mark.parametrize("gain", [1e-2, 1, 30])
def test_features_do_not_hear_how_loud_it_is(gain):
    power = np.random.default_rng(0).gamma(1, 1, (50, BINS)).astype(np.float32)
    louder = features(power * np.float32(gain), UNITS.pool)
    np.testing.assert_allclose(louder, features(power, UNITS.pool), atol=1e-3)


def test_features_look_back_only():
    power = np.random.default_rng(0).gamma(1, 1, (50, BINS)).astype(np.float32)
    changed = power.copy()
    changed[30:] = 0
    np.testing.assert_array_equal(
        features(changed, UNITS.pool)[:30], features(power, UNITS.pool)[:30]
    )


@pytest.mark.parametrize("mode", ["low", "medium", "high"])
def test_spectra_are_those_of_a_tone(mode):
    n = 1024 + 9 * HOPS[mode]
    X = spectra(np.sin(2 * np.pi * 3000 * np.arange(n) / RATE).astype(np.float32), mode, 10)
    assert X.shape == (10, BINS)
    assert (np.abs(X).argmax(axis=1) == 64).all()


def test_scenes_add_up_and_repeat(folders, tmp_path):
    make = scenes_of(folders, tmp_path)
    first, again = make(3), make(3)
    for _ in range(4):
        a, b = first.batch(), again.batch()
        np.testing.assert_array_equal(a.f, b.f)
        turned = training.turned(a)
        np.testing.assert_allclose(turned.R + a.R, a.X, rtol=1e-4, atol=1e-4)
        assert (a.S * a.X >= 0.999 * a.R**2 - 1e-6)[..., : UNITS.bins].all()


def test_snr_of_scenes_is_what_was_asked_for(folders, tmp_path):
    make = scenes_of(folders, tmp_path)
    scenes = make(0)
    scenes.recipe = Recipe(**SMALL, snr=(7.0, 7.0))
    batch = scenes.batch()
    speech, noise = (
        each[..., : UNITS.bins].mean(axis=2) for each in (batch.S, training.turned(batch).S)
    )
    ratios = [s[s > 1e-3 * s.max()].mean() / n.mean() for s, n in zip(speech, noise, strict=True)]
    np.testing.assert_allclose(10 * np.log10(ratios), 7, atol=0.5)


def test_scenes_without_an_estimate_are_mixed_row_by_row_as_told(folders, tmp_path):
    """A slow twin from the same bank and the same numbers drawn."""
    scenes = scenes_of(folders, tmp_path)(5)
    scenes.recipe = dataclasses.replace(scenes.recipe, snr=(-5.0, 20.0), alone=0.5)
    scenes.modes = ("high",)
    scenes.batch()
    twin = copy.deepcopy(scenes)
    batch, (_, (S, N, _)) = scenes.batch(), twin._drawn()
    order, snr = twin.rng.permutation(8), twin.rng.uniform(-5, 20, 8)
    loudness, alone, first = (twin.rng.uniform(-45, 0, 8), *twin.rng.random((2, 8)))
    for i in range(8):
        s, n = S[i], N[order[i]]
        powers = [(np.abs(each[:, : UNITS.bins]) ** 2).mean(axis=1) for each in (s, n)]
        p, q = (each[each > 1e-4 * each.max()].mean() for each in powers)
        gain = np.sqrt(p / q * 10 ** (-snr[i] / 10))
        scale = 10 ** (loudness[i] / 20) / np.sqrt(p + p * 10 ** (-snr[i] / 10))
        s, n = (s * (alone[i] >= 0.5 or first[i] >= 0.5), n * (alone[i] >= 0.5 or first[i] < 0.5))
        X = scale * (s + gain * n)
        np.testing.assert_allclose(batch.X[i], UNITS.of(np.abs(X) ** 2), rtol=1e-3, atol=1e-9)
        S_i = UNITS.of(np.abs(scale * s) ** 2)
        np.testing.assert_allclose(batch.S[i], S_i, rtol=1e-3, atol=1e-9)


def estimated(folders, folder, refine, seed=2, **recipe):
    """Scenes of hiss and what `refine` makes of hiss with tones."""
    y, b = (
        tape(recordings(str(each), print), RATE, folder, each.name, print)
        for each in (folders.both, folders.hiss)
    )
    return Scenes([(y, 1.0)], [(b, 1.0)], Recipe(**SMALL | recipe), seed, refine)


@pytest.mark.parametrize("c", [1.0, 0.5, 0.0005])
def test_half_the_mixture_is_half_of_it_in_a_scene(folders, tmp_path, c):
    """y^t = b + c y: what c changes is S alone."""
    whole = estimated(folders, tmp_path, nes.constant(1)).batch()
    found = estimated(folders, tmp_path, nes.constant(c)).batch()
    np.testing.assert_allclose(found.S, c**2 * whole.S, rtol=1e-4)
    b = [training.turned(each).S[..., : UNITS.bins] for each in (whole, found)]
    np.testing.assert_allclose(b[1], b[0], atol=1e-4 * b[0].max())


@pytest.mark.parametrize("snr", [-20.0, 0.0, 20.0])
def test_the_observed_is_as_loud_as_its_part_in_a_mixture_of_that_ratio(folders, tmp_path, snr):
    batch = estimated(folders, tmp_path, nes.constant(1), snr=(snr, snr)).batch()
    y, b = (
        each[..., : UNITS.bins].mean(axis=(1, 2)) for each in (batch.S, training.turned(batch).S)
    )
    np.testing.assert_allclose(10 * np.log10(y / b - 1), snr, atol=3)


def test_where_nothing_is_left_of_a_mixture_there_is_the_observed_alone(folders, tmp_path):
    batch = estimated(folders, tmp_path, lambda Y: 0 * Y, alone=0.8).batch()
    np.testing.assert_array_equal(batch.S, 0)
    assert (batch.X[..., : UNITS.bins].mean(axis=(1, 2)) > 1e-6).all()
    np.testing.assert_array_equal(training.turned(batch).S, batch.X)


def test_an_estimate_is_never_alone(folders, tmp_path):
    """For it may be what is left of the observed source; that may be alone."""
    batch = estimated(folders, tmp_path, nes.constant(0.5), alone=1.0).batch()
    b = training.turned(batch).S[..., : UNITS.bins].mean(axis=(1, 2))
    assert (b > 1e-3 * batch.X[..., : UNITS.bins].mean(axis=(1, 2))).all()
    assert 0 < (batch.S == 0).all(axis=(1, 2)).sum() < len(batch.S)


@pytest.mark.parametrize("seed", range(12))
def test_noises_made_from_nothing_are_loud_and_finite(seed):
    x = rooms.synthetic(RATE // 2, RATE, np.random.default_rng(seed))
    assert x.dtype == np.float32
    assert np.sqrt(np.mean(x**2)) == pytest.approx(0.1, rel=1e-3)
    gains = rooms.swells(40, BINS, np.random.default_rng(seed))
    assert gains.shape == (40, BINS)
    assert 0.03 < gains.min() <= gains.max() < 30


def test_a_room_keeps_the_direct_sound_first():
    x = np.zeros(9600, np.float32)
    x[100] = 1
    heard = rooms.reverberant(x, rooms.room(RATE, np.random.default_rng(0)))
    np.testing.assert_allclose(heard[:100], 0, atol=1e-6)
    assert heard[100] == pytest.approx(1, abs=1e-5)
    assert np.abs(heard[400:]).max() > 1e-4


def test_speed_moves_pitch():
    t = np.arange(6000) / RATE
    faster = rooms.faster(np.sin(2 * np.pi * 1000 * t).astype(np.float32), 4800)
    assert np.abs(np.fft.rfft(faster)).argmax() == 125
    assert len(faster) == 4800


def test_other_samples_as_long_go_onto_another_tape(tmp_path):
    """What is given as an array has no name to be told apart by."""
    rng = np.random.default_rng(0)
    sounds = [low_tones(0.5, rng) for _ in range(2)]
    tapes = [tape(recordings((x, RATE), print), RATE, tmp_path, "noise", print) for x in sounds]
    again = tape(recordings((sounds[0], RATE), print), RATE, tmp_path, "noise", print)
    np.testing.assert_array_equal(again.samples, tapes[0].samples)
    assert not np.array_equal(tapes[1].samples[:1000], tapes[0].samples[:1000])
    slower = tape(recordings((sounds[0], RATE // 2), print), RATE, tmp_path, "noise", print)
    assert len(slower.samples) == pytest.approx(2 * len(tapes[0].samples), abs=100)


def test_tapes_are_found_again_and_keep_silence_out(tmp_path, folders):
    corpus = recordings([(np.zeros(4800, np.float32), RATE), (np.ones(480, np.float32), RATE)],
                        print)  # fmt: skip
    told = []
    made = tape(corpus, RATE, tmp_path, "some", told.append)
    assert len(told) == 1
    assert "silent" in told[0]
    assert made.edges.tolist() == [0, 480]
    assert made.places.tolist() == [1]
    again = tape(corpus, RATE, tmp_path, "some", told.append)
    np.testing.assert_array_equal(made.samples, again.samples)
    with pytest.raises(ValueError, match="silent"):
        tape(corpus[:1], RATE, tmp_path, "none", told.append)


def test_gradients_reach_every_weight(folders, tmp_path):
    network = seeded(SIZES["tiny"], 0)
    gains = torch.from_numpy(UNITS.gains().astype(np.float32))
    batch = scenes_of(folders, tmp_path)(0).batch()
    for observed in (False, True):
        network.zero_grad()
        training.loss(network, batch, gains, Plan(1, observed=observed)).backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_the_loss_falls_to_nothing_for_the_right_mask(folders, tmp_path):
    batch = scenes_of(folders, tmp_path)(0).batch()
    plan = Plan(1, magnitude=1.0)
    same = dataclasses.replace(batch, S=batch.X, R=batch.X)
    ones = torch.eye(len(UNITS.hz))
    perfect = training.loss(lambda f: torch.ones(*f.shape[:2], len(UNITS.hz)), same, ones, plan)
    assert perfect.item() < 1e-9


@pytest.mark.parametrize("observed", [False, True])
def test_the_loss_of_the_paper_is_the_distance_of_magnitudes(folders, tmp_path, observed):
    """Of m(y) y and x, or of (1 - m(y)) y and b, L1, levelled."""
    batch = scenes_of(folders, tmp_path)(0).batch()
    plan, g = Plan(1, observed=observed, **LOSSES["l1"]), np.float32(0.3)
    kept = 1 - g if observed else g
    part = training.turned(batch).S if observed else batch.S
    level = np.sqrt(batch.X.mean(axis=(1, 2), keepdims=True))
    distance = np.abs(kept * np.sqrt(batch.X) - np.sqrt(part)) / level
    found = training.loss(
        lambda f: torch.full((*f.shape[:2], len(UNITS.hz)), g),
        batch,
        torch.eye(len(UNITS.hz)),
        plan,
    )
    wanted = np.mean(distance.mean(axis=1) * batch.weight)
    np.testing.assert_allclose(found.item(), wanted, rtol=1e-3)
    assert {training.rate_at(plan, epoch) for epoch in (0, 0.5, 1)} == {1e-3}


@pytest.mark.parametrize(
    ("size", "seed"), [("tiny", 0), ("tiny", 1), ("dual-tiny", 0), ("dual", 1)]
)
def test_onnxruntime_agrees_with_torch_over_a_long_stream(size, seed):
    """Torch sees the whole sequence at once, onnxruntime one frame after another."""
    network = seeded(SIZES[size], seed)
    rng = np.random.default_rng(seed)
    loud = np.exp(3 * rng.standard_normal((3000, 1)))
    magnitudes = (loud * np.abs(rng.standard_normal((3000, BINS)))).astype(np.float32)
    magnitudes[1000:1100] = 0
    with torch.no_grad():
        f = torch.from_numpy(features(magnitudes**2, UNITS.pool, network.size.pace)[None])
        g = network(f)[0].numpy()
    found = offline.masks(exported(network, name="n", sources=SPEECH), magnitudes)
    np.testing.assert_allclose(found, g @ UNITS.spread, atol=1e-5)
    assert found.min() >= 0
    assert found.max() <= 1


def test_an_exported_network_is_read_back(tmp_path):
    network = exported(seeded(SIZES["tiny"], 0), name="tiny", sources=SPEECH)
    judged = carded(network, quality={"SI-SDR, dB": 3.0})
    save_network(tmp_path / "tiny.onnx", judged)
    card = load_network(tmp_path / "tiny.onnx").card
    assert card.quality == {"SI-SDR, dB": 3.0}
    assert card.states == [[1, 2], [1, 1, 16], [1, 1, 16]]
    assert (card.rate, card.window, card.hop, card.bins) == (RATE, 1024, 256, BINS)


def test_killed_and_resumed_equals_uninterrupted(folders, tmp_path):
    make, plan = scenes_of(folders, tmp_path), Plan(3, steps=2)
    size = SIZES["tiny"]
    whole = train(plan, size, make, tmp_path / "whole.pt")

    class KilledError(Exception):
        pass

    def kill(row):
        if row["epoch"] == 1:
            raise KilledError

    with pytest.raises(KilledError):
        train(plan, size, make, tmp_path / "cut.pt", told=kill)
    resumed = train(plan, size, make, tmp_path / "cut.pt")
    assert resumed.history == whole.history
    for a, b in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(folders, tmp_path):
    make, path = scenes_of(folders, tmp_path), tmp_path / "x.pt"
    train(Plan(1, steps=1), SIZES["tiny"], make, path)
    before = path.read_bytes()

    def poisoned(seed):
        scenes = make(seed)
        scenes.batch = lambda: dataclasses.replace(
            Scenes.batch(scenes), f=np.full((8, 60, len(UNITS.pool.T)), np.nan, np.float32)
        )
        return scenes

    with pytest.raises(DivergedError, match="loss is nan in epoch 1"):
        train(Plan(2, steps=1), SIZES["tiny"], poisoned, path)
    assert path.read_bytes() == before


def test_weights_of_checkpoints_are_averaged(folders, tmp_path):
    make, size = scenes_of(folders, tmp_path), SIZES["tiny"]
    paths = [tmp_path / "0.pt", tmp_path / "1.pt"]
    for seed, path in enumerate(paths):
        train(Plan(1, steps=1, seed=seed), size, make, path)
    mean = training.averaged(paths).state_dict()
    both = [training.restored(path).state_dict() for path in paths]
    for name, value in mean.items():
        torch.testing.assert_close(value, (both[0][name] + both[1][name]) / 2)
    with pytest.raises(ValueError, match="0 checkpoints"):
        training.averaged([])


def test_the_distortion_is_that_of_the_masked_spectra(folders, tmp_path):
    batch = scenes_of(folders, tmp_path)(0).batch()
    units = len(UNITS.hz)
    g = torch.rand(*batch.f.shape[:2], units, generator=torch.Generator().manual_seed(0))
    same = dataclasses.replace(batch, S=batch.X, R=batch.X)
    error = ((1 - g.numpy()) ** 2 * batch.X).sum(axis=(1, 2)) / batch.X.sum(axis=(1, 2))
    found = training.distortion(g, same)
    np.testing.assert_allclose(found, np.log10((error + 1e-3) / 1.001), atol=1e-4)
    plan = Plan(1, ratio=0.5)
    plain, weighed = (
        training.loss(lambda f: g, batch, torch.eye(units), dataclasses.replace(plan, ratio=ratio))
        for ratio in (0.0, 0.5)
    )
    assert float(weighed - plain) == pytest.approx(
        0.5 * float(training.distortion(g.clamp(min=1e-4), batch).mean()), abs=1e-4
    )


def test_recordings_of_the_others_may_be_played_from_their_end(folders, tmp_path):
    scenes = scenes_of(folders, tmp_path)(0)
    scenes.recipe = dataclasses.replace(scenes.recipe, backward=1.0)
    again = scenes_of(folders, tmp_path)(0)
    forward = again._excerpt(again.others, "high", again.recipe.other_speed)[0]
    np.testing.assert_array_equal(scenes._other_excerpt("high"), forward[::-1])


def test_a_second_iteration_is_not_gone_on_with_after_a_longer_first(folders, tmp_path):
    y, b = (
        tape(recordings(str(each), print), RATE, tmp_path, each.name, print)
        for each in (folders.both, folders.hiss)
    )
    told = []

    def run(epochs, iterations):
        nes.egg_separation(
            [(b, 1.0)], y, Recipe(**SMALL), Plan(epochs, steps=1), SIZES["tiny"], tmp_path,
            iterations=iterations, told=told.append,
        )  # fmt: skip

    for epochs, iterations in ((1, 1), (2, 2)):  # nothing hangs on the first yet
        run(epochs, iterations)
    with pytest.raises(ValueError, match=r"iteration-1\.pt: made for epochs 2 \(wanted: 3\)"):
        run(3, 2)
    assert [row["iteration"] for row in told] == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("c", [0.1, 0.5])
def test_nes_begins_with_the_share_of_the_mixture_that_is_told(folders, tmp_path, monkeypatch, c):
    found = []
    monkeypatch.setattr(nes, "train", lambda plan, size, make, *_, **__: found.append(make([0])))
    y = tape(recordings(str(folders.both), print), RATE, tmp_path, "both", print)
    with pytest.raises(AttributeError):  # no network was trained
        nes.egg_separation([(y, 1.0)], y, Recipe(**SMALL), Plan(1), None, tmp_path, c=c)
    Y = np.ones((3, BINS), np.complex64)
    np.testing.assert_allclose(found[0].refine(Y), c * Y)


def test_another_size_is_refused_by_name(folders, tmp_path):
    make, path = scenes_of(folders, tmp_path), tmp_path / "x.pt"
    train(Plan(1, steps=1), SIZES["tiny"], make, path)
    with pytest.raises(ValueError, match=r"'recurrent': 16.*'recurrent': 96"):
        train(Plan(2, steps=1), SIZES["small"], make, path)


@pytest.mark.parametrize(
    ("method", "size"), [("supervised", "tiny"), ("nes", "tiny"), ("supervised", "dual-tiny")]
)
def test_a_tiny_training_separates_tones_from_hiss(folders, tmp_path, method, size):
    task = Task(
        method, str(folders.hiss), tmp_path, clean=str(folders.tones), mixtures=str(folders.both),
        size=size, iterations=3, recipe=SMALL | {"snr": (-5.0, 5.0)},
        plan={"epochs": 1, "steps": 40 if method == "nes" else 60, "rate": 2e-2},
    )  # fmt: skip
    network = learn_network(task, name="tones", source="tones")
    rng = np.random.default_rng(9)
    tones, hiss = low_tones(2, rng), high_hiss(2, rng)
    mixture = tones + hiss * np.linalg.norm(tones) / np.linalg.norm(hiss)
    for mode in ("low", "high"):
        gained = si_sdr(tones, offline.separated(network, mixture, mode)) - si_sdr(tones, mixture)
        assert gained > 5
    assert network.card.sources == [{"name": "tones", "role": "keep"}]
    assert network.card.trained_on
    assert network.card.cost[offline.COST] > 0
    assert network.card.quality["method"] == method
    assert network.card.options == {}  # they are a separator's


def test_the_card_counts_no_recording_that_was_left_out(tmp_path):
    rng, silence = np.random.default_rng(0), np.zeros(RATE, np.float32)
    hiss, both = ([(silence, RATE), (x, RATE)] for x in (high_hiss(10, rng), low_tones(5, rng)))
    task = Task("nes", hiss, tmp_path, mixtures=both, size="tiny", iterations=1, recipe=SMALL,
                plan={"epochs": 1, "steps": 1})  # fmt: skip
    told = []
    (record,) = learn_network(task, name="n", source="tones", skip=told.append).card.trained_on
    assert record["files"] == 2
    assert record["seconds"] == pytest.approx(14)  # a tenth of the hiss is held out
    assert sum("silent" in each for each in told) >= 2


def test_a_mask_of_ones_gives_the_recording_back(monkeypatch):
    network = exported(seeded(SIZES["tiny"], 0), name="n", sources=SPEECH)
    monkeypatch.setattr(offline, "masks", lambda network, V: np.ones_like(V))
    x = np.random.default_rng(0).standard_normal(9000).astype(np.float32)
    for mode in ("low", "medium", "high"):
        np.testing.assert_allclose(offline.separated(network, x, mode), x, atol=1e-5)


def test_above_its_bandwidth_a_mask_is_the_mean_of_the_octave_below():
    V = np.random.default_rng(0).gamma(1, 1, (4, BINS)).astype(np.float32)
    whole, part = (offline.masks(made_up("sized", bandwidth=hz), V) for hz in (24000, 6000))
    known = int(6000 / (RATE / 1024)) + 1
    np.testing.assert_array_equal(part[:, :known], whole[:, :known])
    mean = np.broadcast_to(whole[:, known // 2 : known].mean(axis=1), part[:, known:].T.shape)
    np.testing.assert_allclose(part[:, known:].T, mean, rtol=1e-5)


def test_a_perfect_mask_is_found_in_one_iteration():
    """Where the mask of b + x^t does not depend on x^t's error, x^1 is right."""
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((20, BINS)).astype(np.complex64)
    np.testing.assert_allclose(nes.constant(0.5)(Y), 0.5 * Y)
    network = seeded(SIZES["tiny"], 0)
    with torch.no_grad():
        network.outward.weight.zero_()
        network.outward.bias.fill_(20)
    np.testing.assert_allclose(nes.masked_by(network)(Y), Y, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method": "magic"}, "'magic' is unknown"),
        ({"method": "nes"}, "learns from mixtures too"),
        ({"clean": None}, "learns from clean too"),
        ({"iterations": 0}, "iterations=0"),
        ({"c": 0.1}, "c=0.1 is for nes from const, not supervised"),
        ({"method": "nes", "mixtures": "z", "c": 0.1, "init": "nmf"}, "not nes from nmf"),
        ({"method": "nes", "mixtures": "z", "c": 1.0}, "c=1 "),
    ],
)
def test_tasks_that_cannot_be_are_refused(tmp_path, changes, told):
    given = {"method": "supervised", "observed": "x", "folder": tmp_path, "clean": "y"} | changes
    with pytest.raises(ValueError, match=told):
        Task(**given)
