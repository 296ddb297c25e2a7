"""From recordings to a basis: files, folders, arrays, and everything that cannot be learned."""

import os
import tracemalloc

import numpy as np
import pytest
import soundfile

from rtsep.artefacts import library
from rtsep.artefacts.card import CardError, to_json
from rtsep.dsp.stream import MODES, stream_spec
from rtsep.learn import learn_basis
from rtsep.learn.corpus import BLOCK, recordings
from rtsep.learn.frames import frames
from rtsep.learn.quality import held_out


def hiss(seconds=0.5, rate=8000, seed=0, level=0.1):
    """Coloured noise in two colours that take turns."""
    n = int(seconds * rate)
    x = np.random.default_rng(seed).standard_normal(n + 8)
    smooth = np.convolve(x, np.hanning(8), "same")[:n]
    turn = np.sin(np.arange(n) * 60 / rate) > 0
    return (level * np.where(turn, smooth, x[:n])).astype(np.float32)


def save(path, samples, rate=8000, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **settings)
    return path


def learn(sources, **values):
    return learn_basis(sources, **{"name": "fan", "rank": 4, "passes": 20, **values})


@pytest.mark.parametrize("method", ["nmf", "asvd"])
@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_a_basis_is_learned_for_every_mode(method, rate):
    made = learn((hiss(rate=rate), rate), method=method, role="keep", source="breath", seed=3)
    assert made.W.keys() == set(MODES)
    assert (made.card.source, made.card.role, made.card.seed) == ("breath", "keep", 3)
    assert made.card.bandwidth == rate / 2
    assert made.card.trained_on[0]["seconds"] == pytest.approx(0.5, abs=0.05)
    for mode in MODES:
        spec = stream_spec(rate, mode)
        assert made.card.windows[mode] == [spec.window, spec.hop, spec.synthesis]
        assert made.W[mode].shape == (spec.bins, 4)


def test_one_component_of_a_tone_is_its_spectrum_through_each_modes_window():
    tone = np.sin(np.arange(8000) * 0.7).astype(np.float32)
    made = learn((tone, 8000), rank=1)
    expected = {mode: frames(tone, stream_spec(8000, mode)).mean(axis=1) for mode in MODES}
    for mode, v in expected.items():
        assert np.allclose(made.W[mode][:, 0], v / v.sum(), rtol=0.05, atol=1e-5)
    assert not np.allclose(made.W["low"], made.W["high"], rtol=0.5, atol=1e-5)


@pytest.mark.parametrize("divergence", ["kl", "euclidean", "itakura-saito"])
def test_a_warm_started_mode_is_as_good_as_one_learned_by_itself(divergence):
    sound, other = (hiss(2, seed=1), 8000), (hiss(2, seed=2), 8000)
    made = learn(sound, divergence=divergence, passes=60)
    fits = [next(iter(held_out(made, other, mode=mode).values())) for mode in MODES]
    assert max(fits) < 0.95
    assert max(fits) < 1.25 * min(fits)


@pytest.mark.parametrize("method", ["nmf", "asvd"])
def test_the_same_seed_makes_the_same_basis_at_any_level(method):
    one = learn((hiss(), 8000), method=method)
    same = learn((hiss(), 8000), method=method)
    quiet = learn((hiss() / 64, 8000), method=method)
    for mode in MODES:
        assert np.array_equal(one.W[mode], same.W[mode])
        assert np.allclose(one.W[mode], quiet.W[mode], atol=1e-4)


def test_what_a_file_holds_is_what_an_array_holds(tmp_path):
    sound = hiss(20)  # more than one block
    assert len(sound) > BLOCK
    path = save(tmp_path / "a.wav", sound, subtype="FLOAT")
    from_file, from_array = learn(path, method="asvd"), learn((sound, 8000), method="asvd")
    for mode in MODES:  # moments are summed in another order, and solved in float32
        assert np.allclose(from_file.W[mode], from_array.W[mode], atol=1e-4)


