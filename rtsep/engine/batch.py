"""A whole recording at once: the stream, its delay taken off."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.engine.blocks import Samples
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

    samples : (n,) or (channels, n).  Bit-identical to streaming it through an `Engine`.
    """
    engine = Engine(
        model,
        rate=rate,
        channels=1 if samples.ndim == 1 else samples.shape[0],
        latency=latency,
        options=options,
        unknown=unknown,
        linked=linked,
    )
    delay = np.zeros((*samples.shape[:-1], engine.latency), np.float32)
    stems = engine.separate(np.concatenate([samples.astype(np.float32), delay], axis=-1))
    stems = stems[:, :, engine.latency :].reshape(len(engine.sources), *samples.shape)
    return dict(zip(engine.sources, stems, strict=True))
