"""`rtsep denoise`: a file in, a file out; or a folder of them."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
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
    one_line,
    parsed,
    refuse_pipe,
    say,
)
from rtsep.cli.progress import progress_bar

if TYPE_CHECKING:
    from rtsep.engine.engine import Engine
    from rtsep.ports.files import Written
    from rtsep.ports.recordings import Recording


MakeEngine = Callable[[int, int], "Engine"]  # of a rate in Hz and a number of channels


@dataclass(frozen=True)
class Job:
    """A file to clean.  stems : folder for its sources."""

    source: Path
    target: Path
    stems: Path | None


def jobs_in(folder: Path, target: Path, stems: Path | None) -> list[Job]:
    """Every sound file below a folder, to the same place below `target`.

    ValueError for outputs below the folder: they would be inputs the next time.
    """
    from rtsep.learn.listing import in_folder

    for made in filter(None, (target, stems)):
        if made.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"output {made} lies in the input {folder} (wanted: another folder)")
        if made.exists() and not made.is_dir():
            raise ValueError(f"output {made} is a file, the input {folder} a folder")
    if stems and stems.resolve() == target.resolve():
        raise ValueError(f"outputs {target} and {stems} are one folder (wanted: two)")
    places = [(file, file.relative_to(folder)) for file in in_folder(folder)]
    return [Job(file, target / at, stems and stems / at) for file, at in places]


def clean(job: Job, make: MakeEngine, json_: bool) -> None:
    """Do a job and say what came of it."""
    from rtsep.ports import recordings

    recording = recordings.examine(job.source)
    tell_shortness(recording)
    engine = make(recording.rate, recording.channels)
    from rtsep.ports import files  # loads the kernels

    begin = time.monotonic()
    with progress_bar(job.source.name) as move:
        written = files.denoise(
            recording, job.target, engine, stems=job.stems,
            progress=lambda done, total: move(completed=done, total=total),
        )  # fmt: skip
    took = time.monotonic() - begin
    for each in written:
        tell_clipping(each)
    if json_:
        report = {
            "input": str(job.source), "outputs": [described(each) for each in written],
            "sources": engine.sources, "kept": engine.keep, "seconds": recording.seconds,
            "took_seconds": took, "note": engine.note,
        }  # fmt: skip
        print(json.dumps(report))
        return
    for each in written:
        print(f"{each.path}: {each.source}, {recording.seconds:.2f} s, {each.format}")
    say(f"in {took:.1f} s, {recording.seconds / took:.0f} times as fast as it plays")


def clean_each(jobs: list[Job], make: MakeEngine, json_: bool) -> None:
    """Do what can be done; ValueError at the end where a file is left out."""
    left = 0
    for job in jobs:
        try:
            for made in filter(None, (job.target, job.stems)):
                made.parent.mkdir(parents=True, exist_ok=True)
            clean(job, make, json_)
        except (ValueError, OSError) as error:
            left += 1
            say(f"left out: {one_line(error)}")
            if json_:
                print(json.dumps({"input": str(job.source), "error": one_line(error)}))
    if left:
        raise ValueError(f"{left} of {len(jobs)} files left out")


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
    source: Annotated[Path, typer.Argument(metavar="IN", help="Sound file, or a folder of them.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="Sound file to write, or a folder for them.")
    ],
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
    """Clean a sound file, or every one in a folder and its subfolders.

    OUT has the length, rate, channels and sample format of IN, and stays in time with it.  Where IN
    is a folder, so is OUT; a file in it that cannot be cleaned is left out, and said so.
    """
    from rtsep.artefacts.library import DEFAULT

    refuse_pipe(target)
    values = given(strength=strength, max_attenuation=max_attenuation, noise_floor=noise_floor)

    @lru_cache(maxsize=1)
    def make(rate: int, channels: int) -> "Engine":
        return make_engine(
            model or [DEFAULT], rate=rate, channels=channels, latency=latency.value, keep=keep,
            **values | parsed(setting),
        )  # fmt: skip

    if source.is_dir():
        jobs = jobs_in(source, target, stems)
        make(48000, 1)  # what is wrong with the model or a setting is wrong for all
        clean_each(jobs, make, json_)
    else:
        clean(Job(source, target, stems), make, json_)
