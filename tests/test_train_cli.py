"""`rtsep train`: what it writes and what it refuses, each in one line."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from rtsep.artefacts.network import load_network
from rtsep.learn import checkpoints

RATE = 16000


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    for name in ("a", "b", "ab", "silent"):
        (root / name).mkdir()
    a, b = (rng.standard_normal(RATE).astype(np.float32) * 0.1 for _ in range(2))
    for name, sound in (("a", a), ("b", b), ("ab", a + b), ("silent", 0 * a)):
        soundfile.write(root / name / "one.wav", sound, RATE)
    (root / "empty").mkdir()
    return root


def rtsep(*words):
    command = [sys.executable, "-m", "rtsep.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def test_one_file_of_each_makes_a_network(sounds, tmp_path):
    out = tmp_path / "net.onnx"
    done = rtsep("train", "supervised", "--observed", sounds / "a", "--clean", sounds / "b",
                 "-o", out, "--size", "tiny", "--epochs", 1, "--steps", 1,
                 "--opinion", 0.02)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "held-out SDR" in done.stdout
    card = load_network(out).card
    assert card.name == "net"
    assert card.bandwidth == RATE / 2  # above it there was nothing to learn from
    assert str(tmp_path) not in card.command


def test_the_loss_of_the_paper_is_asked_for(sounds, tmp_path):
    words = ["--observed", sounds / "a", "--mixtures", sounds / "ab", "--size", "tiny"]
    words += ["--iterations", 1, "--epochs", 1, "--steps", 1, "--loss", "l1"]
    done = rtsep("train", "nes", *words, "-o", tmp_path / "net.onnx")
    assert done.returncode == 0, done.stderr
    assert load_network(tmp_path / "net.onnx").card.bandwidth == RATE / 2
    plan = checkpoints.read(tmp_path / "net.training" / "iteration-0.pt")["plan"]
    assert (plan["power"], plan["exponent"], plan["rate"], plan["last_rate"]) == (1, 1, 1e-3, 1e-3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nes", "--observed", "a"], "learns from mixtures too"),
        (["nes", "--observed", "empty", "--mixtures", "ab"], "empty"),
        (["nes", "--observed", "silent", "--mixtures", "ab"], "silent (peak 0)"),
        (["supervised", "--observed", "a", "--clean", "nowhere"], "no such file"),
        (["supervised", "--observed", "a", "--clean", "b", "--epochs", "0"], "--epochs 0 is"),
        (["supervised", "--observed", "a", "--clean", "b", "--opinion", "2"], "outside 0..1"),
        (["nes", "--observed", "a", "--mixtures", "ab", "--opinion", "0.1"], "for supervised"),
        (
            ["supervised", "--observed", "a", "--clean", "b", "--scene", "rooms=2"],
            "rooms=2 is outside 0..1",
        ),
        (["distil", "--observed", "a", "--mixtures", "ab"], "distil needs init"),
        (["nes", "--observed", "a", "--mixtures", "ab", "--init", "no"], "init 'no' is unknown"),
    ],
)
def test_what_cannot_be_learned_from_is_one_line(sounds, tmp_path, words, told):
    folders = {"a", "b", "ab", "silent", "empty", "nowhere"}
    given = [sounds / word if word in folders else word for word in words]
    done = rtsep("train", *given, "-o", tmp_path / "net.onnx")
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]
    assert not (tmp_path / "net.onnx").exists()


def test_another_suffix_is_refused(sounds, tmp_path):
    done = rtsep("train", "nes", "--observed", sounds / "a", "-o", tmp_path / "net.npz")
    assert done.returncode == 2
    assert "(wanted: .onnx)" in done.stderr
