"""`rtsep live`: from the microphone to the speaker, or from a recording to a file."""

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtsep.cli.journal import STANDARD_OUTPUT, journal, written
from rtsep.cli.options import (
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
    make_engine,
    parsed,
    refuse_pipe,
    say,
)
from rtsep.cli.returning import Return, again, patient, taken
from rtsep.cli.route import (
    PLUGIN,
    PLUGIN_MISSING,
    DefaultDevice,
    Playback,
    devices_for,
    named,
    resting,
)
from rtsep.cli.serving import free_instance, made_of, routed, starting

if TYPE_CHECKING:
    from rtsep.cli.panel import Tell
    from rtsep.control.desk import Desk
    from rtsep.engine.engine import Engine
    from rtsep.ports.portaudio import Route

GLANCE, SELDOM = 0.1, 1.0  # seconds between two looks at the meters; while nothing runs
HINT = "without one, try: rtsep live --input-file NOISY.wav --output-file CLEAN.wav"


@contextmanager
def ended_by_signals() -> Iterator[threading.Event]:
    """Set by Ctrl-C and by SIGTERM, the normal ends of a live stream."""
    stop = threading.Event()
    names = (signal.SIGINT, signal.SIGTERM)
    before = {name: signal.signal(name, lambda *_: stop.set()) for name in names}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextmanager
def watched(
    engine: "Engine", desk: "Desk", way: str, how: dict[str, Any], lost: int = 0
) -> Iterator["Tell"]:
    """The panel and the log, told together."""
    from rtsep.cli.panel import shown

    with (
        written(how["log"], engine, desk, way, lost) as note,
        shown(engine, desk, way, lost) as tell,
    ):  # fmt: skip

        def both(seconds: float, total: float | None) -> None:
            tell(seconds, total)
            note()

        yield both


def through_files(
    source: Path, target: Path | None, arguments: dict[str, Any], how: dict[str, Any]
) -> tuple["Engine", dict[str, Any]]:
    """A recording as the microphone, a file as the speaker, in real time."""
    from rtsep.cli.serving import served
    from rtsep.ports import live as embedded
    from rtsep.ports import recordings

    recording = recordings.examine(source)
    block = how["block"] or 480
    engine = make_engine(
        rate=recording.rate, channels=recording.channels, max_block=block, **arguments
    )
    say(f"no sound card in use: {source} is the microphone, {target or 'nothing'} the speaker")
    way = f"{source.name} to {target.name if target else 'nothing'}"
    with (
        ended_by_signals() as stop, served(engine, **how["control"]) as desk,
        watched(engine, desk, way, how) as tell,
    ):  # fmt: skip
        played = embedded.play(
            recording, target, engine, block=block, seconds=how["seconds"],
            tell=tell, stop=stop,
        )  # fmt: skip
    return engine, asdict(played) | {"input": str(source), "output": target and str(target)}


def through_soundcard(
    devices: dict[str, Any], arguments: dict[str, Any], how: dict[str, Any]
) -> tuple["Engine", dict[str, Any]]:
    """From the input device to the output device until it is ended."""
    from rtsep.cli.serving import served
    from rtsep.ports import jack
    from rtsep.ports.portaudio import find_route, name_client
    from rtsep.ports.soundcard import SoundcardStream, SoundServerLost

    name_client(jack.client_name(how["control"]["instance"]))
    with patient(how["back"]):
        route = find_route(**devices)
    engine = make_engine(
        rate=route.rate, channels=route.channels, max_block=how["block"] or None, **arguments
    )
    engine.stems = len(engine.sources) if how["stems"] else 0
    with patient(how["back"]):
        stream = SoundcardStream(
            engine, route, block=how["block"], latency=how["device_latency"], force=how["force"]
        )
        stream.start()
    times = how["back"].times if how["back"] else 0
    begin = time.monotonic()
    end = begin + how["seconds"] if how["seconds"] is not None else float("inf")
    try:
        with (
            ended_by_signals() as stop, engine.seal(), closing(stream),
            ports_named(route, engine), how.get("resting", nullcontext)(stream),
            served(engine, **how["control"]) as desk,
            watched(engine, desk, how.get("way") or str(route), how, times) as tell,
        ):  # fmt: skip
            say(f"from {route}")
            while not stop.is_set() and (left := end - time.monotonic()) > 0:
                stop.wait(min(SELDOM if stream.stopped else GLANCE, left))
                stream.check()
                tell(time.monotonic() - begin, how["seconds"])
            latency = stream.device_latency
    except SoundServerLost as lost:
        if how["once"] or end <= time.monotonic():
            raise
        how["log"].write("lost", error=str(lost))
        say(f"{lost}; waiting for it")
        left_over = None if how["seconds"] is None else end - time.monotonic()
        again(wanted_again(route, how, left_over))
    report = {"input": route.source.name, "output": route.sink.name, "device_latency": latency}
    return engine, report | {"seconds": time.monotonic() - begin, "lost": times}


def ports_named(route: "Route", engine: "Engine") -> AbstractContextManager[None]:
    """JACK's ports by number or source, connected again when their other ends come back."""
    from rtsep.ports import jack

    numbers = range(1, route.channels + 1)
    inputs = [f"input_{i}" for i in numbers]
    outputs = [f"output_{i}" for i in numbers]
    if engine.stems:
        ends = [f"_{i}" for i in numbers] if route.channels > 1 else [""]
        outputs = [f"output_{name}{end}" for name in engine.sources for end in ends]
    return jack.patched(route.source.host_api, inputs, outputs)


