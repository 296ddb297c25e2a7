"""Samples to the frames that are learned from.

X (T, K) float32 are frames of K samples each, V (F, T) their magnitudes under a stream's own
analysis window.  All latency modes of one rate share X, for their windows are equally long.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rtsep.dsp.stream import StreamSpec
from rtsep.dsp.windows import window_pair

Array = NDArray[np.float32]

SILENCE = 1e-12  # mean square of a frame that holds nothing, -120 dBFS
GATE = 1e-5  # energy below the loudest frame of a recording at which frames are dropped, -50 dB
FRAMES = 8192  # at most; 34 MB at a window of 1024


def framed(blocks: Iterable[Array], window: int, hop: int) -> Iterator[Array]:
    """Whole frames of a stream of blocks, a hop apart: batches (T, window), T any."""
    rest = np.zeros(0, np.float32)
    for block in blocks:
        rest = np.concatenate([rest, block])
        if len(rest) >= window:
            batch = sliding_window_view(rest, window)[::hop]
            yield batch
            rest = rest[len(batch) * hop :]


def magnitudes(X: Array, spec: StreamSpec) -> Array:
    """V (F, T), float32, of frames X (T, window) under the analysis window of `spec`."""
    analysis = window_pair(spec)[0].astype(np.float32)
    V = np.empty((spec.bins, len(X)), np.float32)
    for t in range(0, len(X), 512):
        V[:, t : t + 512] = np.abs(np.fft.rfft(X[t : t + 512] * analysis, axis=1)).T
    return V


def energies(X: Array) -> Array:
    """Mean square of every frame, (T,)."""
    energy: Array = np.einsum("tk,tk->t", X, X) / np.float32(X.shape[1])
    return energy


def active(X: Array) -> NDArray[np.bool_]:
    """Frames that sound: over `SILENCE` and within `GATE` of the loudest."""
    energy = energies(X)
    return energy > max(SILENCE, GATE * float(energy.max(initial=0)))


def frames(samples: Array, spec: StreamSpec) -> Array:
    """V (F, T) of the sounding frames of one recording, a hop of `spec` apart."""
    batches = [*framed([np.asarray(samples, np.float32)], spec.window, spec.hop)]
    X = np.concatenate([np.zeros((0, spec.window), np.float32), *batches])
    return magnitudes(X[active(X)], spec)


class Excerpt:
    """At most `most` frames of a corpus, evenly spread over all that sounds in it.

    Every `step`-th frame is kept; when the room is full every other of those is let go and the
    step doubles.  So between half and all of the room is used, and one pass suffices.
    """

    def __init__(self, window: int, most: int = FRAMES) -> None:
        self.X = np.empty((most, window), np.float32)
        self.origin = np.empty(most, np.int64)
        self.count = self.seen = self.recordings = 0
        self.step = 1

    def add(self, batches: Iterable[Array]) -> int:
        """One recording's frames, all or none; returns how many of them sound."""
        sounding = 0
        try:
            for batch in batches:
                loud = batch[energies(batch) > SILENCE]
                sounding += len(loud)
                self._take(loud)
        except BaseException:
            self._forget()
            raise
        self.recordings += 1
        return sounding

    def _take(self, batch: Array) -> None:
        index = np.arange(self.seen, self.seen + len(batch))
        self.seen += len(batch)
        while np.count_nonzero(index % self.step == 0) > len(self.X) - self.count:
            self._thin()
        kept = batch[index % self.step == 0]
        place = slice(self.count, self.count + len(kept))
        self.X[place], self.origin[place] = kept, self.recordings
        self.count = place.stop

    def _thin(self) -> None:
        kept = (self.count + 1) // 2
        self.X[:kept] = self.X[: self.count : 2].copy()
        self.origin[:kept] = self.origin[: self.count : 2].copy()
        self.count, self.step = kept, 2 * self.step

    def _forget(self) -> None:
        """Let go what the recording now being added has brought; it stands last."""
        self.count = int(np.count_nonzero(self.origin[: self.count] != self.recordings))
        self.seen = self.count * self.step

    def levelled(self) -> Array:
        """The frames kept, every recording brought to a mean square of one; (T, window)."""
        pieces = [self.X[:0]]
        for recording in range(self.recordings):
            X = self.X[: self.count][self.origin[: self.count] == recording]
            X = X[active(X)]
            if len(X):
                pieces.append(X / np.sqrt(energies(X).mean(), dtype=np.float32))
        return np.concatenate(pieces)
