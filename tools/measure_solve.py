"""The bare KL solve, ten steps of one frame: here, in numpy, in scikit-learn.

Ours runs on the engine's own record inside a compiled loop (dispatch is not in it); the others are
called as anyone would call them, in float32, on one thread.  In every round all run one after
another; times are medians by the thread's processor clock, ratios medians of the rounds' ratios.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numba
import numpy as np
from circumstances import PACKAGES, arguments, measured
from numpy.typing import NDArray
from specimens import random_model
from threadpoolctl import threadpool_limits

import rtsep
from rtsep.dsp.activations import KL, solve
from rtsep.dsp.machine import FLUSH, float_mode, set_float_mode

Array = NDArray[np.float32]
STEPS = 10


@numba.njit(nogil=True, error_model="numpy")
def solves(slot, repeats):
    """The solve as the separator makes it, on its record, `repeats` times from a warm start."""
    lane, mode = slot.lane[0], float_mode()
    set_float_mode(mode | FLUSH)
    for _ in range(repeats):
        solve(
            KL, STEPS, lane.W, lane.u, lane.h, lane.previous, slot.sparsity, np.float32(0),
            np.float32(1e-9), lane.y, lane.q, lane.a, lane.c, slot.rank, slot.active,
        )  # fmt: skip
    set_float_mode(mode)


def in_numpy(W: Array, v: Array, h: Array) -> Array:
    """The textbook: h <- h W^T (v / W h), columns of W (F, K) summing to one."""
    for _ in range(STEPS):
        h = h * (W.T @ (v / (W @ h + np.float32(1e-12))))
    return h


def in_sklearn(W: Array) -> Any:
    """NMF whose components are given, so that only `transform` is left to do."""
    from sklearn.decomposition import NMF

    model = NMF(W.shape[1], beta_loss="kullback-leibler", solver="mu", tol=0, max_iter=STEPS)
    model.components_ = np.ascontiguousarray(W.T)
    model.n_components_, model.n_features_in_ = W.shape[1], W.shape[0]
    return model


def contestants(rank: int, v: Array) -> dict[str, tuple[Callable[[int], object], int]]:
    """By name: what makes n solves of a frame, and the n to be timed at once."""
    basis = random_model(rank)
    W, h = basis.W["low"], np.full(rank, v.sum() / rank, np.float32)
    engine = rtsep.Engine(basis, unknown=False)
    slot, model = engine._record["slot"][0, 0], in_sklearn(W)
    agree(slot, W, v, h)

    def repeated(once: Callable[[], object]) -> Callable[[int], object]:
        return lambda n: [once() for _ in range(n)]

    return {
        "rtsep": (lambda n: solves(slot, n), 500),
        "numpy": (repeated(lambda: in_numpy(W, v, h)), 50),
        "scikit-learn": (repeated(lambda: model.transform(v[None])), 5),
    }


def agree(slot: Any, W: Array, v: Array, h: Array) -> None:
    """RuntimeError unless ours, from the same start, comes to what numpy comes to."""
    slot["lane"]["u"][0, : len(v)], slot["lane"]["h"][0, : len(h)] = v, h
    solves(slot, 1)
    error = float(np.abs(slot["lane"]["h"][0, : len(h)] - in_numpy(W, v, h)).max() / h.max())
    if not error < 1e-4:
        raise RuntimeError(f"the solve is {error:g} from numpy's (at most 0.0001)")


def microseconds(work: Callable[[int], object], n: int) -> float:
    begin = time.thread_time()
    work(n)
    return 1e6 * (time.thread_time() - begin) / n


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    v = np.abs(np.random.default_rng(0).standard_normal(513, np.float32))
    with measured(given.json, (*PACKAGES, "scikit-learn")) as report, threadpool_limits(1):
        runs = contestants(given.rank, v)
        rounds = [
            {name: microseconds(work, n) for name, (work, n) in runs.items()}
            for _ in range(given.rounds + 1)
        ][1:]
        report.table(
            f"{STEPS} KL steps, F={len(v)}, K={given.rank}",
            [
                {
                    "by": name,
                    "us": median(row[name] for row in rounds),
                    "least us": min(row[name] for row in rounds),
                    "times rtsep's": median(row[name] / row["rtsep"] for row in rounds),
                }
                for name in runs
            ],
        )


if __name__ == "__main__":
    main()
