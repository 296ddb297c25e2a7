"""A whole recording at once: the stream, its delay taken off."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.library import DEFAULT
from rtsep.dsp.stream import LOUDEST
from rtsep.engine.blocks import Samples, planes
from rtsep.engine.engine import Engine
from rtsep.engine.models import Model
from rtsep.engine.parameters import Value


def denoise(
    samples: NDArray[Any],
    rate: int,
    model: Model | Sequence[Model] = DEFAULT,
    *,
    latency: str = "high",
    linked: bool = True,
    unknown: bool | None = None,
    keep: str | Sequence[str] | None = None,
    options: dict[str, Any] | None = None,
    **parameters: Value,
) -> Samples:
    """What is kept of a whole recording, in time with it: float32 of the shape of `samples`.

    samples : float (n,) or (channels, n), full scale 1.  All else is as for an `Engine`, and so is
    the result, to the bit.  ValueError for NaN, Inf or samples over `LOUDEST`.
    """
    given: dict[str, Any] = {"keep": keep, **parameters}
    engine = Engine(
        model, rate=rate, channels=_channels(samples), latency=latency, linked=linked,
        unknown=unknown, options=options, **given,
    )  # fmt: skip
    return _in_time(engine.process, samples, engine).reshape(samples.shape)


def separate(
    samples: NDArray[Any],
    rate: int,
    model: Model | Sequence[Model] = DEFAULT,
    *,
    latency: str = "high",
    options: dict[str, Any] | None = None,
    unknown: bool | None = None,
    linked: bool = True,
) -> dict[str, Samples]:
    """Every source of a whole recording, in time with it: float32 of the shape of `samples`.

    samples : float (n,) or (channels, n), full scale 1.  Bit-identical to streaming it through an
    `Engine` of the same latency mode.  ValueError for NaN, Inf or samples over `LOUDEST`.
    """
    engine = Engine(
        model, rate=rate, channels=_channels(samples), latency=latency, linked=linked,
        unknown=unknown, options=options,
    )  # fmt: skip
    stems = _in_time(engine.separate, samples, engine)
    stems = stems.reshape(len(engine.sources), *samples.shape)
    return dict(zip(engine.sources, stems, strict=True))


def _channels(samples: NDArray[Any]) -> int:
    """How many there are; ValueError for what is no recording, TypeError where it is no floats."""
    if not isinstance(samples, np.ndarray) or samples.ndim not in (1, 2):
        shape = getattr(samples, "shape", type(samples).__name__)
        raise ValueError(f"samples have shape {shape} (wanted: (n,) or (channels, n))")
    channels = 1 if samples.ndim == 1 else samples.shape[0]
    broken = ~(np.abs(planes(samples, channels)) <= LOUDEST)
    if broken.any():
        place = int(np.argmax(broken.any(axis=0)))
        raise ValueError(f"sample {place} is not within -{LOUDEST:g}..{LOUDEST:g}")
    return channels


def _in_time(step: Callable[[Samples], Samples], samples: NDArray[Any], engine: Engine) -> Samples:
    """What a step of the engine makes of all of it, (..., channels, n), without the delay."""
    x = planes(samples, engine.channels)
    delay = np.zeros((engine.channels, engine.latency), np.float32)
    return step(np.concatenate([x, delay], axis=1))[..., engine.latency :]
