"""SVD and ASVD on MNIST: known zeros, unseen ones, v = u_0 + u_1, PSNR after Wiener in dB.

    python tools/reproduce/asvd_mnist.py [--seeds 5] [--small] [--write]

Published: four numbers of the slides (Ludvigsen, August 2023), without digits, number of images,
tau, or how the alternating minimisation begins.  Two protocols are shown: bases judged by images
they were not learned from, closed form; and the one that comes nearest to all four numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from figures import Row, arguments, publish, table
from mnist import Images, digits

from rtsep.learn.asvd import Moments, adversarial_basis, moments
from rtsep.learn.separation import psnr
from rtsep.learn.unseen import parts, unseen_basis
from rtsep.learn.wiener import projected, wiener

PUBLISHED = {("SVD", 16): 21.55, ("SVD", 128): 15.41, ("ASVD", 16): 24.00, ("ASVD", 128): 25.04}
TAU = {"SVD": 0.0, "ASVD": 0.2}
KNOWN, UNSEEN = 0, 1
ROUNDS = 5


@dataclass(frozen=True)
class Images01:
    """Zeros and ones to learn from and to mix, (784, N) each."""

    learned: list[Images]
    mixed: list[Images]

    @property
    def V(self) -> Images:  # noqa: N802
        return self.mixed[0] + self.mixed[1]


def draw(seed: int | None, train: int, test: int, *, same: bool = False) -> Images01:
    """In MNIST's own order, as the authors' loader has them, or shuffled by a seed.

    same : the images mixed are those learned from, as in a transductive experiment.
    """
    rng, learned, mixed = np.random.default_rng(seed), [], []
    for digit in (KNOWN, UNSEEN):
        U = digits(digit)
        order = np.arange(U.shape[1]) if seed is None else rng.permutation(U.shape[1])
        learned.append(U[:, order[:train]])
        mixed.append(U[:, order[:test] if same else order[train : train + test]])
    return Images01(learned, mixed)


def known_basis(images: Images01, d: int, tau: float) -> Images:
    U, V = (_moments(each) for each in (images.learned[0], sum(images.learned)))
    return adversarial_basis(U, V, d, tau)


def _moments(U: Images) -> Moments:
    return moments([U], len(U))


def closed(V: Images, W: Images, d: int, seed: int) -> list[Images]:
    """W_0 h_0 and W_1 h_1 with the unseen basis from the residual."""
    return parts(V, [W, unseen_basis(_moments(V), W, d)])


def alternated(V: Images, W: Images, d: int, seed: int) -> list[Images]:
    """The same by alternating minimisation from uniform H_0, H_1, which ends elsewhere."""
    rng = np.random.default_rng(seed)
    W = W * rng.choice([-1, 1], W.shape[1])  # a solver's signs are arbitrary, and felt here
    H, H_1 = rng.random((W.shape[1], V.shape[1])), rng.random((d, V.shape[1]))
    X, _, Y = np.linalg.svd((V - W @ H) @ H_1.T, full_matrices=False)
    W_1 = X @ Y  # Procrustes: the best orthonormal W_1 for these activations
    for _ in range(ROUNDS):
        H = W.T @ (V - W_1 @ H_1)
        W_1 = adversarial_basis(_moments((V - W @ H).astype(np.float32)), None, d)
        H_1 = W_1.T @ (V - W @ H)
    return [W @ H, W_1 @ H_1]


def scores(images: Images01, d: int, tau: float, split: object, seed: int) -> tuple[float, float]:
    """Mean and median over images of the PSNR of the known source."""
    modelled = split(images.V, known_basis(images, d, tau), d // 2, seed)
    estimates = wiener(images.V, [projected(U, 1.0) for U in modelled])
    each = psnr(images.mixed[0], estimates[0])
    return float(each.mean()), float(np.median(each))


def inductive(seeds: int, train: int, test: int) -> Iterator[Row]:
    for (method, d), published in PUBLISHED.items():
        for name, each in (("", [None]), (", shuffled", [*range(seeds)])):
            draws = [draw(seed, train, test) for seed in each]
            got = [scores(images, d, TAU[method], closed, 0)[0] for images in draws]
            yield Row(f"{method} {d}/{d // 2}, mean{name}", published, got)


def nearest(seeds: int, images: Images01, tau: float = 0.15) -> Iterator[Row]:
    for (method, d), published in PUBLISHED.items():
        split, weight = (alternated, 0.0) if method == "SVD" else (closed, tau)
        got = [scores(images, d, weight, split, seed) for seed in range(seeds)]
        for at, name in enumerate(("mean", "median")):
            yield Row(f"{method} {d}/{d // 2}, {name}", published, [pair[at] for pair in got])


def redrawn(seeds: int, count: int, tau: float = 0.15) -> Iterator[Row]:
    """The experiment that comes nearest with other images, and another start, by every seed."""
    draws = [draw(seed, count, count, same=True) for seed in range(seeds)]
    for (method, d), published in PUBLISHED.items():
        split, weight = (alternated, 0.0) if method == "SVD" else (closed, tau)
        got = [scores(images, d, weight, split, at)[1] for at, images in enumerate(draws)]
        yield Row(f"{method} {d}/{d // 2}, median, redrawn", published, got)


def starts(seeds: int, images: Images01) -> Iterator[Row]:
    """The same experiments by where the unseen basis comes from."""
    for split in (closed, alternated):
        for method, tau in (("SVD", 0.0), ("ASVD", 0.15)):
            for d in (16, 128):
                got = [scores(images, d, tau, split, seed)[1] for seed in range(seeds)]
                name = f"{method} {d}/{d // 2}, median, {split.__name__}"
                yield Row(name, PUBLISHED[method, d], got)


def body(seeds: int, train: int, test: int, few: int) -> str:
    other, same = draw(None, train, test), draw(None, few, few, same=True)
    return "\n\n".join([
        PROTOCOL,
        f"Learned from the first {train} zeros (and as many mixtures, tau 0.2), judged by the next "
        f"{test} mixtures; unseen basis from the residual (`rtsep.learn.unseen`):",
        table(inductive(seeds, train, test)),
        f"The same images, for the SVD the unseen basis by {ROUNDS} alternations from uniform H_0 "
        "and H_1, for the ASVD (tau 0.15) from the residual; spread over starts:",
        table(nearest(seeds, other)),
        f"As the second, learned from the first {few} zeros and judged by mixtures of the same:",
        table(nearest(seeds, same)),
        "As the third, both starts for both:",
        table(starts(seeds, same)),
        f"As the third, but {few} zeros and ones drawn anew for every seed:",
        table(redrawn(seeds, few)),
        WHY,
    ])  # fmt: skip


PROTOCOL = """\
Which protocol gives the published figures? That of the third table: 500 zeros and ones in \
MNIST's order, the same ones for learning and for mixing; for the SVD the unseen basis by 5 \
alternations from uniform activations, for the ASVD tau 0.15 against these mixtures and the basis \
from the residual; Wiener; the median over images of the zeros' PSNR.

