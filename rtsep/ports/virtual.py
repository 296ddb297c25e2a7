"""Virtual devices of PulseAudio, and of PipeWire by its PulseAudio face: a microphone, a speaker.

The microphone is a null sink that rtsep plays into, and a source for programs that carries what is
played there.  The speaker is a null sink that programs play into and rtsep records from.  Both are
modules of the sound server, known again by their names, so those of a crashed run are used anew.
Control thread only.  The only importer of pulsectl.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

OURS = "rtsep_"  # what the names of all begin with
NULL_SINK, REMAPPED = "module-null-sink", "module-remap-source"
_WHAT = {NULL_SINK: "sink", REMAPPED: "source"}
LASTING = "rtsep.lasting"
BEFORE = "rtsep.before"  # which device was the default when it was made
RATE = 48000  # Hz
PLACES = (
    "front-left", "front-right", "rear-left", "rear-right", "front-center", "lfe", "side-left",
    "side-right",
)  # fmt: skip
NO_SERVER = "no PulseAudio and no PipeWire with pipewire-pulse answers"


@dataclass(frozen=True)
class Virtual:
    """What an instance of rtsep shows to other programs.

    playback : a speaker that cleans what is heard, else a microphone that cleans what is said.
    """

    instance: str = "main"
    playback: bool = False

    @property
    def name(self) -> str:
        """What programs list: a source's name, or a sink's for playback."""
        return f"{OURS}{self.instance}_{'speaker' if self.playback else 'microphone'}"

    @property
    def sink(self) -> str:
        """The null sink's name."""
        return self.name if self.playback else f"{self.name}_feed"

    @property
    def title(self) -> str:
        """What people read."""
        beside = "" if self.instance == "main" else f" {self.instance}"
        return f"rtsep {'speaker' if self.playback else 'microphone'}{beside}"


@contextmanager
def server() -> Iterator[Any]:
    """The sound server; OSError in one line where none answers."""
    try:
        import pulsectl
    except ImportError as error:
        raise OSError("pulsectl is missing: pip install pulsectl") from error
    except OSError as error:
        raise OSError("libpulse is missing: apt install libpulse0") from error
    try:
        pulse = pulsectl.Pulse("rtsep")
    except pulsectl.PulseError as error:
        raise OSError(NO_SERVER) from error
    try:
        yield pulse
    except pulsectl.PulseError as error:
        raise OSError(f"the sound server refuses: {error or type(error).__name__}") from error
    finally:
        pulse.close()


def places(channels: int) -> list[str]:
    """Where ALSA's plugin for PulseAudio puts channels: with other places they would be mixed."""
    if not 1 <= channels <= len(PLACES):
        raise ValueError(f"{channels} channels (a virtual device has 1..{len(PLACES)})")
    if channels == 1:
        return ["mono"]
    if channels in (3, 7):
        return [*PLACES[: channels - 1], "aux0"]
    return list(PLACES[:channels])


def answers() -> bool:
    """Whether there is a sound server: PulseAudio, or PipeWire with that face."""
    try:
        with server():
            return True
    except OSError:
        return False


def _is_part(module: Any, virtual: Virtual) -> bool:
    words = (module.argument or "").split()
    whole = {f"sink_name={virtual.sink}", f"source_name={virtual.name}"} & {*words}
    stem = f"master={virtual.sink}.monitor" in words and any(
        word.startswith(f"source_name={virtual.name}_") for word in words
    )
    return module.name in (NULL_SINK, REMAPPED) and (bool(whole) or stem)


def modules_of(pulse: Any, virtual: Virtual) -> list[Any]:
    """The server's modules that make a virtual device, in the order they were loaded."""
    return [module for module in pulse.module_list() if _is_part(module, virtual)]


def default_of(pulse: Any, kind: str) -> str:
    """Name of the default "source" or "sink"; of the one before where rtsep's own took its place.

    Also where a crashed run has left its own there.
    """
    name = str(getattr(pulse.server_info(), f"default_{kind}_name"))
    devices = getattr(pulse, f"{kind}_list")()
    before = [each.proplist.get(BEFORE, name) for each in devices if each.name == name]
    return str(before[0]) if before else name


def hardware(names: Iterable[str], default: str) -> str | None:
    """The device that is a machine's own, the default where that is one; no monitor, none of ours.

    names : of a server's sources, or of its sinks.
    """
    found = [name for name in names if not name.startswith(OURS) and not name.endswith(".monitor")]
    return default if default in found else next(iter(found), None)


def _properties(kind: str, title: str, lasting: bool, before: str) -> str:
    words = f"device.description='{title}' {LASTING}={'yes' if lasting else 'no'}"
    if not {*before} & {*"'\"\\"}:
        words += f" {BEFORE}='{before}'"
    return f'{kind}_properties="{words}"'


