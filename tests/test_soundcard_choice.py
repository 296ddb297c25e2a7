"""Which device is meant, and what two of them agree on."""

import pytest

from rtsep.ports.devices import INPUT, OUTPUT, Device, agreed_channels, agreed_rate, choose
from rtsep.ports.portaudio import PLUGIN_LATENCY, Route, asked_latency

BOTH = (INPUT, OUTPUT)
MIC = Device(0, "USB Mic (hw:1,0)", "ALSA", 1, 0, 44100, (0.005, 0.006))
CARD = Device(1, "HDA Intel: ALC662 (hw:0,0)", "ALSA", 2, 2, 48000, (0.005, 0.006))
PULSE = Device(2, "pulse", "ALSA", 32, 32, 48000, (0.008, 0.008), BOTH, BOTH)
JACK = Device(3, "system", "JACK Audio Connection Kit", 2, 2, 48000, (0, 0), (), BOTH)
MIXER = Device(4, "USB Mixer", "JACK Audio Connection Kit", 8, 8, 48000)
ALL = [MIC, CARD, PULSE, JACK, MIXER]


@pytest.mark.parametrize(
    ("wanted", "direction", "host_api", "found"),
    [
        (None, INPUT, None, PULSE),
        (None, OUTPUT, "jack", JACK),
        (None, INPUT, "ALSA", PULSE),
        (1, INPUT, None, CARD),
        ("4", OUTPUT, None, MIXER),
        ("hda", OUTPUT, None, CARD),
        ("usb", OUTPUT, None, MIXER),  # the only one with outputs
        ("usb", INPUT, "jack", MIXER),
        ("PULSE", INPUT, None, PULSE),
    ],
)
def test_a_device_is_found(wanted, direction, host_api, found):
    assert choose(ALL, wanted, direction, host_api) is found


def test_an_exact_name_beats_a_part_of_another():
    longer = Device(9, "pulse monitor", "ALSA", 2, 2, 48000)
    assert choose([longer, PULSE], "pulse", INPUT) is PULSE


@pytest.mark.parametrize(
    ("wanted", "direction", "host_api", "reason"),
    [
        ("usb", INPUT, None, r"'usb' could be 0 'USB Mic .*, 4 'USB Mixer'"),
        ("USB Mixr", OUTPUT, None, r"no output device 'USB Mixr' \(nearest: 'USB Mixer'"),
        (7, INPUT, None, r"no input device 7 \(there is: 0, 1, 2, 3, 4\)"),
        (0, OUTPUT, None, r"no output device 0 \(there is: 1, 2, 3, 4\)"),
        (None, INPUT, "ASIO", r"no host API 'ASIO' here \(there is: ALSA, JACK"),
    ],
)
def test_a_wrong_choice_lists_the_right_ones(wanted, direction, host_api, reason):
    with pytest.raises(ValueError, match=reason):
        choose(ALL, wanted, direction, host_api)


def test_no_device_at_all_is_an_error_of_the_system():
    with pytest.raises(OSError, match="no sound card: PortAudio finds no output device"):
        choose([MIC], None, OUTPUT)


def test_rates_have_to_agree():
    assert agreed_rate(CARD, PULSE, None) == 48000
    assert agreed_rate(MIC, CARD, 32000) == 32000
    with pytest.raises(ValueError, match=r"'USB Mic.* at 44100 Hz, output 1 .* at 48000 Hz"):
        agreed_rate(MIC, CARD, None)


def test_channels_are_what_both_have():
    assert agreed_channels(MIC, CARD, None) == 1
    assert agreed_channels(MIXER, MIXER, None) == 2
    assert agreed_channels(MIXER, MIXER, 8) == 8
    with pytest.raises(ValueError, match=r"4 channels .* has 8, output .* has 2"):
        agreed_channels(MIXER, CARD, 4)


def test_a_sound_server_is_not_asked_for_the_impossible():
    route = Route(CARD, PULSE, 48000, 2)
    assert asked_latency(route, None, force=False) == (0.005, PLUGIN_LATENCY)
    assert asked_latency(route, 0.01, force=False) == (0.01, PLUGIN_LATENCY)
    assert asked_latency(route, 0.01, force=True) == (0.01, 0.01)
    assert asked_latency(route, 0.05, force=False) == (0.05, 0.05)
