"""What `rtsep live` opens so that it can be turned from outside."""

import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtsep.cli.options import say

if TYPE_CHECKING:
    from rtsep.control.desk import Desk
    from rtsep.engine.engine import Engine

LONGEST = 300.0  # seconds that learning may take
GENTLY = "import os; os.nice(10); from rtsep.cli.main import run; run()"


def last_line(words: str) -> str:
    lines = words.strip().splitlines()
    return lines[-1].removeprefix("rtsep: ") if lines else "learning ended without a word"


def write_take(path: Path, samples: Any, rate: int) -> None:
    from rtsep.ports.formats import SoundFormat
    from rtsep.ports.recordings import writer
    from rtsep.ports.whole import whole

    with whole(path) as (draft,), writer(draft, SoundFormat("WAV", "FLOAT"), rate, 1) as take:
        take.write(samples[None])


def learn_apart(samples: Any, rate: int, name: str, role: str | None) -> Path:
    """Learn a model in a process of its own, at low priority; the file among the user's models.

    samples : float32 (n,).  ValueError with what it said where it fails.
    """
    from rtsep.artefacts.library import user_folder

    with tempfile.TemporaryDirectory(prefix="rtsep-") as folder:
        take = Path(folder) / f"{name}.wav"
        write_take(take, samples, rate)
        words = ["learn", str(take), "--name", name, *(["--role", role] if role else [])]
        try:
            done = subprocess.run(
                [sys.executable, "-c", GENTLY, *words], timeout=LONGEST,
                capture_output=True, text=True, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ValueError(f"learning {name!r} took over {LONGEST:g} s") from None
    if done.returncode != 0:
        raise ValueError(last_line(done.stderr))
    return user_folder() / f"{name}.npz"


def served(
    engine: "Engine", models: list[str], instance: str | None
) -> AbstractContextManager["Desk"]:
    """All ways into a running engine."""
    from rtsep.control.serve import serve

    return serve(engine, models=models, instance=instance, learn=learn_apart, say=say)
