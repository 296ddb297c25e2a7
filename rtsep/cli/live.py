"""`rtsep live`: from the microphone to the speaker, or from a recording to a file."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtsep.cli.journal import STANDARD_OUTPUT, journal
from rtsep.cli.options import (
    InputDevice,
    Instance,
    Json,
    Keep,
    Latency,
    MaxAttenuation,
    MidiPort,
    Models,
    NoiseFloor,
    OscPort,
    PresetName,
    Settings,
    Strength,
    given,
    parsed,
    refuse_pipe,
)
from rtsep.cli.returning import handed_over
from rtsep.cli.route import DefaultDevice, Playback
from rtsep.cli.serving import (
    as_left,
    engine_arguments,
    free_instance,
    route_arguments,
    starting_preset,
)
from rtsep.cli.streams import (
    Report,
    Run,
    through_files,
    through_loopback,
    through_soundcard,
    through_virtual,
)

if TYPE_CHECKING:
    from rtsep.engine.engine import Engine

HINT = "without one, try: rtsep live --input-file NOISY.wav --output-file CLEAN.wav"


def refuse_clashes(
    input_file: Path | None, output_file: Path | None, of_devices: dict[str, Any], *,
    virtual: bool, playback: bool, default: bool, stems: bool,
) -> None:  # fmt: skip
    """ValueError where files and devices, or two kinds of devices, are asked for at once.

    of_devices : options that only devices have, as given.
    """
    refuse_pipe(output_file)
    if output_file is not None and input_file is None:
        raise ValueError(f"--output-file {output_file} needs an --input-file")
    if default and not virtual:
        raise ValueError("--default needs --virtual or --playback")
    if stems and (playback or input_file is not None):
        raise ValueError("--stems takes neither --playback nor --input-file")
    if virtual and input_file is not None:
        raise ValueError(f"--virtual takes no --input-file (given: {input_file})")
    way, taken_up = ("playback", "input") if playback else ("virtual", "output")
    if virtual and taken_up in of_devices:
        raise ValueError(f"--{way} takes no --{taken_up} (given: {of_devices[taken_up]})")
    for name in of_devices if input_file is not None else ():
        raise ValueError(
            f"--{name.replace('_', '-')} is of devices (given: --input-file {input_file})"
        )


def through_devices(devices: dict[str, Any], run: Run, virtual: bool) -> tuple["Engine", Report]:
    """Through a sound card, or the virtual device that this system can have."""
    virtually = through_virtual if sys.platform == "linux" else through_loopback
    try:
        return virtually(devices, run) if virtual else through_soundcard(devices, run)
    except OSError as error:
        if "no sound card" in str(error):
            raise OSError(f"{error}; {HINT}") from error
        raise


def finish(engine: "Engine", report: Report, as_json: bool) -> None:
    """The last reading of the meters."""
    from rtsep.cli.panel import plain, timing

    meters = engine.meters()
    if as_json:
        told = report | {"rate": engine.rate, "channels": engine.channels, "note": engine.note}
        print(json.dumps(told | {"sources": engine.sources, "meters": asdict(meters)}))
        return
    print(f"{report['seconds']:.1f} s  {plain(meters)}")
    print(timing(meters))


def live(
    model: Models = None,
    keep: Keep = None,
    strength: Strength = None,
    max_attenuation: MaxAttenuation = None,
    noise_floor: NoiseFloor = None,
    latency: Annotated[
        Latency | None, typer.Option(help="low has the shortest delay, high sounds best. [medium]")
    ] = None,
    setting: Settings = None,
    input_: InputDevice = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Output device: index or part of its name.")
    ] = None,
    host_api: Annotated[
        str | None, typer.Option(help="Only devices of this host API, as in jack.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after this many seconds.")] = None,
    blocksize: Annotated[
        int, typer.Option(min=0, help="Samples per block; 0 lets the device choose.")
    ] = 0,
    rate: Annotated[int | None, typer.Option(help="Sample rate in Hz. [the devices' own]")] = None,
    channels: Annotated[
        int | None, typer.Option(help="Channels. [what both devices have, at most 2; --virtual: 1]")
    ] = None,
    clocks: Annotated[
        int | None,
        typer.Option(min=1, max=2, help="1: both devices share a clock; 2: each has its own."),
    ] = None,
    device_latency: Annotated[
        float | None, typer.Option(help="Latency to ask of the devices, in seconds. [their lowest]")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Ask sound servers even for less than 0.03 s.")
    ] = False,
    input_file: Annotated[
        Path | None, typer.Option(help="Recording to play instead of a microphone.")
    ] = None,
    output_file: Annotated[
        Path | None, typer.Option(help="File to write instead of a speaker.")
    ] = None,
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Appear as a microphone to other programs.")
    ] = False,
    playback: Playback = False,
    default: DefaultDevice = False,
    stems: Annotated[
        bool,
        typer.Option("--stems", help="Give each source its own channel and microphone."),
    ] = False,
    always: Annotated[
        bool,
        typer.Option("--always", help="Keep working while nobody records the virtual microphone."),
    ] = False,
    once: Annotated[
        bool,
        typer.Option(
            "--once", help="Exit if the sound device or server goes away; do not wait for it."
        ),
    ] = False,
    preset: PresetName = None,
    midi: MidiPort = None,
    osc: OscPort = None,
    instance: Instance = None,
    log: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Append events as JSON lines; - is standard output."),
    ] = None,
    json_: Json = False,
) -> None:
    """Clean sound as it comes in.  Ctrl-C ends it.

    From a microphone to a speaker, to a virtual microphone (--virtual), or between files.
    """
    if seconds is not None and not 0 < seconds < float("inf"):
        raise ValueError(f"--seconds {seconds:g} is out of range (wanted: over 0)")
    virtual = virtual or playback
    of_devices = given(input=input_, output=output, host_api=host_api, rate=rate,
                       channels=channels, device_latency=device_latency)  # fmt: skip
    refuse_clashes(
        input_file, output_file, of_devices,
        virtual=virtual, playback=playback, default=default, stems=stems,
    )  # fmt: skip
    back = handed_over()
    values = given(strength=strength, max_attenuation=max_attenuation, noise_floor=noise_floor)
    start = starting_preset(
        preset, instance, models=model, keep=keep, latency=latency and latency.value, midi=midi,
        input=input_, output=output, host_api=host_api,
    )  # fmt: skip
    values |= parsed(setting)
    if back:
        instance, seconds = back.instance, back.left
        start, values = as_left(instance, start, values)
    elif instance or input_file is None:
        instance = free_instance(instance)
    with journal(log) as book:
        run = Run(
            engine=engine_arguments(start) | values, preset=start, instance=instance, osc=osc,
            log=book, seconds=seconds, block=blocksize, device_latency=device_latency, force=force,
            back=back, once=once, playback=playback, default=default, always=always, stems=stems,
        )  # fmt: skip
        if input_file is not None:
            engine, report = through_files(input_file, output_file, run)
        else:
            devices = route_arguments(start) | given(rate=rate, channels=channels, clocks=clocks)
            devices |= back.devices if back else {}
            engine, report = through_devices(devices, run, virtual)
    if json_ or log != STANDARD_OUTPUT:
        finish(engine, report, json_)
