"""What a sound file's container and sample format can hold, and samples turned into it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

CALLED = {"AIF": "AIFF", "AIFC": "AIFF", "OGA": "OGG", "OPUS": "OGG", "SND": "AU", "WAVE": "WAV"}
WAV_KINDS = ("WAV", "WAVEX", "RF64")
WAV_LIMIT = 2**32 - 2**16  # bytes: a WAV file's lengths have 32 bits
LADDER = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")  # ever finer
FULL_SCALE = 1 + 1e-6  # as loud as rounding makes a sample of 1
BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
BYTES = {name: bits // 8 for name, bits in BITS.items()} | {"FLOAT": 4, "DOUBLE": 8}


@dataclass(frozen=True)
class SoundFormat:
    """container : "WAV", "FLAC", ...  subtype : the sample format, "PCM_16", "FLOAT", ..."""

    container: str
    subtype: str

    def __str__(self) -> str:
        return f"{self.container} {self.subtype}"


def container_of(path: Path, source: SoundFormat) -> str:
    """Container that a path's suffix asks for; the source's own where it has none."""
    suffix = path.suffix[1:].upper()
    container = CALLED.get(suffix, suffix)
    if not suffix or (container == "WAV" and source.container in WAV_KINDS):
        return source.container
    known = sf.available_formats()
    if container not in known:
        names = ", ".join(sorted(name.lower() for name in known))
        raise ValueError(f"output {path} asks for format {suffix.lower()!r} (known: {names})")
    return container


def subtype_in(container: str, asked: str) -> str:
    """The sample format nearest to the one asked for that a container has: itself, finer, or the
    finest below."""
    held = set(sf.available_subtypes(container))
    if container != "MP3":  # libsndfile lists MP3's for WAV, too, and cannot write it there
        held -= {each for each in held if each.startswith("MPEG_")}
    if asked in held:
        return asked
    if asked in LADDER:
        at = LADDER.index(asked)
        for subtype in (*LADDER[at:], *reversed(LADDER[:at])):
            if subtype in held:
                return subtype
    return sf.default_subtype(container) or "PCM_16"  # RAW has no default


def format_for(path: Path, source: SoundFormat, samples: int) -> SoundFormat:
    """Format of an output: its suffix decides the container, the source the sample format.

    samples : of all channels together; what a WAV cannot count becomes RF64.
    """
    container = container_of(path, source)
    asked = "OPUS" if path.suffix.lower() == ".opus" else source.subtype
    subtype = subtype_in(container, asked)
    if container in WAV_KINDS and samples * BYTES.get(subtype, 2) > WAV_LIMIT:
        container = "RF64"
    return SoundFormat(container, subtype)


def clips(subtype: str) -> bool:
    """Whether a sample format has no room beyond full scale."""
    return subtype not in ("FLOAT", "DOUBLE")


def encode(samples: NDArray[np.float32], subtype: str) -> tuple[NDArray[Any], int]:
    """Samples as they are handed to libsndfile, and how many of them had to be clipped.

    samples : float32 (channels, n).  Returns (n, channels): int32, rounded to the nearest step and
    left-aligned, for integer formats, so that reading and writing is the identity; else float32.
    """
    if not clips(subtype):
        return np.ascontiguousarray(samples.T), 0
    clipped = int(np.count_nonzero(np.abs(samples) > FULL_SCALE))
    bits = BITS.get(subtype)
    if bits is None:
        return np.ascontiguousarray(np.clip(samples, -1, 1).T), clipped
    full = 2 ** (bits - 1)
    steps = np.rint(samples.T.astype(np.float64) * full)
    levels = np.clip(steps, -full, full - 1).astype(np.int64) << (32 - bits)
    return np.ascontiguousarray(levels.astype(np.int32)), clipped
