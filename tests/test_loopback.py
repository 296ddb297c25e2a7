"""BlackHole and VB-Cable in lists of devices as macOS and Windows give them."""

import sys

import pytest

from rtsep.ports.devices import Device
from rtsep.ports.loopback import LOOPBACKS, Ends, find_ends


def core(index, name, inputs, outputs, default=()):
    return Device(index, name, "Core Audio", inputs, outputs, 48000, api_default=default)


MAC = [
    core(0, "MacBook Pro Microphone", 1, 0, ("input",)),
    core(1, "MacBook Pro Speakers", 0, 2, ("output",)),
    core(2, "BlackHole 16ch", 16, 16),
    core(3, "BlackHole 2ch", 2, 2),
    core(4, "USB Audio", 2, 2),
]


def windows():
    """The same devices four times over, as PortAudio has them; MME cuts names at 31 letters."""
    found = []
    for api in ("MME", "Windows DirectSound", "Windows WASAPI", "Windows WDM-KS"):
        cut = 31 if api == "MME" else 99
        for name, inputs, outputs, default in (
            ("Microphone (Realtek(R) Audio)", 2, 0, ("input",)),
            ("CABLE Output (VB-Audio Virtual Cable)", 2, 0, ()),
            ("Speakers (Realtek(R) Audio)", 0, 2, ("output",)),
            ("CABLE Input (VB-Audio Virtual Cable)", 0, 2, ()),
        ):
            found.append(
                Device(len(found), name[:cut], api, inputs, outputs, 48000, api_default=default)
            )
    return found


CABLE, INTO = "CABLE Output (VB-Audio Virtual Cable)", "CABLE Input (VB-Audio Virtual Cable)"


@pytest.mark.parametrize(
    ("devices", "platform", "how", "ends"),
    [
        (MAC, "darwin", {}, Ends(0, 3, "BlackHole 2ch")),
        (MAC, "darwin", {"wanted": "usb"}, Ends(4, 3, "BlackHole 2ch")),
        (MAC, "darwin", {"channels": 4}, Ends(0, 2, "BlackHole 16ch")),
        (MAC, "darwin", {"playback": True}, Ends(3, 1, "BlackHole 2ch")),
        (MAC, "darwin", {"playback": True, "wanted": 4}, Ends(3, 4, "BlackHole 2ch")),
        (windows(), "win32", {}, Ends(8, 11, CABLE)),
        (windows(), "win32", {"playback": True}, Ends(9, 10, INTO)),
        (windows()[:8], "win32", {}, Ends(4, 7, CABLE)),
        (windows()[:4], "win32", {}, Ends(0, 3, CABLE[:31])),
    ],
)
def test_it_is_found_by_name_and_never_used_for_both_ends(devices, platform, how, ends):
    assert find_ends(devices, platform=platform, **how) == ends


@pytest.mark.parametrize(("devices", "platform"), [(MAC[:2], "darwin"), (windows()[:1], "win32")])
def test_where_it_is_missing_two_lines_install_it(devices, platform):
    with pytest.raises(OSError, match="is not here; it is installed by") as caught:
        find_ends(devices, platform=platform)
    for line in LOOPBACKS[platform].install:
        assert line in str(caught.value)


def test_the_other_end_must_be_there():
    with pytest.raises(OSError, match="finds no input device"):
        find_ends(MAC[1:4], platform="darwin")
    with pytest.raises(ValueError, match="no input device 'usb x'"):
        find_ends(MAC, "usb x", platform="darwin")
    with pytest.raises(OSError, match="no virtual device is known for sunos"):
        find_ends(MAC, platform="sunos")


def test_live_says_so_in_one_line(monkeypatch, capsys, own_folders):
    """`rtsep live --virtual` on a Mac whose PortAudio lists no loopback."""
    from rtsep.cli import main
    from rtsep.ports import portaudio

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(portaudio, "devices", lambda: MAC[:2])
    monkeypatch.setattr(sys, "argv", ["rtsep", "live", "--virtual", "-m", "bypass"])
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "brew install blackhole-2ch ; sudo killall coreaudiod" in line
