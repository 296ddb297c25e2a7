"""Training a mask network: epochs over endless scenes, checkpointed, resumable, bit for bit.

Loss, with compressed magnitudes (exponent c) after Braun and Tashev (2021): the mean of
(g^c |X|^c - T)^2, T = |S|^c (a + (1 - a) cos of the angle between S and X) held at zero from
below; a = 1 compares magnitudes alone.  Scenes are levelled, each by its mixture's own power.
Where the plan says `observed`, the same loss is of what the mask leaves, (1 - g) X, against the
other part, X - S; exponent, magnitude and power of the error 1 make it the L1 distance of
magnitudes.  To it comes, with the weight `ratio`, the mean over scenes of log10 of
(|E|^2 + t |X|^2) / (|S|^2 + t |X|^2), E = S - g X summed over all units: a tenth of the
distortion in dB, so that quiet scenes and loud ones, clean ones and noisy ones count alike.
And, with the weight `understood`, 1 minus the mean of `intelligibility.correlation`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rtsep.learn import checkpoints
from rtsep.learn.descent import device, forward, refuse_none
from rtsep.learn.families import MaskNetwork, Size, read, seeded, written
from rtsep.learn.features import HOP_SECONDS
from rtsep.learn.intelligibility import PIECE_SECONDS, correlation
from rtsep.learn.scenes import UNITS, Batch, Scenes

MakeScenes = Callable[[Any], Scenes]
Told = Callable[[dict[str, float]], None]
Also = Callable[[MaskNetwork], Tensor]  # what is added to the loss of a step

CLEANEST = 1e-3  # t: the distortion is not asked to be less than this share of the mixture


@dataclass(frozen=True)
class Plan:
    """How long and how fast.  rate : of Adam, falling as a cosine.

    exponent : c.  magnitude : a.  power : of the error.  observed : compare the other part.
    ratio : weight of the distortion in dB.  understood : of the correlation of envelopes.
    """

    epochs: int
    steps: int = 100
    rate: float = 2e-3
    last_rate: float = 1e-4
    exponent: float = 0.4
    magnitude: float = 0.6
    power: int = 2
    ratio: float = 0.0
    understood: float = 0.0
    observed: bool = False
    clip: float = 1.0
    seed: int = 0


@dataclass
class Progress:
    """Where a training stands: all that its next epoch depends on."""

    network: MaskNetwork
    optimiser: torch.optim.Optimizer
    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    plan: Plan, size: Size, make: MakeScenes, checkpoint: Path, *,
    judge: Callable[[MaskNetwork], dict[str, float]] | None = None,
    told: Told = lambda row: None, start: MaskNetwork | None = None,
    also: Callable[[Any], Also] | None = None, made_of: dict[str, str] | None = None,
) -> Progress:  # fmt: skip
    """Train, or go on from `checkpoint` where it exists; DivergedError for no number.

    make(seed) : the scenes of one epoch.  judge : figures of a network on held-out scenes.
    told : hears of each epoch, and of the last one again when it goes on.  start : weights to
    begin with.  also(seed) : what is added to the losses of one epoch.
    made_of : what else the network comes from, in words; ValueError where a checkpoint is of
    something else, or of another plan but for its epochs.
    """
    state, made_of = begun(plan, size, start), made_of or {}
    if checkpoint.exists():
        resume(state, plan, checkpoint, made_of)
        told(state.history[-1])
    gains = band_gains(device())
    while state.epoch < plan.epochs:
        seed = [plan.seed, state.epoch]
        losses = [*epoch(state, plan, make(seed), gains, also(seed) if also else None)]
        row = {"epoch": float(state.epoch), "loss": float(np.mean(losses))}
        state.history.append(row | (judge(state.network) if judge else {}))
        state.epoch += 1
        save(state, plan, checkpoint, made_of)
        told(state.history[-1])
    return state


def begun(plan: Plan, size: Size, start: MaskNetwork | None = None) -> Progress:
    network = seeded(size, plan.seed)
    if start is not None:
        take_over(network, start)
    network.to(device())
    return Progress(network, torch.optim.Adam(network.parameters(), plan.rate))


def take_over(network: MaskNetwork, start: MaskNetwork) -> None:
    """Give a network the weights of another; blocks it has beyond those change nothing at first."""
    added = set(network.state_dict()) - set(start.state_dict())
    shapes = {name: weight.shape for name, weight in network.state_dict().items()}
    same = all(shapes.get(name) == weight.shape for name, weight in start.state_dict().items())
    if not same or not all(name.startswith("blocks.") for name in added):
        raise ValueError(f"weights are of {start.size} (wanted: {network.size})")
    network.load_state_dict(start.state_dict(), strict=False)
    for name in added:
        if "_norm." in name:
            torch.nn.init.zeros_(network.get_parameter(name))


def epoch(
    state: Progress, plan: Plan, scenes: Scenes, gains: Tensor, also: Also | None = None
) -> Iterator[float]:
    """One pass of plan.steps batches; yields the losses."""
    state.network.train()
    for step in range(plan.steps):
        for group in state.optimiser.param_groups:
            group["lr"] = rate_at(plan, state.epoch + step / plan.steps)
        state.optimiser.zero_grad()
        value = loss(state.network, scenes.batch(), gains, plan)
        value = value + also(state.network).to(value.device) if also else value
        refuse_none("loss", value, state.epoch, step)
        value.backward()  # type: ignore[no-untyped-call]
        slope = torch.nn.utils.clip_grad_norm_(state.network.parameters(), plan.clip)
        refuse_none("gradient", slope, state.epoch, step)
        state.optimiser.step()
        yield value.item()


def rate_at(plan: Plan, epoch: float) -> float:
    """Of learning: a cosine from the first to the last over the plan's epochs."""
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, epoch / plan.epochs)))
    return plan.last_rate + (plan.rate - plan.last_rate) * fall


