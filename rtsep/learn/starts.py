"""Methods that need no streaming network, each as a mask of the unobserved source.

What NES begins with instead of c y, and what `rtsep train distil` learns from.  All hear the
observed source alone and the mixtures; gass hears the unobserved alone, too, or does without it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.stream import stream_spec
from rtsep.learn import beta, mel, nmf
from rtsep.learn.asvd import adversarial_basis, moments, positive
from rtsep.learn.estimates import Mask, excerpts
from rtsep.learn.mixing import Recipe
from rtsep.learn.scenes import BINS, RATE, WINDOW
from rtsep.learn.tapes import Tape
from rtsep.learn.threads import one_thread

Array = NDArray[np.float32]

STARTS = ("nmf", "asvd", "am", "lm", "lmm", "gass")
BANDS = FRAMES = 64  # of a patch: mel bands, frames
POOL, SPREAD = (each(BINS, RATE, BANDS) for each in (mel.pool, mel.spread))
TINY = np.float32(1e-9)
CRITIC = 0.03  # weight of gan's and wgan's critics in gass


@dataclass(frozen=True)
class Heard:
    """clean : the unobserved source alone, for gass.

    patches : how many are learned from, of 64 frames each.  rank : components of a source.
    epochs, width : of am's and lmm's networks.  steps, kind : of gass's generators (gass.KINDS).
    search : steps for codes.
    snr : dB, from and to, of what is not observed over what is, within the mixtures.
    """

    observed: Tape
    mixtures: Tape
    clean: Tape | None = None
    patches: int = 1000
    rank: int = 32
    passes: int = 60
    epochs: int = 15
    width: int = 16
    steps: int = 2000
    kind: str = "vae"
    search: int = 200
    snr: tuple[float, float] = Recipe.snr
    seed: int = 0

    def frames(self, source: Tape) -> Array:
        """|X| (F, T)."""
        found = excerpts(source, self.patches, FRAMES, self.seed)
        return np.ascontiguousarray(found.reshape(-1, BINS).T)

    def pictures(self) -> tuple[Array, Array]:
        """Of the observed source and of the mixtures.

        These have a mean of one, and b is as loud as it is within mixtures, as for NES.
        """
        b, y = (
            patches(excerpts(each, self.patches, FRAMES, self.seed).reshape(-1, BINS))
            for each in (self.observed, self.mixtures)
        )
        snr = np.random.default_rng(self.seed).uniform(*self.snr, len(b))
        louder = np.sqrt(1 + 10 ** (snr / 10)).astype(np.float32)
        return b / louder[:, None, None], y


def by_nmf(heard: Heard) -> Mask:
    """Components of the observed source held, as many more learned of each mixture; KL, shares."""
    rng = np.random.default_rng(heard.seed)
    V = heard.frames(heard.observed)
    with one_thread():
        start = nmf.exemplars(V, heard.rank, rng)
        known = nmf.factorise(V, start, passes=heard.passes).W

    def mask(magnitudes: Array) -> Array:
        V = np.ascontiguousarray(magnitudes.T)
        W = np.hstack([known, nmf.exemplars(V, heard.rank, rng)])
        with one_thread():
            found = beta.factorise(V, W, fixed=slice(heard.rank), passes=heard.passes)
        b = found.W[:, : heard.rank] @ found.H[: heard.rank]
        return np.asarray(1 - (b / (found.W @ found.H + TINY)).T, np.float32)

    return mask


def by_asvd(heard: Heard, tau: float = 0.5) -> Mask:
    """What the observed source's basis, learned against the mixtures, does not hold."""
    own, other = (
        moments([heard.frames(each)], BINS).levelled() for each in (heard.observed, heard.mixtures)
    )
    rank = min(heard.rank, max(1, positive(own.mean() - tau * other.mean())))
    W = adversarial_basis(own, other, rank, tau)

    def mask(magnitudes: Array) -> Array:
        explained = np.maximum(magnitudes @ W @ W.T, 0)
        return np.asarray(1 - np.clip(explained / (magnitudes + TINY), 0, 1), np.float32)

    return mask


def by_am(heard: Heard) -> Mask:
    from rtsep.learn.am import Masking, adversarial_masking

    given = Masking(epochs=heard.epochs, width=heard.width, seed=heard.seed)
    separate = adversarial_masking(*heard.pictures(), given)
    return lambda magnitudes: masked(separate, magnitudes)


def by_lmm(heard: Heard, share: bool = True) -> Mask:
    from rtsep.learn.lmm import Latent, latent_mixture_masking

    given = Latent(heard.epochs, heard.width, search=heard.search, seed=heard.seed, share=share)
    separate = latent_mixture_masking(*heard.pictures(), given)
    return lambda magnitudes: masked(separate, magnitudes)


def by_gass(heard: Heard) -> Mask:
    """Generative models of both sources; ValueError where one is not heard alone."""
    from rtsep.learn.gass import Fit, learned
    from rtsep.learn.latents import Search, taken_apart

    if heard.clean is None:
        raise ValueError("gass learns from clean too, and none are given")
    fit = Fit(steps=heard.steps, seed=heard.seed)
    models = [
        learned(heard.frames(each), heard.kind, fit) for each in (heard.clean, heard.observed)
    ]
    search = Search(heard.search, critic=CRITIC if models[0].critic else 0.0)

    def mask(magnitudes: Array) -> Array:
        level = np.float32(models[0].level / (magnitudes.mean() + TINY))
        V = np.ascontiguousarray(magnitudes.T) * level
        x, b = taken_apart(V, models, search).modelled
        return np.ascontiguousarray((x / (x + b + TINY)).T)

    return mask


BY: dict[str, Callable[[Heard], Mask]] = {
    "nmf": by_nmf, "asvd": by_asvd, "am": by_am, "lm": partial(by_lmm, share=False),
    "lmm": by_lmm, "gass": by_gass,
}  # fmt: skip


def by_network(path: Path) -> Mask:
    """A mask network from a file, of the source that it keeps."""
    from rtsep.artefacts.network import load_network
    from rtsep.learn.offline import masks_of_hops

    network, spec = load_network(path), stream_spec(RATE, "high")
    if (network.card.window, network.card.rate) != (WINDOW, RATE):
        raise ValueError(
            f"{path}: windows of {network.card.window} samples at {network.card.rate} Hz "
            f"(wanted: {WINDOW} at {RATE} Hz)"
        )
    return lambda magnitudes: masks_of_hops(network, magnitudes, spec)


def patches(V: Array) -> Array:
    """Mel bands of V (T, F) as pictures (N, 64, 64), each at a mean of one.

    The last is filled up by its own last frame.
    """
    bands = np.pad(V @ POOL, ((0, -len(V) % FRAMES), (0, 0)), mode="edge")
    found = bands.reshape(-1, FRAMES, bands.shape[1]).transpose(0, 2, 1)
    return np.ascontiguousarray(found / (found.mean(axis=(1, 2), keepdims=True) + TINY))


def masked(separate: Callable[[Array], Array], V: Array) -> Array:
    """The mask (T, F) of what T(y) = b leaves of V (T, F), from the bands to the bins."""
    y = patches(V)
    left = 1 - np.clip(separate(y) / (y + TINY), 0, 1)
    gains = left.transpose(0, 2, 1).reshape(-1, BANDS)[: len(V)]
    return np.asarray(gains @ SPREAD, np.float32)
