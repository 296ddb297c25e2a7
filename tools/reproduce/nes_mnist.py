"""NES table 1 on MNIST, the columns Const and NMF: digits 0-4 from 5-9 and the other way.

    python tools/reproduce/nes_mnist.py [--small] [--write]
    python tools/reproduce/nes_mnist.py --sparse [--seeds 2] [--write]

y = x + b, B observed, X not.  12000 images of B, 12000 others of B each with an image of X added,
5000 mixtures to judge by.  PSNR of batches of 32 (peak 1), SSIM of images 1 - x with a 7 x 7
window.  Const: the mixture is the estimate.  NMF: l sparse bases on B, l more on Y with those
held, x = H_x W_x.  The paper gives neither l nor the sparsity.
Images are padded to 32 x 32, which the paper does not say, but with which Const agrees.
--sparse : by exact coordinate descent, the solution that the paper's solver comes to, and sparsity.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from figures import Row, arguments, publish, table
from mnist import Images, digits
from numpy.typing import NDArray

from rtsep.learn import beta
from rtsep.learn.beta import Penalty
from rtsep.metrics import ssim

Rng = np.random.Generator
Pair = tuple[NDArray[Any], NDArray[Any]]

SIDE, PADDED, BATCH = 28, 32, 32
CLASSES = {"0-4": (0, 1, 2, 3, 4), "5-9": (5, 6, 7, 8, 9)}
PUBLISHED = {  # X, B: PSNR and SSIM
    ("0-4", "5-9"): {"Const": (10.6, 0.65), "NMF": (16.5, 0.71)},
    ("5-9", "0-4"): {"Const": (10.8, 0.65), "NMF": (15.5, 0.66)},
}


def sets(unseen: str, observed: str, seed: int, train: int, test: int) -> dict[str, Images]:
    """B and Y (784, train) to learn from, `own`, what of Y is observed; x and y to judge by."""
    rng = np.random.default_rng(seed)
    B, X = (rng.permutation(digits(*CLASSES[each]), axis=1) for each in (observed, unseen))
    x = X[:, train : train + test]
    held = B[:, 2 * train : 2 * train + test]
    x, held = x[:, : held.shape[1]], held[:, : x.shape[1]]
    own = B[:, train : 2 * train]
    return {"B": B[:, :train], "Y": own + X[:, :train], "own": own, "x": x, "y": x + held}


def semi_supervised(
    data: dict[str, Images], rank: int, sparsity: float, passes: int
) -> tuple[Images, Images]:
    """Estimates of b and x by NMF of the squared distance, the bases of B held."""
    rng, penalty = np.random.default_rng(0), Penalty(sparsity)

    def start(U: Images) -> Images:
        return U[:, rng.choice(U.shape[1], rank, replace=False)] + np.float32(1e-3)

    def fit(V: Images, W: Images, fixed: slice) -> beta.Factors:
        return beta.factorise(V, W, beta=2, penalty=penalty, fixed=fixed, passes=passes)

    known = fit(data["B"], start(data["B"]), slice(0)).W
    W = fit(data["Y"], np.hstack([known, start(data["Y"])]), slice(rank)).W
    found = fit(data["y"], W, slice(None))
    return W[:, :rank] @ found.H[:rank], W[:, rank:] @ found.H[rank:]


def pictures(U: Images) -> Images:
    """Columns to padded images (N, 32, 32)."""
    edge = (PADDED - SIDE) // 2
    return np.pad(U.T.reshape(-1, SIDE, SIDE), ((0, 0), (edge, edge), (edge, edge)))


def quality(x: Images, estimate: Images) -> tuple[float, float]:
    """PSNR in dB, mean over batches, and SSIM, mean over images."""
    a, b = pictures(x), pictures(estimate)
    errors = ((a - b) ** 2).mean(axis=(1, 2))
    batches = np.array_split(errors, max(1, len(errors) // BATCH))
    return float(np.mean([-10 * np.log10(e.mean()) for e in batches])), ssim(1 - a, 1 - b)


def rows(ranks: tuple[int, ...], sparsities: tuple[float, ...], train: int, test: int,
         passes: int) -> Iterator[Row]:  # fmt: skip
    for (unseen, observed), published in PUBLISHED.items():
        data = sets(unseen, observed, 0, train, test)
        for name, estimate in estimates(data, ranks, sparsities, passes):
            found, told = quality(data["x"], estimate), published[name.split()[0]]
            for measure, value, wanted in zip(("PSNR", "SSIM"), found, told, strict=True):
                yield Row(f"{unseen} from {observed}, {name}, {measure}", wanted, [value])


def estimates(
    data: dict[str, Images], ranks: tuple[int, ...], sparsities: tuple[float, ...], passes: int
) -> Iterator[tuple[str, Images]]:
    yield "Const", data["y"]
    for rank in ranks:
        for sparsity in sparsities:
            yield (
                f"NMF l={rank} sparsity {sparsity:g}",
                semi_supervised(data, rank, sparsity, passes)[1],
            )


def choices(train: int, test: int, passes: tuple[int, ...]) -> Iterator[Row]:
    """PSNR by what the paper leaves open: l, passes, and how the estimate is made of H W."""
    for (unseen, observed), published in PUBLISHED.items():
        data = sets(unseen, observed, 0, train, test)
        for rank, count in [(16, passes[1]), (64, passes[1]), *((256, each) for each in passes)]:
            b, x = semi_supervised(data, rank, 0.0, count)
            share = data["y"] * x / (x + b + np.float32(1e-9))
            made = {"H_x W_x": x, "clipped to 0..1": np.clip(x, 0, 1),
                    "Wiener, clipped": np.clip(share, 0, 1)}  # fmt: skip
            for name, estimate in made.items():
                value = quality(data["x"], estimate)[0]
                what = f"{unseen} from {observed}, l={rank}, {count} passes, {name}"
                yield Row(what, published["NMF"][0], [value])


def descended(V: Images, W: Images, known: int, passes: int, sparsity: float, rng: Rng) -> Pair:
    """W with unit columns and H that minimise |V - W H|^2 / 2 + sparsity |H|_1, one by one.

    known : first columns of W that stay; all of them where it is their number.
    """
    W = W / np.linalg.norm(W, axis=0)
    H = 2 * rng.random((W.shape[1], V.shape[1])) * V.mean() / (W.mean() * W.shape[1])
    for _ in range(passes):
        A, G = W.T @ V - sparsity, W.T @ W
        for k in range(len(H)):
            H[k] = np.maximum(0, H[k] + (A[k] - G[k] @ H) / G[k, k])
        A, G = V @ H.T, H @ H.T
        for k in range(known, len(H)):
            column = np.maximum(0, W[:, k] + (A[:, k] - W @ G[:, k]) / (G[k, k] + 1e-12))
            W[:, k] = column / (np.linalg.norm(column) + 1e-12)
    return W, H


def sparse(seeds: int, rank: int = 64, train: int = 1500, test: int = 500) -> Iterator[Row]:
    """PSNR by how sparse activations are and how the estimate is made, from uniform numbers."""
    for (unseen, observed), published in PUBLISHED.items():
        for sparsity in (0.0, 0.3, 1.0, 2.0):
            found: dict[str, list[float]] = defaultdict(list)
            for seed in range(seeds):
                rng, data = np.random.default_rng(seed), sets(unseen, observed, seed, train, test)
                start = rng.random((SIDE**2, 2 * rank))
                known = descended(data["B"], start[:, :rank], 0, 20, sparsity, rng)[0]
                both = np.hstack([known, start[:, rank:]])
                W = descended(data["Y"], both, rank, 20, sparsity, rng)[0]
                W, H = descended(data["y"], W, 2 * rank, 60, sparsity, rng)
                b, x, y = W[:, :rank] @ H[:rank], W[:, rank:] @ H[rank:], data["y"]
                made = {"H_x W_x": x, "y - H_b W_b": y - b, "Wiener": y * x / (x + b + 1e-9)}
                for name, estimate in made.items():
                    value = quality(data["x"], np.clip(estimate, 0, 1).astype(np.float32))[0]
                    found[name].append(value)
            for name, values in found.items():
                what = f"{unseen} from {observed}, sparsity {sparsity:g}, {name}, clipped"
                yield Row(what, published["NMF"][0], values)


WHY = """\
Const agrees once images are padded to 32 x 32; unpadded it is 1.16 dB less. NMF agrees for 5-9 \
from 0-4 at l = 256; for 0-4 from 5-9 it is 1.25 dB short there. The paper gives neither l, \
sparsity and passes, nor details of its solver (alternating non-negative least squares; ours is \
multiplicative, and exact non-negative activations of the test images, by coordinate descent, \
changed 0.2 dB). The second table shows how much depends on these.

