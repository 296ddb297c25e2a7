"""OSC over UDP: `/rtsep/<id> value` sets, `/rtsep/<id>` asks, `/rtsep` asks for everything.

Answers go to who asked: `/rtsep/<id> value`, or `/rtsep/error "one line"`.  After
`/rtsep/subscribe` a client hears of every change for a minute.  python-osc's only importer.
"""

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from rtsep.control.desk import Busy, Change, Desk
from rtsep.control.tree import meter_values, parameter_values, value_of
from rtsep.engine.parameters import Value

ROOT = "/rtsep"
LOOPBACK = "127.0.0.1"
LARGEST = 4096  # bytes of a datagram that is looked at
SUBSCRIBERS, MINUTE = 16, 60.0
MESSAGES = 64  # of one bundle
Address = tuple[str, int]
Say = Callable[[str], None]


def place(text: str) -> Address:
    """`9000` or `192.168.1.5:9000`; ValueError for anything else."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError(f"OSC port {text!r:.60} is not in 1..65535 (as in 9000 or HOST:9000)")
    try:
        return str(ipaddress.IPv4Address(host or LOOPBACK)), int(port)
    except ValueError:
        raise ValueError(f"OSC host {host!r:.60} is no IPv4 address") from None


@cache
def _quiet() -> None:
    """Keep python-osc from a line on standard error for every datagram that is no OSC."""
    logging.getLogger().addFilter(lambda record: "pythonosc" not in record.pathname)


def messages(data: bytes) -> list[tuple[str, list[Any]]]:
    """Addresses and arguments of a datagram, a bundle's in order; none of what is no OSC."""
    from pythonosc.osc_packet import OscPacket, ParseError

    _quiet()
    if len(data) > LARGEST:
        return []
    try:
        packet = OscPacket(data)
        found = [(each.message.address, list(each.message.params)) for each in packet.messages]
    except (ParseError, ValueError, IndexError, RecursionError, OverflowError):
        return []
    return found[:MESSAGES]


def message(address: str, *values: Value) -> bytes:
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address=address)
    for value in values:
        builder.add_arg(value if isinstance(value, str) else float(value))
    return bytes(builder.build().dgram)


class Osc:
    """A desk's OSC port from `start` to `close`.  where : as `place` takes it."""

    def __init__(self, desk: Desk, where: str, say: Say) -> None:
        self._desk = desk
        self.address = place(where)
        if not ipaddress.IPv4Address(self.address[0]).is_loopback:
            say(f"OSC: anybody who reaches {where} can turn this rtsep: there is no password")
        self._subscribers: dict[Address, float] = {}
        self._stop = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._run, name="rtsep-osc", daemon=True)
        self._deaf: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Listen; OSError names a port that is taken."""
        try:
            self._socket.bind(self.address)
        except OSError as error:
            self._socket.close()
            host, port = self.address
            raise OSError(f"port {port} of {host}: {error.strerror}") from error
        self._socket.settimeout(0.2)
        self._deaf = self._desk.listen(self._hear)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._deaf()
        self._thread.join(2)
        self._socket.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                data, sender = self._socket.recvfrom(LARGEST + 1)
            except TimeoutError:
                continue
            except OSError:  # of an answer that nobody took
                continue
            for address, values in messages(data):
                self._obey(address, values, sender)

    def _obey(self, address: str, values: list[Any], sender: Address) -> None:
        name = address.removeprefix(ROOT).strip("/").replace("/", ".")
        if not (address + "/").startswith(f"{ROOT}/"):
            return
        try:
            self._desk.ask(self._answer, name, values, sender)
        except Busy:
            self._desk.dropped += 1

    # control thread

    def _answer(self, name: str, values: list[Any], sender: Address) -> None:
        try:
            for told in self._told(name, values, sender):
                self._send(sender, message(*told))
        except (ValueError, TypeError) as error:
            self._send(sender, message(f"{ROOT}/error", " ".join(str(error).split())[:500]))

    def _told(self, name: str, values: list[Any], sender: Address) -> list[tuple[Any, ...]]:
        engine = self._desk.engine
        if name == "subscribe":
            self._subscribe(sender)
        if name in ("", "subscribe"):
            everything = parameter_values(engine) | (meter_values(engine) if not name else {})
            return [(f"{ROOT}/{each}", value) for each, value in everything.items()]
        if not values:
            return [(f"{ROOT}/{name}", value_of(engine, name))]
        if len(values) > 1 or not isinstance(values[0], int | float | str):
            raise TypeError(f"{name} takes one number or word, not {str(values)[:80]}")
        self._desk.turn(name, values[0], "osc")
        return []

    def _subscribe(self, sender: Address) -> None:
        now = time.monotonic()
        self._subscribers[sender] = now + MINUTE
        for old in sorted(self._subscribers, key=self._subscribers.__getitem__)[:-SUBSCRIBERS]:
            del self._subscribers[old]

    def _hear(self, change: Change) -> None:
        now = time.monotonic()
        for subscriber, until in list(self._subscribers.items()):
            if until < now:
                del self._subscribers[subscriber]
            else:
                self._send(subscriber, message(f"{ROOT}/{change.id}", change.value))

    def _send(self, to: Address, data: bytes) -> None:
        try:
            self._socket.sendto(data, to)
        except OSError:  # a full or closed way out loses what a datagram may lose
            self._desk.dropped += 1
