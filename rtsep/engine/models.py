"""Names, paths and loaded models to bases and networks."""

from collections.abc import Sequence
from os import PathLike
from typing import TypeAlias

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.library import load
from rtsep.artefacts.network import Network
from rtsep.dsp.stream import StreamSpec
from rtsep.separators.sources import has_unknown, source_names

Model: TypeAlias = str | PathLike[str] | Basis | Network


def load_model(model: Model) -> list[Basis | Network]:
    """A model as a list of one; "bypass" is none."""
    if isinstance(model, (Basis, Network)):
        return [model]
    if not isinstance(model, (str, PathLike)):
        raise TypeError(f"a model is a name, a path or a loaded model, not {type(model).__name__}")
    return [] if model == "bypass" else [load(model)]


def load_models(model: Model | Sequence[Model]) -> list[Basis | Network]:
    """One model or several as a list."""
    if isinstance(model, (str, PathLike, Basis, Network)):
        return load_model(model)
    models = list(model)
    if not models:
        raise ValueError("no model is given (one at least; 'bypass' separates nothing)")
    return [loaded for each in models for loaded in load_model(each)]


def sources_of(model: Model | Sequence[Model]) -> tuple[str, ...]:
    """The sources that an engine with these models has."""
    models = load_models(model)
    return source_names(models, has_unknown(models, None))


def note_of(models: Sequence[Basis | Network], spec: StreamSpec) -> str:
    """What was mapped to fit the stream, one sentence a model."""
    notes = []
    for model in models:
        card = model.card
        if card.rate != spec.rate:
            notes.append(f"{card.name} was made at {card.rate} Hz and is mapped to {spec.rate} Hz")
        if card.bandwidth < spec.rate / 2:
            notes.append(f"{card.name} knows sound up to {card.bandwidth:g} Hz")
    return "; ".join(notes)
