"""`rtsep learn`: recordings of a source, or the microphone, to a model."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtsep.cli.ctrl_c import stoppable
from rtsep.cli.options import InputDevice, Json, given, load_kernels, say
from rtsep.cli.progress import progress_bar

if TYPE_CHECKING:
    from rtsep.artefacts.basis import Basis


class Method(StrEnum):
    nmf = "nmf"
    plca = "plca"
    mdnmf = "mdnmf"
    exemplar = "exemplar"
    asvd = "asvd"


class Role(StrEnum):
    keep = "keep"
    remove = "remove"


class Divergence(StrEnum):
    kl = "kl"
    euclidean = "euclidean"
    itakura_saito = "itakura-saito"


@contextmanager
def learning_bar() -> Iterator[tuple[Callable[[float], None], Callable[[float], None]]]:
    """A bar on the terminal, if there is one: what moves it, what hears the objective."""
    with progress_bar("learning", total=1.0) as move:

        def told(objective: float) -> None:
            move(description=f"learning, objective {objective:.4g} a frame")

        yield (lambda done: move(completed=done)), told


def refuse_inputs(target: Path, sources: list[Path], suffix: str = ".npz") -> None:
    """Errors that are better told before the learning than after it."""
    if target.suffix != suffix:
        raise ValueError(f"output {target} has suffix {target.suffix!r} (wanted: {suffix})")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"output {target}: there is no folder {target.parent}")
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(f"output {target}: nothing can be written to {target.parent}")
    place = Path(os.path.realpath(target))  # what will be replaced
    for source in sources:
        if place.exists() and source.exists() and place.samefile(source):
            raise ValueError(f"output {target} is the input {source}")


def target_for(output: Path | None, name: str | None) -> tuple[Path, str]:
    """Where a model goes and what it is called: a name alone puts it among the user's models."""
    if output is not None:
        return output, name or output.stem
    if name is None:
        raise ValueError("where to? give -o FILE.npz, or --name NAME to find it by")
    if Path(name).name != name or name in (".", ".."):
        raise ValueError(f"--name {name!r} cannot name a file: give -o FILE.npz too")
    from rtsep.artefacts.library import user_folder

    user_folder().mkdir(parents=True, exist_ok=True)
    return user_folder() / f"{name}.npz", name


def recorded(seconds: float, device: str | None, channels: int | None) -> tuple[Any, int]:
    """Seconds from a microphone, mixed to one channel, and their rate in Hz."""
    from rtsep.ports.portaudio import find_route

    route = find_route(**given(source=device, channels=channels))
    load_kernels()
    from rtsep.engine.engine import Engine
    from rtsep.ports.soundcard import SoundcardStream

    engine = Engine("bypass", rate=route.rate, channels=route.channels)
    engine.set(f"{engine.sources[0]}.mute", 1)
    with SoundcardStream(engine, route):
        say(f"recording {seconds:g} s from {route.source}: nothing but the source should sound")
        samples = engine.capture(seconds)
    say("recorded")
    return samples, route.rate


def refuse_silence(samples: Any) -> None:
    """A closed or wrong microphone is better told now."""
    peak = float(abs(samples).max(initial=0))
    if peak == 0:
        raise ValueError(f"the microphone gave {len(samples)} samples of silence (peak 0)")


def own_command() -> str:
    """The command line as a card may keep it: without this machine's folders."""
    return shlex.join(["rtsep", *(Path(word).name or word for word in sys.argv[1:])])


def tell(basis: "Basis", target: Path, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"path": str(target)} | asdict(basis.card)))
        return
    card = basis.card
    print(
        f"{target}: {card.name}, {card.kind} of rank {card.rank} for {card.source}, to {card.role}"
    )
    for name, value in card.quality.items():
        print(f"  {name}: {value:.4g}" if isinstance(value, float) else f"  {name}: {value}")


def learn(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="IN...",
            help="Sound files, folders, globs or CSV manifests.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Model file to write, .npz.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model. [the file's]")] = None,
    source: Annotated[str | None, typer.Option(help="Sound it models. [the name]")] = None,
    role: Annotated[Role | None, typer.Option(help="What to do with the sound. [remove]")] = None,
    method: Annotated[Method, typer.Option(help="How to model the sound.")] = Method.nmf,
    rank: Annotated[
        int | None,
        typer.Option(
            max=224, help="Number of components. [what proved best for the method and role]"
        ),
    ] = None,
    rate: Annotated[
        int | None, typer.Option(help="Sample rate in Hz. [the recordings' highest]")
    ] = None,
    divergence: Annotated[
        Divergence | None, typer.Option(help="nmf, exemplar: what the fit minimises. [kl]")
    ] = None,
    sparsity: Annotated[float, typer.Option(help="nmf, mdnmf: penalty on activations.")] = 0.0,
    smoothness: Annotated[
        float, typer.Option(help="nmf: penalty on changes of activations from frame to frame.")
    ] = 0.0,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="asvd, mdnmf: sounds the model should not explain; repeatable."),
    ] = None,
    tau: Annotated[
        float | None, typer.Option(help="asvd, mdnmf: weight of --against, from 0 to 1.")
    ] = None,
    append: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="nmf: keep this model's components and add --rank more."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random start.")] = 0,
    live: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Record this long from the microphone instead."),
    ] = None,
    input_: InputDevice = None,
    json_: Json = False,
) -> None:
    """Learn a sound into a model file.

    From recordings in which it is alone, or from the microphone (--live).
    """
    files = sources or []
    if bool(files) == (live is not None):
        raise ValueError(
            f"give recordings or --live SECONDS, one of both ({len(files)} recordings)"
        )
    if input_ is not None and live is None:
        raise ValueError(f"--input {input_} goes with --live SECONDS")
    if live is not None and not 0 < live <= 3600:
        raise ValueError(f"--live {live:g} is outside 0..3600 seconds")
    from rtsep.artefacts.library import load, save
    from rtsep.artefacts.network import Network

    target, called = target_for(output, name)
    refuse_inputs(target, files)
    extend = None if append is None else load(append)
    if isinstance(extend, Network):
        raise ValueError(f"--append {append}: kind {extend.card.kind!r} (wanted: a basis, nmf)")
    material: list[Any] = list(files)
    if live is not None:
        material = [recorded(live, input_, None)]
        refuse_silence(material[0][0])
    from rtsep.learn import learn_basis

    skipped: list[str] = []
    with learning_bar() as (progress, told), stoppable(told) as enough:
        basis = learn_basis(
            material, name=called, source=source, role=role and role.value,
            method=method.value, rank=rank, rate=rate, against=against or (), tau=tau,
            divergence=divergence and divergence.value, sparsity=sparsity, smoothness=smoothness,
            extend=extend, seed=seed, command=own_command(), progress=progress, watch=enough,
            skip=skipped.append,
        )  # fmt: skip
    for words in skipped:
        say(words)
    save(target, basis)
    tell(basis, target, json_)
