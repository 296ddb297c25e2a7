"""Model files: what goes in comes out, and whatever a stranger writes ends in a CardError."""

import errno
import io
import json
import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.artefacts import library, npz
from rtsep.artefacts.basis import Basis, load_basis, save_basis
from rtsep.artefacts.card import FIELDS, Card, CardError, from_json, to_json
from rtsep.dsp.stream import MODES, stream_spec


def card(kind="nmf", rate=8000, rank=3, **values):
    specs = {mode: stream_spec(rate, mode) for mode in MODES}
    windows = {mode: [s.window, s.hop, s.synthesis] for mode, s in specs.items()}
    given = {"divergence": "kl", "power": 1, "bandwidth": rate / 2, **values}
    return Card("fan", kind, "fan", "remove", rate, rank=rank, windows=windows, **given)


def basis(kind="nmf", **values):
    made = card(kind, **values)
    rng = np.random.default_rng(0)
    W = {mode: rng.uniform(0.01, 1, (made.bins(mode), made.rank)) for mode in made.windows}
    unit = (lambda w: np.linalg.qr(w)[0]) if kind == "asvd" else (lambda w: w / w.sum(axis=0))
    return Basis(made, {mode: unit(w).astype(np.float32) for mode, w in W.items()})


def written(basis):
    file = io.BytesIO()
    arrays = {f"W_{mode}": W for mode, W in basis.W.items()}
    np.savez_compressed(file, card=np.frombuffer(to_json(basis.card).encode(), np.uint8), **arrays)
    return file.getvalue()


