"""Hyper-parameters of a basis by what they do to synthetic mixtures.

The corpora of the source and of the other sound are each parted in three: to learn from, to tune
on, to test on.  A trial learns a basis, separates the tuning mixtures as a stream does, and
scores the mean SI-SDR improvement in dB of the sound to keep.  Test mixtures are heard once, by
the best and by the default.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.basis import Basis
from rtsep.dsp.stream import MODES, stream_spec
from rtsep.learn.basis import learn_basis
from rtsep.learn.cache import Arrays, cached, stamps
from rtsep.learn.corpus import Recording, Source, recordings
from rtsep.learn.mixtures import Mixture, material, mixtures, parted
from rtsep.learn.provenance import provenance
from rtsep.learn.recipe import AGAINST, RANKS, family
from rtsep.metrics.separation import si_sdr

# samples, rate, model, latency mode -> samples of each source; of the engine, handed in
Separate = Callable[[NDArray[np.float32], int, Basis, str], dict[str, NDArray[np.float32]]]
Settings = dict[str, Any]
Report = Callable[[float, int], None]

SHARES = (0.6, 0.2, 0.2)
WORST, BEST = -60.0, 60.0  # dB, what silent and perfect estimates count
HIGHEST_SNR = 100.0  # dB, and the lowest below 0
TUNED = ("nmf", "asvd")
TUNABLE = (*TUNED, "mdnmf")


@dataclass(frozen=True)
class Question:
    """What a study asks; two studies of one file must ask the same.

    role : of the source, "remove" or "keep".  rate : Hz.  modes : latency modes to choose from.
    snrs : dB, source over other, -100..100.  count, seconds : of the mixtures to tune on, and as
    many to test on.  material : s to learn from at most.  files : of both corpora.
    """

    role: str
    rate: int
    methods: tuple[str, ...] = TUNED
    modes: tuple[str, ...] = ("high",)
    snrs: tuple[float, ...] = (-5.0, 0.0, 5.0)
    count: int = 6
    seconds: float = 4.0
    material: float = 120.0
    seed: int = 0
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, chosen, known in (("method", self.methods, TUNABLE), ("mode", self.modes, MODES)):
            for each in chosen:
                if each not in known:
                    raise ValueError(f"{what} {each!r} is not tuned (one of {', '.join(known)})")
        for what, value in (("count", self.count), ("seconds", self.seconds)):
            if not 0 < value < np.inf:
                raise ValueError(f"{what} {value:g} is out of range (wanted: over 0)")
        for mode in self.modes:
            stream_spec(self.rate, mode)
        for snr in self.snrs:
            if not abs(snr) <= HIGHEST_SNR:
                raise ValueError(f"snr {snr:g} is outside -{HIGHEST_SNR:g}..{HIGHEST_SNR:g} dB")

    def differences(self, earlier: dict[str, Any]) -> list[str]:
        """What the study of this file has asked, and what is asked now."""
        now = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return [f"{k} {_brief(earlier.get(k))}, now {_brief(v)}" for k, v in now.items()
                if earlier.get(k) != v]  # fmt: skip


@dataclass(frozen=True)
class Sounds:
    """learn, against : samples to learn from.  tuning, test : mixtures.  trained_on : a card's."""

    learn: NDArray[np.float32]
    against: NDArray[np.float32]
    tuning: list[Mixture]
    test: list[Mixture]
    trained_on: list[dict[str, Any]]


def corpora(
    sources: Sequence[Source], others: Sequence[Source], skip: Callable[[str], None]
) -> tuple[list[Recording], list[Recording]]:
    """Both as recordings; ValueError where a file is in both."""
    pair = recordings(sources, skip), recordings(others, skip)
    names = [{str(Path(each.name).resolve()) for each in corpus} for corpus in pair]
    if common := names[0] & names[1]:
        raise ValueError(f"{min(common)} is both the source and the other sound")
    return pair


