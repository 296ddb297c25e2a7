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


class Kind(StrEnum):
    ae = "ae"
    dae = "dae"
    vae = "vae"
    gan = "gan"
    wgan = "wgan"


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
            metavar="METHOD",
            help="nes: the other source is never heard alone (Neural Egg Separation). supervised: "
            "it is. am, lmm: from estimates by adversarial masks or by masks of latent mixtures. "
            "gass: from generative models of both sources. distil: learn what the method of "
            "--init does.",
        ),
    ],
    observed: Annotated[
        list[Path], typer.Option(help="Recordings of one source alone; repeatable.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Network to write, .onnx.")],
    mixtures: Annotated[
        list[Path] | None,
        typer.Option(help="Recordings of both sources together; for all methods but supervised."),
    ] = None,
    clean: Annotated[
        list[Path] | None,
        typer.Option(
            help="The other source alone: supervised and gass learn from it, the others only "
            "judge by it."
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            help="nes, distil: where the first estimates come from: const, nmf, asvd, am, lm, lmm, "
            "gass, or a network, .onnx."
        ),
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option(help="gass: what generates each source's sound. [vae]")
    ] = None,
    c: Annotated[
        float,
        typer.Option(
            "--c", help="nes, --init const: the first estimate, as a share of the mixtures."
        ),
    ] = 0.5,
    name: Annotated[str | None, typer.Option(help="Name of the model. [the file's]")] = None,
    source: Annotated[
        str, typer.Option(help="What the other source is; it matters to --scene.")
    ] = "speech",
    role: Annotated[Role, typer.Option(help="What to do with the other source.")] = Role.keep,
    size: Annotated[Extent, typer.Option(help="Size of the network.")] = Extent.small,
    iterations: Annotated[int, typer.Option(help="nes: rounds of estimating and learning.")] = 10,
    epochs: Annotated[int, typer.Option(help="Epochs in all; with nes, in each iteration.")] = 25,
    steps: Annotated[int, typer.Option(help="Batches per epoch.")] = 100,
    renew: Annotated[
        bool, typer.Option("--renew", help="nes: start every iteration from new weights.")
    ] = False,
    scene: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="How recordings are mixed; repeatable.  snr=-5..20 is in dB.  Shares of scenes, "
            "from 0 to 1: rooms (reverberation), babble, made (noise made from nothing), "
            "swelling, alone (one source only), backward (the other source), late (a late "
            "beginning).  At most: speed, other_speed, colour_db.  babble and made are 0 by "
            "default where --source is not speech.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and scenes.")] = 0,
    loss: Annotated[
        Loss,
        typer.Option(
            help="compressed: squared error of compressed magnitudes, with a falling learning "
            "rate. l1: absolute error of magnitudes, Adam at 1e-3, as NES was published."
        ),
    ] = Loss.compressed,
    opinion: Annotated[
        float, typer.Option(help="supervised: weight of DNSMOS in the loss, from 0 to 1.")
    ] = 0.0,
    folder: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints. [OUTPUT with suffix .training]")
    ] = None,
) -> None:
    """Train a mask network.

    It learns to keep or remove the source that is not --observed.  If it is stopped or killed,
    run the same command again: it goes on from the last epoch.  A different command needs a
    --folder of its own.
    """
    refuse_inputs(output, [*observed, *(mixtures or []), *(clean or [])], ".onnx")
    refuse_numbers(iterations=iterations, epochs=epochs, steps=steps)
    from rtsep.learn.mixing import told
    from rtsep.learn.networks import LOSSES, learn_network
    from rtsep.learn.task import Task

    task = Task(
        method.value, list(observed), folder or output.with_suffix(".training"),
        clean=list(clean) if clean else None, mixtures=list(mixtures) if mixtures else None,
        size=size.value, iterations=iterations, init=init, c=c, opinion=opinion,
        kind=kind and kind.value,
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
