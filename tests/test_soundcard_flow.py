"""Sound flows through real servers, in real time: what is played is what is recorded, later.

These machines may be starved of time by their host, and a glitch is no fault of ours: all but
half a second has to be there, in whole tenths of one, in one of three runs.
"""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.fft
import servers
import soundfile as sf

RATE, LEAD, SECONDS = 48000, 3, 6
RUN = [
    sys.executable,
    "-m",
    "rtsep.cli",
    "live",
    "--model",
    "bypass",
    "--json",
    "--rate",
    str(RATE),
]
RUN += ["--channels", "1", "--seconds", str(LEAD + SECONDS + 6)]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE * SECONDS)
    path = tmp_path_factory.mktemp("flow") / "played.wav"
    sf.write(path, np.concatenate([np.zeros(RATE * LEAD), noise]), RATE, subtype="FLOAT")
    return path


def heard_live(server, devices, played, folder, microphone="rtsep_mic"):
    """What a microphone carries while mic_feed is played into, and rtsep's report."""
    recorded = folder / "recorded.wav"
    live = subprocess.Popen([*RUN, *devices], env=server.env, stdout=subprocess.PIPE)
    time.sleep(2)  # to load
    for _ in range(200):  # a virtual one comes with the stream
        known = subprocess.check_output(["pactl", "list", "short", "sources"], env=server.env)
        if microphone.encode() in known.split():
            break
        time.sleep(0.1)
    record = ["parecord", "-d", microphone, "--latency-msec=20", f"--rate={RATE}", "--channels=1"]
    recorder = subprocess.Popen([*record, "--file-format=wav", str(recorded)], env=server.env)
    player = ["paplay", "--latency-msec=50", "-d", "mic_feed", str(played)]
    subprocess.run(player, env=server.env, timeout=30, check=True)
    time.sleep(1.5)  # what is still on its way through the server
    recorder.send_signal(signal.SIGINT)
    recorder.wait(10)
    told, _ = live.communicate(timeout=30)
    assert live.returncode == 0
    return sf.read(recorded)[0], json.loads(told)


def share_there(x, y):
    """Share of the tenths of a second of x that y holds somewhere, but for 10 ms of each."""
    piece = RATE // 10
    size = scipy.fft.next_fast_len(piece + len(y), real=True)
    spectrum = scipy.fft.rfft(y, size)
    energies = np.concatenate([[0], np.cumsum(y**2)])
    energy = np.maximum(energies[piece:] - energies[:-piece], 1e-6)

    def best_correlation(x):
        products = scipy.fft.irfft(np.conj(scipy.fft.rfft(x, size)) * spectrum, size)
        return np.max(products[: len(energy)] / np.sqrt(np.sum(x**2) * energy))

    starts = range(LEAD * RATE + RATE // 2, len(x) - RATE, piece)
    return np.mean([best_correlation(x[i : i + piece]) > 0.95 for i in starts])


def flows(server, devices, played, folder, microphone="rtsep_mic"):
    x = sf.read(played)[0]
    for _ in range(3):
        steal = servers.host_steal()
        y, report = heard_live(server, devices, played, folder, microphone)
        share = share_there(x, y)
        print(f"{share:.2f} there, steal {servers.steal_since(steal):.3f}, {report['meters']}")
        if share >= 0.88:
            return report
    return None


def test_pulseaudio(pulse_server, warm, played, tmp_path):
    devices = ["--input", "pulse", "--output", "pulse", "--device-latency", "0.04"]
    devices += ["--clocks", "1"]  # compared by the sample
    report = flows(pulse_server, devices, played, tmp_path)
    assert report is not None
    assert report["meters"]["nonfinite"] == 0


def test_pipewire_as_jack(pipewire_server, warm, played, tmp_path):
    """Straight into the virtual microphone, without LD_PRELOAD."""
    devices = ["--input", "mic_feed", "--output", "rtsep_mic", "--host-api", "jack"]
    assert flows(pipewire_server, devices, played, tmp_path) is not None


def test_pipewire_as_pulseaudio(pipewire_server, warm, played, tmp_path):
    env = {"PULSE_SOURCE": "mic_feed.monitor", "PULSE_SINK": "virt_out"}
    pipewire_server.env |= env
    link = ["pw-link", "virt_out:monitor_MONO", "rtsep_mic:input_MONO"]
    subprocess.run(link, env=pipewire_server.env, check=True)
    devices = ["--input", "pulse", "--output", "pulse", "--clocks", "1"]  # as above
    assert flows(pipewire_server, devices, played, tmp_path) is not None