def letters(stem: str) -> str:
    """What a source is called in a device's name."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in stem)


def wanted_modules(
    virtual: Virtual, channels: int, stems: Sequence[str]
) -> list[tuple[str, str, str]]:
    """What makes a virtual device, in order: module, arguments, title.

    channels : of a source, or of all where there are no stems.  stems : names of the sources, each
    a microphone of its own beside the one that has all their channels.
    """
    map_ = places(channels * max(len(stems), 1))
    layout = f"channels={len(map_)} channel_map={','.join(map_)}"
    title = virtual.title if virtual.playback else f"{virtual.title} (feed)"
    sink = f"sink_name={virtual.sink} rate={RATE} format=float32le {layout}"
    if virtual.playback:
        return [(NULL_SINK, sink, title)]
    monitor = f"master={virtual.sink}.monitor"
    whole = f"source_name={virtual.name} {monitor} {layout}"
    made = [(NULL_SINK, sink, title), (REMAPPED, whole, virtual.title)]
    own = ",".join(places(channels))
    for i, stem in enumerate(stems):
        theirs = ",".join(map_[i * channels : (i + 1) * channels])
        name = letters(stem)
        arguments = f"source_name={virtual.name}_{name} {monitor} channels={channels} "
        arguments += f"channel_map={own} master_channel_map={theirs} remix=no"
        made.append((REMAPPED, arguments, f"{virtual.title} {name}"))
    return made


def up(
    virtual: Virtual, *, lasting: bool = False, running: bool = False, channels: int = 1,
    stems: Sequence[str] = (),
) -> bool:  # fmt: skip
    """Make a virtual device, or take the one that is there; whether it was made.

    lasting : it is not to go with the stream that uses it.  running : whether its instance runs,
    from under which nothing is made lasting: OSError.  channels, stems : see `wanted_modules`.
    """
    wanted = wanted_modules(virtual, channels, stems)
    with server() as pulse:
        there = [(each.name, (each.argument or "").strip()) for each in modules_of(pulse, virtual)]
        same = len(there) == len(wanted) and all(
            kind == name and told.startswith(f"{arguments} ")
            for (kind, arguments, _), (name, told) in zip(wanted, there, strict=True)
        )
        if same and (_is_lasting(pulse, virtual) or not lasting):
            return False
        if lasting and there:
            _refuse_in_use(pulse, virtual, running)
        lasting = lasting or _is_lasting(pulse, virtual)
        before = default_of(pulse, "sink" if virtual.playback else "source")
        _unload(pulse, virtual)
        for kind, arguments, title in wanted:
            _load(pulse, kind, f"{arguments} {_properties(_WHAT[kind], title, lasting, before)}")
        return True


def _load(pulse: Any, kind: str, arguments: str) -> None:
    """PulseAudio's null sink would work in steps of 2 s and have that delay: where it can it must
    not, and works in steps of 50 ms.
    """
    import pulsectl

    if kind == NULL_SINK:
        with suppress(pulsectl.PulseError):  # before PulseAudio 16
            pulse.module_load(kind, f"{arguments} norewinds=yes")
            return
    pulse.module_load(kind, arguments)


def _unload(pulse: Any, virtual: Virtual) -> int:
    modules = modules_of(pulse, virtual)
    for module in reversed(modules):
        pulse.module_unload(module.index)
    return len(modules)


def down(virtual: Virtual, running: bool = False) -> bool:
    """Remove a virtual device; whether it was there.  No other device is touched.

    OSError where a stream of rtsep goes through it.  running : whether its instance runs; what
    does not last is then that one's.
    """
    with server() as pulse:
        there = bool(modules_of(pulse, virtual))
        _refuse_in_use(pulse, virtual, there and running and not _is_lasting(pulse, virtual))
        return _unload(pulse, virtual) > 0


def _refuse_in_use(pulse: Any, virtual: Virtual, running: bool) -> None:
    if running or _is_fed(pulse, virtual):
        raise OSError(f"{virtual.title} is in use by a running rtsep (end that first)")


def _is_fed(pulse: Any, virtual: Virtual) -> bool:
    """Whether anything plays into the microphone, or takes what is played into the speaker."""
    if virtual.playback:
        taken = [each.source for each in pulse.source_output_list()]
        return any(
            source.index in taken and source.name == f"{virtual.sink}.monitor"
            for source in pulse.source_list()
        )
    fed = [each.sink for each in pulse.sink_input_list()]
    return any(sink.index in fed and sink.name == virtual.sink for sink in pulse.sink_list())


def release(virtual: Virtual) -> None:
    """Remove it unless it lasts; nothing where the server is gone."""
    with suppress(OSError), server() as pulse:
        if not _is_lasting(pulse, virtual):
            _unload(pulse, virtual)


def _is_lasting(pulse: Any, virtual: Virtual) -> bool:
    sinks = [sink for sink in pulse.sink_list() if sink.name == virtual.sink]
    return any(sink.proplist.get(LASTING) == "yes" for sink in sinks)


def status() -> list[dict[str, Any]]:
    """Every virtual device of rtsep on this server, with who listens or plays."""
    with server() as pulse:
        sources = {source.name: source for source in pulse.source_list()}
        sinks = {sink.name: sink for sink in pulse.sink_list()}
        listeners = [each.source for each in pulse.source_output_list()]
        players = [each.sink for each in pulse.sink_input_list()]
    told = []
    for name in sorted(sink for sink in sinks if sink.startswith(OURS)):
        name = name.removesuffix("_feed")
        playback = name.endswith("_speaker")
        device = (sinks if playback else sources).get(name)
        if device is None:
            continue
        users = (players if playback else listeners).count(device.index)
        lasting = device.proplist.get(LASTING) == "yes"
        told.append({"name": name, "title": device.description, "users": users, "lasting": lasting})
    return told
