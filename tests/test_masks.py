"""Masks: shares of one, and the one gain made of them."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtsep.dsp import masks

law = settings(deadline=None, max_examples=40)
sizes = st.tuples(st.integers(1, 8), st.integers(1, 70), st.integers(0, 2**32 - 1))
f32 = np.float32


def draw(sources, bins, seed, power=1.0):
    return (np.random.default_rng(seed).gamma(0.3, 1.0, (sources, bins)) ** power).astype(f32)


@given(sizes, st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 8.0]))
@law
def test_masks_are_shares_that_sum_to_one(size, exponent):
    part = draw(*size)
    mask = np.full_like(part, 1 / len(part))
    masks.wiener(part, mask, f32(exponent), *part.shape)
    assert (mask >= 0).all()
    assert (mask <= 1).all()
    np.testing.assert_allclose(mask.sum(axis=0), 1, atol=5e-7)
    heard = part.max(axis=0) > 1e-15
    wanted = naive.wiener(part[:, heard] / part[:, heard].max(axis=0).astype(float), exponent)
    np.testing.assert_allclose(mask[:, heard], wanted, atol=4e-6)


@given(sizes, st.sampled_from([1e-15, 1e-8, 1e8, 1e30]), st.sampled_from([0.5, 2.0, 8.0]))
@law
def test_masks_do_not_know_how_loud_it_is(size, scale, exponent):
    part = np.maximum(draw(*size), f32(1e-3))
    plain, scaled = np.zeros_like(part), np.zeros_like(part)
    masks.wiener(part, plain, f32(exponent), *part.shape)
    masks.wiener(part * f32(scale), scaled, f32(exponent), *part.shape)
    np.testing.assert_allclose(scaled, plain, atol=2e-5)


@given(sizes)
@law
def test_where_nothing_is_heard_masks_stay(size):
    part, before = draw(*size), np.full((size[0], size[1]), 1 / size[0], f32)
    part[:, ::2] = 0
    after = before.copy()
    masks.wiener(part, after, f32(2), *part.shape)
    np.testing.assert_array_equal(after[:, ::2], before[:, ::2])


@given(sizes, st.integers(0, 255))
@law
def test_regrouped_masks_give_the_kept_their_gain_and_the_others_the_rest(size, chosen):
    sources, bins, seed = size
    share = naive.wiener(draw(*size) + 1e-3, 1.0).astype(f32)
    kept = np.array([chosen >> s & 1 for s in range(sources)])
    gain = np.random.default_rng(seed).uniform(0, 1, bins).astype(f32)
    mask = share.copy()
    masks.regroup(mask, gain, kept, sources, bins)
    if kept.all() or not kept.any():
        np.testing.assert_array_equal(mask, share)
        return
    for group, total in ((kept == 1, gain), (kept == 0, 1 - gain)):
        wanted = total * share[group] / share[group].sum(axis=0)
        np.testing.assert_allclose(mask[group], wanted, atol=1e-6)


def test_a_group_that_holds_nothing_divides_evenly():
    mask, gain = np.array([[0, 0, 1]] * 2 + [[1, 1, 0]] * 2, f32), np.full(3, 0.5, f32)
    masks.regroup(mask, gain, np.array([1, 1, 0, 0]), 4, 3)
    np.testing.assert_allclose(mask, 0.25, atol=1e-7)


@given(sizes, st.floats(0, 1), st.floats(0, 4), st.floats(0, 1))
@law
def test_gain_is_the_designs_formula(size, least, floor, strength):
    sources, bins, seed = size
    rng = np.random.default_rng(seed)
    share = naive.wiener(draw(sources, bins, seed) + 1e-6, 1.0).astype(f32)
    weight, magnitude = rng.uniform(0, 2, sources), rng.gamma(1.0, 1.0, bins).astype(f32)
    gain = np.empty(bins, f32)
    masks.weighted(share, weight, gain, sources, bins)
    masks.bound(gain, magnitude, f32(least), f32(floor), f32(strength), bins)
    wanted = naive.gain(share.astype(float), weight, magnitude, least, floor, strength)
    np.testing.assert_allclose(gain, wanted, rtol=1e-5, atol=1e-6)


def test_at_strength_zero_the_gain_is_one_to_the_bit():
    gain = np.array([0, 0.3, 5, 1e-30], f32)
    masks.bound(gain, np.ones(4, f32), f32(0), f32(0), f32(0), 4)
    assert (gain == 1).all()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 4))
@law
def test_above_its_band_a_mask_is_its_mean_over_the_top_octave(active, more, sources):
    bins = active + more
    mask = draw(sources, bins, active)
    below = mask[:, :active].copy()
    masks.extend(mask, sources, active, bins)
    np.testing.assert_array_equal(mask[:, :active], below)
    wanted = below[:, active // 2 :].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(mask[:, active:], np.broadcast_to(wanted, (sources, more)), 1e-5)


@given(st.floats(0.1, 0.99), st.integers(0, 2**32 - 1))
@law
def test_a_gain_rises_at_once_and_falls_slowly(slowness, seed):
    wanted, previous = np.zeros(20), np.zeros(20, f32)
    for gain in draw(15, 20, seed):
        wanted = np.maximum(gain, slowness * wanted + (1 - slowness) * gain)
        got = gain.copy()
        masks.release(got, previous, f32(slowness), 20)
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)


@given(st.floats(0, 1), st.integers(0, 2**32 - 1))
@law
def test_a_blend_lies_between_and_ends_at_both_ends(share, seed):
    one, other = draw(2, 30, seed)
    mixed = one.copy()
    masks.blend(mixed, other, f32(share), 30)
    np.testing.assert_allclose(mixed, (1 - share) * one + share * other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("dry", "wet"), [(0, 1), (1, -1), (1, 0)])
def test_a_gain_scales_both_parts_of_a_spectrum(dry, wet):
    X, gain = draw(2, 30, 1), draw(1, 30, 2)[0]
    wanted = X * (dry + wet * gain)
    masks.apply(X, gain, f32(dry), f32(wet), 30)
    np.testing.assert_allclose(X, wanted, rtol=1e-6)
