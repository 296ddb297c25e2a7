"""The main job from end to end: learn a noise from ten seconds of it, then take it away, live.

`tools/try` runs this in the checkout's root. The microphone is a recording of a reader in a real
noise, the speaker is a file; the engine between them is the one that serves a sound card, at the
pace of a sound card. Everything it writes lands in demo/.
"""

import json
import os
import platform
import subprocess
import sys
from contextlib import suppress
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from spectrogram import draw

Samples = NDArray[np.float32]

RATE = 48000  # Hz
SNR = 5.0  # dB, over the frames in which the reader speaks
ENROLMENT = 10.0  # seconds of noise alone before the first word
DEMO = Path("demo")
RTSEP = Path(sys.executable).with_name("rtsep")
CREDITS = """speech: Jane Austen, "Sense and Sensibility", read for LibriVox (public domain)
noise:  an Amazon rainforest, from the package ambience 1.1.0 (recordist not named)"""


def load(path: Path) -> Samples:
    """Mono float32 at RATE."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, RATE)


def power(samples: Samples) -> float:
    """Mean square over the 20 ms frames within 40 dB of the loudest: pauses do not count."""
    frames = samples[: len(samples) // 960 * 960].reshape(-1, 960).astype(np.float64)
    energy = np.mean(frames**2, axis=1)
    return float(energy[energy > energy.max() * 1e-4].mean())


def record(folder: Path) -> tuple[Samples, Samples]:
    """The noisy recording and the clean speech in it, aligned; both start with the enrolment."""
    speech = np.concatenate([load(path) for path in sorted(folder.glob("*.wav"))])
    noise = load(folder / "amazon-rainforest.ogg")
    # What is learned is not what is met: this recording, unlike its neighbours, never loops.
    alone, beside = noise[: int(ENROLMENT * RATE)], noise[20 * RATE :][: len(speech)]
    gain = np.sqrt(power(speech) / power(beside) / 10 ** (SNR / 10))
    clean = np.concatenate([np.zeros_like(alone), speech])
    noisy = clean + gain * np.concatenate([alone, beside])
    scale = np.float32(0.5 / np.abs(noisy).max())
    return noisy * scale, clean * scale


def rtsep(*words: str | Path, report: bool = False) -> dict[str, Any]:
    """Run one command as a user would, shown first; its report where it gives one."""
    print("\n$ rtsep", *words, flush=True)
    command = [RTSEP, *words, *(["--json"] if report else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE if report else None)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout) if report else {}


def scores(reference: Samples, estimate: Samples) -> dict[str, float]:
    """Quality figures; PESQ and ESTOI where their packages are installed."""
    from rtsep import metrics

    figures = {"SI-SDR dB": metrics.si_sdr(reference, estimate)}
    for name, metric in (("ESTOI", metrics.estoi), ("PESQ", metrics.pesq)):
        with suppress(ImportError):
            figures[name] = metric(reference, estimate, RATE)
    return figures


def tell_scores(clean: Samples, noisy: Samples, heard: Samples) -> None:
    """The figures over the reading alone, the enrolment left out."""
    reading = slice(int(ENROLMENT * RATE), len(heard))
    before, after = (scores(clean[reading], samples[reading]) for samples in (noisy, heard))
    print(f"\n{'':12}{'before':>8}{'after':>8}")
    for name in before:
        print(f"{name:12}{before[name]:8.2f}{after[name]:8.2f}")


def tell_timing(report: dict[str, Any]) -> None:
    meters = report["meters"]
    print(
        f"\nlatency {meters['latency_ms']:.1f} ms, load {100 * meters['load']:.1f} % of a core, "
        f"hop p50 {meters['hop_p50_us']:.0f} us p99 {meters['hop_p99_us']:.0f} us, "
        f"late blocks {meters['late_blocks']} of {meters['blocks']}\n"
        f"({date.today()}, {os.cpu_count()} cores {platform.machine()}, "
        f"Python {platform.python_version()}, numba {version('numba')})"
    )


def main(mic: Path | None = None, alone: Path | None = None) -> None:
    DEMO.mkdir(exist_ok=True)
    noise, model = DEMO / "noise.wav", DEMO / "noise.npz"
    microphone, speaker = DEMO / "microphone.wav", DEMO / "speaker.wav"
    picture = DEMO / "spectrogram.png"
    if mic and alone:
        noisy, clean, learned = load(mic), None, load(alone)
    else:
        print(CREDITS)
        noisy, clean = record(DEMO / "sources")
        learned = noisy[: int(ENROLMENT * RATE)]
    soundfile.write(microphone, noisy, RATE)
    soundfile.write(noise, learned, RATE)

    rtsep("learn", noise, "-o", model, "--name", "noise")
    files = ("--input-file", microphone, "--output-file", speaker)
    report = rtsep("live", "--model", model, *files, report=True)

    late = round(report["meters"]["latency_ms"] * RATE / 1000)
    heard = load(speaker)[late:]
    if clean is not None:
        tell_scores(clean, noisy, heard)
    tell_timing(report)
    before = "before" if mic else "before: ten seconds of noise to learn from, then a reader in it"
    draw(picture, RATE, {before: noisy, "after": heard})
    print(f"\nlisten to   {microphone}\nand then to {speaker}\nlook at     {picture}")
    print(f"\nWith a microphone of your own:  .venv/bin/rtsep live --model {model}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
