"""How the scenes that a mask network learns from are mixed, and what of that a user may tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SNR, SHARE, CHANGE, COLOUR = (-60.0, 60.0), (0.0, 1.0), (0.0, 0.9), (0.0, 24.0)
RANGES = {  # what may be told, from and to
    "snr": SNR, "rooms": SHARE, "made": SHARE, "babble": SHARE, "swelling": SHARE, "alone": SHARE,
    "speed": CHANGE, "other_speed": CHANGE, "colour_db": COLOUR, "backward": SHARE, "late": SHARE,
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """How scenes are made.  snr : dB, from and to.  rows : scenes a batch, of `frames` each.

    fresh : rows renewed for each batch.  rooms : share of scenes with reverberation.
    made, babble : shares of the other parts that are noise made from nothing, and several of the
    sources at once: of speech, see `defaults`.  swelling : share whose bands swell.  alone : of
    scenes with one part only, half of them with the source's; of an estimate, these have both.
    speed, other_speed : by which parts are played faster or slower at most.  backward : share of
    the others' recordings that are played from their end.  late : share of scenes whose source is
    silent at first, for LATE seconds.  pace : hops that a frame lasts.
    """

    snr: tuple[float, float] = (-5.0, 20.0)
    rows: int = 48
    frames: int = 373
    fresh: int = 10
    rooms: float = 0.25
    made: float = 0.35
    babble: float = 0.1
    swelling: float = 0.5
    alone: float = 0.08
    speed: float = 0.15
    other_speed: float = 0.6
    colour_db: float = 6.0
    backward: float = 0.3
    late: float = 0.0
    pace: int = 1

    def __post_init__(self) -> None:
        low, high = self.snr
        if low > high:
            raise ValueError(f"snr {low:g}..{high:g} goes down (wanted: from the lower)")
        for name, (least, most) in RANGES.items():
            told = getattr(self, name)
            for value in told if name == "snr" else (told,):
                if not least <= value <= most:
                    raise ValueError(f"{name}={value:g} is outside {least:g}..{most:g}")


def defaults(source: str) -> dict[str, Any]:
    """What a recipe for a source by this name says unless told.

    Speech is heard in noise of any kind and in a crowd's speech.  What another source is heard in
    may be a voice, and neither noise made from nothing nor several of the sources are like it.
    """
    return {} if source == "speech" else {"made": 0.0, "babble": 0.0}


def told(words: Sequence[str]) -> dict[str, Any]:
    """Words like `rooms=0.5` and `snr=-5..20` as fields of a recipe; ValueError for others."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in RANGES:
            raise ValueError(f"scene {word!r} is no NAME=VALUE of {', '.join(RANGES)}")
        first, dots, last = value.partition("..")
        if bool(dots) != (name == "snr"):
            form = "FROM..TO" if name == "snr" else "a number"
            raise ValueError(f"scene {word!r} (wanted: {name}={form})")
        numbers = tuple(_number(word, each) for each in (first, last)[: 2 if dots else 1])
        found[name] = numbers if dots else numbers[0]
    Recipe(**found)
    return found


def _number(word: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"scene {word!r}: {value!r} is no number") from None
