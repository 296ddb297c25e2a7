"""Generative models of one source's magnitude frames: what GASS adds up to a mixture.

After Subakan and Smaragdis (2018).  A generator makes a frame s = G(h) of a latent code h.  Kinds:

    ae    G(x) = x by the Poisson likelihood mean(s - x log s), the frame itself its code
    dae   the same of frames with bins left out
    vae   codes of 20 numbers by an encoder, likelihood + KL to a normal
    gan   G(h), h normal, against a critic D that tells it from frames: log D + log(1 - D)
    wgan  the same with D(x) - D(s), weights of D held within +-0.01

In float32 on a GPU, too: networks so small gain nothing by less.
A critic is always the higher, the more a frame is like the source's: `score` is log D, or D.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from rtsep.learn.descent import descend, device, refuse_lost
from rtsep.learn.matrices import at_least, one_of

Array = NDArray[np.float32]

KINDS = ("ae", "dae", "vae", "gan", "wgan")
JUDGED, LEFT_OUT, CLIP = 90, 0.3, 0.01
TINY = 1e-12


@dataclass(frozen=True)
class Fit:
    """hidden : units of the generator.  steps : batches of `batch` frames.  rate : of learning.

    codes : numbers in a latent code of gan, wgan and vae.  critic_steps : of D before each of G.
    """

    hidden: int = 100
    codes: int = 20
    steps: int = 1500
    batch: int = 128
    rate: float = 1e-3
    critic_steps: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(
            1, hidden=self.hidden, codes=self.codes, steps=self.steps, batch=self.batch,
            critic_steps=self.critic_steps,
        )  # fmt: skip


@dataclass(frozen=True)
class Model:
    """One source.  generator : codes (N, codes) to frames (N, F) over `level`, their mean."""

    kind: str
    generator: nn.Module
    critic: nn.Module | None
    codes: int
    level: float

    def frames(self, codes: Tensor) -> Tensor:
        made: Tensor = self.generator(codes) * self.level
        return made

    def score(self, frames: Tensor) -> Tensor:
        """How much like this source's frames (N, F) are: (N,), zeros without a critic."""
        if self.critic is None:
            return torch.zeros(len(frames), device=frames.device)
        return _score(self.kind, self.critic, frames / self.level)


def learned(V: Array, kind: str, fit: Fit = Fit()) -> Model:
    """A model of magnitudes V (F, T) of one source alone.

    ValueError for silent ones, `DivergedError` for no numbers.
    """
    one_of("kind", kind, KINDS)
    level = float(V.mean())
    if not (np.isfinite(level) and level > 0):
        raise ValueError(f"frames have a mean of {level} (wanted: over 0)")
    x = torch.from_numpy(np.ascontiguousarray(V.T / np.float32(level))).to(device())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(fit.seed)
        generator, critic, codes = LEARNERS[kind](x, kind, fit)
    for part in (generator, critic):
        if part is not None:
            refuse_lost(kind, part.requires_grad_(False))
    return Model(kind, generator, critic, codes, level)


Found = tuple[nn.Module, nn.Module | None, int]


def poisson(x: Tensor, s: Tensor) -> Tensor:
    """Of counts x, negative log likelihood of means s, without what x alone decides; its mean."""
    return (s - x * torch.log(s + TINY)).mean()


def _generator(codes: int, hidden: int, bins: int, first: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(codes, hidden), first, nn.Linear(hidden, bins), nn.Softplus())


def _autoencoder(x: Tensor, kind: str, fit: Fit) -> Found:
    bins = x.shape[1]
    generator = _generator(bins, fit.hidden, bins, nn.Softplus()).to(x.device)
    improve = _descent(generator, fit)
    kept = 1 - LEFT_OUT if kind == "dae" else 1.0
    for frames in _batches(x, fit):
        heard = frames if kept == 1 else frames * torch.bernoulli(torch.full_like(frames, kept))
        improve(poisson(frames, generator(heard)))
    return generator, None, bins


def _variational(x: Tensor, kind: str, fit: Fit) -> Found:
    bins = x.shape[1]
    encoder = nn.Sequential(
        nn.Linear(bins, fit.hidden), nn.Tanh(), nn.Linear(fit.hidden, 2 * fit.codes)
    ).to(x.device)
    generator = _generator(fit.codes, fit.hidden, bins, nn.Tanh()).to(x.device)
    improve = _descent(nn.ModuleList([encoder, generator]), fit)
    for frames in _batches(x, fit):
        mean, spread = encoder(frames).chunk(2, dim=1)
        code = mean + torch.exp(spread / 2) * torch.randn_like(mean)
        surplus = (mean**2 + torch.exp(spread) - 1 - spread).sum(dim=1).mean() / 2
        improve(poisson(frames, generator(code)) + surplus / bins)
    return generator, None, fit.codes


def _adversarial(x: Tensor, kind: str, fit: Fit) -> Found:
    bins = x.shape[1]
    generator = _generator(fit.codes, fit.hidden, bins, nn.Softplus()).to(x.device)
    critic = nn.Sequential(nn.Linear(bins, JUDGED), nn.Tanh(), nn.Linear(JUDGED, 1)).to(x.device)
    improve, judge = _descent(generator, fit), _descent(critic, fit)
    for step, frames in enumerate(_batches(x, fit, 1 + fit.critic_steps)):
        made = generator(torch.randn(len(frames), fit.codes, device=frames.device))
        if step % (1 + fit.critic_steps) == fit.critic_steps:
            improve(-_score(kind, critic, made).mean())
            continue
        judge(_mistakes(kind, critic(frames), critic(made.detach())))
        if kind == "wgan":
            _hold(critic)
    return generator, critic, fit.codes


def _score(kind: str, critic: nn.Module, frames: Tensor) -> Tensor:
    raw: Tensor = critic(frames)[:, 0]
    return logsigmoid(raw) if kind == "gan" else raw


def _mistakes(kind: str, of_frames: Tensor, of_made: Tensor) -> Tensor:
    """What a critic minimises: it is to be high of frames, low of what is made."""
    if kind == "wgan":
        return of_made.mean() - of_frames.mean()
    real, made = torch.ones_like(of_frames), torch.zeros_like(of_made)
    return binary_cross_entropy_with_logits(of_frames, real) + binary_cross_entropy_with_logits(
        of_made, made
    )


def _hold(critic: nn.Module) -> None:
    with torch.no_grad():
        for weights in critic.parameters():
            weights.clamp_(-CLIP, CLIP)


def _descent(network: nn.Module, fit: Fit) -> Callable[[Tensor], None]:
    """One step down a loss."""
    optimiser = torch.optim.RMSprop(network.parameters(), fit.rate)
    return lambda loss: descend(loss, optimiser)


def _batches(x: Tensor, fit: Fit, times: int = 1) -> Iterator[Tensor]:
    for _ in range(fit.steps * times):
        yield x[torch.randint(len(x), (fit.batch,))]


LEARNERS: dict[str, Callable[[Tensor, str, Fit], Found]] = {
    "ae": _autoencoder, "dae": _autoencoder, "vae": _variational,
    "gan": _adversarial, "wgan": _adversarial,
}  # fmt: skip
