"""The card of a model: what it is, what it was made of, and how good it is.

It travels inside the model's file as JSON.  A card that exists is valid: `Card` checks itself.
"""

import json
import reprlib
from dataclasses import MISSING, asdict, dataclass, field, fields
from math import prod
from typing import Any

from rtsep.artefacts.fields import (
    Field,
    choice,
    either,
    integer,
    listing,
    mapping,
    number,
    record,
    text,
)
from rtsep.dsp.stream import MAX_RATE, MIN_RATE, MODES, StreamSpec

FORMAT = 1
MAX_RANK = 512
MAX_WINDOW = 4096
MAX_JSON = 1 << 18  # bytes

RESERVED = ("unknown", "all")  # sources that separators make themselves

NORMALISATIONS = {"nmf": "columns sum to one", "asvd": "columns are orthonormal"}

MAX_STATES = 64
MAX_STATE = 1 << 20  # numbers in one state tensor of a network
MAX_INITIALISERS = 1 << 26  # bytes
MAX_MEMORY = 1 << 29  # bytes

_RATIO = number(-1e9, 1e9)
_NAME = text(64, shortest=1)
_ROLE = choice("keep", "remove")
COMMON = {
    "format": choice(FORMAT),
    "name": _NAME,
    "rate": integer(MIN_RATE, MAX_RATE),
    "bandwidth": number(1, MAX_RATE / 2),
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
FIELDS = COMMON | {
    "kind": choice("nmf", "asvd"),
    "source": _NAME,
    "role": _ROLE,
    "divergence": choice("kl", "euclidean", "itakura-saito"),
    "power": choice(1, 2),
    "normalisation": text(200),
    "rank": integer(1, MAX_RANK),
    "windows": mapping(
        choice(*MODES), listing(integer(2, MAX_WINDOW), shortest=3, longest=3), shortest=1
    ),
}
NETWORK_FIELDS = COMMON | {
    "kind": choice("nes"),
    "sources": listing(record(name=_NAME, role=_ROLE), shortest=1, longest=2),
    "window": integer(64, 2048),
    "hop": integer(16, 2048),
    "feature": text(200),
    "bands": integer(1, 4096),
    "lookahead": choice(0),
    "states": listing(listing(integer(1, MAX_STATE), longest=6), longest=MAX_STATES),
    "initialiser_bytes": integer(0, MAX_INITIALISERS),
    "memory_bytes": integer(1, MAX_MEMORY),
    "cost": mapping(text(100, shortest=1), either(_RATIO, text(300))),
}


class CardError(ValueError):
    """A model file or a card that cannot be used; one line that begins with its name."""


class _Card:
    """What cards of bases and of networks have in common."""

    name: str
    rate: int
    bandwidth: float

    def _check_fields(self, wanted: dict[str, Field]) -> None:
        for name, field_ in wanted.items():
            if complaint := field_.complaint(name, getattr(self, name)):
                raise CardError(f"{self._label()}: {complaint}")
        if self.bandwidth > self.rate / 2:
            self._refuse(f"bandwidth {self.bandwidth:g} Hz is over half the rate {self.rate} Hz")

    def _check_source(self, source: str, reserved: tuple[str, ...] = RESERVED) -> None:
        if source in reserved:
            self._refuse(f"source {source!r} is reserved (wanted: none of {reserved})")

    def _label(self) -> str:
        return f"model {self.name!r}" if COMMON["name"].holds(self.name) else "model"

    def _refuse(self, reason: str) -> None:
        raise CardError(f"{self._label()}: {reason}")

    def check(self, spec: StreamSpec) -> None:
        """CardError where the model cannot be mapped to this stream."""
        if self.bandwidth < 2 * spec.bin_hz:
            self._refuse(f"bandwidth {self.bandwidth:g} Hz (stream: bins of {spec.bin_hz:g} Hz)")


@dataclass(frozen=True)
class Card(_Card):
    """What the file of a basis says of itself; CardError from the constructor where it cannot be.

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
        self._check_fields(FIELDS)
        self._check_source(self.source)
        for mode, (window, hop, synthesis) in self.windows.items():
            if window % 2 or not 2 * hop <= synthesis <= window or synthesis % (2 * hop):
                self._refuse(
                    f"window {window}, hop {hop} and synthesis {synthesis} "
                    f"of mode {mode!r} make no transform"
                )

    @property
    def sources(self) -> list[dict[str, str]]:
        """The one source and its role, as a network's card lists them."""
        return [{"name": self.source, "role": self.role}]

    def bins(self, mode: str) -> int:
        """F of the basis for a latency mode."""
        return self.windows[mode][0] // 2 + 1

    def check(self, spec: StreamSpec) -> None:
        """CardError where the model cannot be mapped to this stream."""
        if spec.mode not in self.windows:
            self._refuse(f"made for latency {', '.join(self.windows)} (stream: {spec.mode})")
        super().check(spec)


@dataclass(frozen=True, kw_only=True)
class NetworkCard(_Card):
    """What the file of a mask network says of itself, in metadata_props["rtsep.card"].

    sources : [{name, role}], one or two; `mask` is the first one's, the rest is the second's, or
    of the unknown.  rate : Hz.  window, hop : samples at `rate`; F is window / 2 + 1.
    bandwidth : Hz, above it the mask says nothing.  feature, bands : what the graph makes of a
    magnitude.  lookahead : hops, 0.  states : shape of every state tensor.
    initialiser_bytes : all weights in the file together, at most.  memory_bytes : what loading
    and running it may take, at most.  cost : what was measured, in the units its keys name.
    The others are as in `Card`.
    """

    name: str
    sources: list[dict[str, str]]
    rate: int = 48000
    window: int = 1024
    hop: int = 256
    bandwidth: float
    feature: str
    bands: int
    states: list[list[int]]
    initialiser_bytes: int
    memory_bytes: int
    lookahead: int = 0
    trained_on: list[dict[str, Any]] = field(default_factory=list)
    command: str = ""
    seed: int = 0
    created: str = ""
    quality: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    kind: str = "nes"
    format: int = FORMAT

    def __post_init__(self) -> None:
        self._check_fields(NETWORK_FIELDS)
        for name in (names := [each["name"] for each in self.sources]):
            self._check_source(name)
        if len(set(names)) < len(names):
            self._refuse(f"sources {names[0]!r} and {names[1]!r} are one (wanted: two names)")
        if self.window % 2 or self.hop > self.window:
            self._refuse(f"window {self.window} and hop {self.hop} make no transform")
        if (total := sum(prod(shape) for shape in self.states)) > MAX_STATE:
            self._refuse(f"states of {total} numbers (at most {MAX_STATE})")

    @property
    def source(self) -> str:
        """The source whose mask the network makes."""
        return self.sources[0]["name"]

    @property
    def role(self) -> str:
        """What a separator does with that source unless told."""
        return self.sources[0]["role"]

    @property
    def bins(self) -> int:
        """F, of the magnitude and the mask."""
        return self.window // 2 + 1


CARDS: dict[str, type[Card] | type[NetworkCard]] = {"nmf": Card, "asvd": Card, "nes": NetworkCard}


def to_json(card: Card | NetworkCard) -> str:
    return json.dumps(asdict(card), ensure_ascii=True, allow_nan=False)


def from_json(written: str | bytes) -> Card | NetworkCard:
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
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in CARDS:
        raise CardError(f"card: kind is {reprlib.repr(kind)} (wanted: {', '.join(CARDS)})")
    _check_keys(values, CARDS[kind])
    return CARDS[kind](**values)


def _check_keys(values: dict[str, Any], card: type[Card] | type[NetworkCard]) -> None:
    known = {each.name for each in fields(card)}
    needed = {
        each.name
        for each in fields(card)
        if each.default is MISSING and each.default_factory is MISSING
    } | {"format", "kind"}
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