def test_channels_are_mixed(tmp_path):
    left, right = hiss(seed=1), hiss(seed=2)
    path = save(tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT")
    expected = learn(((left + right) / 2, 8000)).W["low"]
    assert np.allclose(learn(path).W["low"], expected, atol=1e-5)
    assert np.allclose(learn((np.stack([left, right]), 8000)).W["low"], expected, atol=1e-5)


def test_folders_are_searched_and_what_cannot_be_read_is_named(tmp_path):
    save(tmp_path / "a.wav", hiss())
    save(tmp_path / "deep" / "er" / "b.flac", hiss(seed=1))
    (tmp_path / "c.wav").write_bytes(b"no sound at all")
    (tmp_path / "notes.txt").write_text("not looked at")
    save(tmp_path / "d.wav", 0 * hiss())
    save(tmp_path / "e.wav", hiss()[:20])
    skipped = []
    made = learn(tmp_path, skip=skipped.append)
    assert made.card.trained_on == [
        {"corpus": "a.wav, b.flac", "licence": "not stated", "files": 2, "seconds": 1.0}
    ]
    assert str(tmp_path) not in to_json(made.card)
    assert sorted(os.path.basename(line.split(":")[0]) for line in skipped) == [
        "c.wav", "d.wav", "e.wav",
    ]  # fmt: skip
    assert all("\n" not in line for line in skipped)


def test_material_of_a_lower_rate_narrows_the_bandwidth():
    made = learn([(hiss(rate=48000), 48000), (hiss(2, rate=16000), 16000)])
    assert (made.card.rate, made.card.bandwidth) == (48000, 8000)
    above = np.arange(made.card.bins("low")) * 48000 / 1024 > 8000
    assert not made.W["low"][above].any()
    assert learn((hiss(rate=16000), 16000), rate=8000).card.bandwidth == 4000


def nan_at(n):
    sound = hiss()
    sound[n] = np.nan
    return sound


WRONG = [
    ((np.zeros(0, np.float32), 8000), "0 samples"),
    ((np.zeros(4000, np.float32), 8000), "silent, 0 of its 4000"),
    ((hiss()[:511], 8000), r"511 samples, 63.9 ms \(wanted: one window of 64.0 ms"),
    ((nan_at(17), 8000), r"sample 17 is nan \(wanted: finite"),
    ((np.zeros((500, 99), np.float32), 8000), "500 channels"),
    ((hiss(), 0), "rate 0 Hz"),
    ((hiss(), 10**7), "rate 10000000 Hz"),
    ((hiss()[None, None], 8000), "shape"),
    ("nowhere.wav", "no such file"),
    ([], "no recording is given"),
]


@pytest.mark.parametrize(("source", "words"), WRONG)
@pytest.mark.parametrize("method", ["nmf", "asvd"])
def test_what_cannot_be_learned_from_is_refused_with_the_reason(source, words, method):
    with pytest.raises(ValueError, match=words):
        learn(source, method=method, skip=lambda line: None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rank": 0}, r"rank 0 is outside 1..512"),
        ({"rank": 300}, r"rank 300 is over 28, the frames"),
        ({"rank": 300, "method": "asvd"}, r"rank 300 is outside 1..257"),
        ({"rank": 30, "method": "asvd"}, r"rank 30 is over \d+, the number"),
        ({"method": "magic"}, "'magic' is unknown"),
        ({"divergence": "beta"}, "'beta' is unknown"),
        ({"start": "zero"}, "'zero' is unknown"),
        ({"tau": 0.5, "method": "asvd"}, r"tau 0.5 needs sounds"),
        ({"tau": 2.0}, r"tau 2 is outside"),
        ({"against": [(hiss(), 8000)]}, "method 'nmf' learns against nothing"),
        ({"rate": 7}, "rate 7 Hz"),
        ({"sparsity": -1.0}, "sparsity is -1"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_with_both_values(values, words):
    with pytest.raises(ValueError, match=words):
        learn((hiss(), 8000), **values)


def test_wrong_kinds_are_type_errors():
    with pytest.raises(TypeError, match="int16"):
        learn((np.ones(4000, np.int16), 8000))
    with pytest.raises(TypeError, match="not int"):
        learn([3])
    with pytest.raises(CardError, match="role"):
        learn((hiss(), 8000), role="mute")


def test_hostile_files_are_skipped_not_hung_on(tmp_path):
    save(tmp_path / "a.wav", hiss())
    whole = (tmp_path / "a.wav").read_bytes()
    for length in range(0, len(whole), 400):
        (tmp_path / f"cut{length}.wav").write_bytes(whole[:length])
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere")
    assert learn(tmp_path, skip=lambda line: None).card.trained_on[0]["files"] >= 1
    for name in ("pipe.wav", "gone.wav"):
        with pytest.raises(ValueError, match=name):
            learn(tmp_path / name, skip=lambda line: None)


def test_progress_goes_from_little_to_all():
    for method in ("nmf", "asvd"):
        seen = []
        learn((hiss(), 8000), method=method, progress=seen.append)
        assert seen == sorted(seen)
        assert 0 <= seen[0] < seen[-1] == pytest.approx(1)


def test_what_is_learned_explains_what_is_held_out():
    train, test = (hiss(2, seed=1), 8000), (hiss(2, seed=2), 8000)
    assert held_out(learn(train, rank=8, passes=100), test)[
        "held-out kl over that of one component"
    ] < 0.95  # fmt: skip
    held = [held_out(learn(train, rank=k, method="asvd"), test) for k in (2, 8)]
    shares = [each["held-out share of energy held"] for each in held]
    assert 0.5 < shares[0] < shares[1] < 1


def test_against_another_sound_less_of_it_is_explained():
    sound = (hiss(2, seed=1), 8000)
    tone = (np.sin(np.arange(16000) * 0.9).astype(np.float32), 8000)
    plain, wary = learn(sound, method="asvd"), learn(sound, method="asvd", against=[tone])
    name = "held-out share of energy held"
    assert held_out(wary, tone)[name] < held_out(plain, tone)[name]


def test_a_learned_basis_can_be_kept(tmp_path):
    made = learn((hiss(), 8000), command="rtsep learn a\nb.wav", options={"unknown_rank": 8})
    library.save(tmp_path / "fan.npz", made)
    assert library.load(tmp_path / "fan.npz").card == made.card


def test_memory_does_not_grow_with_the_material(tmp_path):
    peaks = []
    for seconds in (60, 240):
        path = save(tmp_path / f"{seconds}.wav", hiss(seconds, level=0.05))
        tracemalloc.start()
        learn(path, method="asvd")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert recordings(path, print)[0].seconds == 240


@pytest.mark.parametrize("method", ["nmf", "asvd"])
def test_many_recordings_take_no_more_memory_than_few(method):
    def most(count):
        clips = [(hiss(0.25, seed=seed), 16000) for seed in range(count)]
        tracemalloc.start()
        learn(clips, method=method, rank=2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    most(2)  # imports
    assert most(40) < 1.3 * most(5) + 40 * 1e5
