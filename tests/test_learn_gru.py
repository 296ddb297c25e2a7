"""Compiled recurrent units against torch's own: states, and gradients of all that has any."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rtsep.learn.gru import GRU


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("A", "T", "B"), [(3, 7, 5), (4, 1, 1), (1, 12, 2)])
def test_states_and_gradients_are_those_of_torch(A, T, B, bidirectional):
    torch.manual_seed(0)
    ours = GRU(6, 4, batch_first=True, bidirectional=bidirectional)
    torchs = nn.GRU(6, 4, batch_first=True, bidirectional=bidirectional)
    torchs.load_state_dict(ours.state_dict())
    x = torch.randn(A, T, B, 6)
    heard, same = x.clone().requires_grad_(), x.clone().requires_grad_()
    y = ours(heard)
    rows, _ = torchs(same.transpose(1, 2).reshape(A * B, T, 6))
    wanted = rows.view(A, B, T, -1).transpose(1, 2)
    assert_close(y, wanted, rtol=0, atol=2e-6)
    with torch.no_grad():
        assert_close(ours(x), wanted, rtol=0, atol=1e-6)
    counts = torch.arange(y.numel()).view(y.shape).cos()
    (y * counts).sum().backward()
    (wanted * counts).sum().backward()
    assert_close(heard.grad, same.grad, rtol=1e-4, atol=1e-5)
    for one, other in zip(ours.parameters(), torchs.parameters(), strict=True):
        assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)


def test_what_is_no_float32_is_for_torch():
    network = GRU(3, 2, batch_first=True).double()
    x = torch.randn(2, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, (x,))
