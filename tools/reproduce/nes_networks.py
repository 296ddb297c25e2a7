"""NES table 1 on MNIST, the columns of networks: AM, LMM, NES, both before NES, supervised.

    python tools/reproduce/nes_networks.py [--small] [--write] [--width N] [--iterations N]
                                           [--epochs N] [--images N] [--judged N] [--masks N]
                                           [--half] [--redraw] [--cool] [--stay] [--kept FILE]
                                           [--methods NAME ...] [--unseen DIGITS ...]

Data and figures as in nes_mnist.py, images padded to 32 x 32.  The network is the paper's, of
`width` 64 there; 10 iterations of 25 epochs, L1, Adam 1e-3, x^0 = y / 2, weights renewed in every
iteration (--stay: kept, as in the released code).  --redraw: pairs drawn anew in every epoch.
--cool: the rate of learning falls to nothing in every iteration.  --half: masks in bfloat16 while
learning.  --kept: figures found so far; what is in it is not run
again.  Supervised: the same network on the true pairs, as many epochs as NES has in all, judged
as often; its weights stay.  AM and LMM learn for `masks` epochs; the paper gives neither these nor
LMM's generators, codes and steps, nor the weight of AM's prior.  The paper's own size takes hours
of one processor, so that smaller ones can be asked for.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from figures import Row, arguments, publish, table
from kept import Kept, size_of
from mnist import Images
from nes_mnist import pictures, quality, sets

from rtsep.learn.am import Masking, adversarial_masking
from rtsep.learn.eggs import Learn, Separate, eggs
from rtsep.learn.generator import learner
from rtsep.learn.lmm import Latent, latent_mixture_masking

PUBLISHED = {  # X, B: PSNR and SSIM
    ("0-4", "5-9"): {
        "AM": (17.8, 0.83), "LMM": (15.1, 0.76), "NES": (23.4, 0.95), "LMM+NES": (23.9, 0.95),
        "supervised": (24.1, 0.96),
    },
    ("5-9", "0-4"): {
        "AM": (18.2, 0.84), "LMM": (15.3, 0.79), "NES": (23.4, 0.95), "LMM+NES": (23.8, 0.95),
        "supervised": (24.4, 0.96),
    },
}  # fmt: skip
NONE = (None, None)
MEASURES = ("PSNR", "SSIM")
CHOICES = ("half", "redraw", "cool", "stay")
SEARCH = 60  # steps for the codes of new mixtures


def columns(x: Images) -> Images:
    """Padded images (N, 32, 32) to columns (784, N), held within what pixels can be."""
    inner = x[:, 2:-2, 2:-2].reshape(len(x), -1).T
    return np.clip(inner, 0, 1).astype(np.float32)


def methods(
    data: dict[str, Images], given: argparse.Namespace
) -> dict[str, Callable[[], Iterator[Separate]]]:
    """What finds b, the last of each method its own, those before it after fewer iterations."""
    b, own, mixed = (pictures(data[name]) for name in ("B", "own", "Y"))
    make = {"width": given.width, "seed": 0}

    @cache
    def am() -> Separate:
        return adversarial_masking(b, mixed, Masking(given.masks, **make))

    @cache
    def lmm() -> Separate:
        return latent_mixture_masking(b, mixed, Latent(given.masks, search=SEARCH, **make))

    def learn(renew: bool) -> Learn:
        return learner(
            given.epochs, renew=renew, redraw=given.redraw, half=given.half, cool=given.cool, **make
        )

    def nes(first: Callable[[], Separate] | None = None) -> Iterator[Separate]:
        start = mixed - first()(mixed) if first else None
        found = eggs(b, mixed, learn(not given.stay), iterations=given.iterations, start=start)
        return (separate for separate, _ in found)

    def told() -> Iterator[Separate]:
        rounds = learn(renew=False)
        return (rounds(mixed, own) for _ in range(given.iterations))

    return {
        "AM": lambda: iter([am()]),
        "LMM": lambda: iter([lmm()]),
        "NES": nes,
        "AM+NES": lambda: nes(am),
        "LMM+NES": lambda: nes(lmm),
        "supervised": told,
    }


def rows(given: argparse.Namespace, size: str) -> Iterator[Row]:
    found = Kept(given.kept, size)
    for (unseen, observed), published in PUBLISHED.items():
        if unseen not in given.unseen:
            continue
        data = sets(unseen, observed, 0, given.images, given.judged)
        by, judged = methods(data, given), pictures(data["y"])
        for name in given.methods:
            what = f"{unseen} from {observed}, {name}"
            if f"{what}, PSNR" not in found.figures:
                scores = [quality(data["x"], columns(judged - each(judged))) for each in by[name]()]
                for measure, values in zip(MEASURES, zip(*scores, strict=True), strict=True):
                    found.put(f"{what}, {measure}", list(values))
            wanted = dict(zip(MEASURES, published.get(name, NONE), strict=True))
            for measure in MEASURES:
                *before, last = found.figures[f"{what}, {measure}"]
                for t in sorted({1, 2, len(before) // 2 + 1} & set(range(1, len(before) + 1))):
                    yield Row(f"{what}, iteration {t}, {measure}", None, [before[t - 1]])
                yield Row(f"{what}, {measure}", wanted[measure], [last])


def main() -> None:
    import torch

    torch.set_num_threads(1)
    numbers = {"width": 64, "iterations": 10, "epochs": 25, "images": 12000,
               "judged": 5000, "masks": 25}  # fmt: skip
    names = ["AM", "LMM", "NES", "AM+NES", "LMM+NES", "supervised"]
    ways = [unseen for unseen, _ in PUBLISHED]
    given = arguments(
        __doc__,
        **{name: {"type": int, "default": value} for name, value in numbers.items()},
        **{name: {"action": "store_true"} for name in CHOICES},
        kept={"type": Path},
        methods={"nargs": "+", "choices": names, "default": names},
        unseen={"nargs": "+", "choices": ways, "default": ways},
    )
    if given.small:
        given.width, given.iterations, given.epochs, given.images = 8, 2, 1, 1000
        given.judged, given.masks = 200, 1
    size = size_of(given, numbers, CHOICES)
    body = f"Run with {size}.\n\n{table(rows(given, size))}"
    publish("NES, table 1 on MNIST: networks", body, given.write)


if __name__ == "__main__":
    main()
