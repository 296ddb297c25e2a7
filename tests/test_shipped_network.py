"""The networks that are shipped: what their cards promise, and the engine's answer to them."""

import numpy as np
import pytest

import rtsep
from rtsep.artefacts.card import MAX_JSON
from rtsep.artefacts.onnx import SUM, walk
from rtsep.learn import offline
from rtsep.learn.features import NAME

RATE = 48000


BYTES = {"nes-speech-small": 1_000_000, "nes-speech-medium": 800_000}
EGGS = {  # for comparison; their voice was never heard alone
    "nes-speech-small-egg": 1_000_000, "nes-speech-medium-egg": 600_000,
}  # fmt: skip


@pytest.fixture(scope="module", params=BYTES)
def network(request):
    return rtsep.load(request.param)


@pytest.fixture(scope="module", params=[*BYTES, *EGGS])
def any_network(request):
    return rtsep.load(request.param)


def buzz(seconds: float) -> np.ndarray:
    """A gliding voice-like buzz in syllables."""
    t = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 20 * np.sin(2 * np.pi * 0.7 * t)) / RATE
    x = sum(np.sin(k * phase) / k for k in range(1, 25))
    return (0.1 * x * np.clip(np.sin(2 * np.pi * 3 * t) + 0.3, 0, 1)).astype(np.float32)


def level(x: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(np.square(x, dtype=np.float64)) + 1e-20))


@pytest.mark.parametrize("name", [*BYTES, *EGGS])
def test_its_card_says_what_it_is_and_was_made_of(name):
    network = rtsep.load(name)
    card = network.card
    assert card.sources == [{"name": "speech", "role": "keep"}]
    assert (card.feature, card.lookahead) == (NAME, 0)
    assert card.bandwidth == (8000 if name in EGGS else 24000)  # of the voices it was told of
    assert len(network.content) < (BYTES | EGGS)[name]
    assert SUM in walk(network.content, MAX_JSON).metadata  # a damaged copy is refused
    assert all(
        each["licence"].startswith(("CC0", "CC BY", "CC-BY", "Public")) for each in card.trained_on
    )
    assert "/" not in card.command.replace("tools/train_networks.py", "")
    assert card.cost[offline.COST] > 0
    assert card.quality["SI-SDR out"] > card.quality["SI-SDR in"]


@pytest.mark.parametrize("name", EGGS)
def test_what_never_heard_a_voice_alone_keeps_voices_above_noise(name):
    noise = 0.05 * np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    voice, network = buzz(3.0), rtsep.load(name)
    gain = [level(offline.separated(network, x)[RATE:]) - level(x[RATE:]) for x in (voice, noise)]
    assert gain[0] > gain[1] + 2


@pytest.mark.parametrize("colour", [0, 0.5, 1])
def test_steady_noise_is_taken_away(network, colour):
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(3 * RATE))
    spectrum /= np.arange(1, len(spectrum) + 1) ** colour
    noise = np.fft.irfft(spectrum).astype(np.float32)
    noise *= np.float32(0.05) / np.sqrt(np.mean(noise**2))
    after = offline.separated(network, noise)[RATE:]
    assert level(after) < level(noise[RATE:]) - 9


@pytest.mark.parametrize("gain", [0.01, 1])
def test_how_loud_it_is_changes_nothing(network, gain):
    x = buzz(1.0) + 0.03 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    soft = offline.separated(network, np.float32(gain) * x)
    np.testing.assert_allclose(soft / gain, offline.separated(network, x), atol=5e-3)


@pytest.mark.parametrize("mode", ["low", "medium", "high"])
def test_the_engine_does_what_a_plain_transform_does(any_network, mode):
    """onnxruntime and numpy's transform on one side, the compiled engine on the other."""
    x = buzz(1.0) + 0.05 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    engine = rtsep.separate(x, RATE, any_network, latency=mode)["speech"]
    plain = offline.separated(any_network, x, mode)
    part = slice(RATE // 4, -RATE // 4)
    assert level(engine[part] - plain[part]) < level(plain[part]) - 40
