"""`rtsep models`: what can be told apart."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtsep.cli.options import Json

if TYPE_CHECKING:
    from rtsep.artefacts.card import Card, NetworkCard

models = typer.Typer(name="models", help="List the models, or show one of them.")


def licences(card: "Card | NetworkCard") -> str:
    return ", ".join(sorted({each["licence"] for each in card.trained_on}))


def row(name: str) -> dict[str, Any]:
    """A model's line; what is wrong with its file instead, where that is so."""
    from rtsep.artefacts.card import CardError
    from rtsep.artefacts.library import load

    try:
        card = load(name).card
    except CardError as error:
        return {"name": name, "error": str(error)}
    keys = ("kind", "source", "role", "rate", "rank")
    told = {key: getattr(card, key) for key in keys if hasattr(card, key)}
    return {"name": name} | told | {"licence": licences(card)}


def line(found: dict[str, Any], width: int) -> str:
    """A row in words; `width` of the names' column."""
    name = f"{found['name']:{width}}"
    if "error" in found:
        return f"{name} {found['error']}"
    rank = f"rank {found['rank']}" if "rank" in found else "network"
    return "{} {kind:5} {source:10} {role:7} {rate} Hz  {shown:8}  {licence}".format(
        name, shown=rank, **found
    )


@models.callback(invoke_without_command=True)
def list_models(context: typer.Context, json_: Json = False) -> None:
    """List the models: name, kind, source, role, rate, rank and the data's licence."""
    if context.invoked_subcommand:
        context.obj = json_
        return
    from rtsep.artefacts.library import names

    rows = [row(name) for name in names()]
    if json_:
        print(json.dumps(rows))
    elif not rows:
        print("no models: make one with `rtsep learn`")
    width = max((len(found["name"]) for found in rows), default=0)
    for found in rows if not json_ else []:
        print(line(found, width))


@models.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model, by name or path.")],
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also draw its basis and learning curve: .png, .svg, .pdf."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Show a model's card.  On a terminal its basis is drawn as well."""
    from rtsep.artefacts.basis import Basis
    from rtsep.artefacts.library import load
    from rtsep.cli.picture import draw
    from rtsep.cli.sketch import print_sketch

    model = load(name)
    card = asdict(model.card)
    if picture:
        if not isinstance(model, Basis):
            raise ValueError(
                f"--picture {picture}: {name} is a network, which has no basis to draw"
            )
        draw(model, picture)
    if json_ or context.obj:
        print(json.dumps(card))
        return
    for key, value in card.items():
        print(f"{key:14} {value if isinstance(value, str) else json.dumps(value)}")
    if isinstance(model, Basis):
        print_sketch(model)
