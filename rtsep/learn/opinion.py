"""What listeners would say of a mask's sound, as a loss can ask for it: DNSMOS P.835 in torch.

The network of Reddy, Gopal and Cutler (2022) with the weights that `speechmos` brings, so that
gradients pass through it: power spectra of 20 ms every 10 ms at 16 kHz, their logarithms, seven
convolutions, the largest of all places, three products; each raw score is then bent by a
polynomial to the scale of opinions, 1..5.  What was trained with it is no longer judged by it
independently.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rtsep.dsp.stream import stream_spec
from rtsep.dsp.windows import window_pair
from rtsep.learn.families import MaskNetwork
from rtsep.learn.features import features
from rtsep.learn.mixing import Recipe
from rtsep.learn.scenes import RATE, UNITS, WINDOW, Scenes, Spectra
from rtsep.learn.tapes import Tape

FRAME, HOP = 320, 160  # of the judge, samples at RATE / TIMES
TIMES = 3  # 48 kHz to 16 kHz
POOLED = (3, 4, 5)  # convolutions after which neighbours are pooled
# Of speech, background and overall: c_2 s^2 + c_1 s + c_0.
BENT = ((-0.08397278, 1.22083953, 0.0052439), (-0.13166888, 1.60915514, -0.39604546),
        (-0.06766283, 1.11546468, 0.04602535))  # fmt: skip
MODES = ("high", "medium")  # whose hops are those of the scenes
SHARES = (0.25, 0.25, 1.0)  # of speech, background and overall in what is asked for
SCENES = 4  # that are judged in a step
FRAMES = 500  # of a mixture that is judged: 2.7 s
MURKIEST = -3.0  # dB; below, all is bad
EDGE = 400  # samples at the ends that not all frames reach


class Opinion(nn.Module):
    """Opinions of speech, background and overall (rows, 3) of samples (rows, n) at 16 kHz."""

    wave_0: Tensor
    wave_1: Tensor
    bent: Tensor

    def __init__(self, model: Path | None = None) -> None:
        super().__init__()
        weights = _weights(model or shipped())
        part = "mos_estimator_logpow/"
        self.floor, self.power, self.scale = (
            float(weights[part + name]) for name in ("Maximum/x:0", "pow/y:0", "truediv/y:0")
        )
        for i, name in enumerate(("real", "imag")):
            kernel = weights[f"time2freq/stft-{name}/kernel:0"]
            self.register_buffer(f"wave_{i}", kernel[:, :, 0].T.contiguous())
        for i, name in enumerate(("", "_1", "_2", "_3", "_4", "_5", "_6")):
            for what in ("kernel", "bias"):
                self.register_buffer(f"{what}_{i}", weights[f"conv2d{name}/{what}:0"])
        for i, name in enumerate(("", "_1", "_3")):
            for what in ("MatMul", "BiasAdd"):
                values = weights[f"{part}dense{name}/{what}/ReadVariableOp/resource:0"]
                self.register_buffer(f"{what}_{i}", values)
        self.register_buffer("bent", torch.tensor(BENT))

    def forward(self, samples: Tensor) -> Tensor:
        framed = samples.unfold(-1, FRAME, HOP)
        squares = (framed @ self.wave_0).square() + (framed @ self.wave_1).square()
        logarithm = (squares.sqrt() ** self.power).clamp(min=self.floor).log() / self.scale
        return self._opinions(self._pooled(logarithm[:, None]))

    def _pooled(self, x: Tensor) -> Tensor:
        """The convolutions, in bfloat16: half the time, and a hundredth of an opinion off."""
        x = x.to(torch.bfloat16).to(memory_format=torch.channels_last)
        for i in range(7):
            kernel, bias = (getattr(self, f"{what}_{i}").to(x) for what in ("kernel", "bias"))
            x = torch.relu(nn.functional.conv2d(x, kernel, bias, padding=1))
            if i in POOLED:
                x = nn.functional.max_pool2d(x, 2)
        return x.float().amax(dim=(2, 3))

    def _opinions(self, x: Tensor) -> Tensor:
        for i in range(3):
            x = x @ getattr(self, f"MatMul_{i}") + getattr(self, f"BiasAdd_{i}")
            x = torch.relu(x) if i < 2 else x
        powers = torch.stack([x**2, x, torch.ones_like(x)], dim=-1)
        opinions: Tensor = (powers * self.bent).sum(dim=-1)
        return opinions


def shipped() -> Path:
    """The model of the installed `speechmos`; OSError with what to do where it is missing."""
    try:
        import speechmos
    except ImportError as error:
        raise OSError("speechmos is missing: pip install 'rtsep[metrics]'") from error
    return Path(speechmos.__file__).parent / "dnsmos_models" / "sig_bak_ovr.onnx"


def _weights(path: Path) -> dict[str, Tensor]:
    import onnx
    from onnx import numpy_helper

    held = onnx.load(path).graph.initializer
    return {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in held}


def played(X: Tensor, g: Tensor, mode: str) -> Tensor:
    """Samples (rows, n) at 16 kHz of spectra X (rows, T, 513), hop 256, under gains (.., bins)."""
    synthesis = torch.from_numpy(window_pair(stream_spec(RATE, mode))[1].astype(np.float32))
    frames = torch.fft.irfft(X * g, dim=-1) * synthesis.to(X.device)
    rows, T, _ = frames.shape
    hop = WINDOW // 4
    n = (T - 1) * hop + WINDOW
    y = nn.functional.fold(frames.transpose(1, 2), (1, n), (1, WINDOW), stride=(1, hop))
    n = n // TIMES * TIMES
    spectrum = torch.fft.rfft(y.reshape(rows, -1)[:, :n])
    low = spectrum[:, : n // (2 * TIMES) + 1]
    samples: Tensor = torch.fft.irfft(low, n=n // TIMES) / TIMES
    return samples


def critics(
    sources: list[tuple[Tape, float]], others: list[tuple[Tape, float]], recipe: Recipe,
    weight: float,
) -> Callable[[Any], "Critic"]:  # fmt: skip
    """A critic for every epoch of `training.train`, on a few scenes a step.

    OSError where DNSMOS is not installed.
    """
    opinion, rows = Opinion(), min(recipe.rows, SCENES)
    snr = max(recipe.snr[0], MURKIEST), max(recipe.snr[1], MURKIEST)
    aloud = replace(
        recipe, rows=rows, fresh=(rows + 1) // 2, frames=FRAMES, pace=1, alone=0.0, snr=snr
    )

    def critic(seed: Any) -> Critic:
        return Critic(Scenes(sources, others, aloud, [*seed, 1], modes=MODES), weight, opinion)

    return critic


class Critic:
    """Adds opinions to a loss: the better, the less.

    scenes : at pace 1, in `MODES`, with speech in all of them; some seconds each.  weight : of an
    opinion's point.
    """

    def __init__(self, scenes: Scenes, weight: float, opinion: Opinion | None = None) -> None:
        self.scenes, self.weight, self.opinion = scenes, weight, opinion or Opinion()
        self.spread = torch.from_numpy(UNITS.spread.astype(np.float32))

    def __call__(self, network: MaskNetwork) -> Tensor:
        mode, X = self.scenes.mixtures()
        asked = self.opinions(network, X, mode).mean(dim=0) @ torch.tensor(SHARES)
        added: Tensor = -self.weight * asked
        return added

    def opinions(self, network: MaskNetwork, X: Spectra, mode: str) -> Tensor:
        """(rows, 3) of what a network makes of spectra X (rows, T, 513), on the CPU."""
        pace, where = network.size.pace, next(network.parameters()).device
        heard: Any = X[:, ::pace]
        power = heard.real**2 + heard.imag**2
        g = network(torch.from_numpy(features(power, UNITS.pool, pace)).to(where)).float()
        gains = (g @ self.spread.to(where)).repeat_interleave(pace, dim=1)[:, : X.shape[1]]
        y = played(torch.from_numpy(X).to(where), gains, mode)[:, EDGE:-EDGE].clamp(-1, 1)
        opinions: Tensor = self.opinion.to(where)(y).cpu()
        return opinions
