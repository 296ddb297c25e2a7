"""MDNMF on MNIST: NMF, MDNMF, DNMF, ENMF and D+MDNMF, zeros from ones, by number of components.

    python tools/reproduce/mdnmf_mnist.py [--seeds 3] [--small] [--write]

u_i = 0.5 x_i, v = u_0 + u_1; 5000 pairs to learn from, 1000 others to judge by; median over images
of the PSNR, mean of both sources, whose peak is the reference's.  The published figures are the
medians of the authors' data_rich.csv (April 2023): 100 epochs, mini-batches of 500 and 100.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from common import Row, arguments, publish, table
from mnist import Images, digits

from rtsep.learn.separation import NMF_separation

METHODS = {"NMF": "std", "MDNMF": "adv", "DNMF": "sup", "ENMF": "exem", "D+MDNMF": "full"}
PUBLISHED = {
    16: (23.35, 23.73, 23.14, 22.20),
    32: (24.27, 24.74, 24.22, 22.96),
    64: (24.62, 25.49, 24.76, 23.94),
    128: (24.48, 25.77, 25.31, 24.82),
}
TRAIN, TEST = 5000, 1313
SETTINGS = {
    "normalize": True, "batch_size": 500, "batch_size_adv": 100, "batch_size_sup": 500,
    "mu_W": 1e-8, "mu_H": 1e-6, "tau_A": 0.1,
}  # fmt: skip


def pairs(seed: int, train: int = TRAIN, test: int = 1000) -> tuple[list[Images], Images]:
    """Sources to learn from, a matrix each, and to judge by, (784, 2, test), both halved."""
    rng = np.random.default_rng(seed)
    halves = [np.float32(0.5) * digits(digit) for digit in (0, 1)]
    learned, judged = rng.permutation(TRAIN)[:train], TRAIN + rng.permutation(TEST)[:test]
    return [U[:, learned] for U in halves], np.stack([U[:, judged] for U in halves], axis=1)


def scores(
    d: int, seed: int, *, train: int = TRAIN, test: int = 1000, epochs: int = 100
) -> Iterator[tuple[str, float]]:
    """Median PSNR of each method."""
    U, U_test = pairs(seed, train, test)
    V, V_test, start = U[0] + U[1], U_test.sum(axis=1), None
    for name, prob in METHODS.items():
        more = {"epochs": epochs, "test_epochs": epochs, "random_state": seed}
        model = NMF_separation([d, d], prob=prob, tau_S=0.5, Ws=start, **SETTINGS | more)
        model.fit(U, V, U, V)
        yield name, model.eval(U_test, V_test)
        if prob == "std":  # the adversarial and discriminative bases start from it
            start = [nmf.W for nmf in model.NMFs]


def rows(ranks: Sequence[int], seeds: int, **protocol: int) -> list[Row]:
    measured: dict[tuple[int, str], list[float]] = defaultdict(list)
    for d in ranks:
        for seed in range(seeds):
            for name, score in scores(d, seed, **protocol):
                measured[d, name].append(score)
                print(f"d={d} seed={seed} {name}: {score:.2f} dB", flush=True)
    published = {d: dict(zip(METHODS, PUBLISHED[d], strict=False)) for d in ranks}
    return [Row(f"d={d} {m}", published[d].get(m), got) for (d, m), got in measured.items()]


WHY = """\
Gaps over 0.3 dB. The published figures are one run each; the authors' two runs differ by up to \
1.05 dB. Their figure of March 2024 (200 epochs, larger batches, tau 0.2) reads for d = 16, 32, \
64, 128: NMF 23.35, 24.0, 24.4, 24.74; MDNMF 23.65, 24.48, 25.42, 25.99; DNMF 22.87, 24.08, \
25.04, 25.60; ENMF 21.15, 22.86, 23.88, 24.41. ENMF at d = 16 and 128 is nearer to those (+0.44, \
-0.16): its result hangs on which images are drawn, 21.2 to 21.9 over six draws at d = 16. DNMF \
at 64 and 128 agrees with them (+0.18, -0.05). At d = 16 all trained methods come out better \
than either run, whatever was tried: 20 to 1500 epochs (23.7 to 24.1 for NMF), mini-batches of \
50 to 5000 (23.6 to 24.0), mu_H to 5e-2, no normalisation, H updated with each batch, longer \
tests (all 23.9 to 24.1); a uniform start of W gives 23.6, which would explain it, but spoils d \
= 128 (22.1). One deviation is meant: activations of adversarial mini-batches are refreshed \
before each step of W, without which a component that only they use grows without bound (d = 64 \
overflowed); with it, or with steps limited to a factor of 2 instead, MDNMF at d = 64 is the \
same to 0.01 dB. D+MDNMF (tau_S 0.5, from the same start) is published for other data only."""


def main() -> None:
    options = arguments(__doc__)
    small = {"train": 500, "test": 200, "epochs": 30} if options.small else {}
    ranks = (16, 32) if options.small else tuple(PUBLISHED)
    body = f"{table(rows(ranks, options.seeds, **small))}\n\n{WHY}"
    publish("MDNMF: zeros and ones, median PSNR", body, options.write)


if __name__ == "__main__":
    main()
