"""A bar where there is a terminal, nothing elsewhere."""

import io
import sys

import pytest

from rtsep.cli.learn import learning_bar
from rtsep.cli.progress import progress_bar


class Terminal(io.StringIO):
    def __init__(self, there):
        super().__init__()
        self._there = there

    def isatty(self):
        return self._there


@pytest.fixture
def terminal(monkeypatch):
    def shown_on(there):
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "80")
        file = Terminal(there)
        monkeypatch.setattr(sys, "stderr", file)
        return file

    return shown_on


def test_a_terminal_shows_words_and_share(terminal):
    file = terminal(True)
    with progress_bar("meeting.wav") as move:
        move(completed=3, total=4, refresh=True)
    assert "meeting.wav" in file.getvalue()
    assert "75%" in file.getvalue()


def test_nothing_is_written_to_a_file(terminal):
    file = terminal(False)
    with progress_bar("meeting.wav") as move:
        move(completed=3, total=4, refresh=True)
    assert file.getvalue() == ""


@pytest.mark.parametrize("there", [True, False])
def test_learning_tells_its_objective_on_a_terminal_alone(terminal, there):
    file = terminal(there)
    with learning_bar() as (progress, told):
        told(2.5)
        progress(1.0)
    assert ("objective 2.5" in file.getvalue()) == there
