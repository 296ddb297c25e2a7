"""A basis per latency mode in one npz file, and a basis on the bins of a stream.

Notation: W (F, K), float32, F bins, K components.  Columns sum to one (nmf) or are orthonormal
(asvd).  Each latency mode has its own analysis window and so its own W.
"""

from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts import npz
from rtsep.artefacts.card import MAX_JSON, Card, CardError, from_json, to_json
from rtsep.artefacts.whole import shown, write_whole
from rtsep.dsp.stream import StreamSpec

Array = NDArray[np.float32]

TOLERANCE = 1e-3  # of columns that should sum to one or be orthonormal
FAINT = 1e-6  # share of a component below which a stream holds nothing of it
DEPENDENT = 0.1  # singular value below which mapped orthonormal columns have collapsed


@dataclass(frozen=True)
class Basis:
    """A known source: its card and one W (F, K) for each latency mode of the card.

    CardError from the constructor where the arrays are not what the card says.
    """

    card: Card
    W: dict[str, Array]

    def __post_init__(self) -> None:
        if self.W.keys() != self.card.windows.keys():
            raise CardError(
                f"model {self.card.name!r}: arrays for latency {', '.join(self.W) or 'none'} "
                f"(card: {', '.join(self.card.windows)})"
            )
        for mode, W in self.W.items():
            if complaint := _complaint(W, self.card, mode):
                raise CardError(f"model {self.card.name!r}: W_{mode} {complaint}")

    def on(self, spec: StreamSpec) -> Array:
        """The basis on a stream's bins: float32 (K, F), C order, rows normalised like the columns.

        Zero above the card's bandwidth.  Components of which the stream's range holds nothing
        are left out, so that K may be less than the card's rank.
        """
        self.card.check(spec)
        W = self.W[spec.mode].astype(np.float64)
        hertz = np.arange(spec.bins) * spec.bin_hz
        source_hz = self.card.rate / self.card.windows[spec.mode][0]
        mapped = resampling(hertz, len(W), source_hz, spec.bin_hz) @ W
        mapped[hertz > self.card.bandwidth] = 0
        rows = (_orthonormal if self.card.kind == "asvd" else _density)(mapped)
        if not len(rows):
            raise CardError(
                f"model {self.card.name!r}: none of its {self.card.rank} components sounds "
                f"below {min(self.card.bandwidth, spec.rate / 2):g} Hz"
            )
        return np.ascontiguousarray(rows, np.float32)


def _complaint(W: Any, card: Card, mode: str) -> str:
    wanted = (card.bins(mode), card.rank)
    if not isinstance(W, np.ndarray) or W.dtype != np.float32:
        return f"is {getattr(W, 'dtype', type(W).__name__)} (wanted: float32)"
    if W.shape != wanted:
        return f"has shape {W.shape} (card: {wanted})"
    if not np.isfinite(W).all():
        return f"has {np.count_nonzero(~np.isfinite(W))} of {W.size} entries NaN or infinite"
    return _asvd_complaint(W) if card.kind == "asvd" else _nmf_complaint(W)


def _nmf_complaint(W: Array) -> str:
    if W.min() < 0:
        return f"has {np.count_nonzero(W < 0)} of {W.size} entries negative (least: {W.min():g})"
    sums = W.sum(axis=0, dtype=np.float64)
    worst = np.argmax(np.abs(sums - 1))
    if abs(sums[worst] - 1) > TOLERANCE:
        return f"has a column that sums to {sums[worst]:g} (wanted: 1)"
    return ""


def _asvd_complaint(W: Array) -> str:
    if np.abs(W).max() > 2:
        return f"has an entry of {np.abs(W).max():g} (orthonormal columns: at most 1)"
    error = np.abs(W.T @ W - np.eye(W.shape[1])).max()
    return f"is {error:g} from orthonormal (at most {TOLERANCE:g})" if error > TOLERANCE else ""


def resampling(hertz: Any, bins: int, source_hz: float, target_hz: float) -> Any:
    """Rows of hat functions as wide as the wider grid: interpolation, or averaging if coarser."""
    distance = np.abs(hertz[:, None] - np.arange(bins) * source_hz)
    hats = np.maximum(0, 1 - distance / max(source_hz, target_hz))
    return hats / np.maximum(hats.sum(axis=1, keepdims=True), 1e-12)


def _density(mapped: Any) -> Any:
    sums = mapped.sum(axis=0)
    held = sums > FAINT
    return (mapped[:, held] / sums[held]).T


def _orthonormal(mapped: Any) -> Any:
    """The orthonormal rows nearest to the mapped columns' span, without collapsed directions."""
    left, scale, right = np.linalg.svd(mapped, full_matrices=False)
    held = scale > DEPENDENT * max(scale[0], 1e-12)
    if held.all():
        return (left @ right).T
    return left[:, held].T


def save_basis(path: str | PathLike[str], basis: Basis) -> None:
    """Write the npz whole or not at all; OSError leaves what was there as it was."""
    arrays: dict[str, Any] = {f"W_{mode}": np.ascontiguousarray(W) for mode, W in basis.W.items()}
    arrays["card"] = np.frombuffer(to_json(basis.card).encode(), np.uint8)

    def write(file: Any) -> None:
        np.savez_compressed(file, **arrays)

    write_whole(path, write)


def load_basis(path: str | PathLike[str]) -> Basis:
    """Read an npz made by `save_basis`; CardError, begun with the path, for anything else."""
    try:
        return _read(path)
    except CardError as error:
        raise CardError(f"{shown(path)}: {error}") from None


def _read(path: str | PathLike[str]) -> Basis:
    with npz.opened(path) as archive:
        card = from_json(npz.read(archive, "card", np.uint8, longest=MAX_JSON).tobytes())
        if not isinstance(card, Card):
            raise CardError(f"model {card.name!r}: kind {card.kind!r} (a basis is nmf or asvd)")
        expected = {f"W_{mode}": mode for mode in card.windows}
        if surplus := npz.names(archive) - expected.keys() - {"card"}:
            raise CardError(f"array {min(surplus)[:64]!r} is unknown (card: {', '.join(expected)})")
        W = {
            mode: npz.read(archive, name, np.float32, shape=(card.bins(mode), card.rank))
            for name, mode in expected.items()
        }
    return Basis(card, W)
