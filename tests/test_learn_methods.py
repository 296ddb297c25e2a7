"""Ways to a basis: laws all of them keep, what they refuse, and leaving them early."""

import os
import signal
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from command_line import refused, rtsep

from models import babble, model
from rtsep.artefacts.basis import Basis
from rtsep.artefacts.library import load, save
from rtsep.cli import learn as command
from rtsep.cli.ctrl_c import stoppable
from rtsep.learn import factors, learn_basis
from rtsep.learn.factors import Way
from rtsep.learn.nmf import factorise, normalised

RATE = 16000
WAYS = [
    {}, {"method": "plca"}, {"method": "exemplar"}, {"method": "mdnmf"},
    {"smoothness": 0.1}, {"smoothness": 0.1, "divergence": "euclidean"},
    {"smoothness": 0.1, "divergence": "itakura-saito"}, {"sparsity": 0.2},
]  # fmt: skip


def buzz(seconds=2.0, hertz=330.0):
    t = np.arange(int(seconds * RATE)) / RATE
    return (0.1 * sum(np.sin(2 * np.pi * hertz * k * t) / k for k in (1, 2, 3))).astype(np.float32)


def learned(sound=None, **values):
    sound = babble(2 * RATE) if sound is None else sound
    return learn_basis([(sound, RATE)], **{"name": "fan", "rank": 3, "passes": 40, **values})


def spectra(rank=3, bins=30, frames=80, seed=0):
    """V (bins, frames) of that rank but for a little noise."""
    rng = np.random.default_rng(seed)
    W, H = rng.gamma(0.3, 1, (bins, rank)), rng.gamma(0.5, 1, (rank, frames))
    V = (W @ H + 0.01 * rng.random((bins, frames))).astype(np.float32)
    return V / V.sum(axis=0).mean()


def beginning(V, rank=3):
    rng = np.random.default_rng(1)
    return normalised(V[:, rng.choice(V.shape[1], rank, replace=False)] + np.float32(1e-3))


def misfit(V, W, **values):
    return factorise(V, W, passes=100, fixed=True, **values).history[-1]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_way_gives_a_basis_with_its_objective_and_the_same_again(way):
    basis, again = learned(**way), learned(**way)
    assert basis.card.kind == "nmf"
    for mode, W in basis.W.items():
        assert np.allclose(W.sum(axis=0), 1, atol=1e-4)
        assert np.array_equal(W, again.W[mode])
    fell = [float(word) for word in basis.card.quality["objective"].split()]
    assert fell[-1] < fell[0] == 1


@pytest.mark.parametrize("way", [way for way in WAYS if way.get("method") != "mdnmf"], ids=str)
def test_the_objective_never_rises_and_is_heard(way):
    V, heard = spectra(), []
    asked = Way(**way)
    found = factors.find(asked, V, beginning(V), watch=lambda v: heard.append(v) or False)
    assert (np.diff(found.history) <= 1e-5 * abs(found.history[0])).all()
    assert heard[-1] == found.history[-1]


def test_plca_is_kl_nmf():
    V = spectra()
    pair = [factors.find(Way(method), V, beginning(V)) for method in ("nmf", "plca")]
    assert np.allclose(pair[0].W, pair[1].W, atol=1e-3)
    assert pair[0].history[-1] == pytest.approx(pair[1].history[-1], rel=1e-2)


def test_looking_often_does_not_change_what_is_learned():
    V = spectra()
    whole = factorise(V, beginning(V), passes=50, hurried=True, every=50)
    assert np.array_equal(whole.W, factors.find(Way(), V, beginning(V)).W)


def test_mdnmf_explains_what_it_is_taught_against_worse():
    V, U = spectra(seed=1), spectra(seed=2)
    W = [
        factors.find(Way("mdnmf", "euclidean", tau=tau), V, beginning(V, 6), against=U).W
        for tau in (0, 0.5)
    ]
    assert misfit(U, W[1], divergence="euclidean") > misfit(U, W[0], divergence="euclidean")


def test_smoothness_smooths():
    V = spectra()
    steps = [
        np.abs(np.diff(H, axis=1)).sum() / H.sum()
        for weight in (0, 1, 10)
        for H in [factors.find(Way(smoothness=weight), V, beginning(V)).H]
    ]
    assert steps[0] > steps[1] > steps[2]


def test_exemplars_are_frames_of_the_material():
    tones = np.concatenate([buzz(1, hertz) for hertz in (300, 700)])
    W = learned(tones, method="exemplar", rank=8).W["high"]
    peaks = set(np.argmax(W, axis=0) * RATE / (2 * (len(W) - 1)))
    assert {round(p, -2) for p in peaks} <= {300, 600, 700}


# another take


