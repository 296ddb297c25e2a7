"""Evaluation: 512-tap BSS eval against mir_eval and fast_bss_eval, and the command."""

import csv
import io
import json
import sys
import warnings

import numpy as np
import pytest
import soundfile as sf
from command_line import refused, rtsep

from rtsep import metrics
from rtsep.cli.evaluate import spread

fast_bss_eval = pytest.importorskip("fast_bss_eval")
mir_eval = pytest.importorskip("mir_eval")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def room(x, seed=0, taps=40):
    """x through a decaying filter."""
    h = noise(taps, seed=seed) * np.exp(-np.arange(taps) / 8)
    return np.convolve(x, h)[: len(x)]


def mixtures(sources, n, seed=0):
    """References and estimates with some of every other source, filtered, and of noise."""
    S = np.array([room(x, j) for j, x in enumerate(noise(sources, n, seed=seed))])
    leaks = 0.2 * np.array([room(x, 9) for x in np.roll(S, 1, axis=0)])
    return S, S + leaks + 0.1 * noise(sources, n, seed=seed + 99)


@pytest.mark.parametrize(("sources", "n"), [(1, 3000), (2, 4001)])
def test_512_taps_agree_with_mir_eval(sources, n):
    S, E = mixtures(sources, n)
    found = metrics.filtered_bss_eval(S, E)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # mir_eval's module will go one day
        sdr, sir, sar, _ = mir_eval.separation.bss_eval_sources(S, E, compute_permutation=False)
    assert found.sdr == pytest.approx(sdr, abs=1e-6)
    assert found.sar == pytest.approx(sar, abs=1e-6)
    if sources > 1:
        assert found.sir == pytest.approx(sir, abs=1e-6)
    else:
        assert found.sir == [np.inf]


def test_512_taps_agree_with_fast_bss_eval():
    S, E = mixtures(2, 6000, seed=3)
    found = metrics.filtered_bss_eval(S, E)
    sdr, sir, sar = fast_bss_eval.bss_eval_sources(S, E, compute_permutation=False, use_cg_iter=100)
    assert found.sdr == pytest.approx(sdr, abs=0.01)
    assert found.sir == pytest.approx(sir, abs=0.01)
    assert found.sar == pytest.approx(sar, abs=0.01)


@pytest.mark.parametrize("taps", [1, 2, 17])
def test_the_projections_are_least_squares_on_delays(taps):
    S, E = mixtures(2, 90)
    delays = np.array([np.pad(s, (d, taps - 1 - d)) for s in S for d in range(taps)]).T
    e = np.pad(E[0], (0, taps - 1))
    target, known = (D @ np.linalg.lstsq(D, e)[0] for D in (delays[:, :taps], delays))
    found = metrics.filtered_bss_eval(S, E, taps=taps)

    def db(a, b):
        return 10 * np.log10(a @ a / (b @ b))

    assert found.sdr[0] == pytest.approx(db(target, e - target))
    assert found.sir[0] == pytest.approx(db(target, known - target))
    assert found.sar[0] == pytest.approx(db(known, e - known))


def test_one_tap_is_plain_bss_eval_and_more_never_lower():
    S, E = mixtures(2, 2000)
    plain = metrics.bss_eval(S, E)
    assert np.allclose(metrics.filtered_bss_eval(S, E, taps=1), plain)
    sdr = [metrics.filtered_bss_eval(S, E, taps=taps).sdr for taps in (1, 8, 64, 512)]
    assert (np.diff(sdr, axis=0) >= -1e-9).all()


def test_a_filter_within_the_taps_costs_nothing():
    s = noise(2, 3000)
    s[:, -511:] = 0  # so that the filtered sound ends within the estimate
    filtered = np.array([room(x, j) for j, x in enumerate(s)])
    assert (metrics.filtered_bss_eval(s, filtered).sdr > 100).all()
    assert (metrics.bss_eval(s, filtered).sdr < 20).all()


def test_silent_references_are_nan_and_spoil_nothing_else():
    S, E = mixtures(2, 2000)
    with_silence = metrics.filtered_bss_eval([S[0], S[1], 0 * S[0]], [*E, E[0]])
    assert np.isnan([column[2] for column in with_silence]).all()
    assert np.allclose([c[:2] for c in with_silence], metrics.filtered_bss_eval(S, E))
    assert np.isnan(metrics.filtered_bss_eval(0 * S, E)).all()


def test_a_source_there_twice_or_narrow_is_measured_all_the_same():
    S, E = mixtures(2, 3000)
    twice = metrics.filtered_bss_eval([S[0], S[1], S[1]], E)
    assert np.allclose(twice, metrics.filtered_bss_eval(S, E), atol=1e-3)
    narrow = [np.convolve(s, np.hanning(99), "same") for s in S]
    plain, filtered = (metrics.filtered_bss_eval(narrow, E, taps=taps) for taps in (1, 64))
    assert (filtered.sdr >= plain.sdr).all()