def pack(path, **arrays):
    """An npz of our own making; bytes stand for themselves."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            if isinstance(array, bytes):
                content.write(array)
            else:
                np.save(content, array, allow_pickle=True)
            archive.writestr(f"{name}.npy", content.getvalue())
    return path


def parts(basis):
    shown = {"card": np.frombuffer(to_json(basis.card).encode(), np.uint8)}
    return shown | {f"W_{mode}": W for mode, W in basis.W.items()}


def opens(load, given):
    """What `load` makes of it, or None where it raises the one-line CardError it may raise."""
    with suppress(CardError):
        return load(given)
    with pytest.raises(CardError) as caught:
        load(given)
    assert str(caught.value).isprintable()
    return None


def refusal(path):
    """The message of the CardError that loading must raise: one line, begun with the path."""
    with pytest.raises(CardError) as caught:
        library.load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    return message


@pytest.mark.parametrize("kind", ["nmf", "asvd"])
def test_a_basis_comes_back_as_it_was_saved(tmp_path, kind):
    saved = basis(kind, command="rtsep learn \u00e9.wav", quality={"a": 1.5}, options={"steps": 3})
    library.save(tmp_path / "fan.npz", saved)
    loaded = library.load(tmp_path / "fan.npz")
    assert loaded.card == saved.card
    for mode in MODES:
        assert np.array_equal(loaded.W[mode], saved.W[mode])


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=30)


@given(
    name=TEXT.filter(bool),
    command=TEXT,
    bandwidth=st.floats(1, 4000),
    seed=st.integers(0, 2**63 - 1),
    quality=st.dictionaries(TEXT.filter(bool), st.floats(-1e9, 1e9) | TEXT, max_size=5),
    options=st.dictionaries(TEXT.filter(bool), st.integers(0, 9) | st.booleans(), max_size=5),
)
def test_a_card_survives_json(**values):
    made = replace(card(), **values)
    assert from_json(to_json(made)) == made


WRONG = {
    "format": [2, "1", None], "name": ["", "a\nb", 3, "x" * 65, "\ud800"], "kind": ["nes", 1],
    "source": ["unknown", "all", "", []], "role": ["mute"], "rate": [0, 48000.0, True, 10**9],
    "divergence": ["KL"], "power": [0, 1.0, True], "bandwidth": [0, -1, 4001, "wide", 1e300],
    "normalisation": [7], "rank": [0, -3, 10**6, 2.0],
    "windows": [{}, {"low": [512]}, {"deep": [512, 20, 40]}, {"low": [512, 0, 40]},
                {"low": [512, 15, 40]}, {"low": [40, 20, 80]}, {"low": [513, 20, 40]}, []],
    "trained_on": [{}, [{"corpus": "x"}], [3]], "command": [None, "a\0b", "x" * 2001],
    "seed": [-1, 1.5], "created": [20261121], "quality": [{"x": []}, {1: 1}, []],
    "options": [{"steps": None}, {"": 1}, {"x": {}}],
}  # fmt: skip


def test_every_field_of_a_card_is_checked():
    assert WRONG.keys() == FIELDS.keys()


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG.items() for v in values])
def test_a_card_with_a_wrong_field_cannot_be(name, value):
    with pytest.raises(CardError, match=r"^model"):
        replace(card(), **{name: value})
    shown = json.loads(to_json(card())) | {name: value}
    if name != "quality" or 1 not in value:  # JSON has no number as a key
        with pytest.raises(CardError) as caught:
            from_json(json.dumps(shown))
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", '"card"', "{}", "[" * 100_000, '{"a": NaN}', '{"a": 1, "a": 2}',
     '{"rank": 1e999}', "\x00", '{"format": 9}', "9" * 5000, '{"\\ud800": 1, "format": 1}',
     " " * 300_000],
)  # fmt: skip
def test_what_is_no_card_is_refused(text):
    for shown in (text, text.encode()):
        with pytest.raises(CardError) as caught:
            from_json(shown)
        assert str(caught.value).isprintable()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
       st.sampled_from(sorted(FIELDS)))  # fmt: skip
def test_any_json_in_any_field_makes_a_card_or_a_card_error(value, name):
    made = opens(from_json, json.dumps(json.loads(to_json(card())) | {name: value}))
    assert made is None or from_json(to_json(made)) == made


def test_a_truncated_file_is_refused_at_every_length(tmp_path):
    whole, path = written(basis()), tmp_path / "half.npz"
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        refusal(path)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_file_loads_or_is_refused(tmp_path_factory, data):
    content = bytearray(written(basis()))
    directory = len(content) - 400  # where the names, sizes and offsets of a zip stand
    place = st.integers(0, len(content) - 1) | st.integers(directory, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(place)] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content)
    opens(load_basis, path)


def test_a_damaged_header_in_an_intact_archive_is_refused_or_loads(tmp_path):
    given, path = parts(basis()), tmp_path / "damaged.npz"
    array = io.BytesIO()
    np.save(array, given["W_low"])
    for at in range(100):
        content = bytearray(array.getvalue())
        content[at] ^= 0x15
        pack(path, **given | {"W_low": bytes(content)})
        opens(load_basis, path)


def values_in(W, value):
    W = W.copy()
    W[1, 1] = value
    return W


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda W: values_in(W, np.nan), "1 of 771 entries NaN"),
        (lambda W: values_in(W, np.inf), "1 of 771 entries NaN or infinite"),
        (lambda W: values_in(W, -0.5), "negative (least: -0.5)"),
        (lambda W: values_in(W, 1e30), "sums to 1e+30 (wanted: 1)"),
        (lambda W: 0 * W, "sums to 0 (wanted: 1)"),
        (lambda W: W[:-1], "(256, 3) (card: '<f4' (257, 3))"),
        (lambda W: np.tile(W, 200), "(at most "),
        (lambda W: W.T.copy(), "(3, 257) (card: '<f4' (257, 3))"),
        (lambda W: np.asfortranarray(W), "in Fortran order"),
        (lambda W: W.astype(np.float64), "(card: '<f4' "),
        (lambda W: np.array([{"a": 1}]), "pickled objects"),
        (lambda W: np.zeros(3, "f4,O"), "pickled objects"),
        (lambda W: b"", "damaged"),
        (lambda W: b"\x93NUMPY\x01\x00\xff\xff{", "damaged"),
        (lambda W: b"\x93NUMPY\x09\x00", "damaged"),
    ],
)
def test_an_array_that_is_not_what_the_card_says_is_refused(tmp_path, change, words):
    given = parts(basis())
    path = pack(tmp_path / "bad.npz", **given | {"W_low": change(given["W_low"])})
    message = refusal(path)
    assert words in message
    assert "W_low" in message


def test_a_header_that_promises_more_than_there_is_allocates_nothing(tmp_path):
    made = basis()
    lie = replace(made.card, rank=512)
    shown = np.frombuffer(to_json(lie).encode(), np.uint8)
    path = pack(tmp_path / "lie.npz", **parts(made) | {"card": shown})
    assert "(257, 3) (card: '<f4' (257, 512))" in refusal(path)


def test_an_array_that_unpacks_to_far_more_is_refused_by_its_size(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.npy", bytes(64 << 20))
    assert f"{64 << 20} bytes (at most" in refusal(path)


def test_arrays_missing_twice_or_unknown_are_refused(tmp_path):
    given = parts(basis())
    lacking = pack(tmp_path / "a.npz", **{k: v for k, v in given.items() if k != "W_high"})
    assert "0 arrays 'W_high'" in refusal(lacking)
    assert "'W_deep' is unknown" in refusal(pack(tmp_path / "b.npz", **given, W_deep=b""))
    path = pack(tmp_path / "c.npz", **given)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("W_low.npy", b"")
    assert "2 arrays 'W_low'" in refusal(path)


def test_orthonormal_is_checked(tmp_path):
    given = parts(basis("asvd"))
    path = pack(tmp_path / "bad.npz", **given | {"W_low": given["W_low"] * np.float32(1.1)})
    assert "from orthonormal" in refusal(path)


def test_files_that_are_no_models_are_refused(tmp_path):
    for name, content in {"a.npz": b"", "b.npz": b"RIFF....WAVE", "c.npz": b"PK"}.items():
        (tmp_path / name).write_bytes(content)
        assert "no npz archive" in refusal(tmp_path / name)
    (tmp_path / "d.npz").write_bytes(bytes(npz.MAX_FILE + 1))
    assert str(npz.MAX_FILE) in refusal(tmp_path / "d.npz")
    (tmp_path / "e.txt").write_bytes(b"")
    assert "suffix '.txt'" in refusal(tmp_path / "e.txt")
    (tmp_path / "f.npz").mkdir()
    refusal(tmp_path / "f.npz")
    os.mkfifo(tmp_path / "g.npz")
    refusal(tmp_path / "g.npz")
    with pytest.raises(CardError, match="regular"):
        load_basis(tmp_path / "g.npz")


class FullDisk:
    """A file that takes some bytes and then says the disk is full."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, content):
        self.room -= len(content)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(content)

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.mark.parametrize("room", [0, 100, 2000])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, room):
    path = tmp_path / "fan.npz"
    save_basis(path, basis())
    before = path.read_bytes()
    pack_whole = np.savez_compressed
    monkeypatch.setattr(
        np, "savez_compressed", lambda file, **arrays: pack_whole(FullDisk(file, room), **arrays)
    )
    with pytest.raises(OSError, match="No space"):
        save_basis(path, basis("asvd"))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["fan.npz"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), KeyboardInterrupt()])