It was chosen knowing the four figures, among some hundreds of combinations (below), and it \
starts differently for each method. So it shows that the figures can be reached, not that they \
were reached in this way. With 500 others drawn for every seed (fifth table), two of the four \
stay within 0.3 dB and the 16/8 ones fall to -0.54 and -0.34, so a part of the agreement is due \
to those very images. Somebody who did not know the figures would choose the first table's \
protocol, and come out 0.0 to 2.1 dB below them. What holds under each: ASVD gains over the SVD, \
2.3 dB and more at 16/8, 9 dB and more at 128/64."""

WHY = """\
Why the first table differs: its unseen basis is the global minimum of the objective, and that is \
not where PSNR is highest, for any split of span(W_0, W_1) fits the mixtures equally well. The \
slides do not say where their alternating minimisation starts.

What was searched: W_1 started from orthonormalised normal or uniform numbers, exemplars, or \
leading singular vectors of V, centred or not; uniform or normal H; four orders of the \
alternation with 1 to 100 rounds; all pairs of digits; 64 to 5000 images; tau from 0.02 to 0.5 \
against the mixtures learned from, the mixtures judged by, or ones; mixtures clipped or not; \
gains 1 and 0.5; mean, median and pooled PSNR of either source.

What was found: both SVD figures rise by 0.8 to 1.4 dB if they start from uniform activations \
(or, less, if W_1 starts from the singular vectors of V and H_1 is updated before H_0). The \
median over images gives 0.3 to 0.5 dB more than the mean; the authors' notebooks call the mean \
over the two sources `mean_psnrs` and show its median over images, so the slides' "Mean PSNR" may \
be that too. Thus the second table has three of the four figures within 0.3 dB, and the third, \
with few images that are also those learned from, has all four. But this takes two different \
starts: uniform activations cost the ASVD at 128/64 4 to 5 dB (fourth table), and with the closed \
form the SVD is 1.2 and 1.6 dB short. The choice was made knowing the four numbers: it is the \
likeliest reading, and no proof."""


def main() -> None:
    options = arguments(__doc__)
    sizes = (500, 200, 200) if options.small else (5000, 1000, 500)
    publish("SVD and ASVD: known zeros, unseen ones", body(options.seeds, *sizes), options.write)


if __name__ == "__main__":
    main()
