"""MDNMF on MNIST: NMF, MDNMF, DNMF, ENMF and D+MDNMF, zeros from ones, by number of components.

    python tools/reproduce/mdnmf_mnist.py [--seeds 3] [--small] [--write]
    python tools/reproduce/mdnmf_mnist.py --few [--seeds 1] [--write]
    python tools/reproduce/mdnmf_mnist.py --zeros [--seeds 3] [--write]

u_i = 0.5 x_i, v = u_0 + u_1; 5000 pairs to learn from, 1000 others to judge by; median over images
of the PSNR, mean of both sources, whose peak is the reference's.  The published figures are the
medians of the authors' data_rich.csv (April 2023): 100 epochs, mini-batches of 500 and 100.

--few shows what the number of epochs does, and how much exemplars hang on the draw.  --zeros
leaves a basis without a floor, as the authors do: where an exemplar is black it stays so.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from figures import Row, arguments, publish, table
from mnist import Images, digits

from rtsep.learn import assembly, discrepancy, mdnmf
from rtsep.learn.separation import NMF_separation

METHODS = {"NMF": "std", "MDNMF": "adv", "DNMF": "sup", "ENMF": "exem", "D+MDNMF": "full"}
PUBLISHED = {
    16: (23.35, 23.73, 23.14, 22.20),
    32: (24.27, 24.74, 24.22, 22.96),
    64: (24.62, 25.49, 24.76, 23.94),
    128: (24.48, 25.77, 25.31, 24.82),
}
TRAIN, TEST = 5000, 1313
TRAINED = ("NMF", "MDNMF", "DNMF")
FLOORED = (assembly, discrepancy, mdnmf)  # modules that keep W and H over a floor
ZEROS = ("NMF", "MDNMF", "DNMF", "ENMF")
EPOCHS, DRAWS = (5, 20), 20
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
    d: int,
    seed: int,
    *,
    train: int = TRAIN,
    test: int = 1000,
    epochs: int = 100,
    test_epochs: int | None = None,
    methods: Sequence[str] = tuple(METHODS),
) -> Iterator[tuple[str, float]]:
    """Median PSNR of each method.  test_epochs : as many as epochs unless given."""
    U, U_test = pairs(seed, train, test)
    V, V_test, start = U[0] + U[1], U_test.sum(axis=1), None
    for name in methods:
        prob = METHODS[name]
        more = {"epochs": epochs, "test_epochs": test_epochs or epochs, "random_state": seed}
        model = NMF_separation([d, d], prob=prob, tau_S=0.5, Ws=start, **SETTINGS | more)
        model.fit(U, V, U, V)
        yield name, model.eval(U_test, V_test)
        if prob == "std":  # the adversarial and discriminative bases start from it
            start = [nmf.W for nmf in model.NMFs]


def rows(ranks: Sequence[int], seeds: int, **protocol: Any) -> list[Row]:
    measured: dict[tuple[int, str], list[float]] = defaultdict(list)
    for d in ranks:
        for seed in range(seeds):
            for name, score in scores(d, seed, **protocol):
                measured[d, name].append(score)
                print(f"d={d} seed={seed} {name}: {score:.2f} dB", flush=True)
    published = {d: dict(zip(METHODS, PUBLISHED[d], strict=False)) for d in ranks}
    return [Row(f"d={d} {m}", published[d].get(m), got) for (d, m), got in measured.items()]


def zeros(seeds: int) -> list[Row]:
    """The table of 100 epochs where a zero of an exemplar cannot grow."""
    for module in FLOORED:
        module.FLOOR = np.float32(0)
    return rows((16, 32, 64), seeds, methods=ZEROS)


def few(seeds: int) -> Iterator[Row]:
    """By number of epochs, the test as ever; exemplars by draw."""
    for d, published in PUBLISHED.items():
        told = dict(zip(METHODS, published, strict=False))
        for epochs in EPOCHS:
            found: dict[str, list[float]] = defaultdict(list)
            for seed in range(seeds):
                settings = {"epochs": epochs, "test_epochs": 100, "methods": TRAINED}
                for name, score in scores(d, seed, **settings):
                    found[name].append(score)
            for name, values in found.items():
                yield Row(f"d={d} {name}, {epochs} epochs", told[name], values)
    draws = [dict(scores(16, seed, methods=["ENMF"]))["ENMF"] for seed in range(DRAWS)]
    yield Row(f"d=16 ENMF, mean of {DRAWS} draws", PUBLISHED[16][3], draws)
    yield Row(f"d=16 ENMF, best of {DRAWS} draws", PUBLISHED[16][3], [max(draws)])


WHY = """\
How sure the published figures are: they are one run each, and the authors' two runs differ by up \
to 1.05 dB. Their figure of March 2024 (200 epochs, larger batches, tau 0.2) reads for d = 16, \
32, 64, 128: NMF 23.35, 24.0, 24.4, 24.74; MDNMF 23.65, 24.48, 25.42, 25.99; DNMF 22.87, 24.08, \
25.04, 25.60; ENMF 21.15, 22.86, 23.88, 24.41.

