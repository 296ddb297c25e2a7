"""What a card says of the material a model was learned from; no folder of this machine in it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rtsep.learn.corpus import Recording

LENGTH = 180  # of the names in a record, characters
LICENCES = 300
RECORDS = 40  # at most; files beyond them are counted, not named


def provenance(used: Sequence[Recording]) -> list[dict[str, Any]]:
    """Records {corpus, licence, files, seconds} that name the files, as many a record as fit."""
    groups = [*_packed(used)]
    kept = [_record(group, _names(group)) for group in groups[:RECORDS]]
    rest = [recording for group in groups[RECORDS:] for recording in group]
    return [*kept, _record(rest, f"and {len(rest)} more")] if rest else kept


def printable(text: str, longest: int) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:longest]


def _packed(used: Sequence[Recording]) -> Iterator[list[Recording]]:
    """Recordings, those of one licence together, in groups whose names fit a record."""
    group: list[Recording] = []
    places = {licence: at for at, licence in enumerate(dict.fromkeys(r.licence for r in used))}
    for recording in sorted(used, key=lambda recording: places[recording.licence]):
        other = bool(group) and recording.licence != group[0].licence
        if group and (other or len(_names([*group, recording])) > LENGTH):
            yield group
            group = []
        group.append(recording)
    if group:
        yield group


def _names(group: Sequence[Recording]) -> str:
    return ", ".join(Path(each.name).name for each in group)


def _record(group: Sequence[Recording], corpus: str) -> dict[str, Any]:
    seconds = round(sum(each.seconds for each in group), 1)
    licences = ", ".join(dict.fromkeys(recording.licence for recording in group))
    return {"corpus": printable(corpus, LENGTH), "licence": printable(licences, LICENCES),
            "files": len(group), "seconds": seconds}  # fmt: skip
