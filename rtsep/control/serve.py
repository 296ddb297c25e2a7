"""All ways into a running engine, opened and closed together."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from rtsep.control.desk import Desk
from rtsep.control.lesson import Learn, Lesson
from rtsep.control.places import checked, free_name, socket_path
from rtsep.control.server import Server, Slow
from rtsep.control.wire import Message

if TYPE_CHECKING:
    from rtsep.engine.engine import Engine

Say = Callable[[str], None]


def in_a_thread(act: Callable[[Message], Message]) -> Slow:
    """As a verb that takes its time; an exit of the program does not wait for it."""

    async def obey(request: Message) -> Message:
        future: Future[Message] = Future()

        def work() -> None:
            try:
                future.set_result(act(request))
            except Exception as error:
                future.set_exception(error)

        threading.Thread(target=work, name="rtsep-lesson", daemon=True).start()
        return await asyncio.wrap_future(future)

    return obey


@contextlib.contextmanager
def serve(
    engine: "Engine",
    *,
    models: Sequence[str] = (),
    instance: str | None = None,
    learn: Learn | None = None,
    say: Say = print,
) -> Iterator[Desk]:
    """Let a running engine be turned from outside for as long as the context lasts.

    models : what the engine runs.  instance : its name, a free one unless given.  learn : makes a
    model of what `teach` captured.  say : told in one line what could not be opened; the sound
    goes on without it.
    """
    if instance is not None:
        checked(instance, "instance")
    desk = Desk(engine, models)
    desk.start()
    with contextlib.ExitStack() as opened:
        opened.callback(desk.close)
        slow = {"teach": in_a_thread(Lesson(desk, learn).teach)} if learn else {}
        try:
            server = Server(desk, socket_path(instance or free_name()), slow)
            server.start()
            opened.callback(server.close)
        except (OSError, ValueError) as error:
            say(f"no control from outside: {' '.join(str(error).split())}")
        yield desk
