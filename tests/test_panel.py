"""The panel of `rtsep live`: what it says, at any size, and what it leaves of a terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile as sf
from control_room import desk_for
from rich.cells import cell_len

import rtsep
from rtsep.cli import notes
from rtsep.cli.drawing import View, clock, drawn, heights
from rtsep.cli.panel import Hands, models_of, turned
from rtsep.cli.screen import Screen, draws_blocks
from rtsep.engine.bands import band_levels, edges

RATE = 48000
HOSTILE = "mic \x1b[2J\x07 \N{HANGUL SYLLABLE HAN}\N{HANGUL SYLLABLE GUG} " + "x" * 300


@pytest.fixture(scope="module")
def engine():
    engine = rtsep.Engine(["speech", "rain"])
    engine.process(0.1 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32))
    return engine


def view(engine, **changes):
    shown = {
        "seconds": 3725.0, "total": None, "title": "rtsep  speech", "way": HOSTILE,
        "meters": engine.meters(), "spectra": engine.spectra,
        "edges": lambda bands: list(edges(bands, engine.rate)), "turned": turned(engine),
        "control": "midi * nano", "remarks": lambda n: [("12:00:00", HOSTILE)] * min(n, 3),
    }  # fmt: skip
    return View(**shown | changes)


def words_of(rows):
    return ["".join(words for words, _ in row) for row in rows]


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize(
    ("columns", "height"),
    [(80, 24), (120, 40), (60, 20), (24, 6), (300, 9), (9, 50), (1, 1), (2, 0)],
)
def test_it_fits_and_moves_no_cursor(engine, columns, height, blocks):
    lines = words_of(drawn(view(engine), columns, height, blocks))
    assert len(lines) <= height
    for line in lines:
        assert cell_len(line) <= max(columns - 1, 0)
        assert line.isprintable()
        assert blocks or line.isascii()


@pytest.mark.parametrize(("columns", "height"), [(80, 24), (120, 40), (60, 20)])
def test_it_says_all_of_it(engine, columns, height):
    lines = "\n".join(words_of(drawn(view(engine), columns, height, True)))
    for words in ("speech", "rain", "input", "output", "reduced", "before", "after", "1:02:05",
                  "5.0 ms", "load", "late 0", "midi * nano", "strength 1", "12:00:00"):  # fmt: skip
        assert words in lines, words


def test_remarks_move_nothing_else(engine):
    quiet = words_of(drawn(view(engine, remarks=lambda n: []), 80, 24, True))
    loud = words_of(drawn(view(engine), 80, 24, True))
    assert loud[: len(quiet)] == quiet


def test_what_goes_wrong_stands_out(engine):
    from dataclasses import replace

    meters = replace(engine.meters(), late_blocks=3)
    rows = drawn(view(engine, meters=meters, lost=2), 80, 24, True)
    pieces = [piece for row in rows for piece in row]
    assert ("late 3", "bold yellow") in pieces
    assert ("lost 2", "bold yellow") in pieces


def test_a_sine_stands_in_its_band_and_bands_share_all_power():
    rate, count = 48000, 513
    power = np.random.default_rng(0).random(count)
    power[0] = power[-1] = 0
    assert 10 ** (np.array(band_levels(power, 40, rate, 1.0)) / 10) == pytest.approx(
        [sum(p * overlap(k, low, high) for k, p in enumerate(power))
         for low, high in zip(edges(40, rate)[:-1], edges(40, rate)[1:], strict=True)],
        rel=1e-6,
    )  # fmt: skip


def overlap(k, low, high, width=48000 / 1024):
    """Share of bin k between two frequencies, a bin reaching half its width to both sides."""
    return max(min(high, (k + 0.5) * width) - max(low, (k - 0.5) * width), 0) / width


@pytest.mark.parametrize(
    ("turn", "db"),
    [({}, 0), ({"output_gain": -12}, 12), ({"bypass": 1, "output_gain": -12}, 0),
     ({"listen": "residual"}, 97)],
)  # fmt: skip
def test_spectra_and_reduction_follow_what_is_given_out(turn, db):
    engine = rtsep.Engine("bypass", **turn)
    engine.process(0.1 * np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32))
    before, after = engine.spectra(24)
    assert engine.meters().reduction_db == pytest.approx(db, abs=0.1) or db == 97
    quieter = np.subtract(before, after)
    assert quieter == pytest.approx(np.full(24, db), abs=0.1) or (db == 97 and min(quieter) > 50)
    total = 10 * np.log10(np.sum(10 ** (np.array(before) / 10)))
    assert total == pytest.approx(-20 + 10 * np.log10((20000 - 60) / 24000), abs=0.6)


def test_heights_rise_with_the_level_and_fill_the_rows():
    assert heights([-200, -90, -20, 90], 2, True) == ["  ██", "  ██"]
    assert heights([-200, -55, -20], 1, False) == [" =@"]
    filled = [sum(map(" ▁▂▃▄▅▆▇█".index, column)) for column in
              zip(*heights(list(range(-95, -15)), 3, True), strict=True)]  # fmt: skip
    assert filled == sorted(filled)
    assert set(filled) == set(range(25))


def test_clock():
    assert [clock(s) for s in (0, 59.9, 60, 3599, 3600)] == [
        "0:00",
        "0:59",
        "1:00",
        "59:59",
        "1:00:00",
    ]


@pytest.mark.parametrize(
    ("encoding", "env", "blocks"),
    [
        ("utf-8", {"LANG": "de_DE.UTF-8"}, True),
        ("utf-8", {}, True),
        ("utf-8", {"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, False),
        ("utf-8", {"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),  # as Python itself sets it
        ("utf-8", {"LANG": "de_DE.UTF-8", "LC_CTYPE": "C.UTF-8"}, True),
        ("iso8859-1", {"LANG": "de_DE"}, False),
    ],
)
def test_blocks_are_for_terminals_that_know_them(encoding, env, blocks):
    assert draws_blocks(encoding, env) is blocks


class Terminal:
    """A file that says it is a terminal."""

    encoding = "utf-8"

    def __init__(self):
        self.written = ""

    def write(self, words):
        self.written += words

    def flush(self):
        pass

    def isatty(self):
        return True

    def fileno(self):
        raise OSError


def test_only_rows_that_changed_are_written(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    screen = Screen(terminal, True)
    screen.show([(("one", ""),), (("two", "green"),)])
    assert "one" in terminal.written
    terminal.written = ""
    screen.show([(("one", ""),), (("three", "green"),)])
    assert "three" in terminal.written
    assert "one" not in terminal.written
    terminal.written = ""
    screen.show([(("one", ""),), (("three", "green"),)])
    assert terminal.written == ""
    screen.show([(("one", ""),)])
    assert "\x1b[2;1H\x1b[0K" in terminal.written


def test_hands_tell_the_latest_change_and_midi():
    with desk_for() as desk:
        hands = Hands(desk.engine, desk)
        assert hands.words() == ""
        desk.ask(desk.turn, "strength", 0.25, "osc").result(5)
        assert hands.words() == "strength 0.25 by osc"
        desk.surface = type("Surface", (), {"port": "nano", "heard": 3})
        assert hands.words().startswith("midi * nano  3 messages")
        assert models_of(desk.engine, desk) == "rtsep  bypass  keeps all"


def test_notes_take_what_libraries_say_and_say_it_in_the_end(capfd, monkeypatch):
    with open(2, "w", closefd=False) as errors:
        monkeypatch.setattr(sys, "stderr", errors)
        with notes.captured() as (said, terminal):
            os.write(2, b"\x1b[31mALSA lib: broken\x1b[0m\nhalf")
            os.write(2, b" a line\n" + b"y" * 5000 + b"\n")
            print("drawn", file=terminal, flush=True)
            end = time.monotonic() + 10
            while len(said.said) < 3 and time.monotonic() < end:
                time.sleep(0.01)
        errors.flush()
    told = capfd.readouterr().err.splitlines()
    assert told[0] == "drawn"
    assert [line[9:] for line in told[1:3]] == ["ALSA lib: broken", "half a line"]
    assert len(told[3]) < 1100


@pytest.fixture
def played(tmp_path):
    path = tmp_path / "noise.wav"
    sf.write(path, 0.1 * np.random.default_rng(0).standard_normal(60 * RATE), RATE)
    return path


def read_until(terminal, what, seconds=60):
    heard, end = "", time.monotonic() + seconds
    while what not in heard:
        assert time.monotonic() < end, heard[-2000:]
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                heard += os.read(terminal, 65536).decode()
            except OSError:  # the other side is closed
                break
    return heard


@pytest.mark.usefixtures("warm", "own_folders")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_terminal_is_given_back_as_it_was(played, end):
    import termios

    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    words = [sys.executable, "-m", "rtsep.cli", "live", "-m", "bypass", "--input-file", str(played)]
    env = os.environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    heard = read_until(ours, "after")
    assert "\x1b[?1049h" in heard
    assert "\x1b[?25l" in heard
    process.send_signal(end)
    rest = read_until(ours, "late 0")
    assert process.wait(30) == 0
    assert rest.index("\x1b[?25h") < rest.index("\x1b[?1049l")
    after = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", rest[rest.index("\x1b[?1049l") :])
    assert "\x1b" not in after
    assert "input" in after
    assert termios.tcgetattr(theirs) == before
    for end_of in (ours, theirs):
        os.close(end_of)
