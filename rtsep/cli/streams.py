"""What `rtsep live` runs: a stream between files, sound devices, or virtual ones."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsep.cli.ctrl_c import ended_by_signals
from rtsep.cli.journal import Journal, written
from rtsep.cli.options import make_engine, say
from rtsep.cli.returning import Return, patient, run_again
from rtsep.cli.route import PLUGIN, PLUGIN_MISSING, devices_for, heeding, named
from rtsep.cli.serving import served

if TYPE_CHECKING:
    from rtsep.cli.panel import Tell
    from rtsep.control.desk import Change, Desk
    from rtsep.control.presets import Preset
    from rtsep.engine.engine import Engine
    from rtsep.ports.portaudio import Route
    from rtsep.ports.soundcard import SoundcardStream

GLANCE, SELDOM = 0.1, 1.0  # seconds between two looks at the meters; while nothing runs
Report = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """How a stream runs, whatever its ends are.

    engine : arguments of `make_engine`, but those that the ends decide.  preset, instance, osc :
    see `serving.served`.  seconds : until it ends by itself.  block : samples, 0 leaves it to the
    device.  device_latency : s to ask of devices.  force : ask for less than is wise.  back : what
    the run before has left, after the sound went away.  once : do not wait for it to come back.
    playback, default, always : of virtual devices.  stems : a channel for each source.
    """

    engine: dict[str, Any]
    preset: "Preset"
    instance: str | None
    osc: str | None
    log: Journal
    seconds: float | None
    block: int
    device_latency: float | None
    force: bool
    back: Return | None
    once: bool
    playback: bool
    default: bool
    always: bool
    stems: bool

    @property
    def lost(self) -> int:
        """How often the sound went away so far."""
        return self.back.times if self.back else 0


@contextmanager
def watched(engine: "Engine", desk: "Desk", way: str, log: Journal, lost: int) -> Iterator["Tell"]:
    """The panel and the log, told together."""
    from rtsep.cli.panel import shown

    with written(log, engine, desk, way, lost) as note, shown(engine, desk, way, lost) as tell:

        def both(seconds: float, total: float | None) -> None:
            tell(seconds, total)
            note()

        yield both


@contextmanager
def stems_told(engine: "Engine", desk: "Desk") -> Iterator[None]:
    """Say so where other sources take the channels of those that gave them their names."""
    names = told = engine.sources

    def hear(change: "Change") -> None:
        nonlocal told
        if engine.stems and engine.sources != told:
            told = engine.sources
            left = ", ".join(told[engine.stems :])
            beyond = f"; no channel has {left}" if left else ""
            say(f"channels keep their names: {', '.join(names)} have {', '.join(told)}{beyond}")

    deaf = desk.listen(hear)
    try:
        yield
    finally:
        deaf()


def through_files(source: Path, target: Path | None, run: Run) -> tuple["Engine", Report]:
    """A recording as the microphone, a file as the speaker, in real time."""
    from rtsep.ports import recordings

    recording = recordings.examine(source)
    block = run.block or 480
    engine = make_engine(
        rate=recording.rate, channels=recording.channels, max_block=block, **run.engine
    )
    from rtsep.ports import live  # loads the kernels

    say(f"no sound card in use: {source} is the microphone, {target or 'nothing'} the speaker")
    way = f"{source.name} to {target.name if target else 'nothing'}"
    with (
        ended_by_signals() as stop, served(engine, run.preset, run.instance, run.osc) as desk,
        watched(engine, desk, way, run.log, run.lost) as tell,
    ):  # fmt: skip
        played = live.play(
            recording, target, engine,
            block=block, seconds=run.seconds, tell=tell, ended=stop.is_set,
        )  # fmt: skip
    return engine, asdict(played) | {"input": str(source), "output": target and str(target)}


def through_soundcard(
    devices: dict[str, Any],
    run: Run,
    *,
    names: dict[str, str] | None = None,
    way: str = "",
    beside: Callable[["SoundcardStream"], AbstractContextManager[Any]] = nullcontext,
) -> tuple["Engine", Report]:
    """From the input device to the output device until it is ended.

    devices : arguments of `find_route`.  names, way : of the devices that people know, where they
    are others.  beside : what is held open beside the stream.
    """
    from rtsep.ports import jack
    from rtsep.ports.portaudio import find_route, name_client

    name_client(jack.client_name(run.instance))
    with patient(run.back):
        route = find_route(**devices)
    engine = make_engine(
        rate=route.rate, channels=route.channels, max_block=run.block or None, **run.engine
    )
    from rtsep.ports.soundcard import SoundcardStream, SoundServerLost  # loads the kernels

    engine.stems = len(engine.sources) if run.stems else 0
    with patient(run.back):
        stream = SoundcardStream(
            engine, route, block=run.block, latency=run.device_latency, force=run.force
        )
        stream.start()
    begin = time.monotonic()
    end = begin + run.seconds if run.seconds is not None else float("inf")
    try:
        with (
            ended_by_signals() as stop, engine.seal(), closing(stream),
            ports_named(route, engine), beside(stream),
            served(engine, run.preset, run.instance, run.osc) as desk,
            stems_told(engine, desk),
            watched(engine, desk, way or str(route), run.log, run.lost) as tell,
        ):  # fmt: skip
            say(f"from {route}")
            while not stop.is_set() and (left := end - time.monotonic()) > 0:
                stop.wait(min(SELDOM if stream.stopped else GLANCE, left))
                stream.check()
                tell(time.monotonic() - begin, run.seconds)
            latency = stream.device_latency
    except SoundServerLost as lost:
        if run.once or end <= time.monotonic():
            raise
        run.log.write("lost", error=str(lost))
        say(f"{lost}; waiting for it")
        left_over = None if run.seconds is None else end - time.monotonic()
        run_again(Return(run.instance, names or names_of(route), left_over, run.lost + 1))
    report = {"input": route.source.name, "output": route.sink.name, "device_latency": latency}
    return engine, report | {"seconds": time.monotonic() - begin, "lost": run.lost}


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


def names_of(route: "Route") -> dict[str, str]:
    """The devices by name, as arguments of `find_route`."""
    names = {"source": route.source.name, "sink": route.sink.name}
    if route.source.host_api == route.sink.host_api:
        names["host_api"] = route.source.host_api
    return names


def through_virtual(devices: dict[str, Any], run: Run) -> tuple["Engine", Report]:
    """From the microphone into a virtual one, or from a virtual speaker to the real one."""
    from rtsep.engine.models import sources_of
    from rtsep.ports.virtual import RATE

    device = named(run.instance, run.playback)
    end = "sink" if run.playback else "source"
    wanted = devices.pop(end, None)
    channels = devices.setdefault("channels", 1)
    devices.setdefault("rate", RATE)
    with ExitStack() as stack:
        with patient(run.back):
            stems = sources_of(run.engine["models"]) if run.stems else ()
            real = stack.enter_context(devices_for(device, wanted, channels, run.default, stems))
        ends = (device.title, real) if run.playback else (real, device.title)
        always = run.playback or run.always
        try:
            engine, report = through_soundcard(
                devices | PLUGIN, run, names={end: real}, way=" to ".join(ends),
                beside=partial(heeding, device, stems, real, always, run.once),
            )  # fmt: skip
        except ValueError as error:
            if repr(PLUGIN["source"]) in str(error) or "host API" in str(error):
                raise OSError(PLUGIN_MISSING) from error
            raise
    return engine, report | {"virtual": device.name}


def through_loopback(devices: dict[str, Any], run: Run) -> tuple["Engine", Report]:
    """As `through_virtual`, by the virtual device that macOS or Windows has from others."""
    from rtsep.ports.loopback import find_ends
    from rtsep.ports.portaudio import devices as here

    wanted = devices.pop("sink" if run.playback else "source", None)
    channels = devices.setdefault("channels", 1)
    ends = find_ends(here(), wanted, playback=run.playback, channels=channels)
    say(f"programs find it as {ends.title!r}")
    if run.default:
        say("--default: choose it in the system's own settings of sound")
    found = {"source": ends.source, "sink": ends.sink}
    engine, report = through_soundcard(devices | found, run)
    return engine, report | {"virtual": ends.title}
