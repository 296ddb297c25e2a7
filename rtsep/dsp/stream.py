"""What a stream is: its rate and the sizes of the short-time transform that runs on it."""

from dataclasses import dataclass
from math import gcd
from numbers import Integral
from typing import Any

MODES = ("low", "medium", "high")
MIN_RATE, MAX_RATE = 8000, 192000
PHASES = 4  # in which a network takes turns at most, where its frame lasts several hops
LOUDEST = 1e3  # 60 dB over full scale; beyond it a sample is as broken as a NaN


@dataclass(frozen=True)
class StreamSpec:
    """Rate and transform sizes of one stream, all lengths in samples.

    rate : Hz.  window : analysis length, also the FFT length.  hop : step between frames.
    synthesis : length 2M of the synthesis window; it alone makes the algorithmic latency.
    mode : the latency mode these sizes belong to, one of `MODES`.
    """

    rate: int
    window: int
    hop: int
    synthesis: int
    mode: str

    @property
    def bins(self) -> int:
        """F, the number of bins from 0 Hz to the Nyquist frequency."""
        return self.window // 2 + 1

    @property
    def bin_hz(self) -> float:
        """Distance between neighbouring bins in Hz."""
        return self.rate / self.window


def whole_number(name: str, value: Any) -> int:
    """An int of whatever kind, NumPy's included; TypeError else."""
    if not isinstance(value, Integral):
        raise TypeError(f"{name}={value!r} is not a whole number")
    return int(value)


def phases_of(hops: int) -> int:
    """In how many phases a network is run whose frame lasts so many hops."""
    return gcd(hops, PHASES)


def window_for(rate: int) -> int:
    """Analysis length for a rate: 512 up to 24 kHz, 1024 up to 50 kHz, 2048 above."""
    return 512 if rate <= 24000 else 1024 if rate <= 50000 else 2048


def stream_spec(rate: int = 48000, mode: str = "low") -> StreamSpec:
    """The sizes of a latency mode at a rate; ValueError names what does not fit.

    low : 2M is the largest even number within 5 ms (240 at 48 kHz), hop M.
    medium : 2M is half the window, hop M.  high : 2M is the window, hop a quarter of it.
    """
    if mode not in MODES:
        raise ValueError(f"latency mode {mode!r} is unknown (one of {', '.join(MODES)})")
    rate = whole_number("rate", rate)
    if not MIN_RATE <= rate <= MAX_RATE:
        raise ValueError(f"rate {rate} Hz is outside {MIN_RATE}..{MAX_RATE} Hz")
    window = window_for(rate)
    half = {"low": rate // 400, "medium": window // 4, "high": window // 2}[mode]
    hop = window // 4 if mode == "high" else half
    return StreamSpec(rate, window, hop, 2 * half, mode)
