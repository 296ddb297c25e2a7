"""Gated recurrent units of many places with the same weights, compiled for training on a CPU.

torch's own walk small states slowly there, an operation at a time; see walks.py for what is done.
"""

from typing import Any

import torch
from torch import Tensor, nn

from rtsep.learn.walks import walk, walk_back

PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Walk(torch.autograd.Function):
    """(A, T, B, ways H) of x (A, T, B, C) and the weights of each way, in the order of PARTS."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        A, T, B, _ = x.shape
        ways, H = len(weights) // 4, weights[1].shape[1]
        y, kept = torch.zeros(A, T, B, ways * H), []
        for way in range(ways):
            inward, inner, given_bias, kept_bias = (w.detach() for w in weights[4 * way :][:4])
            h = torch.zeros(T + 1, A * B, H)
            states = [h, *(torch.empty(T, A * B, H) for _ in range(4))]
            turned = inward.T.contiguous(), given_bias, inner.T.contiguous(), kept_bias
            walk(*[*_arrays(x, y), way, *_arrays(*turned, *states)])
            kept += states
        ctx.save_for_backward(x, *weights, *kept)
        return y

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        x, *rest = ctx.saved_tensors
        ways = len(rest) // 9
        weights, kept = rest[: 4 * ways], rest[4 * ways :]
        dx, found = torch.zeros_like(x), []
        for way in range(ways):
            own, states = weights[4 * way :][:4], kept[5 * way :][:5]
            gradients = [torch.zeros_like(w) for w in own]
            after = _arrays(given[0].contiguous(), x, dx)
            walk_back(*[*after, way, *_arrays(*own[:2], *states, *gradients)])
            found += gradients
        return dx, *found


def _arrays(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().numpy() for tensor in tensors]


class GRU(nn.GRU):
    """torch's, of one layer, along the second axis of (A, T, B, C), from states of zero."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """(A, T, B, ways H): compiled where gradients are wanted on a CPU, else by torch."""
        if torch.is_grad_enabled() and x.device.type == "cpu" and x.dtype == torch.float32:
            ways = ("", "_reverse")[: 1 + self.bidirectional]
            weights = [getattr(self, f"{part}_l0{way}") for way in ways for part in PARTS]
            walked: Tensor = Walk.apply(x.contiguous(), *weights)  # type: ignore[no-untyped-call]
            return walked
        A, T, B, C = x.shape
        y, _ = super().forward(x.transpose(1, 2).reshape(A * B, T, C))
        return y.view(A, B, T, -1).transpose(1, 2)
