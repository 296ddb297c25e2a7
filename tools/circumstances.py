"""What a measured number comes with: the machine, the date, the versions, the command.

    with measured() as report:
        report.table("what", rows)
prints a table of rows, then one line of circumstances; with `--json` all of it as JSON.
"""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("rtsep", "numpy", "numba")
Row = dict[str, Any]


def cpu() -> str:
    """The processor's own name."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def host_time() -> tuple[int, int]:
    """Ticks that the host took from this machine, and all ticks; zeros where unknown."""
    with suppress(OSError):
        ticks = [int(t) for t in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return ticks[7], sum(ticks)
    return 0, 0


def commit() -> str:
    """The commit measured, with a + where the tree differs from it; empty outside a checkout."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"]
    done = subprocess.run(words, capture_output=True, text=True)
    return done.stdout.strip()


def installed(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} -"


def shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass
class Report:
    """Tables of rows on their way to the terminal, or to JSON."""

    as_json: bool = False
    packages: tuple[str, ...] = PACKAGES
    tables: dict[str, list[Row]] = field(default_factory=dict)
    begin: tuple[int, int] = field(default_factory=host_time)
    commit: str = field(default_factory=commit)

    def table(self, title: str, rows: list[Row]) -> None:
        self.tables[title] = rows
        if not self.as_json:
            lines = [list(rows[0]), ["---"] * len(rows[0])]
            lines += [[shown(value) for value in row.values()] for row in rows]
            text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
            print(f"\n{title}\n\n{text}", flush=True)

    def circumstances(self) -> Row:
        (stolen, total), (now_stolen, now_total) = self.begin, host_time()
        return {
            "machine": f"{cpu()}, {os.cpu_count()} cores, {platform.system()}",
            "date": time.strftime("%Y-%m-%d"),
            "versions": ", ".join([f"Python {platform.python_version()}"]
                                  + [installed(package) for package in self.packages]),
            "commit": " to ".join(dict.fromkeys([self.commit, commit()])),  # it may move meanwhile
            "steal": f"{100 * (now_stolen - stolen) / max(1, now_total - total):.1f} %",
            "load average": " ".join(f"{load:.1f}" for load in os.getloadavg()[:2]),
            "command": shlex.join(["python", *sys.argv]),
        }  # fmt: skip


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser that knows --json; its help is the script's docstring."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=shape)
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    return parser


@contextmanager
def measured(as_json: bool, packages: tuple[str, ...] = PACKAGES) -> Iterator[Report]:
    """A report that ends with its circumstances."""
    report = Report(as_json, packages)
    yield report
    circumstances = report.circumstances()
    if as_json:
        print(json.dumps({"circumstances": circumstances, "tables": report.tables}, indent=1))
    else:
        print("\n" + "; ".join(f"{name}: {value}" for name, value in circumstances.items()))


if __name__ == "__main__":
    with measured("--json" in sys.argv):
        pass
