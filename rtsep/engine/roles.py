"""Which sources are kept: by their cards' roles, or by name."""

import difflib
from collections.abc import Sequence

UNKNOWN = "unknown"


def kept_by_role(roles: Sequence[str], sources: Sequence[str]) -> tuple[str, ...]:
    """Sources whose card says keep; where none does, the unknown, and without one, all."""
    kept = tuple(n for n, role in zip(sources, roles, strict=False) if role == "keep")
    return kept or ((UNKNOWN,) if UNKNOWN in sources else tuple(sources))


def kept_by_name(
    names: Sequence[str], roles: Sequence[str], sources: Sequence[str]
) -> tuple[str, ...]:
    """Sources the caller named.

    Beside the sources' own names, "speech" is the unknown where everything known is noise, and
    "noise" is whatever would not be kept otherwise.  ValueError lists the sources.
    """
    by_role = kept_by_role(roles, sources)
    kept: list[str] = []
    for name in names:
        if name in sources:
            kept.append(name)
        elif name == "speech" and by_role == (UNKNOWN,):
            kept.append(UNKNOWN)
        elif name == "noise":
            kept += [source for source in sources if source not in by_role]
        else:
            near = difflib.get_close_matches(name, sources, n=1)
            hint = f"; nearest: {near[0]!r}" if near else ""
            raise ValueError(f"no source {name!r} (sources: {', '.join(sources)}{hint})")
    if not kept:
        raise ValueError(f"{', '.join(names)} is none of the sources ({', '.join(sources)})")
    return tuple(kept)
