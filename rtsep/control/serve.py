"""All ways into a running engine, opened and closed together."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rtsep.control.desk import Desk
from rtsep.control.lesson import Learn, Lesson
from rtsep.control.places import checked, free_name, socket_path
from rtsep.control.presets import Preset
from rtsep.control.server import Gone, Server, Slow
from rtsep.control.shelf import Memory, Shelf
from rtsep.control.surface import Surface
from rtsep.control.verbs import Verb, field
from rtsep.control.wire import Message

if TYPE_CHECKING:
    from rtsep.engine.engine import Engine

Say = Callable[[str], None]
PATIENCE = 30.0  # seconds for somebody to move a control
GLANCE = 0.2  # seconds between two looks whether anybody waits for it
DEAF = "it hears no MIDI: start it with --midi PORT (`rtsep midi list` names the ports)"


def in_a_thread(act: Callable[[Message, Gone], Message]) -> Slow:
    """As a verb that takes its time; an exit of the program does not wait for it."""

    async def obey(request: Message, gone: Gone) -> Message:
        future: Future[Message] = Future()

        def work() -> None:
            try:
                future.set_result(act(request, gone))
            except Exception as error:
                future.set_exception(error)

        threading.Thread(target=work, name="rtsep-slow", daemon=True).start()
        return await asyncio.wrap_future(future)

    return obey


def midi_verbs(surface: Surface) -> dict[str, Verb]:
    """Mappings told and forgotten."""

    def mappings(desk: Desk, request: Message, origin: str) -> Message:
        found = [asdict(mapping) for mapping in surface.table]
        return {"mappings": found, "port": surface.port, "deaf": surface.deaf}

    def forget(desk: Desk, request: Message, origin: str) -> Message:
        return {"forgotten": surface.forget(field(request, "parameter", str, "its id"))}

    return {"mappings": mappings, "forget": forget}


def mapping_lesson(surface: Surface) -> Callable[[Message, Gone], Message]:
    """Waits for the control that moves next and maps it; ValueError at once where none can.

    It gives up when whoever asked is gone.
    """

    def learn(request: Message, gone: Gone) -> Message:
        if surface.deaf:
            raise ValueError(surface.deaf)
        told = {name: value for name, value in request.items() if name != "do"}
        waiting = surface.desk.ask(surface.learn, told).result(PATIENCE)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not gone():
            with contextlib.suppress(TimeoutError):
                return {"mapping": asdict(waiting.result(GLANCE))}
        surface.desk.post(surface.give_up, waiting)
        raise ValueError(f"no control moved within {PATIENCE:g} s")

    return learn


def telling_once(say: Say) -> Say:
    """Says nothing twice in a row, however often a pad is hit."""
    said: list[str] = []

    def tell(words: str) -> None:
        if said != [words]:
            said[:] = [words]
            say(words)

    return tell


def _controller(surface: Surface, wanted: str, say: Say) -> Any:
    from rtsep.control.midi import Controller

    controller = Controller(surface, wanted, say)
    controller.start()
    return controller


def _osc(desk: Desk, where: str, say: Say) -> Any:
    from rtsep.control.osc import Osc

    port = Osc(desk, where, say)
    port.start()
    return port


def _opened(opened: contextlib.ExitStack, say: Say, what: str, make: Callable[[], Any]) -> str:
    """Open one way in; what cannot be is told, and the sound goes on without it."""
    try:
        opened.callback(make().close)
    except (OSError, ValueError, ImportError) as error:
        words = f"{what}: {' '.join(str(error).split())}"
        say(words)
        return words
    return ""


@contextlib.contextmanager
def serve(
    engine: "Engine",
    *,
    preset: Preset | None = None,
    instance: str | None = None,
    midi: str | None = None,
    osc: str | None = None,
    learn: Learn | None = None,
    say: Say = print,
) -> Iterator[Desk]:
    """Let a running engine be turned from outside for as long as the context lasts.

    preset : what the engine was made from; its models, mappings, devices and latency are taken
    as they are, its parameters are not set.  instance : the name, a free one unless given.  midi :
    part of a port's name, or "virtual".  osc : a port, on loopback unless HOST:PORT.  learn :
    makes a model of what `teach` captured.  say : told in one line what could not be opened; the
    sound goes on without it.
    """
    made = preset or Preset()
    if instance is not None:
        checked(instance, "instance")
    desk = Desk(engine, made.models)
    told = telling_once(say)

    def load(name: str) -> None:
        try:
            shelf.load(name)
        except (ValueError, TypeError, OSError) as error:
            told(f"preset: {' '.join(str(error).split())}")

    surface = Surface(desk, made.mappings, load, lambda: memory.note())
    with contextlib.ExitStack() as opened:
        desk.start()
        opened.callback(desk.close)
        try:
            name = instance or free_name()
        except OSError:
            name = "main"
        shelf = Shelf(desk, surface, made, name)
        memory = Memory(desk, shelf, name, say)
        memory.start()
        opened.callback(memory.close)
        slow = {"learn": in_a_thread(mapping_lesson(surface))}
        if learn:
            slow["teach"] = in_a_thread(Lesson(desk, learn).teach)

        def listening() -> Server:
            verbs = midi_verbs(surface) | shelf.verbs()
            server = Server(desk, socket_path(name), verbs, slow)
            server.start()
            return server

        _opened(opened, say, "no control from outside", listening)
        if osc:
            _opened(opened, say, "no OSC", lambda: _osc(desk, osc, say))
        surface.deaf = DEAF
        if midi:
            surface.deaf = _opened(opened, say, "no MIDI", lambda: _controller(surface, midi, say))
        yield desk
