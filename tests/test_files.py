"""Laws of files: what comes out has the shape of what went in, in time with it, or is not there."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import rtsep
from models import babble, model, noise, pair
from rtsep.artefacts.whole import whole
from rtsep.ports import formats
from rtsep.ports.files import denoise
from rtsep.ports.formats import SoundFormat, encode, format_for, subtype_in
from rtsep.ports.recordings import examine, promised, read, writer

FORMATS = [
    ("wav", "PCM_U8"), ("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "PCM_32"), ("wav", "FLOAT"),
    ("wav", "DOUBLE"), ("flac", "PCM_16"), ("flac", "PCM_24"), ("ogg", "VORBIS"),
    ("aiff", "PCM_16"),
]  # fmt: skip


def recording(path, x, rate=48000, subtype="FLOAT"):
    """x, (n,) or (channels, n), as a file."""
    sf.write(path, np.atleast_2d(x).T, rate, subtype=subtype)
    return examine(path)


def engine_for(found, models="bypass", **settings):
    return rtsep.Engine(models, rate=found.rate, channels=found.channels, **settings)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(("suffix", "subtype"), FORMATS)
@pytest.mark.parametrize(("channels", "rate", "n"), [(1, 16000, 40001), (2, 44100, 70000)])
def test_length_rate_channels_and_format_stay(tmp_path, suffix, subtype, channels, rate, n):
    x = noise(channels, n)
    found = recording(tmp_path / f"in.{suffix}", x, rate, subtype)
    target = tmp_path / f"out.{suffix}"
    (written,) = denoise(found, target, engine_for(found, latency="medium"))
    info = sf.info(target)
    assert (info.frames, info.samplerate, info.channels) == (n, rate, channels)
    assert (info.format, info.subtype) == (found.format.container, subtype)
    assert written.clipped == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are Unicode")
def test_a_name_need_not_be_utf8(tmp_path):
    recording(tmp_path / "in.wav", noise(5000))
    source, target = (tmp_path / os.fsdecode(name) for name in (b"caf\xe9.wav", b"\xe9.flac"))
    (tmp_path / "in.wav").rename(source)
    found = examine(source)
    denoise(found, target, engine_for(found))
    assert examine(target).length == 5000


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24"])
def test_an_integer_format_comes_back_as_it_was(tmp_path, subtype):
    """Strength 0 goes through the transform, whose error is far under half a step of 16 bits."""
    found = recording(tmp_path / "in.wav", noise(50000, level=0.2), subtype=subtype)
    denoise(found, tmp_path / "out.wav", engine_for(found, model(), strength=0, latency="high"))
    x, y = (sf.read(tmp_path / name, dtype="int32")[0] >> 8 for name in ("in.wav", "out.wav"))
    assert np.abs(x - y).max() <= (8 if subtype == "PCM_24" else 0)


@pytest.mark.parametrize("subtype", formats.BITS)
def test_encoding_is_the_inverse_of_reading(tmp_path, subtype):
    path = tmp_path / "x.wav" if subtype != "PCM_S8" else tmp_path / "x.aiff"
    x = np.array([[-1, -0.75, -0.5, 0, 0.25, 0.5, 0.75, 0.9921875]], np.float32)
    sf.write(path, encode(x, subtype)[0], 8000, subtype=subtype)
    assert np.array_equal(sf.read(path, dtype="float32")[0], x[0])


def test_rounding_goes_to_the_nearest_step():
    steps = np.array([[0.4, 0.6, -0.4, -0.6, 99.7]], np.float32) / 2**15
    assert list(encode(steps, "PCM_16")[0][:, 0] >> 16) == [0, 1, 0, -1, 100]


def test_clipping_is_counted_and_does_not_wrap(tmp_path):
    found = recording(tmp_path / "in.wav", np.full(8000, 0.9, np.float32), subtype="PCM_16")
    engine = engine_for(found, output_gain=6.0)
    (written,) = denoise(found, tmp_path / "out.wav", engine)
    y = sf.read(tmp_path / "out.wav")[0]
    assert y.min() > 0.89
    assert written.clipped == np.count_nonzero(y > 0.9999) > 7000


def test_floats_keep_what_is_over_full_scale(tmp_path):
    found = recording(tmp_path / "in.wav", np.full(8000, 1.5, np.float32))
    (written,) = denoise(found, tmp_path / "out.wav", engine_for(found))
    assert written.clipped == 0
    assert sf.read(tmp_path / "out.wav")[0][4000] == pytest.approx(1.5, abs=1e-5)


@pytest.mark.parametrize("mode", ["low", "medium", "high"])
def test_it_is_in_time_and_the_same_as_streaming(tmp_path, mode):
    x = babble(30011)
    found = recording(tmp_path / "in.wav", x)
    denoise(found, tmp_path / "out.wav", engine_for(found, model(), latency=mode))
    engine = engine_for(found, model(), latency=mode)
    delay = np.zeros(engine.latency, np.float32)
    expected = engine.process(np.concatenate([x, delay]))[engine.latency :]
    assert np.array_equal(sf.read(tmp_path / "out.wav", dtype="float32")[0], expected)


@pytest.mark.parametrize(("models", "sources"), [(model(), 2), (pair(), 2), ([model()] * 1, 2)])
@pytest.mark.parametrize("channels", [1, 2])
def test_stems_add_up_to_the_input(tmp_path, models, sources, channels):
    x = np.stack([babble(20000, seed=c) for c in range(channels)])
    found = recording(tmp_path / "in.wav", x)
    engine = engine_for(found, models, strength=0.5, output_gain=-6.0)
    written = denoise(found, tmp_path / "out.wav", engine, stems=tmp_path / "stems")
    stems = [sf.read(each.path, dtype="float32", always_2d=True)[0].T for each in written[1:]]
    assert [each.source for each in written[1:]] == list(engine.sources)
    assert len(stems) == sources
    assert {sf.info(each.path).subtype for each in written[1:]} == {"FLOAT"}
    assert np.abs(sum(stems) - x).max() <= 1e-6


def test_stems_change_nothing_about_the_output(tmp_path):
    found = recording(tmp_path / "in.wav", babble(20000))
    engine = engine_for(found, model())
    denoise(found, tmp_path / "alone.wav", engine)
    denoise(found, tmp_path / "beside.wav", engine, stems=tmp_path / "stems")
    alone, beside = (sf.read(tmp_path / name)[0] for name in ("alone.wav", "beside.wav"))
    assert np.array_equal(alone, beside)


def test_shorter_than_a_hop(tmp_path):
    for n in (1, 2, 239):
        found = recording(tmp_path / "in.wav", noise(n))
        denoise(found, tmp_path / "out.wav", engine_for(found, latency="high"))
        assert np.allclose(sf.read(tmp_path / "out.wav")[0], noise(n), atol=1e-6)


@pytest.mark.parametrize(
    ("container", "asked", "given"),
    [
        ("FLAC", "FLOAT", "PCM_24"), ("FLAC", "PCM_32", "PCM_24"), ("FLAC", "PCM_U8", "PCM_16"),
        ("WAV", "VORBIS", "PCM_16"), ("OGG", "PCM_24", "VORBIS"), ("WAV", "PCM_S8", "PCM_U8"),
        ("WAV", "MPEG_LAYER_III", "PCM_16"), ("MP3", "MPEG_LAYER_III", "MPEG_LAYER_III"),
        ("RAW", "MPEG_LAYER_III", "PCM_16"),
    ],
)  # fmt: skip
def test_nearest_sample_format(container, asked, given):
    got = subtype_in(container, asked)
    assert got == given or (asked == "PCM_U8" and got == "PCM_S8")


def test_suffix_decides_the_container_and_size_the_kind_of_wav(tmp_path):
    source = SoundFormat("WAVEX", "PCM_24")
    assert format_for(tmp_path / "a.wav", source, 10) == source
    assert format_for(tmp_path / "a", source, 10) == source
    assert format_for(tmp_path / "a.FLAC", source, 10) == SoundFormat("FLAC", "PCM_24")
    assert format_for(tmp_path / "a.opus", source, 10) == SoundFormat("OGG", "OPUS")
    ten_hours = 10 * 3600 * 48000 * 2
    assert format_for(tmp_path / "a.wav", source, ten_hours).container == "RF64"
    with pytest.raises(ValueError, match=r"'xyz'.*wav"):
        format_for(tmp_path / "a.xyz", source, 10)


def nan_at(path, place):
    x = noise(2, 100000)
    x[1, place] = np.nan
    return recording(path, x)


def test_nan_is_refused_with_its_place(tmp_path):
    found = nan_at(tmp_path / "in.wav", 72000)
    (tmp_path / "out.wav").write_text("precious")
    before = contents(tmp_path)
    with pytest.raises(
        ValueError, match=r"in\.wav holds nan at sample 72000 \(1\.500 s\), channel 2"
    ):
        denoise(found, tmp_path / "out.wav", engine_for(found), stems=tmp_path / "stems")
    assert contents(tmp_path) == before
    assert not (tmp_path / "stems").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_whatever_interrupts_leaves_everything_as_it_was(tmp_path, error):
    found = recording(tmp_path / "in.wav", noise(200000))
    (tmp_path / "out.wav").write_text("precious")
    before = contents(tmp_path)

    def interrupt(done, total):
        raise error

    with pytest.raises(error):
        denoise(found, tmp_path / "out.wav", engine_for(found), progress=interrupt)
    assert contents(tmp_path) == before


class Interrupted:
    """A file whose third write is where Ctrl-C comes."""

    def __init__(self, file):
        self.file, self.writes = file, 0

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, piece):
        self.writes += 1
        if self.writes == 3:
            raise KeyboardInterrupt
        return self.file.write(piece)


def copy_interrupted(found, target):
    with whole(target) as (draft,):
        draft.file = Interrupted(draft.file)
        with writer(draft, found.format, found.rate, found.channels) as made:
            for block in read(found):
                made.write(block)


def test_interrupt_inside_a_write_is_not_swallowed(tmp_path):
    """libsndfile calls back into Python to write, and drops what that raises."""
    found = recording(tmp_path / "in.wav", noise(200000))
    with pytest.raises(KeyboardInterrupt):
        copy_interrupted(found, tmp_path / "out.wav")
    assert set(contents(tmp_path)) == {"in.wav"}


FULL = """
import resource, sys
from pathlib import Path
import rtsep
from rtsep.ports import files, recordings
found = recordings.examine(sys.argv[1])
engine = rtsep.Engine("bypass", rate=found.rate, channels=found.channels)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    files.denoise(found, Path(sys.argv[2]), engine, stems=Path(sys.argv[2]).parent / "stems")
except OSError as error:
    print(error.errno, error.filename)
