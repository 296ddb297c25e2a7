"""How fast bases are learned, beside numpy's SVD and scikit-learn's NMF, and in how much memory.

All on one thread, float32, contestants one after another in every round; times by the thread's
processor clock, ratios medians of the rounds' ratios.  ASVD: second moments of what to explain and
of what not to, and the basis; numpy's SVD gets the former alone.  KL-NMF: until its objective is
no higher than scikit-learn's after 100 iterations from the same start.  Memory: whole commands on
a folder of HOURS, which are one made-up noise under many names.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy

import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
from circumstances import PACKAGES, Report, Row, arguments, measured
from measure_memory import most_resident
from numpy.typing import NDArray

from rtsep.learn import learn_basis, nmf
from rtsep.learn.asvd import adversarial_basis, moments

Array = NDArray[np.float32]

FRAMES = 4096  # of a batch that is streamed
ITERATIONS = 100
CLIP, RATE = 5, 16000  # seconds and Hz of the files that make up the hours
COMMANDS = ("--method nmf", "--method asvd", "--method nmf --role keep")


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.thread_time()
    result = work()
    return time.thread_time() - begin, result


def spectra(bins: int, frames: int, seed: int) -> Array:
    """Noisy magnitudes of 40 components; frames sum to one on average."""
    rng = np.random.default_rng(seed)
    W, H = rng.gamma(0.5, 1, (bins, 40)), rng.gamma(0.5, 1, (40, frames))
    V = (W @ H).astype(np.float32) * rng.random((bins, frames), np.float32)
    V /= V.sum(axis=0).mean()
    return V


def asvd(
    bins: int, frames: int, ranks: tuple[int, ...], rounds: int, on_disk: bool
) -> Iterator[Row]:
    """Moments of what to explain and of what not to, each read batch after batch if on_disk."""
    with tempfile.TemporaryDirectory() as folder:
        whole = [spectra(bins, frames, seed) for seed in (0, 1)]
        names = [Path(folder) / f"{seed}.npy" for seed in (0, 1)]
        if on_disk:
            for name in names:
                np.save(name, whole.pop().T)
            whole = [np.load(names[0]).T]
        pair = names if on_disk else whole

        def ours(rank: int, tau: float) -> Array:
            found = [moments(batches(each), bins) for each in (pair if tau else pair[:1])]
            return adversarial_basis(found[0], found[1] if tau else None, rank, tau)

        ways: dict[str, Callable[[], Any]] = {
            "numpy's economy SVD": lambda: np.linalg.svd(whole[0], full_matrices=False)
        }
        for rank in ranks:
            ways[f"ASVD, tau 0.2, rank {rank}"] = lambda rank=rank: ours(rank, 0.2)
            ways[f"SVD, tau 0, rank {rank}"] = lambda rank=rank: ours(rank, 0.0)
        adversarial_basis(moments([np.eye(9, dtype=np.float32)], 9), None, 1)  # imports scipy
        found = [{name: seconds(way)[0] for name, way in ways.items()} for _ in range(rounds)]
        held = {name: peak(way) if at else whole[0].nbytes for at, (name, way) in
                enumerate(ways.items())}  # fmt: skip
    for name in ways:
        ratios = [each["numpy's economy SVD"] / each[name] for each in found]
        times = median(each[name] for each in found)
        yield {"data": f"{bins} x {frames}{', on disk' * on_disk}", "by": name, "ms": 1e3 * times,
               "times as fast": median(ratios), "holds MB": held[name] / 1e6}  # fmt: skip


def peak(work: Callable[[], Any]) -> int:
    """Most bytes allocated at once; numpy's data count as they were before it began."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def batches(source: Path | Array) -> Iterator[Array]:
    """Frames from the disk, (F, FRAMES) at a time; of an array, all."""
    if not isinstance(source, Path):
        yield source
        return
    stored = np.load(source, mmap_mode="r")
    for t in range(0, len(stored), FRAMES):
        yield np.array(stored[t : t + FRAMES]).T


