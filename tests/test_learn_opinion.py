"""DNSMOS as a part of a loss: the published network in torch, and the sound it is given."""

import numpy as np
import pytest
import soxr
import torch
from speechmos import dnsmos
from test_learn_dualpath import spoken
from test_learn_networks import RATE, SMALL, folders, one_thread, scenes_of  # noqa: F401

from rtsep.dsp.stream import stream_spec
from rtsep.learn import offline, opinion, training
from rtsep.learn.families import BANDS, SIZES, seeded
from rtsep.learn.mixing import Recipe
from rtsep.learn.opinion import MODES, Critic, Opinion
from rtsep.learn.scenes import HOPS, spectra
from rtsep.learn.training import Plan, begun, train


def noisy(seconds, rng):
    speech = spoken(seconds, rng)
    return speech + 0.02 * rng.standard_normal(len(speech)).astype(np.float32)


@pytest.mark.parametrize("sound", [spoken, noisy])
def test_opinions_are_those_of_the_published_network(sound):
    x = soxr.resample(sound(9.02, np.random.default_rng(0)), RATE, 16000)[: int(9.01 * 16000)]
    published = dnsmos.run(x, 16000)
    wanted = [published[f"{name}_mos"] for name in ("sig", "bak", "ovrl")]
    found = Opinion()(torch.from_numpy(x)[None])[0]
    np.testing.assert_allclose(found, wanted, atol=0.03)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_played_is_what_a_stream_gives_out(mode):
    assert HOPS[mode] == stream_spec(RATE, mode).hop
    x = noisy(1, np.random.default_rng(1))
    mask = np.linspace(1, 0.2, 513, dtype=np.float32)
    wanted = soxr.resample(
        offline.filtered(x, stream_spec(RATE, mode), lambda V: np.tile(mask, (len(V), 1))),
        RATE, 16000,
    )  # fmt: skip
    X = torch.from_numpy(spectra(x, mode, 10**6).astype(np.complex64))[None]
    found = opinion.played(X, torch.from_numpy(mask), mode)[0].numpy()
    part = slice(1000, 14000)
    error = np.linalg.norm(found[part] - wanted[part]) / np.linalg.norm(wanted[part])
    assert error < 0.03  # the resamplers' ways at the edge of the band


def aloud(folders, folder):  # noqa: F811
    scenes = scenes_of(folders, folder)([0, 1])
    scenes.recipe, scenes.modes = Recipe(**SMALL | {"rows": 2, "frames": 120}), MODES
    return scenes


def test_a_critic_hears_the_sounds_of_the_training_with_a_voice_in_all(folders, tmp_path):  # noqa: F811
    scenes = scenes_of(folders, tmp_path)(0)
    make = opinion.critics(scenes.sources, scenes.others, Recipe(rows=9, snr=(-20, 5)), 0.1)
    critic, again, other = make([0, 1]), make([0, 1]), make([0, 2])
    _, X = critic.scenes.mixtures()
    assert X.shape == (opinion.SCENES, opinion.FRAMES, 513)
    assert critic.scenes.recipe.snr == (-3, 5)
    np.testing.assert_array_equal(X, again.scenes.mixtures()[1])
    assert (other.scenes.mixtures()[1] != X).any()


def test_mixtures_are_as_loud_as_recordings_of_speech(folders, tmp_path):  # noqa: F811
    scenes = aloud(folders, tmp_path)
    scenes.recipe = Recipe(**SMALL | {"rows": 8, "frames": 120, "snr": (60.0, 60.0)})
    for mode in (*MODES, *MODES):
        told, X = scenes.mixtures()
        assert (told, X.shape, X.dtype) == (mode, (8, 120, 513), np.complex64)
        y = opinion.played(torch.from_numpy(X), torch.ones(513), mode)[:, 400:-400]
        loud = 10 * torch.log10(y.square().mean(dim=1))
        assert ((loud > -33) & (loud < -18)).all()


def test_a_step_along_its_gradient_raises_the_opinion(folders, tmp_path):  # noqa: F811
    critic, network = Critic(aloud(folders, tmp_path), 0.5), seeded(SIZES["dual-tiny"], 0)
    mode, X = critic.scenes.mixtures()
    shares = torch.tensor(opinion.SHARES)
    before = critic.opinions(network, X, mode).mean(dim=0) @ shares
    before.backward()
    steps = [weight.grad for weight in network.parameters()]
    size = torch.cat([step.flatten() for step in steps]).norm()
    assert size > 0
    with torch.no_grad():
        for weight, step in zip(network.parameters(), steps, strict=True):
            weight += 0.02 * step / size
        after = critic.opinions(network, X, mode).mean(dim=0) @ shares
    assert after > before


def test_the_critic_asks_for_more(folders, tmp_path):  # noqa: F811
    critic, again = (Critic(aloud(folders, tmp_path), 0.5) for _ in range(2))
    network = seeded(SIZES["dual-tiny"], 0)
    asked = critic.opinions(network, *again.scenes.mixtures()[::-1]).mean(dim=0)
    expected = -0.5 * (asked[2] + 0.25 * (asked[0] + asked[1]))
    torch.testing.assert_close(critic(network), expected)


def test_training_with_a_critic_goes_on_where_it_was_stopped(folders, tmp_path):  # noqa: F811
    make = scenes_of(folders, tmp_path)

    def also(seed):
        return Critic(aloud(folders, tmp_path), 0.01)

    for name, plans in (("whole", (2,)), ("parts", (1, 2))):
        for epochs in plans:
            plan = Plan(epochs, steps=2, last_rate=2e-3)
            train(plan, SIZES["dual-tiny"], make, tmp_path / name, also=also)
    whole, parts = (training.restored(tmp_path / name) for name in ("whole", "parts"))
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    alone = tmp_path / "alone"
    train(Plan(2, steps=2, last_rate=2e-3), SIZES["dual-tiny"], make, alone)
    pairs = zip(whole.parameters(), training.restored(alone).parameters(), strict=True)
    assert any((one != other).any() for one, other in pairs)


def test_a_deeper_network_begins_as_the_one_it_is_grown_from():
    network = seeded(SIZES["dual"], 0)
    deeper = begun(Plan(1), SIZES["dual-deep"], network).network
    f = torch.randn(1, 5, BANDS, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(deeper(f), network(f), rtol=0, atol=0)
    deeper(f).sum().backward()
    assert deeper.blocks[3].along_norm.weight.grad.abs().max() > 0
    for size in ("dual-tiny", "small"):
        with pytest.raises(ValueError, match=r"weights are of .*Size\(.*wanted: .*Size\("):
            begun(Plan(1), SIZES[size], network)


def test_without_speechmos_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "speechmos", None)
    with pytest.raises(OSError, match=r"pip install 'rtsep\[metrics\]'"):
        Opinion()
