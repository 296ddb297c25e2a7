"""All that can be said of estimates whose references are known, as one table.

A figure that does not exist is NaN and a remark says why: of a silent reference nothing is known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtsep.metrics.filtered import filtered_bss_eval
from rtsep.metrics.separation import si_sdr
from rtsep.metrics.speech import estoi, pesq

SPEECH: dict[str, Callable[[ArrayLike, ArrayLike, int], float]] = {"pesq": pesq, "estoi": estoi}
METRICS = ("si_sdr", "sdr", "sir", "sar", "sdr_512", "sir_512", "sar_512", *SPEECH)  # most in dB


@dataclass(frozen=True)
class Evaluation:
    """One estimate.  scores : a value a metric.  remarks : why some are NaN."""

    scores: dict[str, float]
    remarks: tuple[str, ...]


def evaluate(
    references: Sequence[ArrayLike],
    estimates: Sequence[ArrayLike],
    rate: int,
    *,
    missing: Callable[[str], None] = lambda words: None,
) -> list[Evaluation]:
    """Each estimate (n,) against the reference (n,) at its index; more references may follow.

    rate : Hz.  missing : called with a line for every metric whose package is not installed; it
    is then left out.  Evaluated by the letter: no other order of sources is tried.
    """
    S, E = (np.asarray(each, np.float64) for each in (references, estimates))
    plain, filtered = filtered_bss_eval(S, E, taps=1), filtered_bss_eval(S, E)
    speech = _installed(missing)
    rows = []
    for j, (s, e) in enumerate(zip(S, E, strict=False)):
        scores = {"si_sdr": si_sdr(s, e)}
        scores |= {name: float(column[j]) for name, column in plain._asdict().items()}
        scores |= {f"{name}_512": float(col[j]) for name, col in filtered._asdict().items()}
        scores |= {name: metric(s, e, rate) for name, metric in speech.items()}
        rows.append(Evaluation(scores, tuple(_remarks(s, e))))
    return rows


def _installed(
    missing: Callable[[str], None],
) -> dict[str, Callable[[ArrayLike, ArrayLike, int], float]]:
    """The speech metrics whose packages are there, found out on silence."""
    found = {}
    for name, metric in SPEECH.items():
        try:
            metric(np.zeros(1), np.zeros(1), 16000)
        except ImportError as error:
            missing(f"no {name}: {error}")
        else:
            found[name] = metric
    return found


def _remarks(s: NDArray[np.float64], e: NDArray[np.float64]) -> list[str]:
    each = {"reference": s, "estimate": e}
    return [f"the {name} is silent" for name, x in each.items() if not x.any()]
