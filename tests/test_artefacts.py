"""Model files: what goes in comes out, and whatever a stranger writes ends in a CardError."""

import errno
import io
import os
import struct
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_files import basis, opens, pack, parts, refusal, written

from rtsep.artefacts import library, npz
from rtsep.artefacts.basis import load_basis, save_basis
from rtsep.artefacts.card import CardError, to_json
from rtsep.artefacts.whole import write_whole
from rtsep.dsp.stream import MODES


@pytest.mark.parametrize("kind", ["nmf", "asvd"])
def test_a_basis_comes_back_as_it_was_saved(tmp_path, kind):
    saved = basis(kind, command="rtsep learn \u00e9.wav", quality={"a": 1.5}, options={"steps": 3})
    library.save(tmp_path / "fan.npz", saved)
    loaded = library.load(tmp_path / "fan.npz")
    assert loaded.card == saved.card
    for mode in MODES:
        assert np.array_equal(loaded.W[mode], saved.W[mode])


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


def test_more_arrays_than_a_basis_has_are_refused_before_they_are_listed(tmp_path, monkeypatch):
    path = tmp_path / "many.npz"
    pack(path, **parts(basis()), **{f"x{i}": b"" for i in range(61)})
    monkeypatch.setattr(zipfile, "ZipFile", pytest.fail)
    assert "65 arrays (at most 64)" in refusal(path)


def test_a_directory_that_says_it_is_short_is_counted(tmp_path, monkeypatch):
    path, n = tmp_path / "vast.npz", 300_000
    entries = npz.ENTRY + bytes(42)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 4, 4, n * len(entries), 0, 0)
    path.write_bytes(n * entries + end)
    monkeypatch.setattr(zipfile, "ZipFile", pytest.fail)
    assert f"{n} arrays (at most 64)" in refusal(path)


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


def test_a_model_that_is_saved_again_stays_as_private_as_it_was(tmp_path):
    save_basis(tmp_path / "fan.npz", basis())
    (tmp_path / "fan.npz").chmod(0o600)
    save_basis(tmp_path / "fan.npz", basis("asvd"))
    assert (tmp_path / "fan.npz").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_nothing_but_a_file_is_replaced(tmp_path, make):
    make(tmp_path / "fan.npz")
    with pytest.raises(ValueError, match=r"fan\.npz is not a file that can be replaced"):
        save_basis(tmp_path / "fan.npz", basis())
    assert os.listdir(tmp_path) == ["fan.npz"]


def test_an_error_is_about_the_file_that_it_was_met_in(tmp_path):
    for met, told in [(tmp_path / "none.wav", "none.wav"), (tmp_path / ".x.part", "fan.npz")]:
        with pytest.raises(OSError, match=told):
            write_whole(tmp_path / "fan.npz", lambda file, met=met: met.open())


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