def band_gains(where: torch.device) -> Tensor:
    """(bands, units): from the bands' gains to the units'."""
    return torch.from_numpy(UNITS.gains().astype(np.float32)).to(where)


def masked(network: MaskNetwork, batch: Batch, gains: Tensor) -> Tensor:
    """Gains (rows, T, units), float32, where `gains` are; the network in bfloat16 on a GPU."""
    return forward(network, torch.from_numpy(batch.f).to(gains.device)) @ gains


def loss(network: MaskNetwork, batch: Batch, gains: Tensor, plan: Plan) -> Tensor:
    X, T = (torch.from_numpy(each).to(gains.device) for each in compressed(batch, plan))
    g = masked(network, batch, gains)
    g, batch = (1 - g, turned(batch)) if plan.observed else (g, batch)
    error = (g.clamp(min=1e-4) ** plan.exponent * X - T).abs() ** plan.power
    mean: Tensor = (error.mean(dim=1) * torch.from_numpy(batch.weight).to(g.device)).mean()
    if plan.ratio:
        mean = mean + plan.ratio * distortion(g, batch).mean()
    if plan.understood:
        mean = mean + plan.understood * (1 - understood(g, batch, network.size.pace).mean())
    return mean


def understood(g: Tensor, batch: Batch, pace: int) -> Tensor:
    """The correlation of envelopes of each scene (rows,)."""
    X, S = (torch.from_numpy(each).to(g.device) for each in (batch.X, batch.S))
    return correlation(g, X, S, round(PIECE_SECONDS / (pace * HOP_SECONDS)))


def distortion(g: Tensor, batch: Batch) -> Tensor:
    """log10 of the error's share of each scene (rows,): -1 is an SDR of 10 dB."""
    X, S, R = (torch.from_numpy(each).to(g.device) for each in (batch.X, batch.S, batch.R))
    error = (S - 2 * g * R + g * g * X).clamp(min=0).sum(dim=(1, 2))
    least = CLEANEST * X.sum(dim=(1, 2)) + 1e-12
    return torch.log10((error + least) / (S.sum(dim=(1, 2)) + least))


