"""JACK's side of a stream: the names of its client and ports, and connections that come back.

PortAudio opens the client and connects it once.  What it leaves to do is done here by a client of
our own, through libjack's C interface: ports get names, and where a program goes and comes back,
what was connected to it is connected again.  Whatever a person connects or takes apart meanwhile
is taken for what is wanted from then on.
"""

import ctypes
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

PORTAUDIO, LIBRARY = "libportaudio.so.2", "libjack.so.0"
HOST_API = "JACK Audio Connection Kit"
NO_START, AUDIO = 1, b"32 bit float mono audio"
INPUT, OUTPUT = 1, 2  # a port's flags: it takes sound in, it gives sound out
LONGEST = 48  # characters of a client's name
GLANCE = 0.5  # seconds between two looks
Link = tuple[str, str]  # from which port to which


def client_name(instance: str | None) -> str:
    """What an instance is called among JACK's clients."""
    return "rtsep" if instance in (None, "main") else f"rtsep-{instance}"[:LONGEST]


_named: list[bytes] = []  # PortAudio keeps the address


def name_client(name: str) -> None:
    """Tell PortAudio what to be called in JACK; before PortAudio starts, where it is known."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        _named.append(name.encode())
        ctypes.CDLL(PORTAUDIO).PaJack_SetClientName(_named[-1])


def _own_name() -> str:
    """What JACK called PortAudio's client in the end, as names are not given twice."""
    name = ctypes.c_char_p()
    ctypes.CDLL(PORTAUDIO).PaJack_GetClientName(ctypes.byref(name))
    return (name.value or b"").decode()


@dataclass(frozen=True)
class Seen:
    """What a look found: all ports, with what tells one run of a program from the next, and the
    links of ours.
    """

    ports: dict[str, str]
    links: frozenset[Link]


def missing(wanted: Iterable[Link], before: Seen, now: Seen) -> tuple[set[Link], set[Link]]:
    """Links to make, as a port of theirs has come back, and what is wanted from now on.

    A link whose ports were there all along and that is gone was taken apart by somebody.
    """
    here = {name for name, run in now.ports.items() if before.ports.get(name) == run}
    stays = {link for link in wanted if not set(link) <= here}
    made = {link for link in stays if now.ports.keys() >= set(link)} - now.links
    return made, stays | now.links


class Patchbay:
    """A client that names a stream's ports and looks after its links.  Any one thread.

    client : whose ports.  OSError where JACK takes no client.
    """

    def __init__(self, client: str) -> None:
        self._jack = ctypes.CDLL(LIBRARY)
        for function in ("jack_client_open", "jack_port_by_name"):
            getattr(self._jack, function).restype = ctypes.c_void_p
        for function in ("jack_get_ports", "jack_port_get_all_connections"):
            getattr(self._jack, function).restype = ctypes.POINTER(ctypes.c_char_p)
        self._jack.jack_get_version_string.restype = ctypes.c_char_p
        self._jack.jack_get_uuid_for_client_name.restype = ctypes.c_void_p
        self._prefix = f"{client}:"
        status = ctypes.c_int()
        name = f"{client}-patch".encode()
        opened = self._jack.jack_client_open(name, NO_START, ctypes.byref(status))
        if not opened:
            raise OSError(f"JACK takes no client {name.decode()!r} (status {status.value:#x})")
        self._client = ctypes.c_void_p(opened)

    @property
    def is_pipewire(self) -> bool:
        """Whether it is PipeWire behind JACK's face, whose session manager links by itself."""
        return b"PipeWire" in (self._jack.jack_get_version_string() or b"")

    def close(self) -> None:
        self._jack.jack_client_close(self._client)

    def _listed(self, names: Any) -> list[str]:
        found = []
        for name in names or ():
            if name is None:
                break
            found.append(name.decode(errors="replace"))
        if names:
            self._jack.jack_free(names)
        return found

    def ports(self, flags: int = 0, prefix: str = "") -> list[str]:
        """Full names of all audio ports that begin so."""
        names = self._jack.jack_get_ports(self._client, None, AUDIO, ctypes.c_ulong(flags))
        return [name for name in self._listed(names) if name.startswith(prefix)]

    def _port(self, name: str) -> ctypes.c_void_p:
        return ctypes.c_void_p(self._jack.jack_port_by_name(self._client, name.encode()))

    def rename(self, flags: int, names: Sequence[str]) -> None:
        """Give the stream's inputs or outputs names, in their order."""
        for port, name in zip(self.ports(flags, self._prefix), names, strict=False):
            self._jack.jack_port_rename(self._client, self._port(port), name.encode())

    def links(self, port: str, flags: int) -> set[Link]:
        """What one of the stream's ports is connected to."""
        found = self._listed(
            self._jack.jack_port_get_all_connections(self._client, self._port(port))
        )
        return {(each, port) if flags == INPUT else (port, each) for each in found}

    def look(self) -> Seen:
        """Ports and links as they are now."""
        linked: set[Link] = set()
        for flags in (INPUT, OUTPUT):
            for port in self.ports(flags, self._prefix):
                linked |= self.links(port, flags)
        ports = self.ports()
        runs = {client: self._run(client) for client in {name.partition(":")[0] for name in ports}}
        return Seen({name: runs[name.partition(":")[0]] for name in ports}, frozenset(linked))

    def _run(self, client: str) -> str:
        """What JACK gives a client once, and never again."""
        found = self._jack.jack_get_uuid_for_client_name(self._client, client.encode())
        if not found:
            return ""
        uuid = ctypes.string_at(found).decode()
        self._jack.jack_free(ctypes.c_void_p(found))
        return uuid

    def connect(self, link: Link) -> bool:
        source, sink = (name.encode() for name in link)
        return bool(self._jack.jack_connect(self._client, source, sink) == 0)


def _keep(patchbay: Patchbay, stop: threading.Event) -> None:
    """Look after the links until told to stop.  A thread of its own: a dead server may hang it."""
    before = patchbay.look()
    wanted: set[Link] = set(before.links)
    while not stop.wait(GLANCE):
        now = patchbay.look()
        made, wanted = missing(wanted, before, now)
        # A client that has only begun takes no links yet: its ports count as not there.
        failed = {port for link in made if not patchbay.connect(link) for port in link}
        there = {name: run for name, run in now.ports.items() if name not in failed}
        before = Seen(there, now.links | made)
    patchbay.close()


@contextmanager
def patched(host_api: str, inputs: Sequence[str], outputs: Sequence[str]) -> Iterator[None]:
    """Name a running stream's ports and look after their links, where it runs on JACK.

    An error inside leaves JACK alone: its server may be dead, and then closing would crash.
    """
    if host_api != HOST_API or sys.platform != "linux":
        yield
        return
    patchbay = Patchbay(_own_name())
    if patchbay.is_pipewire:
        patchbay.close()
        yield
        return
    patchbay.rename(INPUT, inputs)
    patchbay.rename(OUTPUT, outputs)
    stop = threading.Event()
    keeper = threading.Thread(target=_keep, args=(patchbay, stop), name="rtsep-jack", daemon=True)
    keeper.start()
    yield
    stop.set()
    keeper.join(2)
