"""PortAudio through sounddevice: what devices there are, and streams with a compiled callback.

The only importer of sounddevice, and only once a device is wanted.
"""

import atexit
import ctypes
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsep.ports import devices as choice
from rtsep.ports import jack, virtual
from rtsep.ports.devices import INPUT, OUTPUT, Device

if TYPE_CHECKING:
    from rtsep.engine.engine import Engine

PLUGIN_LATENCY = 0.03  # seconds; below, PulseAudio underruns and may lose the stream's thread


@dataclass(frozen=True)
class Route:
    """From which device to which, at what rate in Hz, with how many channels each way.

    clocks : 1 where both devices keep time together, else 2.
    """

    source: Device
    sink: Device
    rate: int
    channels: int
    clocks: int = 1

    def __str__(self) -> str:
        own = ", each on its own clock" if self.clocks == 2 else ""
        return f"{self.source} to {self.sink}, {self.rate} Hz, {self.channels} channels{own}"


def _prefer_pipewire() -> None:
    """Where PipeWire runs, take its JACK library for PortAudio's.

    Its microphones and virtual ones then are devices of the JACK host API, with 5 ms of latency
    instead of the 20 to 50 of its PulseAudio side. Whoever names a JACK server gets that one.
    """
    folder = os.environ.get("PIPEWIRE_RUNTIME_DIR") or os.environ.get("XDG_RUNTIME_DIR", "")
    if "JACK_DEFAULT_SERVER" in os.environ or not Path(folder, "pipewire-0").is_socket():
        return
    for library in Path("/usr/lib").glob("*/pipewire-0.3/jack/libjack.so.0"):
        with suppress(OSError):  # of another processor
            ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)


def name_client(name: str) -> None:
    """What to be called in JACK; before PortAudio starts, which then has the right library."""
    _prefer_pipewire()
    jack.name_client(name)


@cache
def sounddevice() -> Any:
    """The sounddevice module; OSError in one line if it or its library is missing."""
    _prefer_pipewire()
    try:
        import sounddevice as module
    except ImportError as error:
        raise OSError("sounddevice is missing: pip install sounddevice") from error
    except OSError as error:
        raise OSError("PortAudio is missing: apt install libportaudio2") from error
    except Exception as error:  # its own error class cannot be named before the import
        raise OSError(f"PortAudio does not start: {error}") from error
    if sys.platform == "linux":  # where JACK and PulseAudio are
        atexit.register(_let_be, module)
    return module


def _let_be(sd: Any) -> None:
    """At exit PortAudio is left as it is: the system closes what it had open.

    To end it would wait for ever for a PulseAudio that died, and abort or crash where JACK is gone
    or has dropped us; to ask JACK whether it still lives can hang as well.  sounddevice ends
    PortAudio at exit; told that there is nothing to end, it does not.  Then JACK's thread calls
    PortAudio to the last, so its code must not be unloaded, as cffi would do.
    """
    ctypes.CDLL(sd._libname, os.RTLD_NOW | os.RTLD_NODELETE)
    sd._initialized = 0


def devices() -> list[Device]:
    """Every device that PortAudio sees now, of all host APIs."""
    sd = sounddevice()
    apis = sd.query_hostapis()
    infos = sd.query_devices()
    system = sd.default.hostapi if len(infos) else -1

    def described(info: dict[str, Any]) -> Device:
        api = apis[info["hostapi"]]
        here = tuple(d for d in (INPUT, OUTPUT) if api[f"default_{d}_device"] == info["index"])
        return Device(
            index=info["index"],
            name=info["name"],
            host_api=api["name"],
            inputs=info["max_input_channels"],
            outputs=info["max_output_channels"],
            rate=round(info["default_samplerate"]),
            low_latency=(info["default_low_input_latency"], info["default_low_output_latency"]),
            default=here if info["hostapi"] == system else (),
            api_default=here,
        )

    return [described(info) for info in infos]


def find_route(
    source: str | int | None = None,
    sink: str | int | None = None,
    *,
    rate: int | None = None,
    channels: int | None = None,
    host_api: str | None = None,
    clocks: int | None = None,
) -> Route:
    """Two devices, by index, name or part of a name, that agree on a rate; None is the default.

    clocks : 1 or 2; by what is known of the devices unless given.
    """
    found = devices()
    i = choice.choose(found, source, INPUT, host_api)
    o = choice.choose(found, sink, OUTPUT, host_api)
    many = clocks or choice.clocks_of(i, o, virtual.answers)
    return Route(i, o, choice.agreed_rate(i, o, rate), choice.agreed_channels(i, o, channels), many)


def asked_latency(route: Route, seconds: float | None, force: bool) -> tuple[float, float]:
    """Latency to ask of each device: its lowest, or `seconds`; never under what a plugin bears."""

    def one(device: Device, low: float) -> float:
        asked = low if seconds is None else seconds
        return max(asked, PLUGIN_LATENCY) if device.is_plugin and not force else asked

    low, _ = route.source.low_latency
    _, low_out = route.sink.low_latency
    return one(route.source, low), one(route.sink, low_out)


def played_channels(engine: "Engine", route: Route) -> int:
    """How many channels an engine plays; ValueError where the output has not so many."""
    wide = route.channels * max(engine.stems, 1)
    if wide > route.sink.outputs:
        raise ValueError(
            f"stems take {wide} channels; output {route.sink} has {route.sink.outputs}"
        )
    return wide


def open_stream(engine: "Engine", route: Route, block: int, latency: tuple[float, float]) -> Any:
    """Open a stream that calls the engine; the caller keeps the engine as long as it is open."""
    sd, wide = sounddevice(), played_channels(engine, route)
    try:
        # Clipping stays on: where PortAudio converts to integers, a sample over full scale would
        # otherwise wrap around.
        return sd._StreamBase(
            kind="duplex",
            samplerate=route.rate,
            blocksize=block,
            device=(route.source.index, route.sink.index),
            channels=(route.channels, wide),
            dtype="float32",
            latency=latency,
            dither_off=True,
            callback=sd._ffi.cast("PaStreamCallback*", engine.callback.address),
            userdata=sd._ffi.cast("void*", engine.address),
        )
    except sd.PortAudioError as error:
        raise OSError(f"{route} cannot be opened: {reason(error)}") from error


def reason(error: Exception) -> str:
    """PortAudio's own words."""
    return str(error.args[0]).removeprefix("Error opening _StreamBase: ")
