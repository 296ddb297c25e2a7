"""What names many recordings, and what a card says of them."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr

from models import babble
from rtsep.learn import learn_basis
from rtsep.learn.corpus import Recording, recordings, usable
from rtsep.learn.listing import sound_files
from rtsep.learn.provenance import provenance

RATE = 16000


@pytest.fixture
def takes(tmp_path):
    """a.wav, b.flac and no sound in a folder; c.wav in one below."""
    (tmp_path / "below").mkdir()
    for at, name in enumerate(("b.flac", "a.wav", "below/c.wav")):
        sf.write(tmp_path / name, babble(RATE, seed=at), RATE)
    (tmp_path / "notes.txt").write_text("no sound")
    return tmp_path


def names(source):
    return [os.path.basename(each.name) for each in recordings(source, pytest.fail)]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.wav", ["a.wav"]),
        ("*", ["a.wav", "b.flac", "c.wav"]),
        ("**/*.wav", ["a.wav", "c.wav"]),
        ("**", ["a.wav", "b.flac", "c.wav"]),
        ("[ab].*", ["a.wav", "b.flac"]),
        ("?.flac", ["b.flac"]),
        (".", ["a.wav", "b.flac", "c.wav"]),
        ("a.wav", ["a.wav"]),
    ],
)
def test_folders_and_globs_name_sound_files_sorted(takes, pattern, found):
    assert names(takes / pattern) == found
    assert names(str(takes / pattern)) == found


def test_a_file_whose_name_looks_like_a_glob_is_itself(takes):
    (takes / "a.wav").rename(takes / "[take].wav")
    assert names(takes / "[take].wav") == ["[take].wav"]


@pytest.mark.parametrize("column", ["file", "path"])
def test_a_manifest_names_files_relative_to_itself_in_its_order(takes, column, monkeypatch):
    monkeypatch.chdir("/")
    rows = f"\ufefflicence,{column}\nCC0,below/c.wav\n,\nCC BY,a.wav\nCC0,below/c.wav\n"
    (takes / "m.csv").write_text(rows, encoding="utf-8")
    assert names(takes / "m.csv") == ["c.wav", "a.wav"]


def test_a_manifest_s_missing_file_is_skipped_with_a_line(takes):
    (takes / "m.csv").write_text("file\nnone.wav\na.wav\n")
    lines = []
    assert len(recordings(takes / "m.csv", lines.append)) == 1
    assert "none.wav: no such file" in lines[0]


def test_the_only_reason_is_told_once_and_several_in_order():
    def refuse_odd(n):
        if n % 2:
            raise ValueError(f"{n} is odd")
        return 10 * n

    lines = []
    with pytest.raises(ValueError, match=r"^1 is odd$"):
        usable([1], refuse_odd, lines.append)
    assert lines == []
    with pytest.raises(ValueError, match=r"^1 is odd \(and 2 more\)$"):
        usable([1, 3, 5], refuse_odd, lines.append)
    assert usable([1, 2, 3, 4, 5], refuse_odd, lines.append) == [20, 40]
    assert lines == 2 * ["1 is odd", "3 is odd", "5 is odd"]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (b"name,licence\na.wav,CC0\n", "columns name, licence .wanted: file or path"),
        (b"", "columns none"),
        (b"file\n", "0 rows name a file"),
        (b"file\n\xff\xfe\n", "no CSV file that can be read"),
    ],
)
def test_bad_manifests_are_refused(takes, rows, reason):
    (takes / "m.csv").write_bytes(rows)
    with pytest.raises(ValueError, match=rf"m\.csv: .*{reason}"):
        recordings(takes / "m.csv", pytest.fail)


def test_globs_without_sound_are_refused(takes):
    with pytest.raises(ValueError, match=r"\*\.txt: no sound file matches"):
        sound_files(takes / "*.txt")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are Unicode")
def test_a_name_need_not_be_utf8(tmp_path):
    sf.write(tmp_path / "in.wav", babble(16000), 16000)
    source = (tmp_path / "in.wav").rename(tmp_path / os.fsdecode(b"caf\xe9.wav"))
    assert learn_basis([source], name="fan", rank=2, passes=5, skip=pytest.fail).card.rate == 16000


def test_learning_takes_them_and_the_card_names_every_file(takes):
    made = learn_basis(
        [str(takes / "*.*"), takes / "below"], name="fan", rank=2, passes=5, skip=pytest.fail
    )
    (record,) = made.card.trained_on
    assert record == {
        "corpus": "a.wav, b.flac, c.wav", "licence": "not stated", "files": 3, "seconds": 3.0,
    }  # fmt: skip


WRITTEN = {
    "a.wav": (16000, {}),
    "b.flac": (16000, {}),
    "c.ogg": (22050, {"subtype": "VORBIS"}),
    "d.opus": (48000, {"format": "OGG", "subtype": "OPUS"}),
    "e.mp3": (44100, {}),
}


@pytest.fixture
def mixed(tmp_path):
    """One sound in every format and at as many rates, and a manifest of them."""
    sound = babble(2 * 48000, level=0.2)
    for name, (rate, how) in WRITTEN.items():
        sf.write(tmp_path / name, soxr.resample(sound, 48000, rate), rate, **how)
    (tmp_path / "all.csv").write_text("\n".join(["file", *WRITTEN]))
    return tmp_path


@pytest.mark.parametrize("named", [".", "*", "all.csv"])
def test_every_format_is_learned_from_and_listed(mixed, named):
    made = learn_basis(mixed / named, name="fan", rank=2, passes=5, rate=16000, skip=pytest.fail)
    (record,) = made.card.trained_on
    assert record["corpus"] == ", ".join(WRITTEN)
    assert (record["files"], record["seconds"]) == (5, pytest.approx(10, abs=0.2))


def test_every_format_sounds_as_what_was_written(mixed):
    bases = {}
    for name in WRITTEN:
        made = learn_basis(
            mixed / name, name="fan", method="asvd", rank=1, rate=16000, skip=pytest.fail
        )
        bases[name] = made.W["low"][:80]  # below 5 kHz, which no coder cuts
    for name, W in bases.items():
        assert np.vdot(W, bases["a.wav"]) > 0.99 * np.vdot(W, W), name


def test_licences_of_a_manifest_go_into_the_card(takes):
    rows = 'file,license\na.wav,CC0\nb.flac,"CC BY 4.0 (A, B)"\nbelow/c.wav,CC0\n'
    (takes / "m.csv").write_text(rows)
    made = learn_basis(takes / "m.csv", name="fan", rank=2, passes=5, skip=pytest.fail)
    told = [(each["corpus"], each["licence"], each["files"]) for each in made.card.trained_on]
    assert told == [("a.wav, c.wav", "CC0", 2), ("b.flac", "CC BY 4.0 (A, B)", 1)]
    assert made.card.normalisation == "every recording at a mean energy of one; columns sum to one"


@pytest.mark.parametrize("count", [50, 5000])
def test_every_licence_is_named_as_far_as_a_card_holds_them(count):
    used = [Recording(f"{i}.wav", RATE, RATE, list, f"CC {i}") for i in range(count)]
    records = provenance(used)
    assert sum(each["files"] for each in records) == count
    assert records[0]["licence"] == "CC 0"
    assert "CC 41" in records[-1]["licence"]
    assert all(len(each["licence"]) <= 300 for each in records)


@pytest.mark.parametrize("count", [1, 7, 300, 5000])
def test_every_file_is_counted_and_as_many_named_as_fit(count):
    used = [Recording(f"/home/me/take{i:05}.wav", RATE, RATE // 2, list) for i in range(count)]
    records = provenance(used)
    assert sum(each["files"] for each in records) == count
    assert sum(each["seconds"] for each in records) == pytest.approx(count / 2, rel=1e-3)
    assert all(len(each["corpus"]) <= 200 for each in records)
    assert not any("/" in each["corpus"] for each in records)
    named = ", ".join(each["corpus"] for each in records)
    assert all(Path(each.name).name in named for each in used[:300])
    assert ("more" in named) == (count == 5000)


def test_a_name_too_long_or_unprintable_is_cut():
    (record,) = provenance([Recording("x" * 999 + "\n", RATE, RATE, list)])
    assert len(record["corpus"]) <= 200
    assert np.isclose(record["seconds"], 1)
