"""Algorithm 1 of Neural Egg Separation (Halperin, Ephrat and Hoshen, ICML 2019), on any arrays.

Examples b (N, ...) of the observed source and mixtures y (M, ...) are given, x within y is not.

    x^0 = c y;  for t = 0, 1, ...:  y^t = b + x^t, paired at random;  T learns y^t -> b;  x^{t+1} = y - T(y)

Where T is a mask that does not depend on the error e^t of x^t, |e^{t+1}| = |b / y^t| |e^t|.
"""  # noqa: E501, the algorithm in one line

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # of reals, or of complex numbers
Separate = Callable[[Array], Array]
Learn = Callable[[Array, Array], Separate]


def eggs(
    b: Array, y: Array, learn: Learn, *,
    iterations: int = 10, c: float = 0.5, start: Array | None = None, seed: int = 0,
) -> Iterator[tuple[Separate, Array]]:  # fmt: skip
    """T and the estimate x (M, ...) after every iteration.

    learn(mixtures, observed) : what finds the observed source in mixtures.  start : another
    method's estimate of x, instead of c y.
    """
    refuse_shapes(b, y, start)
    rng = np.random.default_rng(seed)
    x = c * y if start is None else start
    for _ in range(iterations):
        paired = x[rng.integers(len(x), size=len(b))]
        separate = learn(b + paired, b)
        x = y - separate(y)
        yield separate, x


def refuse_shapes(b: Array, y: Array, start: Array | None) -> None:
    if b.shape[1:] != y.shape[1:] or not len(b) or not len(y):
        raise ValueError(f"observed {b.shape} and mixtures {y.shape} (wanted: equal but the first)")
    if start is not None and start.shape != y.shape:
        raise ValueError(f"first estimate {start.shape}, mixtures {y.shape} (wanted: equal)")
