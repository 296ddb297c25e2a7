"""Presets: what a running rtsep is made of, as TOML that people may read and change.

version = 1, models, keep, latency, midi; then [devices], [parameters], [[mappings]] and, last,
[end], without which a file was cut short.
"""

import difflib
import os
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rtsep.artefacts.library import DEFAULT
from rtsep.artefacts.whole import shown, write_whole
from rtsep.control.mapping import MOST, Mapping, mapping_from
from rtsep.control.places import checked, config_folder, state_folder
from rtsep.dsp.stream import MODES
from rtsep.engine.parameters import ENGINE, Value, find_parameter, source_parameters

VERSION = 1
LARGEST = 1 << 20  # bytes of a file
LAST = "last"
LATENCY = "medium"  # of a stream that nobody told another
Table = dict[str, Any]
MIGRATIONS: dict[int, Callable[[Table], Table]] = {}  # from a version to the next


class PresetError(ValueError):
    """A preset that is missing, broken or of another age."""


@dataclass(frozen=True)
class Preset:
    """models : names or paths.  keep : names of sources, empty for the models' own roles.

    devices : input, output, host_api by name.  midi : part of a port's name.  Values are checked
    against their parameters' ranges; ValueError or TypeError, both values named.
    """

    models: tuple[str, ...] = (DEFAULT,)
    keep: tuple[str, ...] = ()
    latency: str = LATENCY
    midi: str = ""
    devices: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Value] = field(default_factory=dict)
    mappings: tuple[Mapping, ...] = ()

    def __post_init__(self) -> None:
        if self.latency not in MODES:
            raise ValueError(f"latency {self.latency!r:.40} is none of {', '.join(MODES)}")
        if not self.models:
            raise ValueError("models is empty (one at least)")
        if surplus := self.devices.keys() - {"input", "output", "host_api"}:
            raise ValueError(f"[devices] {min(surplus)!r:.40} is none of input, output, host_api")
        for name, value in self.parameters.items():
            check_parameter(name, value)


def check_parameter(name: str, value: Value) -> None:
    """A value within the range of a parameter that an engine has, or has with some source."""
    source, dot, _ = name.rpartition(".")
    known = source_parameters(source, kept=True) if dot else ENGINE
    find_parameter({each.id: each for each in known}, name).check(value)


# TOML


def _bare(mapping: Mapping) -> Table:
    """A mapping's fields that are not as they are anyway."""
    plain = Mapping(mapping.parameter)
    told = {name: value for name, value in asdict(mapping).items() if value is not None}
    always = ("parameter", "kind", "number")
    return {k: v for k, v in told.items() if k in always or v != getattr(plain, k)}


def to_toml(preset: Preset) -> bytes:
    import tomli_w

    told = asdict(preset) | {"mappings": [_bare(each) for each in preset.mappings]}
    head = {"version": VERSION, "models": list(preset.models), "keep": list(preset.keep)}
    return tomli_w.dumps(told | head | {"end": {}}).encode()


def _strings(told: Table, name: str) -> tuple[str, ...]:
    found = told.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise TypeError(f"{name} is {found!r:.60} (wanted: a list of names)")
    return tuple(found)


def _word(told: Table, name: str, default: str) -> str:
    found = told.get(name, default)
    if not isinstance(found, str):
        raise TypeError(f"{name} is {found!r:.60} (wanted: a word)")
    return found


def _table(told: Table, name: str, kind: type | tuple[type, ...]) -> Table:
    found = told.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(each, kind) for each in found.values()):
        raise TypeError(f"[{name}] is {found!r:.60} (wanted: a value for each name)")
    return found


def migrated(told: Table, migrations: dict[int, Callable[[Table], Table]], newest: int) -> Table:
    """A preset of any earlier version as one of the newest; ValueError for a later one."""
    version = told.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError(f"version {version!r:.40} (wanted: 1..{newest})")
    if version > newest:
        raise ValueError(f"version {version} is newer than this rtsep's ({newest})")
    while version < newest:
        told = migrations[version](told) | {"version": version + 1}
        version += 1
    return told


def from_toml(text: bytes) -> Preset:
    """A preset; ValueError or TypeError, in one line, for anything else."""
    told = migrated(tomllib.loads(text.decode()), MIGRATIONS, VERSION)
    if told.pop("end", None) != {}:
        raise ValueError("it was cut short: [end] is missing")
    known = {"version"} | {field.name for field in fields(Preset)}
    if surplus := told.keys() - known:
        raise ValueError(f"{min(surplus)[:40]!r} is unknown (known: {', '.join(sorted(known))})")
    mappings = told.get("mappings", [])
    if not isinstance(mappings, list) or not all(isinstance(each, dict) for each in mappings):
        raise TypeError("mappings is no list of tables ([[mappings]])")
    if len(mappings) > MOST:
        raise ValueError(f"{len(mappings)} mappings (at most {MOST})")
    return Preset(
        _strings(told, "models"), _strings(told, "keep"), _word(told, "latency", LATENCY),
        _word(told, "midi", ""), _table(told, "devices", str),
        _table(told, "parameters", (int, float, str)),
        tuple(mapping_from(each) for each in mappings),
    )  # fmt: skip


# files


def folder() -> Path:
    return config_folder() / "presets"


def names() -> list[str]:
    """The user's presets, sorted."""
    return sorted(path.stem for path in folder().glob("*.toml")) if folder().is_dir() else []


def path_of(name: str, instance: str = "main") -> Path:
    """A preset's file; that of `last` is the instance's last state."""
    checked(name, "preset")
    if name == LAST:
        return state_folder() / f"last-{checked(instance, 'instance')}.toml"
    return folder() / f"{name}.toml"


def load(name: str, instance: str = "main") -> Preset:
    """Read a preset; PresetError, begun with the file, where that cannot be."""
    path = path_of(name, instance)
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise PresetError(f"no preset {name!r} {_near(name)}") from None
    except OSError as error:
        raise PresetError(f"{shown(path)}: {error.strerror}") from None
    if len(text) > LARGEST:
        raise PresetError(f"{shown(path)}: over {LARGEST} bytes")
    try:
        return from_toml(text)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise PresetError(f"{shown(path)}: {' '.join(str(error).split())}") from None


def _near(name: str) -> str:
    known = names()
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"(nearest: {near[0]!r})" if near else f"(there are: {', '.join(known) or 'none'})"


def save(name: str, preset: Preset, instance: str = "main") -> Path:
    """Write a preset whole or not at all."""
    path = path_of(name, instance)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda file: file.write(to_toml(preset)))
    return path


def absolute(model: str) -> str:
    """A model's name as it is, its path from the root."""
    return os.path.abspath(model) if os.sep in model or os.path.isfile(model) else model
