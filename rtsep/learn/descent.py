"""Where networks are trained, and what ends a training: a value that is no number."""

import math

import torch
from torch import Tensor, nn


class DivergedError(ValueError):
    """The loss, its gradient or the weights are no number; the last checkpoint is from before."""


def device() -> torch.device:
    """A GPU where there is one, in mixed precision there."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def forward(network: nn.Module, x: Tensor, half: bool = False) -> Tensor:
    """network(x) in float32; its layers in bfloat16, always on a GPU, elsewhere where told."""
    where = device().type
    with torch.autocast(where, torch.bfloat16, half or where == "cuda"):
        found: Tensor = network(x)
    return found.float()


def refuse_none(what: str, value: Tensor, epoch: int, step: int) -> None:
    """DivergedError for no number: not a step further, or the next checkpoint holds it."""
    if not math.isfinite(value.item()):
        raise DivergedError(
            f"{what} is {value.item()} in epoch {epoch}, step {step} (wanted: a number); "
            "the checkpoint before it is kept"
        )


def descend(loss: Tensor, *optimisers: torch.optim.Optimizer) -> None:
    """One step down; DivergedError for a loss that is no number."""
    if not math.isfinite(value := loss.item()):
        raise DivergedError(f"loss is {value} (wanted: a number)")
    for each in optimisers:
        each.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for each in optimisers:
        each.step()


def refuse_lost(what: str, *networks: nn.Module) -> None:
    """DivergedError where a network's weights are no numbers any more."""
    for name, weights in (each for network in networks for each in network.named_parameters()):
        if not torch.isfinite(weights).all():
            raise DivergedError(f"weights of {what} are not finite in {name} (wanted: numbers)")