def test_another_take_keeps_what_was_there_and_explains_the_new():
    first = learned(babble(2 * RATE), rank=3)
    both = learned(buzz(), rank=2, extend=first, name="more")
    assert both.card.rank == 5
    assert (both.card.source, both.card.role) == (first.card.source, first.card.role)
    assert [each["files"] for each in both.card.trained_on] == [1, 1]
    for mode in first.W:
        assert np.allclose(both.W[mode][:, :3], first.W[mode], rtol=1e-4, atol=1e-7)
    from rtsep.learn.quality import held_out

    taken = [(buzz(hertz=331), RATE)]
    for mode in first.W:
        figures = (held_out(basis, taken, mode=mode) for basis in (first, both))
        worse, better = (next(iter(each.values())) for each in figures)
        assert better < 0.5 * worse


def test_all_modes_add_the_same_components_in_one_order():
    two = np.concatenate([buzz(1, hertz) for hertz in (330, 1500)])
    both = learned(two, rank=4, extend=learned(), passes=60)
    peaks = [np.argmax(W[:, 3:], axis=0) for W in both.W.values()]
    assert np.ptp(peaks[0]) > 10, "not all are alike"
    assert np.ptp(peaks, axis=0).max() <= 2


def test_a_take_of_less_bandwidth_narrows_the_basis():
    wide = learned(babble(2 * RATE))
    narrow = learn_basis([(babble(RATE, seed=3), 8000)], name="n", extend=wide, rank=2, passes=20)
    assert (narrow.card.rate, narrow.card.bandwidth) == (RATE, 4000)
    assert all(np.allclose(W.sum(axis=0), 1, atol=1e-4) for W in narrow.W.values())


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"method": "plca", "smoothness": 1}, "'plca' takes no smoothness .given: 1"),
        ({"method": "plca", "divergence": "euclidean"}, "fits by kl .given: euclidean"),
        ({"method": "exemplar", "sparsity": 1}, "takes no sparsity"),
        ({"method": "mdnmf", "divergence": "kl"}, "fits by euclidean .given: kl"),
        ({"method": "asvd", "sparsity": 1}, "takes no sparsity"),
        ({"smoothness": -1}, "smoothness is -1 "),
        ({"method": "mdnmf", "tau": 0.2}, "needs sounds to learn against"),
        ({"extend": model(rate=RATE), "divergence": "euclidean"}, "kl, asked for is euclidean"),
        ({"extend": model(rate=RATE), "method": "plca"}, "takes no basis to extend"),
        ({"extend": model(kind="asvd", rate=RATE)}, "kind asvd, asked for is nmf"),
        ({"extend": model(rate=8000), "rate": RATE}, "16000 Hz, but model .* 8000 Hz"),
        ({"extend": model(rate=RATE), "rank": 510}, "rank 6 and 510 more are over 512"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_both(values, reason):
    with pytest.raises(ValueError, match=reason):
        learned(**values)


# leaving early


def test_enough_ends_every_mode_and_keeps_what_is_there():
    heard = []
    basis = learned(watch=lambda objective: heard.append(objective) or True, passes=1000)
    assert len(heard) == len(basis.W)
    assert len(basis.card.quality["objective"].split()) == 2


def test_ctrl_c_keeps_the_best_once_there_is_one():
    with pytest.raises(KeyboardInterrupt), stoppable(lambda v: None):
        os.kill(os.getpid(), signal.SIGINT)
    with stoppable(lambda v: None) as enough:
        assert not enough(3.0)
        os.kill(os.getpid(), signal.SIGINT)
        assert enough(2.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_beside_other_threads_signals_are_left_alone():
    answers = []

    def elsewhere():
        with stoppable(lambda v: None) as enough:
            answers.append(enough(1.0))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert answers == [False]


@pytest.fixture
def take(tmp_path, monkeypatch):
    import soundfile as sf

    monkeypatch.chdir(tmp_path)
    sf.write("take.wav", babble(RATE), RATE, "FLOAT")
    return "take.wav"


def test_the_command_writes_the_best_so_far(take, monkeypatch):
    @contextmanager
    def impatient():
        presses = iter([signal.SIGINT])
        yield (
            (lambda done: None),
            (lambda objective: [os.kill(os.getpid(), each) for each in presses]),
        )

    monkeypatch.setattr(command, "learning_bar", impatient)
    done = rtsep("learn", take, "-o", "fan.npz", "--method", "plca")
    assert "the best so far is kept" in done.stderr
    assert isinstance(load("fan.npz"), Basis)


def test_the_command_learns_by_every_method_and_appends(take):
    for method in factors.METHODS:
        rtsep("learn", take, "-o", f"{method}.npz", "--method", method)
    rtsep("learn", take, "-o", "nmf.npz", "--append", "nmf.npz", "--rank", 2, "--smoothness", 0.1)
    assert load("nmf.npz").card.rank == 6
    save("svd.npz", model(kind="asvd", rate=RATE))
    before = load("nmf.npz").W["high"]
    assert "kind asvd" in refused("learn", take, "-o", "nmf.npz", "--append", "svd.npz")
    assert "no such model" in refused("learn", take, "-o", "nmf.npz", "--append", "none.npz")
    assert np.array_equal(before, load("nmf.npz").W["high"])