def wanted_again(route: "Route", how: dict[str, Any], left: float | None) -> Return:
    """The same devices, by name."""
    names: dict[str, Any] = {"source": route.source.name, "sink": route.sink.name}
    if route.source.host_api == route.sink.host_api:
        names["host_api"] = route.source.host_api
    names = how.get("names") or names
    times = how["back"].times + 1 if how["back"] else 1
    return Return(how["control"]["instance"], names, left, times)


def through_virtual(
    devices: dict[str, Any], arguments: dict[str, Any], how: dict[str, Any]
) -> tuple["Engine", dict[str, Any]]:
    """From the microphone into a virtual one, or from a virtual speaker to the real one."""
    from rtsep.engine.models import sources_of
    from rtsep.ports.virtual import RATE

    device = named(how["control"]["instance"], how["playback"])
    end = "sink" if how["playback"] else "source"
    wanted = devices.pop(end, None)
    channels = devices.setdefault("channels", 1)
    devices.setdefault("rate", RATE)
    with ExitStack() as stack:
        with patient(how["back"]):
            stems = sources_of(arguments["models"]) if how["stems"] else ()
            real = stack.enter_context(devices_for(device, wanted, channels, how["default"], stems))
        how["names"] = {end: real}
        if not (how["playback"] or how["always"]):
            how["resting"] = partial(resting, device, stems)
        ends = (device.title, real) if how["playback"] else (real, device.title)
        how["way"] = " to ".join(ends)
        try:
            engine, report = through_soundcard(devices | PLUGIN, arguments, how)
        except ValueError as error:
            if repr(PLUGIN["source"]) in str(error) or "host API" in str(error):
                raise OSError(PLUGIN_MISSING) from error
            raise
    return engine, report | {"virtual": device.name}


def through_loopback(
    devices: dict[str, Any], arguments: dict[str, Any], how: dict[str, Any]
) -> tuple["Engine", dict[str, Any]]:
    """As `through_virtual`, by the virtual device that macOS or Windows has from others."""
    from rtsep.ports.loopback import find_ends
    from rtsep.ports.portaudio import devices as here

    wanted = devices.pop("sink" if how["playback"] else "source", None)
    channels = devices.setdefault("channels", 1)
    ends = find_ends(here(), wanted, playback=how["playback"], channels=channels)
    say(f"programs find it as {ends.title!r}")
    if how["default"]:
        say("--default: choose it in the system's own settings of sound")
    found = {"source": ends.source, "sink": ends.sink}
    engine, report = through_soundcard(devices | found, arguments, how)
    return engine, report | {"virtual": ends.title}


def finish(engine: "Engine", report: dict[str, Any], as_json: bool) -> None:
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
    latency: Annotated[Latency | None, typer.Option(help="Shorter is sooner. [low]")] = None,
    setting: Settings = None,
    input_: Annotated[
        str | None, typer.Option("--input", "-i", help="Device: index or part of its name.")
    ] = None,
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
    refuse_pipe(output_file)
    if output_file is not None and input_file is None:
        raise ValueError(f"--output-file {output_file} needs an --input-file")
    virtual = virtual or playback
    if default and not virtual:
        raise ValueError("--default needs --virtual or --playback")
    if stems and (playback or input_file is not None):
        raise ValueError("--stems takes neither --playback nor --input-file")
    if virtual and input_file is not None:
        raise ValueError(f"--virtual takes no --input-file (given: {input_file})")
    of_devices = given(input=input_, output=output, host_api=host_api, rate=rate,
                       channels=channels, device_latency=device_latency)  # fmt: skip
    for name in of_devices if input_file is not None else ():
        raise ValueError(
            f"--{name.replace('_', '-')} is of devices (given: --input-file {input_file})"
        )
    back = taken()
    values = given(strength=strength, max_attenuation=max_attenuation, noise_floor=noise_floor)
    start = starting(
        preset, instance, models=model, keep=keep, latency=latency and latency.value, midi=midi,
        input=input_, output=output, host_api=host_api,
    )  # fmt: skip
    values |= parsed(setting)
    if back:
        start, values, seconds = starting("last", back.instance), {}, back.left
    elif input_file is None:
        instance = instance or free_instance()
    arguments = made_of(start) | values
    control = {"preset": start, "instance": back.instance if back else instance, "osc": osc}
    how: dict[str, Any] = {"block": blocksize, "seconds": seconds, "control": control}
    how |= {"back": back, "once": once}
    how |= {"device_latency": device_latency, "force": force}
    how |= {"playback": playback, "default": default, "stems": stems, "always": always}
    with journal(log) as how["log"]:
        if input_file is not None:
            engine, report = through_files(input_file, output_file, arguments, how)
        else:
            devices = routed(start) | given(rate=rate, channels=channels, clocks=clocks)
            devices |= back.devices if back else {}
            try:
                through = through_soundcard
                if virtual:
                    through = through_virtual if sys.platform == "linux" else through_loopback
                engine, report = through(devices, arguments, how)
            except OSError as error:
                if "no sound card" in str(error):
                    raise OSError(f"{error}; {HINT}") from error
                raise
    if json_ or log != STANDARD_OUTPUT:
        finish(engine, report, json_)
