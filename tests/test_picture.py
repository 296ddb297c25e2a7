"""Pictures of models."""

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from command_line import refused, rtsep
from rich.console import Console

from models import model
from rtsep.artefacts.basis import Basis
from rtsep.artefacts.library import save
from rtsep.cli import picture
from rtsep.cli.sketch import print_sketch, sketch

pytest.importorskip("matplotlib")


@pytest.fixture
def fan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = model("fan", rank=3, rate=16000)
    card = replace(made.card, quality={"objective": "1 0.5 0.25 0.2"})
    save("fan.npz", Basis(card, made.W))
    return Basis(card, made.W)


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_a_model_is_drawn_beside_its_card(fan, tmp_path, suffix, start):
    done = rtsep("models", "show", "fan.npz", "--picture", f"fan{suffix}")
    assert "rank           3" in done.stdout
    assert (tmp_path / f"fan{suffix}").read_bytes().startswith(start)


def test_a_picture_shows_every_component_in_order_and_the_objective(fan, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(picture, "draw_basis", lambda axis, W, rate, mode: shown.append((mode, W)))
    monkeypatch.setattr(picture, "draw_objective", lambda axis, fell: shown.append(fell))
    picture.draw(fan, tmp_path / "fan.png")
    assert dict(shown[:3]).keys() == fan.W.keys()
    assert shown[3] == [1, 0.5, 0.25, 0.2]


@pytest.mark.parametrize("kind", ["nmf", "asvd"])
def test_components_are_ordered_low_to_high(kind):
    W = model("fan", kind, rank=6).W["high"]
    ordered = picture.in_order(W)
    middle = np.arange(len(W)) @ (ordered**2) / (ordered**2).sum(axis=0)
    assert (np.diff(middle) >= 0).all()
    assert np.array_equal(np.sort(ordered, axis=1), np.sort(W, axis=1))


def test_a_model_without_an_objective_is_drawn(fan, tmp_path):
    for quality in ({}, {"objective": "is no number"}, {"objective": 3.0}):
        picture.draw(Basis(replace(fan.card, quality=quality), fan.W), tmp_path / "f.png")


def test_what_cannot_be_drawn_is_said_and_nothing_written(fan, tmp_path, monkeypatch):
    words = ("models", "show", "fan.npz", "--picture")
    assert "suffix '.txt'" in refused(*words, "fan.txt")
    assert "there is no folder none" in refused(*words, "none/fan.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'rtsep[plot]'" in refused(*words, "fan.png")
    assert [path.name for path in tmp_path.iterdir()] == ["fan.npz"]


# on a terminal


def printed(basis, width=80, **settings):
    told = io.StringIO()
    print_sketch(basis, Console(file=told, width=width, **settings))
    return told.getvalue()


def test_a_terminal_shows_the_basis_small_and_nothing_else_does(fan):
    lines = printed(fan, force_terminal=True, color_system="truecolor").splitlines()
    assert len(lines) == 11
    assert lines[0].startswith("    8 kHz ")
    assert lines[9].startswith("    60 Hz ")
    assert [line.count("▀") for line in lines[:10]] == [12] * 10  # 3 components, 4 columns each
    assert "components" in lines[10]
    assert printed(fan) == ""
    assert "▀" not in rtsep("models", "show", "fan.npz").stdout


@pytest.mark.parametrize("rank", [1, 68, 200])
@pytest.mark.parametrize("kind", ["nmf", "asvd"])
def test_components_fit_the_width(rank, kind):
    text = printed(model("fan", kind, rank=rank), 40, force_terminal=True, color_system="256")
    assert {line.count("▀") for line in text.splitlines()[:10]} == {min(28, 4 * rank)}


def test_a_tone_is_bright_where_it_is():
    made = model("fan", rank=1, rate=16000)
    tone = {mode: np.full_like(W, 1e-9) for mode, W in made.W.items()}
    for mode, W in tone.items():
        W[round(1000 / 16000 * made.card.windows[mode][0])] = 1
    levels = sketch(Basis(made.card, {m: W / W.sum(axis=0) for m, W in tone.items()}), 60)[:, 0]
    edges = np.geomspace(60, 8000, 21)[::-1]
    (row,) = np.flatnonzero(levels == levels.max())
    assert edges[row + 1] <= 1000 <= edges[row]
    assert (np.delete(levels, row) == 0).all()