Gaps over 0.3 dB:

- ENMF at d = 16 and 128 is nearer to the figures of March 2024 (+0.44, -0.16): its result \
depends on which images are drawn.
- DNMF at 64 and 128 agrees with them (+0.18, -0.05).
- At d = 16 the trained methods come out 0.6 to 0.9 dB better than published, and DNMF at 32 0.4. \
The reason is the floor of 1e-12 under a basis, which the authors' code lacks. Without it they \
are within 0.3 dB but for MDNMF at 16, -0.33 (section "MDNMF: zeros that stay"). With it, 1500 \
epochs, mini-batches of 50 to 5000, mu_H to 5e-2, no normalisation, H updated with each batch and \
longer tests all left NMF at 16 at 23.6 to 24.1.

One deviation is on purpose: activations of adversarial mini-batches are refreshed before each \
step of W. Without that, a component that only they use grows without bound (d = 64 overflowed). \
With it, or with steps limited to a factor of 2 instead, MDNMF at d = 64 is the same to 0.01 dB. \
D+MDNMF (tau_S 0.5, from the same start) is published for other data only."""

FEW_WHY = """\
The same as the table of 100 epochs, with fewer of them. Few epochs regularise, as the authors' \
notes say: NMF at d = 128 is 0.8 dB better with them. No single number of epochs gives all the \
published figures: at d = 16 NMF and MDNMF fit 5, at d = 128 NMF fits 100. Exemplars at d = 16 \
vary by 1.1 dB with the draw, and the published 22.20 lies just above the best of these."""


ZEROS_WHY = """\
The same as the table of 100 epochs, without the floor of 1e-12 under W and H. Bases start as \
images, which are black in most places, and multiplication leaves a zero as it is. The authors' \
code has no floor, so a component never covers what its first image did not; here it grows from \
the floor, in some tens of steps.

That is what made every trained method at d = 16 better than published, by 0.6 to 0.9 dB, and \
neither the warm start of DNMF nor the number of epochs. The more images a basis starts with, the \
less it matters (0.2 to 0.4 dB at 32, 0.2 to 0.3 at 64; NMF at 128 is the same to 0.01 dB). 5 \
epochs came near for the same reason: a floor has hardly grown by then. The spread over seeds at \
d = 16, 0.2 to 0.3 dB, is two to three times that with a floor, because it depends on the images \
drawn.

Tried for DNMF at 16 with the floor and ruled out, over two seeds (published 23.14): started from \
the standard bases 23.9, from images 23.9, from uniform numbers 24.0, so the warm start does \
nothing; mu_H 5e-3, as the authors' 1/N in both terms of the update of H makes of 1e-6, 23.9; \
mini-batches of 100 or all data 23.7 to 24.0; no normalisation 24.0; H updated with each batch \
23.9; 200 epochs of March 2024 23.9 to 24.0; 20, 10 and 5 epochs 23.8, 23.7 and 23.6. rtsep keeps \
the floor: it gains 0.6 dB, and a basis that adapts needs it."""


def main() -> None:
    fewer = {"action": "store_true", "help": "by number of epochs"}
    stay = {"action": "store_true", "help": "zeros of exemplars stay"}
    options = arguments(__doc__, few=fewer, zeros=stay)
    if options.zeros:
        body = f"{table(zeros(options.seeds))}\n\n{ZEROS_WHY}"
        publish("MDNMF: zeros that stay", body, options.write)
        return
    if options.few:
        body = f"{table(few(options.seeds))}\n\n{FEW_WHY}"
        publish("MDNMF: few epochs, and the draw of exemplars", body, options.write)
        return
    small = {"train": 500, "test": 200, "epochs": 30} if options.small else {}
    ranks = (16, 32) if options.small else tuple(PUBLISHED)
    body = f"{table(rows(ranks, options.seeds, **small))}\n\n{WHY}"
    publish("MDNMF: zeros and ones, median PSNR", body, options.write)


if __name__ == "__main__":
    main()
