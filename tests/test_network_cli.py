"""Networks on the command line, beside bases and alone."""

import json

import numpy as np
import pytest
import soundfile
from command_line import rtsep
from networks import fixed, gru, poisoned, saved

from models import babble, model
from rtsep.artefacts import runtime
from rtsep.artefacts.library import save


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    soundfile.write("noisy.wav", babble(24000), 48000, subtype="FLOAT")
    saved("net.onnx", gru())
    saved("lost.onnx", poisoned())
    saved("quarter.onnx", fixed(0.25))
    save("fan.npz", model("fan"))
    return tmp_path


def read(path):
    return soundfile.read(path, dtype="float32")[0]


@pytest.mark.parametrize("latency", ["low", "high"])
def test_denoise_takes_a_network_and_its_delay_off(folder, latency):
    done = rtsep("denoise", "noisy.wav", "clean.wav", "-m", "quarter.onnx", "--latency", latency,
                 "--max-attenuation", 100, "--json")  # fmt: skip
    report = json.loads(done.stdout)
    assert (report["sources"], report["kept"]) == (["speech", "unknown"], ["speech"])
    np.testing.assert_allclose(read("clean.wav"), 0.25 * read("noisy.wav"), atol=1e-6)


def test_denoise_takes_a_network_and_a_noise_together(folder):
    words = ("noisy.wav", "clean.wav", "-m", "net.onnx", "-m", "fan.npz")
    done = rtsep("denoise", *words, "--set", "blend=0.7", "--stems", "stems", "--json")
    assert json.loads(done.stdout)["sources"] == ["fan", "speech", "unknown"]
    stems = [read(path) for path in sorted((folder / "stems").iterdir())]
    assert len(stems) == 3
    np.testing.assert_allclose(sum(stems), read("noisy.wav"), atol=1e-6)


def test_live_runs_a_network_and_reports_its_meters(folder):
    done = rtsep("live", "-m", "net.onnx", "--input-file", "noisy.wav", "--output-file", "out.wav",
                 "--blocksize", 240, "--json")  # fmt: skip
    meters = json.loads(done.stdout)["meters"]
    assert meters["latency_ms"] == pytest.approx(1000 * 512 / 48000)
    assert meters["network_runs"] > 0
    assert meters["network_failed"] == 0
    assert len(read("out.wav")) == 24000


def test_live_tells_how_the_network_fared(folder):
    words = ("live", "--input-file", "noisy.wav", "--seconds", 0.2)
    assert "masks late 0  failed 0" in rtsep(*words, "-m", "net.onnx").stdout
    assert "network" not in rtsep(*words, "-m", "fan.npz").stdout


def test_models_show_tells_the_card_of_a_network(folder):
    shown = json.loads(rtsep("models", "show", "net.onnx", "--json").stdout)
    assert (shown["kind"], shown["sources"]) == ("nes", [{"name": "speech", "role": "keep"}])
    assert "sources" in rtsep("models", "show", "net.onnx").stdout
    refused = rtsep("models", "show", "net.onnx", "--picture", "net.png", code=2)
    assert "no basis to draw" in refused.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["learn", "noisy.wav", "-o", "x.npz", "--append", "net.onnx"], "wanted: a basis"),
        (["denoise", "noisy.wav", "x.wav", "-m", "cut.onnx"], "cut.onnx: "),
        (["denoise", "noisy.wav", "x.wav", "-m", "none.onnx"], "none.onnx: no such model file"),
        (["denoise", "noisy.wav", "x.wav", "-m", "net.onnx", "-m", "quarter.onnx"], "at most one"),
        (["live", "-m", "lost.onnx", "--input-file", "noisy.wav", "--blocksize", "5000",
          "--latency", "low"],
         "max_block=5000 would delay"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line_and_nothing_is_written(folder, words, told):
    (folder / "cut.onnx").write_bytes((folder / "net.onnx").read_bytes()[:5000])
    done = rtsep(*words, code=2)
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (folder / "x.wav").exists()
    assert not (folder / "x.npz").exists()


def test_without_onnxruntime_it_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None)
    done = rtsep("denoise", "noisy.wav", "x.wav", "-m", "net.onnx", code=2)
    assert done.stderr == "rtsep: networks need onnxruntime: pip install onnxruntime\n"


def test_a_network_among_the_users_models_is_found_by_name(folder, monkeypatch):
    monkeypatch.setattr("rtsep.artefacts.library.user_folder", lambda: folder)
    rows = {row["name"]: row for row in json.loads(rtsep("models", "--json").stdout)}
    assert rows["net"]["kind"] == "nes"
    assert "network" in rtsep("models").stdout
    rtsep("denoise", "noisy.wav", "clean.wav", "-m", "net")
