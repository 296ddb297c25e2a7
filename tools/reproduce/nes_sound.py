"""NES table 2's task, in small: speech from noise that was heard alone, and the other way.

    python tools/reproduce/nes_sound.py --data FOLDER [--small] [--write] [--width N] [--clips N]
                                        [--iterations N] [--epochs N] [--masks N] [--judged N]
                                        [--half] [--redraw] [--cool] [--magnitudes] [--over DB]
                                        [--seed N] [--kept FILE]
                                        [--methods NAME ...] [--unseen WHAT ...]

The paper's network on patches of 257 bins by 64 frames, |STFT| as it is, window 400 in FFTs of
512, hop 160, 16 kHz; L1, Adam 1e-3, weights kept from iteration to iteration as in the released
code; there width 64, ten iterations of 25 epochs.  What is added is spectra, as sounds are added
(--magnitudes: their magnitudes).  AM and LMM learn for `masks` epochs, LMM on mel bands, its mask
spread to the bins.  Supervised is the paper's, full supervision: the mixtures that NES has and
what each is made of, as pairs, for as many epochs as NES in all.  Synthetic is what the paper calls
synthetic full supervision, a stronger one: the two sources by themselves, paired anew in every
epoch.  --redraw: so are NES's pairs.  --cool: the rate falls to nothing in every iteration.
--half: masks, and the critic of AM, in bfloat16 while learning.  --seed: of weights, codes and
pairs; clips stay.  --kept: figures found so far; what is in it is not run again, nor is what AM and
LMM found for NES to begin with, in files beside it.  Speech and noise of --data (sets speech_train,
noise_train; judged on speech_test, noise_test) in place of LRW and ESC-50, clips of 2.56 s, each at
the same root mean square, or the source that is not observed at so many dB over the other (--over):
the paper does not tell its levels.  The mixture's phase is kept.
Figures: medians over clips of BSS eval's SDR, one tap, of the source that is not observed.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from figures import Row, arguments, publish, table
from kept import Kept, size_of
from numpy.typing import NDArray
from recordings import DATA, Samples, manifest, peaked

from rtsep.learn import beta, mel
from rtsep.learn.am import Masking, adversarial_masking
from rtsep.learn.eggs import Separate, eggs
from rtsep.learn.generator import learner
from rtsep.learn.lmm import Latent, latent_mixture_masking
from rtsep.learn.tutorial import Transform
from rtsep.metrics import bss_eval

RATE, FRAMES, PATCHES = 16000, 64, 4
TRANSFORM = Transform(512, 160, 400, True)
LENGTH = TRANSFORM.HOPSIZE * (PATCHES * FRAMES - 4)  # samples of a clip, with silence around
BASES = 64
BANDS, SEARCH = 64, 60  # of LMM: mel bands, steps for the codes of new mixtures
CHOICES = ("half", "redraw", "cool", "magnitudes")
PUBLISHED = {
    "speech": {"Const": 3.0, "NMF": 2.7, "AM": 6.0, "LMM": 2.3, "NES": 7.8, "AM+NES": 7.2,
               "LMM+NES": 7.6, "supervised": 8.0, "synthetic": None},
    "noise": {"Const": 3.0, "NMF": 2.8, "AM": 5.2, "LMM": 2.7, "NES": 6.3, "AM+NES": 6.4,
              "LMM+NES": 6.1, "supervised": 8.1, "synthetic": None},
}  # fmt: skip
Patches = NDArray[np.float32 | np.complex64]


@dataclass(frozen=True)
class Clips:
    """Samples x, b (N, n), and the mixtures' spectra Y (N, 257, 256)."""

    x: NDArray[np.float32]
    b: NDArray[np.float32]

    @property
    def Y(self) -> NDArray[np.complex64]:  # noqa: N802
        return np.stack([TRANSFORM.spectra(x + b)[:, : PATCHES * FRAMES]
                         for x, b in zip(self.x, self.b, strict=True)])  # fmt: skip


