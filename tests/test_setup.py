"""The set-up's promises that a text can break: every package locked, no index named."""

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
LOCK = (TOP / "requirements.lock").read_text()
EXTRAS = PROJECT["optional-dependencies"].values()
ASKED = PROJECT["dependencies"] + [line for extra in EXTRAS for line in extra]


def _name(requirement: str) -> str:
    return re.match(r"[\w-]+", requirement)[0].lower()


@pytest.mark.parametrize("name", sorted({_name(line) for line in ASKED} - {"rtsep"}))
def test_locked(name: str) -> None:
    assert re.search(rf"^{name}==", LOCK, re.MULTILINE), "refresh it: its first lines say how"


def test_lock_names_no_index() -> None:
    assert not re.search(r"https?:|--index|--find-links", LOCK)


def test_version_has_one_source() -> None:
    assert version("rtsep") == PROJECT["version"]


@pytest.mark.parametrize("script", ["tools/try", "tools/test", "tools/_setup.sh", ".ci/run"])
def test_shell_parses(script: str) -> None:
    subprocess.run(["bash", "-n", TOP / script], check=True)


def test_try_refuses_a_missing_file() -> None:
    asked = [TOP / "tools/try", "nowhere.wav", "nowhere_either.wav"]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "no such file: nowhere.wav\n")
