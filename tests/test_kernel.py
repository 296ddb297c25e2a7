"""Kernels: compiled before the sound, never beside it, and anew whenever a source changes."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
import soundfile as sf

import rtsep
from rtsep.dsp import kernel as subject
from rtsep.dsp.kernel import FAST, cache_key, kernel, sealed

HERE = Path(__file__).parent


# the cache


@pytest.fixture
def sources(tmp_path, monkeypatch):
    for folder in subject.KERNEL_FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(subject.PACKAGE / folder, tmp_path / folder, ignore=ignored)
    monkeypatch.setattr(subject, "PACKAGE", tmp_path)
    return tmp_path


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A folder of kernels in use, and what else lies in the cache, by how many days it is old."""
    days = {"kernels-" + 16 * letter: age for letter, age in zip("abc", (0, 80, 200), strict=True)}
    days |= {"kernels-of-mine": 200, "networks": 200}
    for name, age in days.items():
        (tmp_path / name / "part").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - 86400 * age,) * 2)
    monkeypatch.setattr(subject, "CACHE", tmp_path / ("kernels-" + 16 * "a"))
    return tmp_path


def test_kernels_long_unused_go_and_nothing_else(kept):
    subject.tidy()
    left = {path.name[:9] for path in kept.iterdir()}
    assert left == {"kernels-a", "kernels-b", "kernels-o", "networks"}


def test_kernels_in_use_stay_however_old(kept):
    os.utime(subject.CACHE, (0, 0))
    subject.tidy()
    assert subject.CACHE.stat().st_mtime > time.time() - 60


def test_every_start_marks_its_kernels():
    start = [sys.executable, "-c", "import rtsep.engine.engine"]
    subprocess.run(start, check=True)
    os.utime(subject.CACHE, (time.time() - 86400,) * 2)
    subprocess.run(start, check=True)
    assert subject.CACHE.stat().st_mtime > time.time() - 3600


def test_a_cache_that_cannot_be_tidied_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "CACHE", tmp_path / "none" / "kernels")
    subject.tidy()
    assert not any(tmp_path.iterdir())


def test_equal_sources_have_equal_keys(sources):
    here = cache_key()
    for path in sources.rglob("*.py"):
        path.touch()
    assert cache_key() == here


@pytest.mark.parametrize(
    "path",
    ["dsp/machine.py", "dsp/masks.py", "separators/nmf.py", "engine/hop.py", "engine/state.py"],
)
def test_a_change_of_any_source_changes_the_key(sources, path):
    before = cache_key()
    source = sources / path
    source.write_text(source.read_text() + "\n")
    assert cache_key() != before


def test_a_new_a_lost_and_a_renamed_source_change_the_key(sources):
    keys = [cache_key()]
    (sources / "dsp" / "new.py").write_text("")
    keys.append(cache_key())
    (sources / "dsp" / "new.py").rename(sources / "dsp" / "newer.py")
    keys.append(cache_key())
    (sources / "engine" / "hop.py").unlink()
    keys.append(cache_key())
    assert len(set(keys)) == 4


def test_equal_sources_elsewhere_have_another_key(sources, monkeypatch):
    here = cache_key()
    shutil.copytree(sources, sources / "elsewhere")
    monkeypatch.setattr(subject, "PACKAGE", sources / "elsewhere")
    assert cache_key() != here


def test_every_folder_with_a_kernel_in_it_counts():
    root = Path(rtsep.__file__).parent
    with_kernels = {
        path.parent.name for path in root.rglob("*.py") if "import kernel" in path.read_text()
    }
    assert with_kernels <= set(subject.KERNEL_FOLDERS)


def test_every_kernel_is_compiled_at_once():
    """What the process that compiles imports has all of them, and the last of them last."""
    root, names = Path(rtsep.__file__).parent, ", ".join(subject.COMPILED)
    program = f"import sys, {names}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    loaded = ran.stdout.split()
    files = [path for folder in subject.KERNEL_FOLDERS for path in (root / folder).glob("*.py")]
    modules = {
        f"rtsep.{path.parent.name}.{path.stem}"
        for path in files
        if "\n@kernel" in path.read_text() or "\n@native" in path.read_text()
    }
    assert modules <= set(loaded)
    *_, last = (name for name in loaded if name in modules)
    assert subject.LAST.startswith(last.rpartition(".")[2] + ".")


def test_the_cache_lies_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert subject.cache_folder() == tmp_path / f"kernels-{cache_key()}"


def test_where_nothing_can_be_kept_it_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    sf.write(tmp_path / "in.wav", np.zeros(1000), 48000)
    ran = subprocess.run(
        [sys.executable, "-m", "rtsep.cli", "denoise", tmp_path / "in.wav", tmp_path / "out.wav"],
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "file")},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, ""), ran.stderr
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"rtsep: {tmp_path / 'file'}")
    assert "NUMBA_CACHE_DIR" in line


# what a kernel is


