"""Checkpoints: what is left of a training that is cut short, and who may go on from it."""

import resource
import tracemalloc

import numpy as np
import pytest
import torch

from rtsep.artefacts.card import CardError
from rtsep.learn.corpus import Recording
from rtsep.learn.descent import DivergedError
from rtsep.learn.families import BANDS, SIZES
from rtsep.learn.networks import learn_network
from rtsep.learn.scenes import RATE, UNITS, Batch
from rtsep.learn.tapes import tape
from rtsep.learn.task import Task
from rtsep.learn.training import Plan, restored, train

TINY = SIZES["tiny"]
RNG = np.random.default_rng


class Noise:
    """Batches of random numbers in the place of scenes."""

    def __init__(self, seed):
        self.rng = RNG(seed)

    def batch(self):
        f, X, S = (
            self.rng.uniform(0.1, 1, (2, 5, n)).astype(np.float32)
            for n in (BANDS, len(UNITS.hz), len(UNITS.hz))
        )
        return Batch(f, X, S * X, S * X, np.ones((2, len(UNITS.hz)), np.float32))


@pytest.fixture
def checkpoint(tmp_path):
    """Of one epoch."""
    path = tmp_path / "x.pt"
    train(Plan(1, steps=1), TINY, Noise, path, made_of={"init": "nmf"})
    return path


def test_a_full_disk_leaves_the_checkpoint_before_and_nothing_else(checkpoint):
    before, limits = checkpoint.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"x\.pt"):
            train(Plan(2, steps=1), TINY, Noise, checkpoint)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoint.read_bytes() == before
    assert [*checkpoint.parent.iterdir()] == [checkpoint]


def test_a_gradient_that_is_no_number_goes_into_no_checkpoint(checkpoint):
    """Whose loss is one: the root's slope at zero is infinite."""

    def also(seed):
        return lambda network: (0 * network.outward.weight.sum()).sqrt()

    before = checkpoint.read_bytes()
    with pytest.raises(DivergedError, match="gradient is nan in epoch 1, step 0"):
        train(Plan(2, steps=1), TINY, Noise, checkpoint, also=also)
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize(
    ("plan", "made_of", "told"),
    [
        (Plan(2, steps=1, seed=7), {}, r"made for seed 0 \(wanted: 7\)"),
        (Plan(2, steps=3), {}, r"made for steps 1 \(wanted: 3\)"),
        (Plan(2, steps=1), {"init": "am"}, r"made for init nmf \(wanted: am\)"),
        (Plan(2, steps=1), {"renew": "True"}, r"made for renew None \(wanted: True\)"),
    ],
)
def test_the_checkpoint_of_another_training_is_refused(checkpoint, plan, made_of, told):
    with pytest.raises(ValueError, match=told):
        train(plan, TINY, Noise, checkpoint, made_of=made_of)


def test_what_is_done_is_told_again_and_more_epochs_go_on(checkpoint):
    told = []
    for epochs in (1, 3):
        done = train(Plan(epochs, steps=1), TINY, Noise, checkpoint, made_of={"init": "nmf"},
                     told=lambda row: told.append(row["epoch"]))  # fmt: skip
        assert done.epoch == epochs
    assert told == [0, 0, 1, 2]


@pytest.mark.parametrize("keep", [0, 10, 5000])
def test_what_is_no_checkpoint_is_refused_in_one_line(checkpoint, keep):
    checkpoint.write_bytes(checkpoint.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"x\.pt: no checkpoint") as caught:
        restored(checkpoint)
    assert "\n" not in str(caught.value)
    torch.save({"network": {}}, checkpoint)
    with pytest.raises(ValueError, match="wanted: network, optimiser"):
        train(Plan(2, steps=1), TINY, Noise, checkpoint)


@pytest.mark.parametrize(
    ("named", "told"),
    [({"name": "n" * 65}, "name is"), ({"source": "unknown"}, "reserved"), ({"seed": -1}, "seed")],
)
def test_what_no_card_can_say_is_refused_before_anything_is_read(tmp_path, named, told):
    plan = {"seed": named.pop("seed", 0)}
    task = Task("supervised", "nowhere", tmp_path, clean="nowhere", size="tiny", plan=plan)
    with pytest.raises(CardError, match=told):
        learn_network(task, **{"name": "n"} | named)


def test_a_recording_longer_than_the_memory_goes_onto_a_tape(tmp_path):
    """One whose middle is silent, block by block; its ends are cut to where it sounds."""
    size, count = 1 << 16, 400

    def blocks():
        for i in range(count):
            loud = i in (3, count - 2)
            yield np.full(size, 0.25 if loud else 0, np.float32) * (-1) ** i

    corpus = [Recording("long", RATE, size * count, blocks)]
    tracemalloc.start()
    made = tape(corpus, RATE, tmp_path, "long", pytest.fail)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * size * count / 4, "a quarter of what it would take as a whole"
    assert made.edges.tolist() == [0, size * (count - 4)]
    assert made.samples[[0, size, -1]].tolist() == [-16384, 0, 16384]
    assert {each.suffix for each in tmp_path.iterdir()} == {".pcm", ".npz"}
