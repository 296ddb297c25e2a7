"""`rtsep denoise`: a file in, a file out."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtsep.cli.options import (
    Json,
    Keep,
    Latency,
    MaxAttenuation,
    Models,
    NoiseFloor,
    Settings,
    Strength,
    given,
    make_engine,
    parsed,
    refuse_pipe,
    say,
)
from rtsep.cli.progress import progress_bar

if TYPE_CHECKING:
    from rtsep.ports.files import Written
    from rtsep.ports.recordings import Recording


def described(written: "Written") -> dict[str, Any]:
    return asdict(written) | {"path": str(written.path), "format": str(written.format)}


def tell_clipping(written: "Written") -> None:
    if written.clipped:
        say(f"{written.path}: {written.clipped} samples were over full scale and are clipped")


def tell_shortness(recording: "Recording") -> None:
    if recording.promised > recording.length:
        say(
            f"{recording.path} ends early: its header tells of {recording.promised} samples, "
            f"it holds {recording.length}"
        )


def denoise(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Sound file to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Sound file to write.")],
    model: Models = None,
    keep: Keep = None,
    strength: Strength = None,
    max_attenuation: MaxAttenuation = None,
    noise_floor: NoiseFloor = None,
    latency: Annotated[
        Latency, typer.Option(help="Transform of this latency mode; high sounds best.")
    ] = Latency.high,
    setting: Settings = None,
    stems: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Also write each source to DIR; together they add up to IN."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Clean a sound file.

    OUT has the length, rate, channels and sample format of IN, and stays in time with it.
    """
    from rtsep.artefacts.library import DEFAULT
    from rtsep.ports import recordings

    refuse_pipe(target)
    recording = recordings.examine(source)
    tell_shortness(recording)
    values = given(strength=strength, max_attenuation=max_attenuation, noise_floor=noise_floor)
    engine = make_engine(
        model or [DEFAULT], rate=recording.rate, channels=recording.channels,
        latency=latency.value, keep=keep, **values | parsed(setting),
    )  # fmt: skip
    from rtsep.ports import files  # loads the kernels

    begin = time.monotonic()
    with progress_bar(source.name) as move:
        written = files.denoise(
            recording, target, engine, stems=stems,
            progress=lambda done, total: move(completed=done, total=total),
        )  # fmt: skip
    took = time.monotonic() - begin
    for each in written:
        tell_clipping(each)
    if json_:
        report = {
            "input": str(source), "outputs": [described(each) for each in written],
            "sources": engine.sources, "kept": engine.keep, "seconds": recording.seconds,
            "took_seconds": took, "note": engine.note,
        }  # fmt: skip
        print(json.dumps(report))
        return
    for each in written:
        print(f"{each.path}: {each.source}, {recording.seconds:.2f} s, {each.format}")
    say(f"in {took:.1f} s, {recording.seconds / took:.0f} times as fast as it plays")