def kl(rounds: int, bins: int = 513, frames: int = 10000, rank: int = 64) -> Iterator[Row]:
    V, rng = spectra(bins, frames, 2), np.random.default_rng(0)
    W = nmf.normalised(rng.random((bins, rank), np.float32))
    H = rng.random((rank, frames), np.float32) * np.float32(2 / rank)
    found = []
    for _ in range(rounds):
        theirs, target = seconds(lambda: in_sklearn(V, W, H))
        plain, factors = seconds(lambda: nmf.factorise(V, W, H, tolerance=-1, every=ITERATIONS))
        hurried, reached = seconds(lambda least=target: until(V, W, H, least))
        found.append((theirs, target, ITERATIONS))
        found.append((plain, factors.history[-1], ITERATIONS))
        found.append((hurried, reached[0], reached[1]))
    names = ("scikit-learn's MU", "rtsep, plain passes", "rtsep, as `learn` does it")
    for at, name in enumerate(names):
        times = [each[0] for each in found[at::3]]
        ratios = [theirs / t for (theirs, *_), t in zip(found[::3], times, strict=True)]
        yield {"by": name, "passes": found[at][2], "objective": found[at][1], "s": median(times),
               "times as fast": median(ratios)}  # fmt: skip


def in_sklearn(V: Array, W: Array, H: Array) -> float:
    """The objective that scikit-learn comes to."""
    from sklearn.decomposition import non_negative_factorization
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        W, H, _ = non_negative_factorization(
            V, W=W.copy(), H=H.copy(), n_components=W.shape[1], init="custom", solver="mu",
            beta_loss="kullback-leibler", tol=0, max_iter=ITERATIONS,
        )  # fmt: skip
    return nmf.objective(V, nmf.normalised(W), H * W.sum(axis=0)[:, None])


def until(V: Array, W: Array, H: Array, target: float) -> tuple[float, int]:
    """The objective once it is at the target, looked at every 5 passes, and their number."""
    found = nmf.factorise(
        V, W, H, hurried=True, tolerance=-1, every=5, passes=ITERATIONS,
        watch=lambda objective: objective <= target,
    )  # fmt: skip
    return found.history[-1], 5 * (len(found.history) - 1)


def noise(length: int, rate: int, seed: int = 0) -> Array:
    """A hum in coloured noise that swells, (length,)."""
    rng, t = np.random.default_rng(seed), np.arange(length) / rate
    rough = np.convolve(rng.standard_normal(length), np.exp(-np.arange(64) / 9), "same")
    x = 0.02 * rough * (1.5 + np.sin(0.9 * t)) + 0.05 * np.sin(2 * np.pi * 120 * t)
    return x.astype(np.float32)


def ten_seconds(rounds: int) -> Iterator[Row]:
    """A first learning, not counted, has imported and warmed what there is."""
    x = noise(480000, 48000)
    for method in ("nmf", "asvd"):
        times = [
            seconds(lambda m=method: learn_basis([(x, 48000)], name="noise", method=m))[0]
            for _ in range(rounds + 1)
        ]
        yield {"learning from 10 s at 48 kHz, three modes": method, "s": median(times[1:])}


def hours(wanted: float) -> Iterator[Row]:
    """Memory of whole commands on a folder of short files."""
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "0.wav"
        soundfile.write(first, noise(CLIP * RATE, RATE), RATE)
        count = int(wanted * 3600 / CLIP)
        for at in range(1, count):
            os.link(first, Path(folder) / f"{at}.wav")
        for words in COMMANDS:
            peak, spent = learned(folder, words)
            yield {"rtsep learn FOLDER": words, "hours": wanted, "files": count,
                   "peak MB": peak / 1e6, "processor s": spent}  # fmt: skip


def learned(folder: str, words: str) -> tuple[float, float]:
    """Most bytes resident, and processor seconds, of one command."""
    before = os.times()
    with tempfile.TemporaryDirectory() as out:
        most = most_resident("learn", folder, *words.split(), "-o", f"{out}/m.npz")
    after = os.times()
    spent = after.children_user + after.children_system
    return 1024.0 * most, spent - before.children_user - before.children_system


def tables(report: Report, rounds: int, length: float) -> None:
    small = asvd(784, 5000, (16, 128), rounds, on_disk=False)
    report.table("ASVD and SVD", [*small, *asvd(257, 200_000, (16,), 1, on_disk=True)])
    report.table("KL-NMF, K=64, 513 x 10000", [*kl(rounds)])
    report.table("Ten seconds of a noise", [*ten_seconds(rounds)])
    if length:
        report.table(f"{length:g} hours", [*hours(length)])


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hours", type=float, default=10, help="of sound; 0 leaves it out")
    given = parser.parse_args()
    from threadpoolctl import threadpool_limits

    packages = (*PACKAGES, "scipy", "scikit-learn")
    with measured(given.json, packages) as report, threadpool_limits(1):
        tables(report, given.rounds, given.hours)


if __name__ == "__main__":
    main()
