"""The commands that made the shipped networks, on a folder of a few sounds and for one step."""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_learn_networks import RATE, high_hiss, low_tones, one_thread  # noqa: F401

from rtsep.learn import opinion
from rtsep.learn.families import SIZES

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import train_networks

SETS = {"speech_train": low_tones, "speech_fullband48": low_tones, "noise_train": high_hiss,
        "two_speaker": low_tones, "music": high_hiss}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    columns = ("file", "set", "split", "category", "licence", "seconds")
    rows = [dict.fromkeys(columns, "") | {
                "file": f"cc0_ccby/{name}/{i}.wav", "set": name, "split": "train",
                "category": "drums", "licence": "CC0", "seconds": "1",
            } for name in SETS for i in range(3)]  # fmt: skip
    for row in rows:
        path = root / row["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, SETS[row["set"]](1, rng), RATE)
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return root


def shrunk(stage):
    """One step of two short scenes, each as long as a correlation of envelopes."""
    plan, frames = replace(stage.plan, epochs=1, steps=1), 80 // stage.recipe.pace
    return replace(stage, plan=plan, recipe=replace(stage.recipe, rows=2, fresh=1, frames=frames))


@pytest.mark.parametrize("name", train_networks.TRAININGS)
def test_every_stage_of_a_shipped_training_runs(data, tmp_path, monkeypatch, name):
    small = replace(train_networks.JUDGED, rows=2, fresh=2, frames=80)
    monkeypatch.setattr(train_networks, "JUDGED", small)
    monkeypatch.setattr(train_networks, "MIXTURE_SECONDS", 1.0)
    monkeypatch.setattr(opinion, "FRAMES", 60)
    training = train_networks.TRAININGS[name]
    wanted = replace(training, stages=tuple(map(shrunk, training.stages)))
    told = []
    network = train_networks.trained(wanted, train_networks.Material(data, tmp_path), told.append)
    assert network.size == SIZES[training.stages[-1].size]
    assert len(told) == len(training.stages) * training.iterations
    assert all(np.isfinite(row["loss"]) for row in told)
