"""The card of a model: what it is, what it was made of, and how good it is.

It travels inside the model's file as JSON.  A card that exists is valid: `Card` checks itself.
"""

import json
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from rtsep.artefacts.fields import choice, either, integer, listing, mapping, number, record, text
from rtsep.dsp.stream import MAX_RATE, MIN_RATE, MODES, StreamSpec

FORMAT = 1
MAX_RANK = 512
MAX_WINDOW = 4096
MAX_JSON = 1 << 18  # bytes

RESERVED = ("unknown", "all")  # sources that separators make themselves

NORMALISATIONS = {"nmf": "columns sum to one", "asvd": "columns are orthonormal"}

_RATIO = number(-1e9, 1e9)
_NAME = text(64, shortest=1)
FIELDS = {
    "format": choice(FORMAT),
    "name": _NAME,
    "kind": choice("nmf", "asvd"),
    "source": _NAME,
    "role": choice("keep", "remove"),
    "rate": integer(MIN_RATE, MAX_RATE),
    "divergence": choice("kl", "euclidean", "itakura-saito"),
    "power": choice(1, 2),
    "bandwidth": number(1, MAX_RATE / 2),
    "normalisation": text(200),
    "rank": integer(1, MAX_RANK),
    "windows": mapping(
        choice(*MODES), listing(integer(2, MAX_WINDOW), shortest=3, longest=3), shortest=1
    ),
    "trained_on": listing(
        record(
            corpus=text(200, shortest=1),
            licence=text(300),
            files=integer(0, 10**9),
            seconds=number(0, 1e12),
        ),
        longest=200,
    ),
    "command": text(2000),
    "seed": integer(0, 2**63 - 1),
    "created": text(40),
    "quality": mapping(text(100, shortest=1), either(_RATIO, text(300))),
    "options": mapping(_NAME, either(_RATIO, choice(True, False), text(100))),
}


class CardError(ValueError):
    """A model file or a card that cannot be used; one line that begins with its name."""


@dataclass(frozen=True)
class Card:
    """What a model file says of itself; CardError from the constructor where it cannot be.

    name : of the model.  kind : "nmf" or "asvd".  source : what it models, "speech" say.
    role : "keep" or "remove", what a separator does with it unless told.
    rate : Hz, of the material.  divergence : it was learned with.  power : 1 magnitudes, 2 power
    spectra.  bandwidth : Hz, above it the model says nothing.  rank : components K.
    windows : latency mode -> [window, hop, synthesis] in samples at `rate`.
    trained_on : [{corpus, licence, files, seconds}].  command : that made it.  created : date.
    quality : what was measured.  options : a separator's defaults with this model.
    """

    name: str
    kind: str
    source: str
    role: str
    rate: int
    divergence: str
    power: int
    bandwidth: float
    rank: int
    windows: dict[str, list[int]]
    normalisation: str = ""
    trained_on: list[dict[str, Any]] = field(default_factory=list)
    command: str = ""
    seed: int = 0
    created: str = ""
    quality: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    def __post_init__(self) -> None:
        for name, wanted in FIELDS.items():
            if complaint := wanted.complaint(name, getattr(self, name)):
                raise CardError(f"{self._label()}: {complaint}")
        if self.source in RESERVED:
            self._refuse(f"source {self.source!r} is reserved (wanted: none of {RESERVED})")
        if self.bandwidth > self.rate / 2:
            self._refuse(f"bandwidth {self.bandwidth:g} Hz is over half the rate {self.rate} Hz")
        for mode, (window, hop, synthesis) in self.windows.items():
            if window % 2 or not 2 * hop <= synthesis <= window or synthesis % (2 * hop):
                self._refuse(
                    f"window {window}, hop {hop} and synthesis {synthesis} "
                    f"of mode {mode!r} make no transform"
                )

    def _label(self) -> str:
        return f"model {self.name!r}" if FIELDS["name"].holds(self.name) else "model"

    def _refuse(self, reason: str) -> None:
        raise CardError(f"{self._label()}: {reason}")

    def bins(self, mode: str) -> int:
        """F of the basis for a latency mode."""
        return self.windows[mode][0] // 2 + 1

    def check(self, spec: StreamSpec) -> None:
        """CardError where the model cannot be mapped to this stream."""
        if spec.mode not in self.windows:
            self._refuse(f"made for latency {', '.join(self.windows)} (stream: {spec.mode})")
        if self.bandwidth < 2 * spec.bin_hz:
            self._refuse(f"bandwidth {self.bandwidth:g} Hz (stream: bins of {spec.bin_hz:g} Hz)")


def to_json(card: Card) -> str:
    return json.dumps(asdict(card), ensure_ascii=True, allow_nan=False)


def from_json(written: str | bytes) -> Card:
    """The card in a JSON text; CardError for anything but a whole and valid one."""
    if len(written) > MAX_JSON:
        raise CardError(f"card: {len(written)} bytes exceed {MAX_JSON}")
    try:
        values = json.loads(written, object_pairs_hook=_distinct, parse_constant=_not_a_number)
    except CardError:
        raise
    except (ValueError, RecursionError) as error:
        raise CardError(f"card: not JSON ({_first_line(error)})") from None
    if not isinstance(values, dict):
        raise CardError(f"card: a JSON {type(values).__name__} (wanted: an object)")
    _check_keys(values)
    return Card(**values)


def _check_keys(values: dict[str, Any]) -> None:
    known = {each.name for each in fields(Card)}
    needed = {
        each.name
        for each in fields(Card)
        if each.default is MISSING and each.default_factory is MISSING
    } | {"format"}
    if values.get("format", FORMAT) != FORMAT:
        raise CardError(f"card: {FIELDS['format'].complaint('format', values['format'])}")
    if surplus := sorted(values.keys() - known):
        raise CardError(
            f"card: unknown key {surplus[0][:64]!r} (known: {', '.join(sorted(known))})"
        )
    if missing := sorted(needed - values.keys()):
        raise CardError(f"card: no {', '.join(missing)} (needed: {', '.join(sorted(needed))})")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise CardError(f"card: {len(pairs)} keys, {len(values)} of them distinct")
    return values


def _not_a_number(name: str) -> None:
    raise CardError(f"card: {name} (wanted: a finite number)")


def _first_line(error: BaseException) -> str:
    return ascii(str(error).split("\n")[0][:200])[1:-1]