def test_further_references_are_interference():
    S, E = mixtures(2, 2000)
    both = metrics.filtered_bss_eval(S, E)
    assert np.allclose([c[:1] for c in both], metrics.filtered_bss_eval(S, E[:1]))


@pytest.mark.parametrize("shapes", [((1, 9), (2, 9)), ((2, 9), (2, 8)), ((9,), (9,))])
def test_shapes_that_do_not_belong_together_are_named(shapes):
    with pytest.raises(ValueError, match="wanted: ") as error:
        metrics.filtered_bss_eval(*(np.ones(each) for each in shapes))
    assert all(str(shape) in str(error.value) for shape in shapes)


# the command


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two references (one stereo channel of the second silent) and their estimates."""
    monkeypatch.chdir(tmp_path)
    S, E = mixtures(2, 16000)
    for j in range(2):
        quiet = S[j] * (j == 0)
        sf.write(f"s{j}.wav", 0.1 * np.stack([S[j], quiet], 1), 16000, "FLOAT")
        sf.write(f"e{j}.wav", 0.1 * np.stack([E[j], E[j]], 1), 16000, "FLOAT")
    return tmp_path


def evaluated(*words):
    return rtsep("evaluate", *words)


def test_the_command_reports_every_channel_of_every_estimate(files):
    words = ("e0.wav", "e1.wav", "--reference", "s0.wav", "s1.wav")
    rows = json.loads(evaluated(*words, "--json").stdout)
    assert [(row["estimate"], row["channel"]) for row in rows] == [
        ("e0.wav", 0), ("e0.wav", 1), ("e1.wav", 0), ("e1.wav", 1),
    ]  # fmt: skip
    assert set(metrics.evaluation.METRICS) <= rows[0].keys()
    S, E = mixtures(2, 16000)
    plain, filtered = metrics.bss_eval(S, E), metrics.filtered_bss_eval(S, E)
    for name in ("sdr", "sir", "sar"):
        assert rows[0][name] == pytest.approx(getattr(plain, name)[0], abs=1e-3)
        assert rows[0][f"{name}_512"] == pytest.approx(getattr(filtered, name)[0], abs=1e-3)
    assert rows[0]["si_sdr"] == pytest.approx(metrics.si_sdr(S[0], E[0]), abs=1e-3)
    assert rows[3]["sdr"] is rows[3]["si_sdr"] is None
    assert rows[3]["remarks"] == ["the reference is silent"]
    assert rows[1]["sir"] is None
    assert "sir is inf" in rows[1]["remarks"]
    assert list(csv.DictReader(io.StringIO(evaluated(*words, "--csv").stdout)))[3]["sdr"] == "nan"
    assert "the reference is silent" in evaluated(*words).stdout


def test_what_is_not_installed_is_left_out_and_said(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "pesq", None)
    done = evaluated("e0.wav", "-r", "s0.wav", "--json")
    assert "no pesq: pesq is not installed: pip install" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "pesq" not in json.loads(done.stdout)[0]
    assert json.loads(done.stdout)[0]["estoi"] is not None


def test_a_silent_estimate_is_told(files):
    sf.write("noise.wav", np.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    sf.write("silent.wav", np.zeros(16000), 16000)
    (row,) = json.loads(evaluated("silent.wav", "-r", "noise.wav", "--json").stdout)
    assert row["pesq"] is None
    assert "the estimate is silent" in row["remarks"]


def test_files_that_differ_are_refused_with_both_values(files):
    x = np.zeros((16000, 2))
    sf.write("rate.wav", x, 48000)
    sf.write("long.wav", np.zeros((16001, 2)), 16000)
    sf.write("mono.wav", x[:, 0], 16000)
    for name, values in {
        "rate": ("48000 Hz", "16000 Hz"),
        "long": ("16001 samples", "16000 samples"),
        "mono": ("channels 1", "has 2 ("),
    }.items():
        words = refused("evaluate", f"{name}.wav", "--reference", "s0.wav")
        assert all(value in words for value in (*values, f"{name}.wav", "s0.wav"))
    assert "2 estimates and 1 references" in refused("evaluate", "e0.wav", "e1.wav", "-r", "s0.wav")
    assert "1 estimates and 0 references" in refused("evaluate", "e0.wav")
    assert "none.wav" in refused("evaluate", "none.wav", "-r", "s0.wav")
    assert "wanted: one" in refused("evaluate", "e0.wav", "-r", "s0.wav", "--json", "--csv")


def test_one_option_takes_several_references():
    given = ["e", "--reference", "a", "b", "--json"]
    assert spread(given) == ["e", "--reference", "a", "--reference", "b", "--json"]
    assert spread(["-r", "a", "--", "e"]) == ["-r", "a", "--", "e"]
    assert spread(["e", "-r"]) == ["e", "-r"]