def test_no_kernel_is_pythons():
    """All of them nopython, without the GIL, and without fast-math that forgets NaN."""
    rtsep.Engine("bypass").process(np.zeros(1000, np.float32))
    assert len(subject._dispatchers) > 40
    for dispatcher in subject._dispatchers:
        options = dispatcher.targetoptions
        assert options["nopython"], dispatcher
        assert options["nogil"], dispatcher
        assert not {"nnan", "ninf", True} & set(options.get("fastmath") or ()), dispatcher
        assert not any(overload.objectmode for overload in dispatcher.overloads.values())
    assert not FAST & {"nnan", "ninf", "fast"}


@kernel
def not_a_number(x):
    return x != x


@kernel
def quotient(x, y):
    return x / y


def test_a_kernel_knows_nan_and_divides_by_zero():
    assert not_a_number(np.float32(np.nan))
    assert not not_a_number(np.float32(1))
    assert quotient(1.0, 0.0) == np.inf
    assert np.isnan(quotient(0.0, 0.0))


def test_loops_over_a_block_are_summed_in_order():
    """What `exact` is for: no reassociation, so a running sum does not know where blocks end."""
    from rtsep.engine import glides, process

    for function in (
        glides.latch, glides.glide, process.take_in, process.give_out, process.give_stems,
        process.run_block, process.latch_all,
    ):  # fmt: skip
        assert not function.targetoptions["fastmath"], function


# sealed


def fresh():
    """A kernel that has not been compiled for anything."""

    def double(x):
        return x + x

    return kernel(double)


def test_nothing_compiles_while_sealed():
    double = fresh()
    with sealed(), pytest.raises(TypeError, match="No matching definition"):
        double(1.0)
    assert double(1.0) == 2


def test_what_is_compiled_runs_while_sealed():
    double = fresh()
    double(1.0)
    with sealed():
        assert double(3.0) == 6


def test_the_last_to_leave_lifts_the_seal():
    double = fresh()
    with sealed():
        with sealed():
            pass
        with pytest.raises(TypeError):
            double(1.0)
    assert double(1.0) == 2


def test_an_error_inside_lifts_the_seal_too():
    double = fresh()
    with pytest.raises(KeyError), sealed():
        raise KeyError
    assert double(1.0) == 2


def test_a_stream_that_ends_does_not_unseal_another():
    double, inside, leave = fresh(), Event(), Event()

    def stream():
        with rtsep.Engine("bypass").seal():
            inside.set()
            leave.wait(10)

    thread = Thread(target=stream)
    thread.start()
    inside.wait(10)
    with sealed():
        pass
    with pytest.raises(TypeError):
        double(1.0)
    leave.set()
    thread.join()
    assert double(1.0) == 2


PROGRAM = """
import hashlib, sys
import numpy as np
import rtsep
from numba.core import event
from models import babble, separator
from rtsep.dsp.stream import MODES

def exercise(first):
    x = babble(3000)
    for mode in MODES:
        for linked in (True, False):
            engine = rtsep.Engine(separator(first), latency=mode, channels=2, linked=linked)
            with engine.seal():
                for kind in ("nmf", "asvd", "nmf known", "bypass", "asvd known"):
                    engine.process(np.stack([x, x]))
                    engine.process(np.stack([x, x]).astype(float)[:, ::2])
                    engine.separate(np.stack([x, x]))
                    engine.set("strength", 0.5)
                    engine.set("listen", "residual")
                    engine.get("strength"), engine.meters(), engine.note
                    engine.restore(engine.snapshot())
                    call = StreamCallback(engine.callback.address)
                    y = np.zeros(2 * 480, np.float32)
                    assert call(y.ctypes.data, y.ctypes.data, 480, None, 0, engine.address) == 0
                    engine.swap(separator(kind))
                engine.reset()

# From the first engine on no compiler pass may run, sealed or not.
with event.install_recorder("numba:run_pass") as at_start:
    y = rtsep.Engine("bypass").process(babble(3000))
    import rtsep.engine.ends
from rtsep.ports.live import StreamCallback
with event.install_recorder("numba:run_pass") as beside_sound:
    exercise("bypass")
    exercise("nmf")
print(len(at_start.buffer), len(beside_sound.buffer), hashlib.sha256(y.tobytes()).hexdigest())
"""


def passes(folder, **words):
    """Compiler passes a fresh process runs: (for its first engine, beside the sound), its bits."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": str(HERE), **words},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    *numbers, bits = ran.stdout.split()
    return *map(int, numbers), bits


def test_nothing_compiles_beside_the_sound_with_an_empty_cache_or_a_full_one(tmp_path):
    first, beside, bits = passes(tmp_path)
    assert (first, beside) == (0, 0), "a process of its own has compiled before"
    assert passes(tmp_path) == (0, 0, bits), "a second start compiles again, or rounds otherwise"
    last = next(tmp_path.rglob(subject.LAST))
    last.rename(last.with_suffix(".gone"))
    first, *_ = passes(tmp_path, **{subject.APART: "1"})
    assert first > 10, "the recorder records nothing"
