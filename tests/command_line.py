"""Commands of rtsep run by tests: in this process, or in one of their own."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

import pytest

from rtsep.cli.main import run

RTSEP = [sys.executable, "-m", "rtsep.cli"]


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def rtsep(*words, code=0):
    """Run a command in this process, which has all that is heavy loaded already."""
    out, errors = io.StringIO(), io.StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(errors),
        mock.patch.object(sys, "argv", ["rtsep", *map(str, words)]),
        pytest.raises(SystemExit) as left,
    ):
        run()
    done = Done(left.value.code or 0, out.getvalue(), errors.getvalue())
    assert done.returncode == code, done.stderr
    return done


def process(*words, env=None):
    """Run a command as a user's shell does."""
    return subprocess.run(
        [*RTSEP, *map(str, words)], capture_output=True, text=True, timeout=120,
        env=os.environ | (env or {}),
    )  # fmt: skip


def one_line(done):
    """The one line that bad input gets."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("rtsep: ")
    return lines[0].removeprefix("rtsep: ")


def refused(*words):
    return one_line(rtsep(*words, code=2))