def clips(folder: Path, kind: str, split: str, count: int, seed: int) -> NDArray[np.float32]:
    """(count, n) of random places in random recordings, at a root mean square of 0.1."""
    rng, found = np.random.default_rng(seed), []
    rows = manifest(folder, set=f"{kind}_{split}")
    rows = [row for row in rows if row["file"].startswith("cc0_ccby")]
    sounds: dict[int, Samples] = {}
    while len(found) < count:
        i = int(rng.integers(len(rows)))
        if i not in sounds:
            sounds[i] = np.resize(peaked(folder, rows[i]), max(LENGTH, RATE * 10))
        start = int(rng.integers(len(sounds[i]) - LENGTH + 1))
        clip = sounds[i][start : start + LENGTH]
        level = np.sqrt(np.mean(clip**2))
        if level > 1e-3:
            found.append(np.float32(0.1) * clip / level)
    return np.stack(found)


def patches(Y: NDArray[np.complex64]) -> Patches:
    """Y (N, 257, 256) as (4 N, 257, 64)."""
    parts = Y.reshape(len(Y), 257, PATCHES, FRAMES).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(parts.reshape(-1, 257, FRAMES))


def joined(found: Patches) -> Patches:
    parts = found.reshape(-1, PATCHES, 257, FRAMES).transpose(0, 2, 1, 3)
    return parts.reshape(-1, 257, PATCHES * FRAMES)


def median_sdr(test: Clips, estimate: Patches) -> float:
    """Of the estimates x (4 N, 257, 64), by their magnitudes, in dB."""
    Y = test.Y
    share = np.clip(np.abs(joined(estimate)) / (np.abs(Y) + 1e-9), 0, 1)
    found = []
    for Y_i, m, x, b in zip(Y, share, test.x, test.b, strict=True):
        e = TRANSFORM.samples(Y_i * m, LENGTH - 400)
        x, b = x[: len(e)], b[: len(e)]
        found.append(bss_eval(np.stack([x, b]), np.stack([e, x + b - e])).sdr[0])
    return float(np.median(found))


def by_nmf(b: Patches, y: Patches, judged: Patches) -> Patches:
    """Bases of b held, as many learned of y; squared distance; x = H_x W_x."""
    rng = np.random.default_rng(0)

    def frames(each: Patches) -> NDArray[np.float32]:
        return np.ascontiguousarray(np.abs(each).transpose(1, 0, 2).reshape(257, -1))

    def fit(
        V: NDArray[np.float32], W: NDArray[np.float32], fixed: slice, passes: int
    ) -> beta.Factors:
        return beta.factorise(V, W, beta=2, fixed=fixed, passes=passes)

    def start(V: NDArray[np.float32]) -> NDArray[np.float32]:
        return V[:, rng.choice(V.shape[1], BASES, replace=False)] + np.float32(1e-3)

    V_b, V_y = frames(b)[:, ::4], frames(y)[:, ::4]
    known = fit(V_b, start(V_b), slice(0), 60).W
    W = fit(V_y, np.hstack([known, start(V_y)]), slice(BASES), 60).W
    found = fit(frames(judged), W, slice(None), 60)
    x = W[:, BASES:] @ found.H[BASES:]
    return x.reshape(257, -1, FRAMES).transpose(1, 0, 2)


def by_lmm(b: Patches, y: Patches, masks: int, width: int, seed: int = 0) -> Separate:
    """Learned and searched on magnitudes of mel bands (N, 64, 64)."""
    pool, spread = (each(257, RATE, BANDS).T for each in (mel.pool, mel.spread))

    def bands(V: Patches) -> Patches:
        return np.matmul(pool, np.abs(V))

    given = Latent(masks, width, search=SEARCH, seed=seed)
    separate = latent_mixture_masking(bands(b), bands(y), given)

    def masked(y: Patches) -> Patches:
        V = bands(y)
        mask = np.clip(separate(V) / (V + np.float32(1e-9)), 0, 1)
        return y * np.matmul(spread, mask)

    return masked


def prepared(given: argparse.Namespace, unseen: str, observed: str) -> tuple[Clips, list[Patches]]:
    """Clips to judge by; patches of b, of b within y, of y, of the mixtures judged."""
    both = clips(given.data, observed, "train", 2 * given.clips, 0)
    louder = np.float32(10 ** (given.over / 20))
    x = louder * clips(given.data, unseen, "train", given.clips, 1)
    test = Clips(louder * clips(given.data, unseen, "test", given.judged, 2),
                 clips(given.data, observed, "test", given.judged, 3))  # fmt: skip
    alone, within = Clips(0 * x, both[: given.clips]), both[given.clips :]
    spectra = [each.Y for each in (alone, Clips(0 * x, within), Clips(x, within), test)]
    return test, [patches(np.abs(Y) if given.magnitudes else Y) for Y in spectra]


