"""Make the models that rtsep ships: python tools/make_models.py --data DIR [NAME...]

DIR holds manifest.csv (file, set, category, licence, seconds, split, ...) and cc0_ccby/, a folder
of openly licensed recordings.  Only train splits are learned from; the figures on the cards are
measured on test splits, which share no speaker and no recording with them.
"""

import argparse
import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

import rtsep
from rtsep.artefacts.basis import Basis
from rtsep.learn import learn_basis
from rtsep.learn.quality import held_out
from rtsep.metrics import si_sdr

MODELS = Path(__file__).resolve().parents[1] / "models"
RATE = 48000  # Hz
OPEN = "cc0_ccby/"
BITS = 11  # of the mantissa that are kept, so that the files pack well
MIXTURES, SECONDS, SNR = 12, 6.0, 5.0  # of the separation measured: how many, how long, dB
ESC = "ESC-10, folds 1-3 (K. J. Piczak; clips from freesound.org, authors in its README)"
LIBRI = "LibriSpeech train-clean-100, 248 speakers (V. Panayotov et al.; LibriVox readings)"


@dataclass(frozen=True)
class Plan:
    """One model.  learn, test, against : (set, beginning of a file's name)."""

    name: str
    source: str
    corpus: str
    learn: tuple[str, str]
    test: tuple[str, str]
    rank: int
    role: str = "remove"
    method: str = "nmf"
    against: tuple[str, str] | None = None
    tau: float | None = None
    sparsity: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)


def noise(name: str, beginning: str, rank: int, **settings: Any) -> Plan:
    sets = ("noise_train", beginning), ("noise_test", beginning)
    options = {"slow_share": 0.5}  # for the noise of a place they do not know
    return Plan(name, name, ESC, *sets, rank, options=options, **settings)


SPEECH = Plan(
    "speech", "speech", LIBRI, ("speech_train", ""), ("speech_test", ""), 64, role="keep"
)  # fmt: skip
PLANS = [
    SPEECH,
    replace(SPEECH, name="speech-asvd", method="asvd", rank=32, against=("noise_train", "")),
    noise("rain", "rain", 4),
    noise("sea", "sea_waves", 4),
    noise("fire", "fire_crackling", 8),
    noise("clock", "clock_tick", 4),
    noise("helicopter", "helicopter", 4),
    noise("chainsaw", "chainsaw", 4),
]


def listed(data: Path, chosen: tuple[str, str]) -> list[dict[str, str]]:
    """Rows of the manifest: openly licensed files of a set whose names begin so."""
    wanted, beginning = chosen
    with (data / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == wanted]
    named = [row for row in rows if Path(row["file"]).name.startswith(beginning)]
    return [row for row in named if row["file"].startswith(OPEN) and _is_open(row["licence"])]


def _is_open(licence: str) -> bool:
    return licence.startswith(("CC0", "CC BY 4.0", "CC-BY (", "Public domain"))


def provenance(corpus: str, rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """What the card says of the material, a line for each licence."""
    files = Counter(row["licence"] for row in rows)
    seconds: Counter[str] = Counter()
    for row in rows:
        seconds[row["licence"]] += float(row["seconds"])  # type: ignore[assignment]
    return [
        {
            "corpus": corpus,
            "licence": each,
            "files": files[each],
            "seconds": round(seconds[each], 1),
        }
        for each in sorted(files)
    ]


def rounded(basis: Basis) -> Basis:
    """The same basis with short mantissas; what is measured is measured on this."""
    return replace(basis, W={mode: _rounded(W) for mode, W in basis.W.items()})


def _rounded(W: NDArray[np.float32]) -> NDArray[np.float32]:
    fraction, exponent = np.frexp(W)
    return np.ldexp(np.round(fraction * 2**BITS) / 2**BITS, exponent).astype(np.float32)


def make(plan: Plan, data: Path) -> Basis:
    """Learn a model and measure it."""
    rows = listed(data, plan.learn)
    against = listed(data, plan.against) if plan.against else []
    learned = learn_basis(
        paths(data, rows), name=plan.name, source=plan.source, role=plan.role, rate=RATE,
        method=plan.method, rank=plan.rank, against=paths(data, against), tau=plan.tau,
        sparsity=plan.sparsity, options=plan.options, skip=print,
        trained_on=[*provenance(plan.corpus, rows), *provenance(f"against: {ESC}", against)],
        command=f"python tools/make_models.py --data DIR {plan.name}",
    )  # fmt: skip
    basis = rounded(learned)
    quality = basis.card.quality | held_out(basis, paths(data, listed(data, plan.test)), skip=print)
    return replace(basis, card=replace(basis.card, quality=quality | separation(basis, plan, data)))


def paths(data: Path, rows: list[dict[str, str]]) -> list[Path]:
    return [data / row["file"] for row in rows]


def separation(basis: Basis, plan: Plan, data: Path) -> dict[str, Any]:
    """Mean SI-SDR in dB of speech in noise before and after, the other source unknown."""
    scores = []
    for speech, mixture in mixtures(plan, data):
        found = rtsep.separate(mixture, RATE, basis)
        estimate = found[plan.source if plan.role == "keep" else "unknown"]
        scores.append((si_sdr(speech, mixture), si_sdr(speech, estimate)))
    before, after = (round(float(dB), 2) for dB in np.mean(scores, axis=0))
    what = f"test speech in test noise, {SNR:g} dB, {len(scores)} mixtures, latency high"
    return {"SI-SDR in": before, "SI-SDR out": after, "SI-SDR of": what}


def mixtures(plan: Plan, data: Path) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Speech and the same speech in noise, from test splits."""
    noises = listed(data, plan.test if plan.role == "remove" else ("noise_test", ""))
    speeches = listed(data, ("speech_test", ""))
    rng = np.random.default_rng(0)
    for _ in range(MIXTURES):
        s = excerpt(data / speeches[rng.integers(len(speeches))]["file"])
        n = excerpt(data / noises[rng.integers(len(noises))]["file"])
        gain = np.sqrt(np.mean(s**2) / np.mean(n**2) / 10 ** (SNR / 10))
        yield s, s + gain * n


def excerpt(path: Path) -> NDArray[np.float32]:
    """The first seconds of a recording, repeated where it is shorter; padding left out."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate, RATE)
    sounding = np.flatnonzero(np.abs(mono) > 1e-4)
    mono = mono[sounding[0] : sounding[-1] + 1]
    return np.resize(mono, int(SECONDS * RATE)).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, default=MODELS, metavar="FOLDER")
    parser.add_argument("names", nargs="*", metavar="NAME", help="all unless given")
    given = parser.parse_args()
    known = {plan.name: plan for plan in PLANS}
    if unknown := set(given.names) - known.keys():
        parser.error(f"no model {min(unknown)!r} (one of {', '.join(known)})")
    for name in given.names or known:
        basis = make(known[name], given.data)
        path = given.out / f"{name}.npz"
        rtsep.save(path, basis)
        print(f"{name}: {path.stat().st_size / 1e3:.0f} kB, {basis.card.quality}", flush=True)


if __name__ == "__main__":
    main()
