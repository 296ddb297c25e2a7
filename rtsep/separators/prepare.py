"""From artefacts to a slot: everything that allocates, reads or checks, before the sound starts."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.network import Network
from rtsep.dsp.activations import DIVERGENCES
from rtsep.dsp.bases import random_basis
from rtsep.dsp.projections import projector
from rtsep.dsp.stream import StreamSpec
from rtsep.dsp.windows import window_pair
from rtsep.separators import asvd, bypass, hybrid, nes, nmf
from rtsep.separators.evaluation import Evaluation
from rtsep.separators.slot import CHANNELS, RANK, SOURCES, UNKNOWN

SEPARATORS = {"bypass": bypass, "nmf": nmf, "asvd": asvd, "nes": nes, "hybrid": hybrid}


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


def divided(models: Sequence[Basis | Network]) -> tuple[list[Basis], Network | None]:
    """The bases and the network among models; ValueError where they do not go together."""
    bases = [model for model in models if isinstance(model, Basis)]
    networks = [model for model in models if isinstance(model, Network)]
    if len(networks) > 1:
        names = " and ".join(repr(network.card.name) for network in networks[:2])
        raise ValueError(f"networks {names} do not separate together (at most one)")
    both = bool(bases and networks)
    for model in models if both else ():
        wanted = "keep" if isinstance(model, Network) else "remove"
        if model.card.role != wanted:
            raise ValueError(
                f"model {model.card.name!r} is to {model.card.role} {model.card.source!r} (beside "
                f"a network that keeps its source, bases are of what is removed)"
            )
    return bases, networks[0] if networks else None


def kind_of(models: Sequence[Basis | Network]) -> str:
    """The one kind that all bases have, "nes" or "hybrid"; ValueError where they differ."""
    bases, network = divided(models)
    kinds: list[str] = sorted({basis.card.kind for basis in bases})
    if len(kinds) > 1 or not SEPARATORS.keys() >= set(kinds):
        raise ValueError(f"models of kinds {', '.join(kinds)} do not separate together")
    if network:
        return "hybrid" if bases else "nes"
    return kinds[0] if kinds else "bypass"


def known_sources(models: Sequence[Basis | Network]) -> list[dict[str, str]]:
    """[{name, role}] of all that models name, in the order of the masks: bases, then a network."""
    bases, network = divided(models)
    ordered: list[Basis | Network] = [*bases, *([network] if network else [])]
    return [each for model in ordered for each in model.card.sources]


def has_unknown(models: Sequence[Basis | Network], asked: bool | None) -> bool:
    """Whether there is a source beside the named ones, as the caller asked or by default."""
    _, network = divided(models)
    if network:
        alone = len(network.card.sources) == 1
        if asked not in (None, alone):
            raise ValueError(
                f"unknown={asked}: network {network.card.name!r} names {len(network.card.sources)} "
                f"of its two sources"
            )
        return alone
    if asked is not None or not models:
        return bool(asked and models)
    return len({model.card.role for model in models}) == 1


def source_names(models: Sequence[Basis | Network], unknown: bool) -> tuple[str, ...]:
    """Known sources in order, then "unknown"; equal names are numbered."""
    if not models:
        return ("all",)
    names: list[str] = []
    for each in known_sources(models):
        name, taken = each["name"], 1
        while name in (*names, "unknown"):
            taken += 1
            name = f"{each['name']}{taken}"
        names.append(name)
    return (*names, "unknown") if unknown else tuple(names)


def active_bins(bases: Sequence[Basis], spec: StreamSpec) -> int:
    """Bins that every model knows something about."""
    widest = min((basis.card.bandwidth for basis in bases), default=spec.rate / 2)
    return min(int(widest / spec.bin_hz) + 1, spec.bins)


def _known_rows(bases: Sequence[Basis], spec: StreamSpec, active: int) -> Any:
    rows = [basis.on(spec)[:, :active] for basis in bases]
    known = np.concatenate(rows)
    if known.shape[0] > RANK - UNKNOWN:
        raise ValueError(f"models of rank {known.shape[0]} together exceed {RANK - UNKNOWN}")
    return rows, known


def _prepare_counts(slot: Any, spec: StreamSpec, lanes: int, sources: int, active: int) -> None:
    slot["lanes"], slot["bins"], slot["active"], slot["sources"] = lanes, spec.bins, active, sources
    analysis, _ = window_pair(spec)
    noise = np.sqrt(np.sum(analysis**2))  # magnitude of white noise of level one
    slot["silence"] = 10 ** (-80 / 20) * noise * active


def decay(step: float, seconds: float) -> float:
    """Factor per step of `step` s of a memory of `seconds`; 0 seconds is no memory."""
    return float(np.exp(-step / seconds)) if seconds > 0 else 0.0


def _prepare_work(slot: Any, spec: StreamSpec, options: Options, known: int, rank: int) -> None:
    slot["known"], slot["rank"] = known, rank
    slot["steps"] = options.steps
    slot["alternations"] = options.alternations or (2 if spec.mode == "low" and rank > 48 else 4)
    slot["exponent"], slot["smoothness"] = options.exponent, options.smoothness
    slot["rho"] = decay(spec.hop / spec.rate, options.forgetting)
    slot["pseudo_count"] = options.pseudo_count
    hop = spec.hop / spec.rate
    slot["decision"] = options.decision
    slot["fast"] = decay(hop, options.fast)
    slot["slow_share"] = options.slow_share
    slot["track"], slot["presence"] = 0.8 ** (hop / 0.016), 0.9 ** (hop / 0.016)
    slot["settling"] = max(1, round(0.1 / hop))
    slot["sparsity"][:known] = options.sparsity
    slot["sparsity"][known:rank] = options.unknown_sparsity


def prepare_slot(
    slot: Any,
    models: Sequence[Basis | Network],
    spec: StreamSpec,
    *,
    lanes: int = 1,
    unknown: bool = True,
    keep: Sequence[str] = (),
    options: Options | None = None,
    evaluation: Evaluation | None = None,
) -> tuple[str, ...]:
    """Fill a zeroed slot for these models; returns the sources' names.  Never the audio thread.

    keep : names of the sources that are to be kept.  An empty list of models is the bypass.
    evaluation : of the network among them; keep it for as long as the slot is in use.
    Errors are ValueError (CardError for a model that does not fit the stream), each naming both
    values.
    """
    options = options or merge_options([model.card.options for model in models], {})
    bases, network = divided(models)
    kind, names = kind_of(models), source_names(models, unknown)
    active = active_bins(bases, spec)
    if len(names) > SOURCES:
        raise ValueError(f"{len(names)} sources exceed {SOURCES}")
    if not 1 <= lanes <= CHANNELS:
        raise ValueError(f"{lanes} masks exceed {CHANNELS}")
    _prepare_counts(slot, spec, lanes, len(names), active)
    slot["kept"][: len(names)] = [name in keep for name in names]
    slot["modelled"] = len(names) - (1 if kind == "hybrid" else 0)
    slot["blind"] = unknown and "unknown" not in keep and not network
    slot["separate"] = SEPARATORS[kind].separate.address
    if bases:
        base_kind = bases[0].card.kind
        slot["explain"] = SEPARATORS[base_kind].separate.address
        apart = unknown or network is not None
        _prepare_bases(slot, bases, spec, active, lanes, apart, base_kind, options)
    if network and evaluation:
        _prepare_network(slot, network, spec, lanes, evaluation)
    return names


def _prepare_network(
    slot: Any, network: Network, spec: StreamSpec, lanes: int, evaluation: Evaluation
) -> None:
    network.card.check(spec)
    slot["look"], slot["delay"] = nes.look.address, evaluation.delay
    slot["worker"] = evaluation.address
    for i in range(lanes):
        slot["lane"][i]["network"][: spec.bins] = network.card.role == "keep"


def _prepare_bases(
    slot: Any,
    bases: Sequence[Basis],
    spec: StreamSpec,
    active: int,
    lanes: int,
    unknown: bool,
    kind: str,
    options: Options,
) -> None:
    rows, known = _known_rows(bases, spec, active)
    count = known.shape[0]
    rank = count + options.unknown_rank if unknown else count
    ends = [0, *np.cumsum([len(row) for row in rows]), *([rank] if unknown else [])]
    slot["first"][: len(ends)] = ends
    _prepare_work(slot, spec, options, count, rank)
    if kind == "asvd":
        slot["projector"][:count, :active] = projector(known)
    else:
        slot["divergence"] = DIVERGENCES[bases[0].card.divergence]
        slot["power"] = bases[0].card.power
        slot["exponent"] = options.exponent / bases[0].card.power
        known = known / np.maximum(known.sum(axis=1, keepdims=True), 1e-12)
    for i in range(lanes):
        lane = slot["lane"][i]
        lane["W"][:count, :active] = known
        lane["mask"][: slot["sources"]] = 1 / slot["sources"]
        if kind == "nmf":
            lane["h"][:rank] = 1e-3
            lane["W"][count:rank, :active] = random_basis(rank - count, active, options.seed + i)
