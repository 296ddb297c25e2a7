"""What a study has found: the model of its best trial, and a report for people."""

import os
import platform
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from rtsep.artefacts.basis import Basis
from rtsep.learn.study import completed, finished
from rtsep.learn.tune import Question, Separate, Settings, Sounds, default, improvement, learned

SHOWN = 10
PACKAGES = ("rtsep", "numpy", "numba", "optuna")


@dataclass(frozen=True)
class Outcome:
    """basis : of the best trial.  tuned : dB, its value.  test, default : dB, on test mixtures.

    best : trials with a value, best first.  trials, cut : finished in all, and cut short.
    """

    basis: Basis
    settings: Settings
    tuned: float
    test: float
    default: float
    best: list[Any]
    trials: int
    cut: int


def outcome(
    study: Any, question: Question, sounds: Sounds, separate: Separate, **card: Any
) -> Outcome:
    """The best trial's basis, learned again and tested once; ValueError if there is none."""
    best, done = completed(study), finished(study)
    if not best:
        raise ValueError(f"0 of {len(done)} trials have a value (wanted: one){_reason(done)}")
    tested = []
    for settings in (default(question), best[0].params | {"latency": _latency(best[0], question)}):
        basis = learned(settings, sounds, question, **card)
        latency = settings["latency"]
        tested.append(improvement(basis, sounds.test, question.rate, latency, separate))
    quality = basis.card.quality | {
        "SI-SDR improvement on test mixtures, dB": round(tested[1], 2),
        "the same of default settings, dB": round(tested[0], 2),
        "tuned for latency": latency,
    }
    basis = replace(basis, card=replace(basis.card, quality=quality))
    return Outcome(basis, settings, best[0].value, tested[1], tested[0], best, len(done),
                   len(done) - len(best))  # fmt: skip


def markdown(found: Outcome, question: Question, command: str) -> str:
    """A report: what was asked, what was found, under which circumstances."""
    q = question
    return "\n".join([
        f"# Tuning of {found.basis.card.name}",
        "",
        f"Mean SI-SDR improvement of the sound to keep ({found.basis.card.source}: {q.role}), "
        f"{q.count} mixtures of {q.seconds:g} s at {', '.join(f'{s:g}' for s in q.snrs)} dB, "
        f"{q.rate} Hz.",
        "",
        *_table([
            _figures("best trial", f"{found.tuned:.2f}", found.test),
            _figures("default", _default_value(found), found.default),
        ]),
        "",
        "Recordings are parted in three: to learn from, to tune on, to test on; the test mixtures "
        "were heard once, by these two.",
        "",
        "## Best settings",
        "",
        *_table([{"setting": k, "value": _short(v)} for k, v in found.settings.items()]),
        "",
        f"## Best {min(SHOWN, len(found.best))} of {found.trials} trials ({found.cut} cut short)",
        "",
        *_table([_row(trial) for trial in found.best[:SHOWN]]),
        "",
        "## Circumstances",
        "",
        f"{datetime.now(UTC).date().isoformat()}, {platform.machine()}, {os.cpu_count()} cores, "
        f"{platform.system()}, Python {platform.python_version()}, "
        f"{', '.join(f'{each} {version(each)}' for each in PACKAGES)}",
        "",
        f"    {command}",
        "",
    ])  # fmt: skip


def _figures(what: str, tuned: str, test: float) -> dict[str, str]:
    return {"": what, "tuning, dB": tuned, "test, dB": f"{test:.2f}"}


def _row(trial: Any) -> dict[str, str]:
    settings = ", ".join(f"{k} {_short(v)}" for k, v in trial.params.items())
    seconds = trial.duration.total_seconds() if trial.duration else 0
    return {"trial": str(trial.number), "tuning, dB": f"{trial.value:.2f}", "settings": settings,
            "took, s": f"{seconds:.1f}"}  # fmt: skip


def _table(rows: list[dict[str, str]]) -> list[str]:
    cells = [[*rows[0]], ["---"] * len(rows[0]), *([*row.values()] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in cells]


def _default_value(found: Outcome) -> str:
    values = [trial.value for trial in found.best if trial.user_attrs.get("default")]
    return f"{values[0]:.2f}" if values else "-"


def _latency(trial: Any, question: Question) -> str:
    return str(trial.params.get("latency", question.modes[0]))


def _reason(trials: list[Any]) -> str:
    reasons = [trial.user_attrs["reason"] for trial in trials if "reason" in trial.user_attrs]
    return f": {reasons[0]}" if reasons else ""


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