def test_whatever_ends_a_save_leaves_the_old_file(tmp_path, monkeypatch, step, error):
    path = tmp_path / "fan.npz"
    save_basis(path, basis())
    before = path.read_bytes()

    def fail(*_):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        save_basis(path, basis("asvd"))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["fan.npz"]


def test_saving_follows_a_link_and_the_users_umask(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "fan.npz").symlink_to(tmp_path / "real" / "fan.npz")
    library.save(tmp_path / "fan.npz", basis())
    assert (tmp_path / "fan.npz").is_symlink()
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "real" / "fan.npz").stat().st_mode & 0o777 == 0o666 & ~umask


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


def test_names_are_found_and_the_nearest_suggested(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "folders", lambda: (tmp_path / "none", tmp_path))
    with pytest.raises(CardError, match=r"^fan: no such model \(none is installed\)"):
        library.find("fan")
    library.save(tmp_path / "speech.npz", basis())
    assert library.names() == ("speech",)
    assert library.find("speech") == tmp_path / "speech.npz"
    assert library.load("speech").card.name == "fan"
    for wrong in ("spech", "Speech", "speech.npz", tmp_path / "x" / "speach.npz"):
        with pytest.raises(CardError, match=r"nearest: 'speech'"):
            library.find(wrong)
    for wrong in ("", "x" * 9999, "\0", "a\nb", "..", "../speech", tmp_path):
        with pytest.raises(CardError) as caught:
            library.load(wrong)
        assert str(caught.value).isprintable()
    with pytest.raises(CardError, match="suffix"):
        library.save(tmp_path / "fan", basis())


def test_every_shipped_model_loads_and_says_where_it_is_from():
    models = library.PACKAGE.parent / "models"
    assert {path.stem for path in models.iterdir()} >= {"speech", "rain", "sea", "fire", "clock"}
    for path in models.iterdir():
        shown = library.load(path).card
        assert shown.name == path.stem
        assert shown.quality
        assert all("CC" in each["licence"] for each in shown.trained_on)
        assert str(path.parent) not in to_json(shown)
    assert sum(path.stat().st_size for path in models.iterdir()) < 5e6


def test_running_imports_nothing_of_learning():
    code = (
        "import sys, rtsep.artefacts.library; "
        "print([m for m in ('scipy', 'soundfile', 'numba', 'soxr') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
