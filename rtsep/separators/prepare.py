"""From artefacts to a slot: everything that allocates, reads or checks, before the sound starts."""

from collections.abc import Sequence
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
from rtsep.separators.options import Options, merge_options
from rtsep.separators.slot import CHANNELS, RANK, SOURCES, UNKNOWN
from rtsep.separators.sources import divided, source_names

SEPARATORS = {"bypass": bypass, "nmf": nmf, "asvd": asvd, "nes": nes, "hybrid": hybrid}


def kind_of(models: Sequence[Basis | Network]) -> str:
    """The one kind that all bases have, "nes" or "hybrid"; ValueError where they differ."""
    bases, network = divided(models)
    kinds: list[str] = sorted({basis.card.kind for basis in bases})
    if len(kinds) > 1 or not SEPARATORS.keys() >= set(kinds):
        raise ValueError(f"models of kinds {', '.join(kinds)} do not separate together")
    if network:
        return "hybrid" if bases else "nes"
    return kinds[0] if kinds else "bypass"


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
    slot["fast_memory"] = decay(hop, options.fast)
    slot["slow_share"] = options.slow_share
    slot["slow_memory"], slot["presence_memory"] = 0.8 ** (hop / 0.016), 0.9 ** (hop / 0.016)
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
        slot["separate_bases"] = SEPARATORS[base_kind].separate.address
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