def prepare(
    question: Question, pair: tuple[list[Recording], list[Recording]], folder: Path
) -> Sounds:
    """Excerpts and mixtures, made once and kept in the folder."""
    parts = [parted(corpus, SHARES, question.seed) for corpus in pair]
    key = asdict(question) | {"stamps": stamps(each.name for corpus in pair for each in corpus)}
    arrays = cached(folder, "sounds", key, partial(_made, question, parts))
    pairs = zip(arrays["source"], arrays["other"], arrays["snr"].tolist(), strict=True)
    made = [Mixture(s, o, snr) for s, o, snr in pairs]
    return Sounds(
        arrays["learn"], arrays["against"], made[: question.count], made[question.count :],
        provenance(parts[0][0]),
    )  # fmt: skip


def _made(question: Question, parts: list[list[list[Recording]]]) -> Arrays:
    q = question
    settings = {"rate": q.rate, "snrs": q.snrs, "count": q.count, "seconds": q.seconds}
    made = [
        mixture
        for at in (1, 2)
        for mixture in mixtures(parts[0][at], parts[1][at], seed=q.seed + at, **settings)  # type: ignore[arg-type]
    ]
    return {
        "learn": material(parts[0][0], q.rate, q.material),
        "against": material(parts[1][0], q.rate, q.material),
        "source": np.array([each.source for each in made]),
        "other": np.array([each.other for each in made]),
        "snr": np.array([each.snr for each in made]),
    }


def suggest(trial: Any, question: Question) -> Settings:
    """Settings of a trial, of optuna's or one that looks like it."""
    q = question
    settings = {"method": trial.suggest_categorical("method", q.methods)}
    settings["latency"] = trial.suggest_categorical("latency", q.modes)
    settings["rank"] = trial.suggest_int("rank", 1, 64, log=True)
    if settings["method"] in AGAINST:
        settings["tau"] = trial.suggest_float("tau", 0.0, 1.0)
    else:
        settings["divergence"] = trial.suggest_categorical("divergence", ("kl", "euclidean"))
        if settings["divergence"] == "kl":  # that of euclidean depends on the level
            settings["sparsity"] = trial.suggest_float("sparsity", 0.0, 1.0)
        settings["unknown_rank"] = trial.suggest_int("unknown_rank", 4, 32, log=True)
    return settings


def default(question: Question) -> Settings:
    """What `rtsep learn` does unless told, the first trial of every study."""
    method = question.methods[0]
    rank = RANKS[family(method), question.role]
    settings: Settings = {"method": method, "latency": question.modes[0], "rank": rank}
    if method in AGAINST:
        return settings | {"tau": AGAINST[method]}
    return settings | {"divergence": "kl", "sparsity": 0.0, "unknown_rank": 16}


def learned(settings: Settings, sounds: Sounds, question: Question, **card: Any) -> Basis:
    """The basis of a trial; the same for the same settings."""
    s, q = settings, question
    tau = s.get("tau", 0.0)
    options: dict[str, Any] = {name: s[name] for name in ("sparsity", "unknown_rank") if name in s}
    return learn_basis(
        [(sounds.learn, q.rate)], role=q.role, method=s["method"], rank=s["rank"], rate=q.rate,
        against=[(sounds.against, q.rate)] if tau else (), tau=tau, seed=q.seed,
        divergence=s.get("divergence"), sparsity=s.get("sparsity", 0.0), options=options,
        trained_on=sounds.trained_on, **({"name": "trial"} | card),
    )  # fmt: skip


def improvement(
    basis: Basis,
    mixed: Sequence[Mixture],
    rate: int,
    latency: str,
    separate: Separate,
    report: Report = lambda value, step: None,
) -> float:
    """Mean SI-SDR improvement in dB of the sound to keep; `report` hears the mean so far."""
    gains: list[float] = []
    for step, each in enumerate(mixed):
        stems = separate(each.mixture, rate, basis, latency)
        keep = basis.card.role == "keep"
        wanted = each.source if keep else each.other
        estimate = stems[basis.card.source if keep else "unknown"]
        after = np.nan_to_num(si_sdr(wanted, estimate), nan=WORST)
        gains.append(float(np.clip(after, WORST, BEST)) - si_sdr(wanted, each.mixture))
        report(float(np.mean(gains)), step)
    return float(np.mean(gains))


def _brief(value: Any) -> str:
    words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return words if len(words) <= 80 else f"{words[:60]}... ({len(value)} in all)"
