"""`rtsep train`: recordings to a mask network that runs live."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rtsep.cli.learn import Role, own_command, refuse_inputs
from rtsep.cli.options import say


class Way(StrEnum):
    nes = "nes"
    supervised = "supervised"
    distil = "distil"
    am = "am"
    lmm = "lmm"
    gass = "gass"


class Extent(StrEnum):
    tiny = "tiny"
    small = "small"
    medium = "medium"
    large = "large"
    dual_tiny = "dual-tiny"
    dual = "dual"
    dual_deep = "dual-deep"
    dual_deeper = "dual-deeper"
    dual_large = "dual-large"


class Loss(StrEnum):
    compressed = "compressed"
    l1 = "l1"


def tell(row: dict[str, float]) -> None:
    """One line for an epoch."""
    counts = ("iteration", "epoch")
    say("  ".join(f"{name} {v:.0f}" if name in counts else f"{name} {v:.4g}"
                  for name, v in row.items()))  # fmt: skip


def refuse_numbers(**given: int) -> None:
    for name, value in given.items():
        if not 1 <= value <= 1_000_000:
            raise ValueError(f"--{name} {value} is outside 1..1000000")


def train(
    method: Annotated[
        Way,
        typer.Argument(
            help="nes: the other source is never heard alone. supervised: it is. am, lmm: from "
            "estimates by masks of latent mixtures or adversarial ones. gass: by generative "
            "models of both sources. distil: by the method of --init."
        ),
    ],
    observed: Annotated[
        list[Path], typer.Option(help="Recordings of one source alone; may be given again.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Network to write, .onnx.")],
    mixtures: Annotated[
        list[Path] | None,
        typer.Option(help="Recordings of both sources together: for all but supervised."),
    ] = None,
    clean: Annotated[
        list[Path] | None,
        typer.Option(
            help="The other source alone: supervised and gass learn from it, others judge by it."
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            help="nes, distil: estimates to begin with: const, nmf, asvd, am, lm, lmm, gass, or "
            "a network, .onnx."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the model. [that of the file]")] = None,
    source: Annotated[str, typer.Option(help="What the other source is; see --scene.")] = "speech",
    role: Annotated[Role, typer.Option(help="What to do with the other source.")] = Role.keep,
    size: Annotated[Extent, typer.Option(help="Of the network.")] = Extent.small,
    iterations: Annotated[int, typer.Option(help="nes: of estimating and learning.")] = 10,
    epochs: Annotated[int, typer.Option(help="In each iteration of nes.")] = 25,
    steps: Annotated[int, typer.Option(help="Batches an epoch.")] = 100,
    renew: Annotated[
        bool, typer.Option("--renew", help="nes: begin every iteration with new weights.")
    ] = False,
    scene: Annotated[
        list[str] | None,
        typer.Option(
            help="How recordings are mixed: snr=-5..20 dB; shares of rooms, babble, swelling, made "
            "noise, one source alone, the other backward, a late beginning, as in rooms=0.5; "
            "speed, other_speed and colour_db at most.  Babble and made noise are 0 unless given "
            "where --source is not speech.  May be given again."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and scenes.")] = 0,
    loss: Annotated[
        Loss,
        typer.Option(
            help="compressed: squares of compressed magnitudes, at a rate that falls. l1: distance "
            "of magnitudes, Adam at 1e-3, as NES was published."
        ),
    ] = Loss.compressed,
    opinion: Annotated[
        float, typer.Option(help="supervised: what a point of DNSMOS counts in the loss, 0..1.")
    ] = 0.0,
    folder: Annotated[
        Path | None, typer.Option(help="For checkpoints. [OUTPUT with suffix .training]")
    ] = None,
) -> None:
    """Train a mask network of the source that is not observed, and write it.

    Killed or stopped, the same command goes on from its last epoch; another one needs another
    --folder."""
    refuse_inputs(output, [*observed, *(mixtures or []), *(clean or [])], ".onnx")
    refuse_numbers(iterations=iterations, epochs=epochs, steps=steps)
    from rtsep.learn.mixing import told
    from rtsep.learn.networks import LOSSES, Task, learn_network

    task = Task(
        method.value, list(observed), folder or output.with_suffix(".training"),
        clean=list(clean) if clean else None, mixtures=list(mixtures) if mixtures else None,
        size=size.value, iterations=iterations, init=init, opinion=opinion,
        renew=renew, recipe=told(scene or []),
        plan={"epochs": epochs, "steps": steps, "seed": seed, **LOSSES[loss.value]},
    )  # fmt: skip
    from rtsep.artefacts.network import save_network

    network = learn_network(
        task, name=name or output.stem, source=source, role=role.value, command=own_command(),
        skip=say, told=tell,
    )  # fmt: skip
    save_network(output, network)
    quality = ", ".join(f"{what} {value}" for what, value in network.card.quality.items())
    print(f"{output}: {network.card.name}, {len(network.content)} bytes; {quality}")