"""


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff"])
@pytest.mark.parametrize("room", [0, 20, 30000, 199990])
def test_no_room_for_the_output(tmp_path, warm, suffix, room):
    """A limit on the size of files stands for a full disk: the same calls fail."""
    recording(tmp_path / "in.wav", noise(100000), subtype="PCM_16")
    (tmp_path / f"out.{suffix}").write_text("precious")
    before = contents(tmp_path)
    command = [
        sys.executable,
        "-c",
        FULL,
        tmp_path / "in.wav",
        tmp_path / f"out.{suffix}",
        str(room),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("27 ")  # EFBIG
    assert contents(tmp_path) == before
    assert not (tmp_path / "stems").exists()


def test_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk]
    if subprocess.run(mount, capture_output=True).returncode:
        return  # only root may, and not in every container; the limit above stands for it
    try:
        found = recording(tmp_path / "in.wav", noise(100000))
        with pytest.raises(OSError, match="No space left"):
            denoise(found, disk / "out.wav", engine_for(found))
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(
    "link", ["itself", "symlink", "hard link", "other spelling", "through nowhere"]
)
def test_output_is_the_input(tmp_path, link):
    found = recording(tmp_path / "in.wav", noise(1000))
    target = tmp_path / "in.wav"
    if link == "symlink":
        target = tmp_path / "out.wav"
        target.symlink_to("in.wav")
    if link == "hard link":
        target = tmp_path / "out.wav"
        target.hardlink_to(tmp_path / "in.wav")
    if link == "other spelling":
        target = tmp_path / "." / ".." / tmp_path.name / "in.wav"
    if link == "through nowhere":
        target = tmp_path / "nowhere" / ".." / "in.wav"
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"output .* is the input .*in\.wav"):
        denoise(found, target, engine_for(found))
    assert contents(tmp_path) == before


def test_a_stem_is_the_output_or_the_input(tmp_path):
    found = recording(tmp_path / "fan.wav", noise(1000))
    engine = engine_for(found, model("fan"))
    with pytest.raises(ValueError, match="is the input"):
        denoise(found, tmp_path / "out.wav", engine, stems=tmp_path)
    assert set(contents(tmp_path)) == {"fan.wav"}
    (tmp_path / "stems").mkdir()
    with pytest.raises(ValueError, match="are one file"):
        denoise(found, tmp_path / "stems/fan.wav", engine, stems=tmp_path / "stems")
    assert list((tmp_path / "stems").iterdir()) == []


def test_a_link_to_another_file_stays_a_link(tmp_path):
    found = recording(tmp_path / "in.wav", noise(1000))
    (tmp_path / "real.wav").write_text("old")
    (tmp_path / "real.wav").chmod(0o640)
    (tmp_path / "out.wav").symlink_to("real.wav")
    denoise(found, tmp_path / "out.wav", engine_for(found))
    assert (tmp_path / "out.wav").is_symlink()
    assert sf.info(tmp_path / "real.wav").frames == 1000
    assert (tmp_path / "real.wav").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("target", ["/proc/out.wav", "/dev/null", ".", "nowhere/out.wav"])
def test_where_nothing_can_be_written(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    found = recording(tmp_path / "in.wav", noise(1000))
    with pytest.raises((OSError, ValueError), match=target.rpartition("/")[0] or "folder|file"):
        denoise(found, Path(target), engine_for(found))
    assert set(contents(tmp_path)) == {"in.wav"}


MEMORY = """
import resource, sys
import rtsep
from pathlib import Path
from rtsep.ports import files, recordings
found = recordings.examine(sys.argv[1])
files.denoise(found, Path(sys.argv[1] + ".out.wav"), rtsep.Engine("bypass", rate=8000))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_file(tmp_path, warm):
    def peak(seconds):
        path = tmp_path / f"{seconds}.wav"
        sf.write(path, noise(8000 * seconds), 8000)
        run = [sys.executable, "-c", MEMORY, path]
        return int(subprocess.run(run, capture_output=True, text=True, check=True).stdout)

    # kB; 1800 s are 58 MB in float32, and so is the file that comes out
    assert peak(1800) - peak(10) < 6000


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_files_header_is_taken_at_its_word(tmp_path, subtype, channels):
    path = tmp_path / "in.wav"
    sf.write(path, noise(4000, channels), 8000, subtype=subtype)
    assert examine(path).promised == 4000
    contents = path.read_bytes()
    path.write_bytes(contents[: len(contents) // 2])
    found = examine(path)
    assert found.promised == 4000
    assert 1900 < found.length < 2000


@pytest.mark.parametrize("told", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_header_that_was_written_into_a_pipe_tells_nothing(tmp_path, told):
    path = tmp_path / "in.wav"
    sf.write(path, noise(4000), 8000, subtype="PCM_16")
    contents = bytearray(path.read_bytes())
    at = contents.index(b"data") + 4
    contents[at : at + 4] = told.to_bytes(4, "little")
    path.write_bytes(contents)
    assert promised(path) == 0


@pytest.mark.parametrize(
    "contents", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF____WAVEfmt \xff" * 9]
)
def test_what_is_no_header_tells_nothing(tmp_path, contents):
    (tmp_path / "in.wav").write_bytes(contents)
    assert promised(tmp_path / "in.wav") == 0
    sf.write(tmp_path / "in.flac", noise(400), 8000)
    assert promised(tmp_path / "in.flac") == 0
