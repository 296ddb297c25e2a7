"""What every table shares: rows of published and measured figures, and RESULTS.md to hold them.

Each script prints its table and, with --write, puts it into RESULTS.md as a section of its own.
"""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: figures of one thread

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from circumstances import PACKAGES, Report  # noqa: E402, in the folder above

RESULTS = HERE / "RESULTS.md"


@dataclass(frozen=True)
class Row:
    """One figure, in dB.  published : None where the source gives none.  measured : one a seed."""

    what: str
    published: float | None
    measured: Sequence[float]

    def cells(self) -> list[str]:
        mean, spread = float(np.mean(self.measured)), float(np.std(self.measured))
        spread_text = f"{spread:.2f}" if len(self.measured) > 1 else "-"
        if self.published is None:
            return [self.what, "-", f"{mean:.2f}", "-", spread_text]
        return [
            self.what, f"{self.published:.2f}", f"{mean:.2f}",
            f"{mean - self.published:+.2f}", spread_text,
        ]  # fmt: skip


HEAD = ["what", "published", "measured", "difference", "spread (sd over seeds)"]


def table(rows: Iterable[Row]) -> str:
    """Markdown."""
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def arguments(description: str | None, **more: dict[str, Any]) -> argparse.Namespace:
    """--small, --seeds, --write and what the script adds."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=shape)
    parser.add_argument("--small", action="store_true", help="less data, in seconds")
    parser.add_argument("--seeds", type=int, default=3, help="runs that the spread is taken over")
    parser.add_argument("--write", action="store_true", help=f"put the table into {RESULTS.name}")
    for name, options in more.items():
        parser.add_argument(f"--{name}", **options)
    return parser.parse_args()


def publish(title: str, body: str, write: bool) -> None:
    """Print a section with its circumstances; with `write`, replace it in RESULTS.md."""
    text = f"{body.strip()}\n\n*{circumstances()}*"
    print(f"## {title}\n\n{text}")
    if write:
        put(title, text)


def circumstances() -> str:
    """Machine, date, versions, commit and command in one line."""
    told = Report(packages=(*PACKAGES, "scipy")).circumstances()
    told["command"] = shlex.join(["python", f"tools/reproduce/{Path(sys.argv[0]).name}",
                                  *_public(sys.argv[1:])])  # fmt: skip
    told.pop("steal")
    return "; ".join(f"{name}: {value}" for name, value in told.items())


def _public(words: Sequence[str]) -> list[str]:
    """The command line without paths of the machine it ran on."""
    return [word if not os.path.isabs(word) else "FOLDER" for word in words]


def put(title: str, text: str) -> None:
    """Replace or append the section `title` of RESULTS.md."""
    before = RESULTS.read_text() if RESULTS.exists() else "# Published and measured\n"
    section = f"## {title}\n\n{text}\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.M | re.S)
    if pattern.search(before):
        after = pattern.sub(lambda _: section + "\n", before)
    else:
        after = f"{before.rstrip()}\n\n{section}"
    RESULTS.write_text(after.rstrip() + "\n")
