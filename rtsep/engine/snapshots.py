"""The unknown source's basis at one moment: out of the record, and back into it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.separators.prepare import SEPARATORS


@dataclass(frozen=True)
class Snapshot:
    """The unknown source's basis, to be restored later.

    W, statistics : float32 (lanes, components, bins).  energies : float64 (lanes, components).
    kind : of the separator whose bases it goes with, "nmf" or "asvd"; "bypass" has none.
    """

    W: NDArray[np.float32]
    statistics: NDArray[np.float32]
    energies: NDArray[np.float64]
    kind: str = "nmf"


def kind_of(state: Any) -> str:
    """What separates by bases in the active slot, also beside a network."""
    address = int(state["slot"][int(state["active"])]["separate_bases"])
    with_bases = ("nmf", "asvd")
    found = [kind for kind in with_bases if SEPARATORS[kind].separate.address == address]
    return found[0] if found else "bypass"


def views(state: Any, staged: bool) -> tuple[Any, Any, Any]:
    """W, statistics and energies of the unknown source in the record, as a snapshot has them."""
    slot = state["slot"][int(state["active"])]
    known, rank = int(slot["known"]), int(slot["rank"])
    lanes, count, bins = int(state["lanes"]), rank - known, int(state["bins"])
    lane = slot["lane"]
    W = state["staged_W"][:, :count] if staged else lane["W"][:, known:rank]
    statistics = state["staged_statistics"] if staged else lane["statistics"]
    energies = state["staged_energies"] if staged else lane["energies"]
    return W[:lanes, :, :bins], statistics[:lanes, :count, :bins], energies[:lanes, :count]


def take(state: Any, staged: bool) -> Snapshot:
    """A copy of what the views show."""
    W, statistics, energies = views(state, staged)
    return Snapshot(W.copy(), statistics.copy(), energies.copy(), kind_of(state))


def put(state: Any, snapshot: Snapshot, staged: bool) -> None:
    """Write a snapshot through the views; ValueError where it is of another stream."""
    if snapshot.kind != (kind := kind_of(state)):
        raise ValueError(f"snapshot is of kind {snapshot.kind}, the stream separates by {kind}")
    W, statistics, energies = views(state, staged)
    if snapshot.W.shape != W.shape:
        raise ValueError(f"snapshot is of shape {snapshot.W.shape}, the stream {W.shape}")
    W[:], statistics[:], energies[:] = snapshot.W, snapshot.statistics, snapshot.energies
