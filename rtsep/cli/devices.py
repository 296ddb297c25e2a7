"""`rtsep devices`: what PortAudio sees."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rtsep.cli.options import Json, say

if TYPE_CHECKING:
    from rtsep.ports.devices import Device

NONE = "no sound card: PortAudio finds no device"


def line(device: "Device") -> str:
    channels = f"{device.inputs} in, {device.outputs} out"
    words = [f"{device.index:3} {device.name}", device.host_api, channels, f"{device.rate} Hz"]
    if device.default:
        words.append(f"default {' and '.join(device.default)}")
    return "  ".join(words)


def devices(json_: Json = False) -> None:
    """List the sound devices.  With index, name, host API, channels and rate."""
    from rtsep.ports.portaudio import devices as find

    found = find()
    if json_:
        print(json.dumps([asdict(device) for device in found]))
        if not found:
            say(NONE)
        return
    if not found:
        raise OSError(NONE)
    for device in found:
        print(line(device))