Whatever is chosen, both directions come out within 0.3 dB of each other. So the 1.0 dB between \
the two published figures does not come from the data, but from choices made for one direction \
alone or from chance. 16.5 is reached with few passes and a Wiener share, clipped, which the \
paper does not describe, or with sparsity (section "an exact solver, and sparsity"). With \
multiplicative updates, a uniform start instead of exemplars lost 2.7 dB and sparsity 0.1 lost \
0.1 dB; sparsity 2 collapses, and l = 512 gains no more than 256."""


SPARSE_WHY = """\
l = 64, learned from 1500 images, judged by 500; 20 sweeps of coordinate descent over activations \
and unit columns, started from uniform numbers. This stands for the paper's exact non-negative \
least squares, and rules the solver out as the reason: converged and not sparse it is 1 dB worse \
than few multiplicative passes from exemplars, because more bases or sweeps fit the other digits \
as well (16, 64 and 128 bases: 13.9, 13.7 and 12.4 dB).

Sparsity is what gives 16.5: with 1, the rest y - H_b W_b is 0.09 dB over the published figure \
and the Wiener share 0.24; with 32 and 128 bases the share comes to 16.5 and 16.4. H_x W_x alone, \
as the paper has it, stays under 15.7 with everything tried in both sections: 16 to 256 bases, \
exemplars or uniform numbers, sparsity 0 to 3, also in learning alone, 10 to 300 passes; PSNR per \
image instead of per batch adds 0.3 dB.

