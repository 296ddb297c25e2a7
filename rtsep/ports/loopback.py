"""Virtual devices that others make: BlackHole on macOS, VB-Cable on Windows, found by name.

rtsep plays into one end, and programs record from the other; or the other way round to clean what
is heard.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rtsep.ports.devices import INPUT, OUTPUT, Device, choose


@dataclass(frozen=True)
class Loopback:
    """plays, records : what its two ends are called.  host_apis : the best first.

    install : the two lines that install it.
    """

    name: str
    plays: str
    records: str
    host_apis: tuple[str, ...]
    install: tuple[str, str]


LOOPBACKS = {
    "darwin": Loopback(
        "BlackHole", "BlackHole", "BlackHole", ("Core Audio",),
        ("brew install blackhole-2ch", "sudo killall coreaudiod"),
    ),
    "win32": Loopback(
        "VB-Cable", "CABLE Input", "CABLE Output",
        ("Windows WASAPI", "Windows DirectSound", "MME"),
        ("choco install vb-cable", "shutdown /r /t 0"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Ends:
    """Indices of the devices that a stream runs between, and what programs are to choose."""

    source: int
    sink: int
    title: str


def missing(loopback: Loopback) -> str:
    first, second = loopback.install
    return f"{loopback.name} is not here; it is installed by these two lines: {first} ; {second}"


def _rank(loopback: Loopback, device: Device, direction: str, channels: int) -> tuple[int, int]:
    """The best host API first, then the fewest channels that are enough."""
    apis = loopback.host_apis
    api = apis.index(device.host_api) if device.host_api in apis else len(apis)
    surplus = device.channels(direction) - channels
    return api, surplus if surplus >= 0 else 1000 - surplus


def _ours(
    devices: Sequence[Device], loopback: Loopback, direction: str, channels: int
) -> list[Device]:
    """The loopback's ends of one direction, the best first."""
    name = loopback.plays if direction == OUTPUT else loopback.records
    found = [
        each
        for each in devices
        if name.lower() in each.name.lower() and each.channels(direction) > 0
    ]
    return sorted(found, key=lambda each: _rank(loopback, each, direction, channels))


def _others(devices: Sequence[Device], loopback: Loopback) -> list[Device]:
    names = (loopback.plays.lower(), loopback.records.lower())
    return [each for each in devices if not any(name in each.name.lower() for name in names)]


def find_ends(
    devices: Sequence[Device],
    wanted: str | int | None = None,
    *,
    playback: bool = False,
    channels: int = 1,
    platform: str | None = None,
) -> Ends:
    """From the microphone into the loopback; with `playback` from the loopback to the speaker.

    wanted : the real device by index or part of its name, else the default of its host API.
    OSError where there is no loopback, with the lines that install it.
    """
    platform = platform or sys.platform
    if platform not in LOOPBACKS:
        raise OSError(f"no virtual device is known for {platform}")
    loopback = LOOPBACKS[platform]
    direction, real = (INPUT, OUTPUT) if playback else (OUTPUT, INPUT)
    found = _ours(devices, loopback, direction, channels)
    if not found:
        raise OSError(missing(loopback))
    end = found[0]
    other = choose(_others(devices, loopback), wanted, real, end.host_api)
    seen = _ours(devices, loopback, real, channels)
    title = next((each.name for each in seen if each.host_api == end.host_api), loopback.name)
    source, sink = (end, other) if playback else (other, end)
    return Ends(source.index, sink.index, title)