def compressed(batch: Batch, plan: Plan) -> tuple[Any, Any]:
    """|X|^c and T, levelled."""
    c = np.float32(plan.exponent)
    level = (batch.X.mean(axis=(1, 2), keepdims=True) + np.float32(1e-12)) ** (c / 2)
    batch = turned(batch) if plan.observed else batch
    S = batch.S ** (c / 2)
    cosine = batch.R / np.sqrt(batch.X * batch.S + np.float32(1e-20))
    a = np.float32(plan.magnitude)
    T = np.maximum(S * (a + (1 - a) * cosine), 0)
    return batch.X ** (c / 2) / level, T / level


def turned(batch: Batch) -> Batch:
    """The same mixtures with N in the place of S: |X - S|^2 and Re((X - S) conj X)."""
    return replace(batch, S=np.maximum(batch.X - 2 * batch.R + batch.S, 0), R=batch.X - batch.R)


def held_out(network: MaskNetwork, batches: list[Batch], plan: Plan) -> dict[str, float]:
    """Loss, and SDR in dB of the masked spectra against the source's, over scenes with both."""
    gains = band_gains(next(network.parameters()).device)
    network.eval()
    losses, ratios = [], []
    with torch.no_grad():
        for batch in batches:
            losses.append(loss(network, batch, gains, plan).item())
            g = masked(network, batch, gains).cpu().numpy()
            ratios.append(_sdr(batch, g))
    return {"held-out loss": float(np.mean(losses)), "held-out SDR": float(np.mean(ratios))}


def _sdr(batch: Batch, g: Any) -> float:
    low = slice(None), slice(None), slice(UNITS.bins)
    X, S, R, g = batch.X[low], batch.S[low], batch.R[low], g[low]
    kept = S.sum(axis=(1, 2), dtype=np.float64)
    error = (S - 2 * g * R + g * g * X).sum(axis=(1, 2), dtype=np.float64)
    both = (kept > 0) & (X.sum(axis=(1, 2)) > 1.001 * kept)
    return float(np.mean(10 * np.log10(kept[both] / error[both])))


def save(state: Progress, plan: Plan, path: Path, made_of: dict[str, str]) -> None:
    """Write a checkpoint whole, or leave the one before as it was."""
    checkpoints.write(path, {
        "network": state.network.state_dict(), "optimiser": state.optimiser.state_dict(),
        "epoch": state.epoch, "history": state.history, "plan": asdict(plan),
        "size": written(state.network.size), "made of": made_of,
    })  # fmt: skip


def resume(state: Progress, plan: Plan, path: Path, made_of: dict[str, str]) -> None:
    content = checkpoints.read(path)
    size = written(state.network.size)
    checkpoints.refuse_another(path, content, {"size": size})
    same = {name: value for name, value in asdict(plan).items() if name != "epochs"}
    checkpoints.refuse_another(path, same | content["plan"], same)
    checkpoints.refuse_another(path, content.get("made of", {}), made_of)
    state.network.load_state_dict(content["network"])
    state.optimiser.load_state_dict(content["optimiser"])
    state.epoch, state.history = content["epoch"], content["history"]


def restored(path: Path) -> MaskNetwork:
    """The network of a checkpoint."""
    content = checkpoints.read(path)
    network = read(content["size"]).network()
    network.load_state_dict(content["network"])
    return network.eval()


def averaged(paths: Sequence[Path]) -> MaskNetwork:
    """The mean of several checkpoints' weights: steadier than the last (Izmailov et al., 2018)."""
    networks = [restored(path) for path in paths]
    if not networks:
        raise ValueError("0 checkpoints are given (wanted: 1 at least)")
    states = [each.state_dict() for each in networks]
    mean = {name: sum(state[name] for state in states) / len(states) for name in states[0]}
    networks[0].load_state_dict(mean)
    return networks[0]