No protocol gives both directions: what gives 16.5 for the first gives 16.6 to 16.8 for the \
second, published as 15.5, and H_x W_x at l = 256 gives 15.3 and 15.5. Const would be nearer with \
the two rows exchanged (10.63 and 10.72 for 10.6 and 10.8); but then H_x W_x is 0.25 and 1.02 dB \
short, so a slip of that kind does not explain it either."""


def main() -> None:
    exact = {"action": "store_true", "help": "exact solver, by sparsity"}
    options = arguments(__doc__, sparse=exact)
    if options.sparse:
        body = f"{table(sparse(options.seeds))}\n\n{SPARSE_WHY}"
        publish("NES, table 1 on MNIST: an exact solver, and sparsity", body, options.write)
        return
    sizes = (1000, 300, 30) if options.small else (12000, 5000, 100)
    grid = ((16,), (0.1,)) if options.small else ((64, 256), (0.0,))
    parts = [table(rows(*grid, *sizes)), WHY]
    if not options.small:
        told = "PSNR by what the paper leaves open, learned from 3000 images, judged by 1000:"
        parts[1:1] = [told, table(choices(3000, 1000, (30, 100, 300)))]
    publish("NES, table 1 on MNIST: Const and NMF", "\n\n".join(parts), options.write)


if __name__ == "__main__":
    main()
