"""Training where a GPU would be: on torch's meta device, whose tensors have shapes and no numbers.

Where what is on the processor meets what is on the device, torch refuses, as it would on a GPU, or
the answer lies where it should not.  Mixed precision and sparse steps are not in it.
"""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rtsep.learn import am, gass, generator, latents, lmm, nes, training
from rtsep.learn.families import SIZES
from rtsep.learn.scenes import UNITS, Batch

GPU = torch.device("meta")
PICTURES = np.ones((4, 16, 16), np.float32)


@pytest.fixture
def gpu(monkeypatch):
    def down(loss, *optimisers):
        assert loss.device == GPU
        for each in optimisers:
            each.zero_grad()
        loss.backward()
        for each in optimisers:
            if not isinstance(each, torch.optim.SparseAdam):  # meta knows no sparse gradients
                each.step()

    def back(tensor):
        assert tensor.device == GPU
        return torch.zeros(tensor.shape, dtype=tensor.dtype)

    for module in (am, gass, generator, latents, lmm, training):
        monkeypatch.setattr(module, "device", lambda: GPU)
    for module in (am, gass, generator, latents, lmm):
        monkeypatch.setattr(module, "descend", down)
    for module in (am, gass, generator, lmm):
        monkeypatch.setattr(module, "refuse_lost", lambda *lost: None)
    monkeypatch.setattr(training, "refuse_none", lambda *none: None)
    monkeypatch.setattr(
        torch, "autocast", lambda *wanted, **more: nullcontext()
    )  # it knows no meta
    monkeypatch.setattr(torch.Tensor, "cpu", back)


def test_processor_and_gpu_do_not_mix(gpu):
    with pytest.raises(RuntimeError, match="device meta"):
        torch.ones(2) + torch.ones(2, device=GPU)


def learned(b, y):
    return generator.learner(1, 4, 2)(y, b)


def masked(b, y):
    return am.adversarial_masking(b, y, am.Masking(1, 4, 2))


def mixed(b, y):
    return lmm.latent_mixture_masking(b, y, lmm.Latent(1, 4, 4, 2, 2))


@pytest.mark.parametrize("method", [learned, masked, mixed])
def test_pictures(gpu, method):
    assert method(PICTURES, PICTURES)(PICTURES).shape == PICTURES.shape


@pytest.mark.parametrize("kind", gass.KINDS)
def test_generators(gpu, kind):
    V = np.ones((8, 6), np.float32)
    models = [gass.learned(V, kind, gass.Fit(4, 2, 2, 3)) for _ in range(2)]
    part = models[0].frames(torch.zeros(6, models[0].codes, device=GPU))
    assert models[0].score(part).device == GPU
    search = latents.Search(2, critic=0.1, smooth=0.1, prior=0.1)
    v, codes = torch.ones(6, 8, device=GPU), [torch.ones(6, m.codes, device=GPU) for m in models]
    assert latents.objective(v, models, codes, 1.0, search).device == GPU


def batch(rows: int = 2, frames: int = 160) -> Batch:
    spectra = (np.full((rows, frames, len(UNITS.hz)), n, np.float32) for n in (3, 1, 1))
    weight = np.ones((rows, len(UNITS.hz)), np.float32)
    return Batch(np.ones((rows, frames, len(UNITS.spread)), np.float32), *spectra, weight)


@pytest.mark.parametrize("size", ["tiny", "dual-tiny"])
def test_streaming_networks(gpu, monkeypatch, size):
    plan = training.Plan(1, steps=2, ratio=0.1, understood=0.1, observed=size == "tiny")
    monkeypatch.setattr(torch.Tensor, "item", lambda tensor: 0.5)
    state, scenes = training.begun(plan, SIZES[size]), SimpleNamespace(batch=batch)
    assert [*training.epoch(state, plan, scenes, training.band_gains(GPU))] == [0.5, 0.5]
    assert {weights.device for weights in state.network.parameters()} == {GPU}
    training.held_out(state.network, [batch()], plan)
    Y = np.ones((10, 513), np.complex64)
    assert nes.masked_by(state.network)(Y).shape == Y.shape
