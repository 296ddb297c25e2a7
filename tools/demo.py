"""The main job from end to end: learn a noise from ten seconds of it, then take it away, live.

`tools/try` runs this. The microphone is a recording of a reader in a real noise, the speaker is a
file; the engine between them is the one that serves a sound card, at the pace of a sound card.
Everything it writes lands in demo/.
"""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RATE = 48000  # Hz
SNR = 5.0  # dB, over the frames in which the reader speaks
ENROLMENT = 10.0  # seconds of noise alone before the first word
DEMO = Path(__file__).parents[1] / "demo"
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
    shown = " ".join(str(word).replace(f"{DEMO.parent}/", "") for word in words)
    print(f"\n$ rtsep {shown}", flush=True)
    command = [RTSEP, *words, *(["--json"] if report else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE if report else None)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout) if report else {}


def scores(reference: Samples, estimate: Samples) -> dict[str, float]:
    """Quality figures; PESQ and ESTOI where their packages are installed."""
    from rtsep.metrics.separation import si_sdr
    from rtsep.metrics.speech import estoi, pesq

    figures = {"SI-SDR dB": si_sdr(reference, estimate)}
    for name, metric in (("ESTOI", estoi), ("PESQ", pesq)):
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
        f"late blocks {meters['late_blocks']} of {meters['blocks']}"
    )


def draw(path: Path, **rows: Samples) -> None:
    """Spectrograms of named signals below one another, in one scale of dB."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.style.use("dark_background")
    figure, axes = plt.subplots(len(rows), 1, figsize=(12, 3.2 * len(rows)), sharex=True)
    for axis, (name, samples) in zip(axes, rows.items(), strict=True):
        # A noise below hearing, for the logarithm of silence.
        faint = 1e-7 * np.random.default_rng(0).standard_normal(len(samples))
        *_, image = axis.specgram(
            samples + faint, NFFT=1024, noverlap=512, Fs=RATE, cmap="magma", vmin=-130, vmax=-50
        )
        axis.set_title(name, loc="left")
        axis.set(ylim=(0, 8000), ylabel="kHz")
        axis.set_yticks(range(0, 8001, 2000), labels=range(0, 9, 2))
    axes[-1].set_xlabel("seconds")
    figure.colorbar(image, ax=axes, label="dB", pad=0.01)
    figure.savefig(path, dpi=110, bbox_inches="tight")


def main(mic: Path | None = None, alone: Path | None = None) -> None:
    DEMO.mkdir(exist_ok=True)
    noise, model, microphone, speaker = (
        DEMO / name for name in ("noise.wav", "noise.npz", "microphone.wav", "speaker.wav")
    )
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
    draw(DEMO / "spectrogram.png", before=noisy, after=heard)
    print(f"\nlisten to   {microphone}\nand then to {speaker}\nlook at     {DEMO}/spectrogram.png")
    print(f"\nWith a microphone of your own:  {RTSEP} live --model {model}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
