"""Products in tiles against numpy's, of every remainder."""

import numpy as np
import pytest

from rtsep.dsp.tiles import LANES, product


@pytest.mark.parametrize("n", [1, LANES - 1, LANES, 3 * LANES, 3 * LANES + 5])
@pytest.mark.parametrize("rows", [1, 3, 4, 9])
@pytest.mark.parametrize("inner", [1, 2, 33])
def test_a_product_is_numpys_and_touches_nothing_else(n, rows, inner):
    rng = np.random.default_rng(0)
    x, w, bias = (rng.standard_normal(shape, np.float32)
                  for shape in ((rows, inner), (inner, n), n))  # fmt: skip
    gap = np.full(LANES, 7, np.float32)
    parts = [gap, x.ravel(), gap, w.ravel(), gap, bias, gap, np.zeros(rows * n, np.float32), gap]
    places = np.cumsum([0, *map(len, parts)])
    numbers = np.concatenate(parts)
    wanted = numbers.copy()
    wanted[places[7] : places[8]] = (x @ w + bias).ravel()
    product(numbers, places[7], n, places[1], places[5], places[3], rows, inner)
    np.testing.assert_allclose(numbers, wanted, rtol=1e-5, atol=1e-5)
