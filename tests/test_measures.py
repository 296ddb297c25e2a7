"""The tools that measure a live stream hear sound and count it, for some seconds each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"
HOPS = 300  # a second has 375, of 128 samples at 48 kHz; a stream that hears none rests after one

pytestmark = pytest.mark.usefixtures("jack_server")  # each starts one more of its own


def tables(script, *words):
    """What it prints as JSON."""
    command = [sys.executable, str(TOOLS / script), "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["tables"]


def test_a_network_is_measured_at_work_and_not_at_rest():
    words = ("nes-speech-small", "--seconds=3", "--runs=1")
    live, *_ = tables("measure_inference.py", *words).values()
    assert len(live) == 4, live  # both ways, alone and beside busy threads
    for row in live:
        assert row["of hops"] > 3 * HOPS, row
        every = 2 if row["by"] == "audio thread" else 4
        assert row["runs"] >= row["of hops"] // every, row


def test_both_callbacks_are_called():
    (rows,) = tables("measure_callback.py", "--seconds=3").values()
    compiled, python = rows
    assert compiled["callbacks"] > HOPS, rows
    assert python["callbacks"] > 0, rows
