"""Train the mask networks that rtsep ships: python tools/train_networks.py --data DIR [NAME...]

DIR holds manifest.csv (file, set, category, licence, seconds, ...) and cc0_ccby/, a folder of
openly licensed recordings.  Only train splits are learned from; a part of them is held out to
judge by.  The names are those of TRAININGS.  Stopped, the same command goes on from the last epoch.

A supervised network hears speech alone and noise alone.  The one by Neural Egg Separation hears
half of the noises alone, and speech only in mixtures with the other half.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from make_models import ESC, LIBRI, MODELS, listed, paths, provenance

from rtsep.artefacts.network import save_network
from rtsep.learn import nes, training
from rtsep.learn.corpus import Samples, recordings
from rtsep.learn.export import measured
from rtsep.learn.families import SIZES, MaskNetwork
from rtsep.learn.mixing import Recipe
from rtsep.learn.mixtures import excerpt, mix
from rtsep.learn.opinion import critics
from rtsep.learn.scenes import RATE, Scenes
from rtsep.learn.tapes import Tape, tape
from rtsep.learn.training import Plan

Rows = list[dict[str, str]]

VCTK = "VCTK, 6 speakers (C. Veaux, J. Yamagishi, K. MacDonald)"
TALKERS = "LibriSpeech, 3 speakers; Lombard-GRID, 11 speakers (N. Alghamdi et al.)"
MUSIC = "everythingisfree: drums, bass and other of four songs"
HELD_SPEECH, HELD_NOISE = 12, 8  # every so manieth recording is held out
MIXTURE_SECONDS, MIXTURE_SNR = 10.0, (0.0, 15.0)  # of what the speech of NES is heard in, dB
JUDGED = Recipe(
    rows=24, frames=373, fresh=24, rooms=0, made=0, babble=0, swelling=0, alone=0, other_speed=0.1,
    snr=(0.0, 10.0),
)  # fmt: skip
JUDGED_BATCHES = 3


@dataclass(frozen=True)
class Stage:
    """One run of a training.  opinion : weight of a point of DNSMOS in the loss."""

    plan: Plan
    recipe: Recipe
    size: str = "small"
    opinion: float = 0.0


@dataclass(frozen=True)
class Training:
    """One network.  stages : each from the weights of the one before.

    talkers : hear the train split of two_speaker, too.  averaged : epochs at the end whose weights
    are averaged.  bandwidth : Hz, up to which voices were heard; above it mixtures are noise.
    """

    name: str
    method: str
    stages: tuple[Stage, ...]
    iterations: int = 1
    talkers: bool = False
    averaged: int = 3
    bandwidth: float = RATE / 2


QUICK = Recipe(rows=24, frames=300, fresh=6, backward=0)
VARIED = replace(
    QUICK, rows=16, frames=190, fresh=4, pace=2, backward=0.4, babble=0.15, snr=(-5.0, 20.0)
)
PLAIN = replace(QUICK, babble=0, swelling=0, other_speed=QUICK.speed)
FIRST = Plan(epochs=5, steps=120, rate=1.5e-3, last_rate=1e-3, exponent=0.5, magnitude=0.5)
LAST = Plan(epochs=9, steps=120, rate=1.5e-3, exponent=0.5, magnitude=0.5)
LONG = Plan(
    epochs=76, steps=100, rate=2e-3, last_rate=3e-4,
    exponent=0.3, magnitude=0.5, ratio=0.02, understood=0.05,
)  # fmt: skip
SETTLED = replace(LONG, epochs=9, rate=3e-4, last_rate=6e-5, understood=0.2)
NOISIER = replace(VARIED, snr=(-6.0, 17.0))
LATER = replace(NOISIER, late=0.25)
DEEP = replace(LONG, epochs=39, rate=1.1e-3, last_rate=6e-5, understood=0.4)
DEEPER = replace(DEEP, epochs=47, rate=1e-3, last_rate=3e-5, understood=0.45)
OPINION = 0.014
EGG = replace(LONG, epochs=6, last_rate=1e-4)
TRAININGS = {
    each.name: each
    for each in (
        Training(
            "nes-speech-small", "supervised",
            (Stage(Plan(epochs=4, last_rate=1.5e-3),
                   replace(PLAIN, rows=48, frames=373, fresh=10)),
             Stage(FIRST, PLAIN), Stage(LAST, QUICK)),
        ),
        Training(
            "nes-speech-medium", "supervised",
            (Stage(LONG, VARIED, "dual"), Stage(SETTLED, VARIED, "dual"),
             Stage(DEEP, NOISIER, "dual-deep"), Stage(DEEPER, LATER, "dual-deeper", OPINION)),
            talkers=True, averaged=5,
        ),
        Training(
            "nes-speech-small-egg", "nes", (Stage(EGG, replace(VARIED, pace=1, frames=300)),),
            iterations=4, bandwidth=8000.0,
        ),
        Training(
            "nes-speech-medium-egg", "nes", (Stage(EGG, VARIED, "dual"),), iterations=4,
            bandwidth=8000.0,
        ),
    )
}  # fmt: skip


class Material:
    """Tapes of the train splits, in `folder`."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data, self.folder = data, folder
        self.speech = listed(data, ("speech_train", ""))
        self.fullband = listed(data, ("speech_fullband48", ""))
        self.noise = listed(data, ("noise_train", ""))
        talkers = listed(data, ("two_speaker", ""))
        self.talkers = [row for row in talkers if row["split"] == "train"]
        songs = listed(data, ("music", ""))
        self.music = [
            row for row in songs
            if row["split"] == "train" and row["category"] in ("bass", "drums", "other")
        ]  # fmt: skip

    def tape(self, rows: Rows, what: str) -> Tape:
        return tape(recordings(paths(self.data, rows), print), RATE, self.folder, what, print)

    def voices(self, talkers: bool = False) -> list[tuple[Tape, float]]:
        """Speech alone: what has 8 kHz of band, and a little that has all of it."""
        learned = [row for i, row in enumerate(self.speech) if i % HELD_SPEECH]
        more = [(self.tape(self.talkers, "talkers"), 0.2)] if talkers else []
        read = self.tape(learned, "speech")
        return [(read, 0.65 if talkers else 0.85), *more, (self.tape(self.fullband, "full"), 0.15)]

    def noises(self, step: int = 1) -> list[tuple[Tape, float]]:
        """Noise alone, every `step`-th recording of it."""
        learned = [row for i, row in enumerate(self.noise) if i % HELD_NOISE][::step]
        return [(self.tape(learned, "noise"), 0.8), (self.tape(self.music, "music"), 0.2)]

    def mixtures(self) -> Tape:
        """Speech in the noises that `noises(2)` leaves out."""
        learned = [row for i, row in enumerate(self.noise) if i % HELD_NOISE][1::2]
        noise = recordings(paths(self.data, learned), print)
        found = [(x, RATE) for x in self._mixed(noise)]
        return tape(recordings(found, print), RATE, self.folder, "mixtures", print)

    def _mixed(self, noise: list[Any]) -> Iterator[Samples]:
        rng, n = np.random.default_rng(0), round(MIXTURE_SECONDS * RATE)
        learned = [row for i, row in enumerate(self.speech) if i % HELD_SPEECH]
        for each in recordings(paths(self.data, learned), print):
            speech, other = excerpt([each], n, RATE, rng), excerpt(noise, n, RATE, rng)
            yield mix(speech, other, float(rng.uniform(*MIXTURE_SNR)), RATE).mixture

    def judged(self, pace: int) -> Scenes:
        """Speakers and noises that nothing is learned from."""
        speech = self.tape(self.speech[::HELD_SPEECH], "speech-held-out")
        noise = self.tape(self.noise[::HELD_NOISE], "noise-held-out")
        recipe = replace(JUDGED, pace=pace, frames=JUDGED.frames // pace)
        return Scenes([(speech, 1.0)], [(noise, 1.0)], recipe, 99)

    def provenance(self, talkers: bool) -> list[dict[str, Any]]:
        named = ((LIBRI, self.speech), (VCTK, self.fullband), (ESC, self.noise),
                 (MUSIC, self.music), (TALKERS, self.talkers if talkers else []))  # fmt: skip
        return [record for corpus, rows in named for record in provenance(corpus, rows)]


def trained(wanted: Training, material: Material, told: training.Told) -> MaskNetwork:
    """All stages of a training."""
    scenes = material.judged(SIZES[wanted.stages[0].size].pace)
    batches = [scenes.batch() for _ in range(JUDGED_BATCHES)]
    network: MaskNetwork | None = None
    for number, stage in enumerate(wanted.stages):
        folder = material.folder / f"{wanted.name}-{number}"

        def judge(network: MaskNetwork, plan: Plan = stage.plan) -> dict[str, float]:
            return training.held_out(network, batches, plan)

        by = supervised if wanted.method == "supervised" else separated_eggs
        network = by(wanted, material, stage, folder, network, judge, told)
    assert network is not None
    return network


def supervised(
    wanted: Training, material: Material, stage: Stage, folder: Path,
    start: MaskNetwork | None, judge: nes.Judge, told: training.Told,
) -> MaskNetwork:  # fmt: skip
    voices, noises = material.voices(wanted.talkers), material.noises()

    def make(seed: Any) -> Scenes:
        return Scenes(voices, noises, stage.recipe, seed)

    also = critics(voices, noises, stage.recipe, stage.opinion) if stage.opinion else None
    checkpoint, epochs = folder / "supervised.pt", stage.plan.epochs
    training.train(
        stage.plan, SIZES[stage.size], make, checkpoint, judge=judge, told=kept(checkpoint, told),
        start=start, also=also,
    )  # fmt: skip
    last = range(max(0, epochs - wanted.averaged), epochs)
    return training.averaged([numbered(checkpoint, epoch) for epoch in last])


def separated_eggs(
    wanted: Training, material: Material, stage: Stage, folder: Path,
    start: MaskNetwork | None, judge: nes.Judge, told: training.Told,
) -> MaskNetwork:  # fmt: skip
    return nes.egg_separation(
        material.noises(2), material.mixtures(), stage.recipe, stage.plan, SIZES[stage.size],
        folder, iterations=wanted.iterations, judge=judge, told=told,
    )  # fmt: skip


def kept(checkpoint: Path, told: training.Told) -> Callable[[dict[str, float]], None]:
    """Keep every epoch's checkpoint, for the curve of quality over training time."""

    def tell(row: dict[str, float]) -> None:
        numbered(checkpoint, int(row["epoch"])).write_bytes(checkpoint.read_bytes())
        told(row)

    return tell


def numbered(checkpoint: Path, epoch: int) -> Path:
    return checkpoint.with_stem(f"{checkpoint.stem}-{epoch}")


def tell(row: dict[str, float]) -> None:
    print(json.dumps(row | {"processor seconds": round(time.process_time())}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--folder", type=Path, required=True, help="for tapes and checkpoints")
    parser.add_argument("--out", type=Path, default=MODELS, metavar="FOLDER")
    parser.add_argument("names", nargs="*", metavar="NAME", help="all unless given")
    given = parser.parse_args()
    if unknown := set(given.names) - TRAININGS.keys():
        parser.error(f"no network {min(unknown)!r} (one of {', '.join(TRAININGS)})")
    material = Material(given.data, given.folder)
    for name in given.names or TRAININGS:
        wanted = TRAININGS[name]
        network = trained(wanted, material, tell)
        made = measured(
            network, name=name, sources=[{"name": "speech", "role": "keep"}],
            command=f"python tools/train_networks.py --data DIR {name}",
            created=time.strftime("%Y-%m-%d"), trained_on=material.provenance(wanted.talkers),
            quality={"method": wanted.method}, bandwidth=wanted.bandwidth,
        )  # fmt: skip
        save_network(given.out / f"{name}.onnx", made)
        print(f"{name}: {len(made.content) / 1e3:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
