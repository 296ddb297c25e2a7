"""The whole engine against its slow twin: naive transform, naive steps, the design's formula."""

import naive
import numpy as np
import pytest

import models
import rtsep
from models import babble
from rtsep.dsp.stream import MODES

RATE = 16000
PLAIN = {"decision": 0.0, "alternations": 2, "steps": 5}  # masks as Wiener made them
WORK = (2, 5)


def levels(**db):
    return {name: 10 ** (value / 20) for name, value in db.items()}


def columns(bases, spec):
    """All bases on the stream's bins, (F, K) with columns of sum or length one, and their ends."""
    rows = [basis.on(spec).astype(float) for basis in bases]
    return np.concatenate(rows).T, [0, *np.cumsum([len(row) for row in rows])]


def floor_of(spec, db):
    """|X| of white noise of that level."""
    analysis, _ = naive.windows(spec.window, spec.synthesis // 2, spec.hop)
    return 10 ** (db / 20) * np.sqrt(np.sum(analysis**2))


def close(y, wanted, tolerance):
    assert np.abs(y - wanted).max() <= tolerance * np.abs(wanted).max()


@pytest.mark.parametrize("mode", MODES)
def test_bypass(mode):
    engine, x = rtsep.Engine("bypass", rate=RATE, latency=mode), babble(9000)
    close(engine.process(x), naive.engine(x, engine.spec, naive.Everything(), [1.0]), 1e-6)


AMOUNTS = [
    {},
    {"strength": 0.4},
    {"max_attenuation": 12.0},
    {"noise_floor": -40.0},
    {"strength": 0.7, "max_attenuation": 20.0, "noise_floor": -45.0},
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("amounts", AMOUNTS, ids=str)
def test_nmf_all_known(mode, amounts):
    amounts = {"max_attenuation": 100.0, **amounts}
    bases, x = models.pair(rate=RATE), babble(8000)
    engine = rtsep.Engine(bases, rate=RATE, latency=mode, options=PLAIN, **amounts)
    twin = naive.NMF(*columns(bases, engine.spec), WORK)
    least = 10 ** (-amounts["max_attenuation"] / 20) if amounts["max_attenuation"] < 100 else 0
    floor = floor_of(engine.spec, amounts["noise_floor"]) if "noise_floor" in amounts else 0
    wanted = naive.engine(
        x, engine.spec, twin, [1.0, 0.0], least=least, floor=floor,
        strength=amounts.get("strength", 1.0),
    )  # fmt: skip
    close(engine.process(x), wanted, 2e-5)


def test_sources_have_gains_and_mutes():
    bases, x = models.pair(rate=RATE), babble(8000)
    turned = {"voice.gain": 3.0, "fan.gain": -9.0, "max_attenuation": 100}
    engine = rtsep.Engine(bases, rate=RATE, options=PLAIN, **turned)
    twin = naive.NMF(*columns(bases, engine.spec), WORK)
    weights = [10 ** (3 / 20), 10 ** (-9 / 20)]
    close(engine.process(x), naive.engine(x, engine.spec, twin, weights), 2e-5)

    muted = rtsep.Engine(bases, rate=RATE, options=PLAIN, **turned, **{"voice.mute": 1})
    twin = naive.NMF(*columns(bases, engine.spec), WORK)
    wanted = naive.engine(x, engine.spec, twin, weights, opened=[0.0, 1.0])
    close(muted.process(x), wanted, 2e-5)


@pytest.mark.parametrize("exponent", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_exponent_and_sparsity(exponent, sparsity):
    bases, x = models.pair(rate=RATE), babble(6000)
    options = {**PLAIN, "exponent": exponent, "sparsity": sparsity}
    engine = rtsep.Engine(bases, rate=RATE, options=options, max_attenuation=100)
    twin = naive.NMF(
        *columns(bases, engine.spec), WORK, exponent=exponent, sparsity=sparsity
    )  # fmt: skip
    close(engine.process(x), naive.engine(x, engine.spec, twin, [1.0, 0.0]), 2e-5)


@pytest.mark.parametrize("rank", [1, 5])
@pytest.mark.parametrize("pseudo_count", [0.0, 0.05])
def test_nmf_with_an_unknown_source(rank, pseudo_count):
    fan, x = models.model(rate=RATE), babble(8000)
    options = {
        **PLAIN, "unknown_rank": rank, "forgetting": 0.2, "pseudo_count": pseudo_count,
    }  # fmt: skip
    engine = rtsep.Engine(fan, rate=RATE, options=options, max_attenuation=100)
    W, ends = columns([fan], engine.spec)
    twin = naive.NMF(
        W, [*ends, ends[-1] + rank], WORK, unknown=engine.snapshot().W[0].T.astype(float),
        rho=np.exp(-engine.spec.hop / RATE / 0.2), pseudo_count=pseudo_count,
    )  # fmt: skip
    wanted = naive.engine(x, engine.spec, twin, [0.0, 1.0])
    close(engine.process(x), wanted, 1e-4)
    learned = engine.snapshot().W[0]
    np.testing.assert_allclose(learned.T, twin.W[:, -rank:], rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kept", ["voice", "fan"])
def test_decision_directed_with_all_known(mode, kept):
    """What an engine does unless told: to within what its tables interpolate."""
    bases, x = models.pair(rate=RATE), babble(16000)
    options = {"alternations": 2, "decision": 0.97, "fast": 0.03, "slow_share": 0.4}
    engine = rtsep.Engine(
        bases, rate=RATE, latency=mode, keep=kept, options=options, max_attenuation=100
    )
    chosen = np.array([name == kept for name in engine.sources])
    twin = naive.DecisionDirected(
        naive.NMF(*columns(bases, engine.spec), WORK), chosen, engine.spec.hop / RATE,
        decision=0.97, fast=0.03, share=0.4,
    )  # fmt: skip
    close(engine.process(x), naive.engine(x, engine.spec, twin, chosen.astype(float)), 3e-3)


def test_decision_directed_with_an_unknown_source_removed():
    voice, x = models.model("voice", rate=RATE, role="keep"), babble(16000)
    options = {"alternations": 2, "unknown_rank": 4, "forgetting": 0.2}
    engine = rtsep.Engine(voice, rate=RATE, options=options, max_attenuation=100)
    W, ends = columns([voice], engine.spec)
    inner = naive.NMF(
        W, [*ends, ends[-1] + 4], WORK, unknown=engine.snapshot().W[0].T.astype(float),
        rho=np.exp(-engine.spec.hop / RATE / 0.2),
    )  # fmt: skip
    kept, step = np.array([True, False]), engine.spec.hop / RATE
    twin = naive.DecisionDirected(inner, kept, step, blind=True)
    close(engine.process(x), naive.engine(x, engine.spec, twin, [1.0, 0.0]), 5e-3)


@pytest.mark.parametrize("mode", MODES)
def test_asvd_all_known(mode):
    bases, x = models.pair("asvd", RATE), babble(8000)
    engine = rtsep.Engine(bases, rate=RATE, latency=mode, options=PLAIN, max_attenuation=100)
    twin = naive.ASVD(*columns(bases, engine.spec))
    close(engine.process(x), naive.engine(x, engine.spec, twin, [1.0, 0.0]), 1e-3)


def test_linked_channels_share_the_mask_of_their_mean_power():
    """Two equal channels are one channel; a silent second one scales magnitudes, not masks."""
    bases, x = models.pair(rate=RATE), babble(8000)
    settings = {"rate": RATE, "options": PLAIN, "max_attenuation": 100}
    mono = rtsep.Engine(bases, **settings).process(x)
    twins = rtsep.Engine(bases, channels=2, **settings).process(np.stack([x, x]))
    lone = rtsep.Engine(bases, channels=2, **settings).process(np.stack([x, 0 * x]))
    close(twins, np.stack([mono, mono]), 1e-5)
    close(lone[0], mono, 1e-3)
    assert not lone[1].any()


@pytest.mark.parametrize(
    ("make", "kind"), [(models.pair, "nmf"), (models.pair, "asvd"), (models.model, "asvd")]
)
def test_unlinked_channels_know_nothing_of_each_other(make, kind):
    bases, x = make(kind=kind, rate=RATE), np.stack([babble(8000, seed) for seed in range(3)])
    settings = {"rate": RATE, "options": PLAIN}
    together = rtsep.Engine(bases, channels=3, linked=False, **settings).process(x)
    for channel, y in zip(x, together, strict=True):
        assert models.bits(rtsep.Engine(bases, **settings).process(channel)) == models.bits(y)


def test_above_a_models_band_the_mask_is_its_mean_over_the_top_octave():
    bases, x = models.pair(rate=RATE, bandwidth=3000.0), babble(8000)
    engine = rtsep.Engine(bases, rate=RATE, options=PLAIN, max_attenuation=100)
    W, ends = columns(bases, engine.spec)
    active = int(3000 / engine.spec.bin_hz) + 1
    twin = naive.NMF(W[:active] / W[:active].sum(axis=0), ends, WORK)

    class Narrow:
        def masks(self, v):
            known = twin.masks(v[:active])
            mean = known[:, active // 2 :].mean(axis=1, keepdims=True)
            return np.hstack([known, np.repeat(mean, len(v) - active, axis=1)])

    close(engine.process(x), naive.engine(x, engine.spec, Narrow(), [1.0, 0.0]), 2e-5)
