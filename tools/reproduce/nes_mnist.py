"""NES table 1 on MNIST, the columns Const and NMF: digits 0-4 from 5-9 and the other way.

    python tools/reproduce/nes_mnist.py [--small] [--write]

y = x + b, B observed, X not.  12000 images of B, 12000 others of B each with an image of X added,
5000 mixtures to judge by.  PSNR of batches of 32 (peak 1), SSIM of images 1 - x with a 7 x 7
window.  Const: the mixture is the estimate.  NMF: l sparse bases on B, l more on Y with those
held, x = H_x W_x.  The paper gives neither l nor the sparsity.
Images are padded to 32 x 32, which the paper does not say, but with which Const agrees.
"""

from collections.abc import Iterator

import numpy as np
from common import Row, arguments, publish, table
from mnist import Images, digits

from rtsep.learn import beta
from rtsep.learn.beta import Penalty
from rtsep.metrics import ssim

SIDE, PADDED, BATCH = 28, 32, 32
CLASSES = {"0-4": (0, 1, 2, 3, 4), "5-9": (5, 6, 7, 8, 9)}
PUBLISHED = {  # X, B: PSNR and SSIM
    ("0-4", "5-9"): {"Const": (10.6, 0.65), "NMF": (16.5, 0.71)},
    ("5-9", "0-4"): {"Const": (10.8, 0.65), "NMF": (15.5, 0.66)},
}


def sets(unseen: str, observed: str, seed: int, train: int, test: int) -> dict[str, Images]:
    """B, Y (784, train) to learn from; x and y (784, test) to judge by."""
    rng = np.random.default_rng(seed)
    B, X = (rng.permutation(digits(*CLASSES[each]), axis=1) for each in (observed, unseen))
    x = X[:, train : train + test]
    held = B[:, 2 * train : 2 * train + test]
    x, held = x[:, : held.shape[1]], held[:, : x.shape[1]]
    return {"B": B[:, :train], "Y": B[:, train : 2 * train] + X[:, :train], "x": x, "y": x + held}


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


WHY = """\
Const agrees once images are padded to 32 x 32: unpadded it is 1.16 dB less. NMF: 5-9 from 0-4 \
agrees at l = 256; 0-4 from 5-9 is 1.25 dB short there. The paper gives neither l, sparsity, \
passes nor solver (alternating non-negative least squares; ours is multiplicative, and exact \
non-negative activations of the test images, by coordinate descent, changed 0.2 dB). The second \
table shows what hangs on these. Whatever is chosen, both directions come out within 0.3 dB of \
each other, so the 1.0 dB between the two published figures is none of the data but of choices \
made for one direction alone or of chance; 16.5 is reached with few passes and a Wiener share, \
clipped, which the paper does not describe. A uniform instead of an exemplar start lost 2.7 dB, \
sparsity 0.1 lost 0.1 dB, 2 collapses, l = 512 gains no more than 256."""


def main() -> None:
    options = arguments(__doc__)
    sizes = (1000, 300, 30) if options.small else (12000, 5000, 100)
    grid = ((16,), (0.1,)) if options.small else ((64, 256), (0.0,))
    parts = [table(rows(*grid, *sizes)), WHY]
    if not options.small:
        told = "PSNR by what the paper leaves open, learned from 3000 images, judged by 1000:"
        parts[1:1] = [told, table(choices(3000, 1000, (30, 100, 300)))]
    publish("NES, table 1 on MNIST: Const and NMF", "\n\n".join(parts), options.write)


if __name__ == "__main__":
    main()
