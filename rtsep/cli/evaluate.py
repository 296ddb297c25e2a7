"""`rtsep evaluate`: how near estimates come to their references."""

import csv
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from rtsep.cli.options import Json, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rtsep.ports.recordings import Recording

REFERENCE = ("--reference", "-r")
PLACES = 3  # decimals of the table


class Greedy(TyperCommand):
    """`--reference` takes all words up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread(args))


def spread(words: list[str]) -> list[str]:
    """The option before each of the words that follow it."""
    found: list[str] = []
    owner = ""
    for at, word in enumerate(words):
        if word == "--":
            return [*found, *words[at:]]
        if word.startswith("-"):
            owner = word if word in REFERENCE else ""
            found += [] if owner else [word]
        else:
            found += [owner, word] if owner else [word]
    return [*found, owner] if owner and words[-1] == owner else found


def refuse_difference(first: "Recording", other: "Recording") -> None:
    """ValueError, both values named, for what cannot be compared sample by sample."""
    for what, unit in (("rate", " Hz"), ("channels", ""), ("length", " samples")):
        a, b = getattr(first, what), getattr(other, what)
        if a != b:
            raise ValueError(
                f"{other.path} has {what} {b}{unit}, {first.path} has {a}{unit} (wanted: the same)"
            )


def samples(recording: "Recording") -> "NDArray[np.float32]":
    """All of a file, (channels, n)."""
    import numpy as np

    from rtsep.ports.recordings import read

    return np.concatenate([*read(recording)], axis=1)


def rows(estimates: list[Path], references: list[Path]) -> list[dict[str, Any]]:
    """A row for each channel of each estimate."""
    from rtsep.metrics.evaluation import evaluate as judge
    from rtsep.ports.recordings import examine

    files = [examine(path) for path in (*references, *estimates)]
    for other in files[1:]:
        refuse_difference(files[0], other)
    S = [samples(file) for file in files[: len(references)]]
    E = [samples(file) for file in files[len(references) :]]
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for channel in range(files[0].channels):
        missing = say if channel == 0 else lambda words: None
        judged = judge(
            [s[channel] for s in S], [e[channel] for e in E], files[0].rate, missing=missing
        )
        for j, each in enumerate(judged):
            place = {"estimate": estimates[j], "reference": references[j], "channel": channel}
            named = {key: str(v) if isinstance(v, Path) else v for key, v in place.items()}
            found[j, channel] = named | each.scores | {"remarks": list(each.remarks)}
    return [found[key] for key in sorted(found)]


def finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON knows neither NaN nor infinity: null, and a remark for the latter."""
    endless = [k for k, v in row.items() if isinstance(v, float) and math.isinf(v)]
    remarks = row["remarks"] + [f"{k} is {row[k]}" for k in endless]
    values = {
        k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()
    }
    return values | {"remarks": remarks}


def print_csv(found: list[dict[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, [*found[0]])
    writer.writeheader()
    for row in found:
        writer.writerow(row | {"remarks": "; ".join(row["remarks"])})


def print_table(found: list[dict[str, Any]]) -> None:
    for row in found:
        print(f"{row['estimate']} of {row['reference']}, channel {row['channel']}")
        for name, value in row.items():
            if isinstance(value, float):
                unit = "" if name in ("pesq", "estoi") else " dB"
                print(f"  {name:8} {value:9.{PLACES}f}{unit if math.isfinite(value) else ''}")
        for words in row["remarks"]:
            print(f"  {words}")


def evaluate(
    estimates: Annotated[
        list[Path] | None,
        typer.Argument(metavar="EST...", help="Sound files to judge.", show_default=False),
    ] = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            *REFERENCE,
            metavar="REF...",
            help="True sources, in the estimates' order, then any other sources of the mixture.",
        ),
    ] = None,
    json_: Json = False,
    csv_: Annotated[bool, typer.Option("--csv", help="Print the result as CSV.")] = False,
) -> None:
    """Score estimates against their references.

    By SI-SDR, BSS eval with 1 and 512 taps, PESQ and ESTOI, channel by channel.  A silent
    reference gives NaN.
    """
    e, s = estimates or [], reference or []
    if not e or len(e) > len(s):
        raise ValueError(
            f"{len(e)} estimates and {len(s)} references (wanted: EST... --reference REF..., "
            f"a reference for each)"
        )
    if json_ and csv_:
        raise ValueError("--json and --csv are two forms of one report (wanted: one)")
    found = rows(e, s)
    if json_:
        print(json.dumps([finite(row) for row in found]))
    else:
        (print_csv if csv_ else print_table)(found)
