"""Sound devices as values, and the choice among them."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

INPUT, OUTPUT = "input", "output"


@dataclass(frozen=True)
class Device:
    """One device of one host API.

    inputs, outputs : channels.  rate : Hz, its own.  low_latency : s, in and out.
    default : the directions for which the system takes it when none is named.
    api_default : the same within its host API.
    """

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    rate: int
    low_latency: tuple[float, float] = (0.0, 0.0)
    default: tuple[str, ...] = ()
    api_default: tuple[str, ...] = ()

    def channels(self, direction: str) -> int:
        return self.inputs if direction == INPUT else self.outputs

    @property
    def is_plugin(self) -> bool:
        """Whether it is an ALSA plugin (pulse, pipewire, default) in front of a sound server."""
        return self.host_api == "ALSA" and "hw:" not in self.name

    def __str__(self) -> str:
        return f"{self.index} {self.name!r} ({self.host_api})"


def _listed(devices: Sequence[Device]) -> str:
    return ", ".join(map(str, devices))


def of_host_api(devices: Sequence[Device], host_api: str | None) -> list[Device]:
    """The devices of a host API, named in part."""
    if host_api is None:
        return list(devices)
    names = sorted({device.host_api for device in devices})
    found = [device for device in devices if host_api.lower() in device.host_api.lower()]
    if not found:
        raise ValueError(f"no host API {host_api!r} here (there is: {', '.join(names) or 'none'})")
    return found


def _default(devices: Sequence[Device], direction: str, host_api: str | None) -> Device:
    for device in devices:
        if direction in (device.default if host_api is None else device.api_default):
            return device
    return devices[0]


def _by_index(devices: Sequence[Device], index: int, direction: str) -> Device:
    for device in devices:
        if device.index == index:
            return device
    indices = ", ".join(str(device.index) for device in devices)
    raise ValueError(f"no {direction} device {index} (there is: {indices})")


def _by_name(devices: Sequence[Device], name: str, direction: str) -> Device:
    exact = [device for device in devices if device.name.lower() == name.lower()]
    found = exact or [device for device in devices if name.lower() in device.name.lower()]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"{direction} device {name!r} could be {_listed(found)}")
    names = [device.name for device in devices]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[:3]
    raise ValueError(f"no {direction} device {name!r} (nearest: {', '.join(map(repr, near))})")


def choose(
    devices: Sequence[Device],
    wanted: str | int | None,
    direction: str,
    host_api: str | None = None,
) -> Device:
    """The device for "input" or "output" by index, by name or part of one, or the default.

    OSError if there is none at all; ValueError lists what a name could mean or what is near.
    """
    able = [d for d in of_host_api(devices, host_api) if d.channels(direction) > 0]
    if not able:
        raise OSError(f"no sound card: PortAudio finds no {direction} device")
    if wanted is None:
        return _default(able, direction, host_api)
    if isinstance(wanted, int) or wanted.isdecimal():
        return _by_index(able, int(wanted), direction)
    return _by_name(able, wanted, direction)


def agreed_rate(source: Device, sink: Device, wanted: int | None) -> int:
    """Rate in Hz of a stream through two devices: the one wanted, or the one they share."""
    if wanted is not None:
        return wanted
    if source.rate != sink.rate:
        raise ValueError(
            f"input {source} runs at {source.rate} Hz, output {sink} at {sink.rate} Hz: "
            "set one rate for both"
        )
    return source.rate


def agreed_channels(source: Device, sink: Device, wanted: int | None) -> int:
    """Channels of a stream through two devices: what is wanted, or what both have, at most two."""
    most = min(source.inputs, sink.outputs)
    if wanted is None:
        return min(most, 2)
    if not 1 <= wanted <= most:
        raise ValueError(
            f"{wanted} channels are asked for; input {source} has {source.inputs}, "
            f"output {sink} has {sink.outputs}"
        )
    return wanted


def clocks_of(source: Device, sink: Device, server: Callable[[], bool] = lambda: False) -> int:
    """How many clocks two devices run on: JACK's share one, and a device has one both ways.

    server : whether a sound server is behind plugins.  It may lead to two cards; and PortAudio's
    stream both ways takes no more sound than there is room for: what has piled up before it once
    stays its delay, and while it waits for room it may do so in a busy loop.
    """
    if "JACK" in source.host_api and "JACK" in sink.host_api:
        return 1
    if source.index != sink.index or (source.is_plugin and server()):
        return 2
    return 1
