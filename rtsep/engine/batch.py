"""A whole recording at once: the stream, its delay taken off."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.dsp.stream import LOUDEST
from rtsep.engine.blocks import Samples, planes
from rtsep.engine.engine import Engine
from rtsep.engine.models import Model


def separate(
    samples: NDArray[Any],
    rate: int,
    model: Model | Sequence[Model] = "speech",
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
    if not isinstance(samples, np.ndarray) or samples.ndim not in (1, 2):
        shape = getattr(samples, "shape", type(samples).__name__)
        raise ValueError(f"samples have shape {shape} (wanted: (n,) or (channels, n))")
    broken = ~(np.abs(samples) <= LOUDEST)
    if broken.any():
        place = int(np.argmax(broken.reshape(-1, samples.shape[-1]).any(axis=0)))
        raise ValueError(f"sample {place} is not within -{LOUDEST:g}..{LOUDEST:g}")
    engine = Engine(
        model,
        rate=rate,
        channels=1 if samples.ndim == 1 else samples.shape[0],
        latency=latency,
        options=options,
        unknown=unknown,
        linked=linked,
    )
    x = planes(samples, engine.channels)
    delay = np.zeros((engine.channels, engine.latency), np.float32)
    stems = engine.separate(np.concatenate([x, delay], axis=1))
    stems = stems[:, :, engine.latency :].reshape(len(engine.sources), *samples.shape)
    return dict(zip(engine.sources, stems, strict=True))
