"""Names, paths and loaded models to bases."""

from collections.abc import Sequence
from os import PathLike
from typing import TypeAlias

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.library import load
from rtsep.dsp.stream import StreamSpec

Model: TypeAlias = str | PathLike[str] | Basis


def load_model(model: Model) -> list[Basis]:
    """A model as a list of bases; "bypass" is none."""
    if isinstance(model, Basis):
        return [model]
    if not isinstance(model, (str, PathLike)):
        raise TypeError(f"a model is a name, a path or a loaded model, not {type(model).__name__}")
    if model == "bypass":
        return []
    loaded = load(model)
    if not isinstance(loaded, Basis):
        raise ValueError(f"model {loaded.card.name!r}: kind {loaded.card.kind!r} does not run yet")
    return [loaded]


def load_models(model: Model | Sequence[Model]) -> list[Basis]:
    """One model or several as a list of bases."""
    if isinstance(model, (str, PathLike, Basis)):
        return load_model(model)
    models = list(model)
    if not models:
        raise ValueError("no model is given (one at least; 'bypass' separates nothing)")
    return [basis for each in models for basis in load_model(each)]


def note_of(bases: Sequence[Basis], spec: StreamSpec) -> str:
    """What was mapped to fit the stream, one sentence a model."""
    notes = []
    for basis in bases:
        card = basis.card
        if card.rate != spec.rate:
            notes.append(f"{card.name} was made at {card.rate} Hz and is mapped to {spec.rate} Hz")
        if card.bandwidth < spec.rate / 2:
            notes.append(f"{card.name} knows sound up to {card.bandwidth:g} Hz")
    return "; ".join(notes)