def methods(
    b: Patches, own: Patches, y: Patches, judged: Patches, given: argparse.Namespace,
    keep: Callable[[str, Callable[[], Patches]], Patches] = lambda _, make: make(),
) -> dict[str, Callable[[], Iterator[Patches]]]:  # fmt: skip
    """Estimates of x, the last of each method its own, those before it after fewer iterations.

    own : the part of b within y, which only a supervised network is told.  keep : what a method
    finds in y, or has found in an earlier run.
    """
    chosen = {name: getattr(given, name) for name in ("half", "cool", "seed")}

    @cache
    def am() -> Separate:
        wanted = Masking(given.masks, given.width, half=given.half, seed=given.seed)
        return adversarial_masking(b, y, wanted)

    @cache
    def lmm() -> Separate:
        return by_lmm(b, y, given.masks, given.width, given.seed)

    def told(redraw: bool) -> Iterator[Patches]:
        epochs = given.epochs * given.iterations
        yield from rest(learner(epochs, given.width, redraw=redraw, **chosen)(y, own))

    def rest(separate: Separate) -> Iterator[Patches]:
        yield judged - separate(judged)

    def nes(start: Patches | None) -> Iterator[Patches]:
        learn = learner(given.epochs, given.width, renew=False, redraw=given.redraw, **chosen)
        for separate, _ in eggs(b, y, learn, iterations=given.iterations, start=start):
            yield from rest(separate)

    return {
        "Const": lambda: iter([judged]),
        "NMF": lambda: iter([by_nmf(b, y, judged)]),
        "AM": lambda: rest(am()),
        "LMM": lambda: rest(lmm()),
        "NES": lambda: nes(None),
        "AM+NES": lambda: nes(keep("AM", lambda: y - am()(y))),
        "LMM+NES": lambda: nes(keep("LMM", lambda: y - lmm()(y))),
        "supervised": lambda: told(redraw=False),
        "synthetic": lambda: told(redraw=True),
    }


def rows(given: argparse.Namespace, size: str) -> Iterator[Row]:
    found = Kept(given.kept, size)
    for unseen in given.unseen:
        observed = "noise" if unseen == "speech" else "speech"
        test, parts = prepared(given, unseen, observed)
        estimates = methods(*parts, given, partial(found.array, unseen))
        for name in given.methods:
            what = f"{unseen} from {observed}, {name}"
            if what not in found.figures:
                found.put(what, [median_sdr(test, each) for each in estimates[name]()])
            *before, last = found.figures[what]
            for t in sorted({1, 2, len(before) // 2 + 1} & set(range(1, len(before) + 1))):
                yield Row(f"{what}, iteration {t}", None, [before[t - 1]])
            yield Row(what, PUBLISHED[unseen][name], [last])


def main() -> None:
    import torch

    torch.set_num_threads(1)
    numbers = {"width": 64, "iterations": 10, "epochs": 25, "masks": 25, "clips": 1000,
               "judged": 100, "over": 0, "seed": 0}  # fmt: skip
    more = {name: {"type": int, "default": value} for name, value in numbers.items()}
    more |= {name: {"action": "store_true"} for name in CHOICES} | {"kept": {"type": Path}}
    names = list(PUBLISHED["speech"])
    more["methods"] = {"nargs": "+", "choices": names, "default": names}
    ways = list(PUBLISHED)
    more["unseen"] = {"nargs": "+", "choices": ways, "default": ways}
    given = arguments(__doc__, **DATA, **more)
    if given.small:
        given.width, given.iterations, given.epochs, given.masks = 4, 1, 1, 1
        given.clips, given.judged = 20, 5
    size = size_of(given, numbers, CHOICES)
    body = f"Run with {size}.\n\n{table(rows(given, size))}"
    publish("NES, table 2's task in small", body, given.write)


if __name__ == "__main__":
    main()
