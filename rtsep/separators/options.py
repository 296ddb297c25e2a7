"""How a separator works: its options, their limits, and what a model's card may ask for."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np

from rtsep.separators.slot import UNKNOWN


@dataclass(frozen=True)
class Options:
    """How a separator works; a model's card may carry other defaults than these.

    unknown_rank : components of the unknown source.  forgetting : s, its memory.
    sparsity, unknown_sparsity : L1 penalty on activations.  smoothness : causal penalty.
    exponent : of the magnitudes in the masks, 2 is Wiener.
    decision : memory of the decision-directed gain, alpha per hop; 0 is plain Wiener masks.
    fast : s, memory of the removed sources' variance as the model explains it.
    slow_share : how much of that variance comes from the slow track instead.
    steps, alternations : work per hop; alternations 0 means 4, or 2 in latency mode low with
    more than 48 components.  pseudo_count : how firmly the unknown basis stays when there is
    nothing to learn.  seed : of its random start.  worker : 1 has onnxruntime run a network in a
    thread of its own even where the audio thread could evaluate it.
    """

    unknown_rank: int = 16
    forgetting: float = 0.15
    sparsity: float = 0.0
    unknown_sparsity: float = 0.0
    smoothness: float = 0.0
    exponent: float = 2.0
    decision: float = 0.98
    fast: float = 0.05
    slow_share: float = 0.5
    steps: int = 5
    alternations: int = 0
    pseudo_count: float = 0.0
    seed: int = 0
    worker: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, (Real, np.number)) or isinstance(value, bool):
                raise ValueError(f"option {name}={value!r:.40} is not a number")
            number = float(value)
            if not low <= number <= high:  # NaN is in no range
                raise ValueError(f"option {name}={value} is outside {low}..{high}")
            if name in WHOLE and number != int(number):
                raise ValueError(f"option {name}={value} is not a whole number")
            object.__setattr__(self, name, int(number) if name in WHOLE else number)


WORK, CARD_WORK = ("steps", "alternations"), 40
WHOLE = ("unknown_rank", "steps", "alternations", "seed", "worker")
LIMITS: dict[str, tuple[float, float]] = {
    "unknown_rank": (1, UNKNOWN),
    "forgetting": (0.01, 60),
    "sparsity": (0, 1e3),
    "unknown_sparsity": (0, 1e3),
    "smoothness": (0, 1e3),
    "exponent": (0.25, 8),
    "decision": (0, 0.9999),
    "fast": (0, 10),
    "slow_share": (0, 1),
    "steps": (1, 100),
    "alternations": (0, 20),
    "pseudo_count": (0, 10),
    "seed": (0, 2**32 - 1),
    "worker": (0, 1),
}


def merge_options(cards: Sequence[dict[str, Any]], given: dict[str, Any]) -> Options:
    """Options of the first card that names them, then what the caller gave.

    A card may ask for little more work than is the default: it may be a stranger's.
    """
    for options in cards:
        work = Options(**{name: options[name] for name in WORK if name in options})
        steps = work.steps * (work.alternations or 4)
        if steps > CARD_WORK:
            raise ValueError(f"a card asks for {steps} steps a hop (at most {CARD_WORK})")
    merged: dict[str, Any] = {}
    for options in [given, *cards]:
        for name, value in options.items():
            merged.setdefault(name, value)
    unknown = set(merged) - {field.name for field in fields(Options)}
    if unknown:
        raise ValueError(f"separator option {sorted(unknown)[0]!r} is unknown")
    return Options(**merged)
