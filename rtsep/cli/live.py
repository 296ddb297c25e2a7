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
from rtsep.cli.returning import taken
from rtsep.cli.route import DefaultDevice, Playback
from rtsep.cli.serving import as_left, free_instance, made_of, routed, starting
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
    latency: Annotated[Latency | None, typer.Option(help="Shorter is sooner. [medium]")] = None,
    setting: Settings = None,
    input_: InputDevice = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Device: index or part of its name.")
    ] = None,
    host_api: Annotated[str | None, typer.Option(help="As in --host-api jack.")] = None,
    seconds: Annotated[float | None, typer.Option(help="End by itself after so long.")] = None,
    blocksize: Annotated[
        int, typer.Option(min=0, help="Samples a block; 0 leaves it to the device.")
    ] = 0,
    rate: Annotated[int | None, typer.Option(help="Hz; the device's own otherwise.")] = None,
    channels: Annotated[int | None, typer.Option(help="At most what both devices have.")] = None,
    clocks: Annotated[
        int | None, typer.Option(min=1, max=2, help="1: both devices keep time together; 2: not.")
    ] = None,
    device_latency: Annotated[
        float | None, typer.Option(help="Seconds to ask of the devices; their least otherwise.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Ask sound servers for less than 0.03 s too.")
    ] = False,
    input_file: Annotated[
        Path | None, typer.Option(help="A recording instead of a microphone.")
    ] = None,
    output_file: Annotated[Path | None, typer.Option(help="A file instead of a speaker.")] = None,
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Be a microphone for other programs.")
    ] = False,
    playback: Playback = False,
    default: DefaultDevice = False,
    stems: Annotated[
        bool,
        typer.Option("--stems", help="A channel and a microphone for each source."),
    ] = False,
    always: Annotated[
        bool, typer.Option("--always", help="Also while nobody records the virtual microphone.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="End where the sound goes away, do not wait for it.")
    ] = False,
    preset: PresetName = None,
    midi: MidiPort = None,
    osc: OscPort = None,
    instance: Instance = None,
    log: Annotated[
        str | None, typer.Option(metavar="FILE", help="Append what happens as JSON lines; -: here.")
    ] = None,
    json_: Json = False,
) -> None:
    """Keep what is wanted of the sound from the microphone, as it comes in.  Ctrl-C ends it."""
    if seconds is not None and seconds <= 0:
        raise ValueError(f"--seconds {seconds:g} is not positive")
    virtual = virtual or playback
    of_devices = given(input=input_, output=output, host_api=host_api, rate=rate,
                       channels=channels, device_latency=device_latency)  # fmt: skip
    refuse_clashes(
        input_file, output_file, of_devices,
        virtual=virtual, playback=playback, default=default, stems=stems,
    )  # fmt: skip
    back = taken()
    values = given(strength=strength, max_attenuation=max_attenuation, noise_floor=noise_floor)
    start = starting(
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
            engine=made_of(start) | values, preset=start, instance=instance, osc=osc, log=book,
            seconds=seconds, block=blocksize, device_latency=device_latency, force=force,
            back=back, once=once, playback=playback, default=default, always=always, stems=stems,
        )  # fmt: skip
        if input_file is not None:
            engine, report = through_files(input_file, output_file, run)
        else:
            devices = routed(start) | given(rate=rate, channels=channels, clocks=clocks)
            devices |= back.devices if back else {}
            engine, report = through_devices(devices, run, virtual)
    if json_ or log != STANDARD_OUTPUT:
        finish(engine, report, json_)
