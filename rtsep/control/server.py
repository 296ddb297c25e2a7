"""The local socket of a running engine: JSON lines to the desk and back.

One thread, one event loop.  A client has one request at a time, a line's length is bounded, what
it does not read in time ends it; when there are too many the one that has been quiet longest goes.
"""

import asyncio
import contextlib
import select
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from rtsep.control.desk import Busy, Change, Desk
from rtsep.control.places import answers
from rtsep.control.tree import meter_values
from rtsep.control.verbs import VERBS, Verb
from rtsep.control.wire import LONGEST_LINE, Message, decoded, encoded

CLIENTS = 64  # at once
UNREAD = 1 << 17  # bytes that may wait for a client before it is ended
PATIENCE = 5.0  # seconds for the control thread to answer
RARELY, OFTEN = 60.0, 0.02  # seconds between two readings of the meters
Gone = Callable[[], bool]  # whether nobody waits for the answer any more; any thread
Slow = Callable[[Message, Gone], Awaitable[Message]]


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Take a socket's place, over what a crashed run left; OSError where a live one has it."""
    import fcntl

    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if answers(path):
            raise OSError(f"instance {path.stem!r} is running already ({path})")
        path.unlink(missing_ok=True)
        yield


def failure(error: BaseException) -> Message:
    words = " ".join(str(error).split()) or type(error).__name__
    return {"ok": False, "error": words[:1000]}


class Client:
    """One connection.  Event loop's thread only."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer, self.watching = writer, False
        self.heard = time.monotonic()
        self.metering: asyncio.Task[None] | None = None

    def tell(self, message: Message) -> None:
        """Send without waiting; who leaves too much unread is ended."""
        transport = self.writer.transport
        if transport.is_closing():
            return
        self.writer.write(encoded(message))
        if transport.get_write_buffer_size() > UNREAD:
            transport.abort()

    def gone(self) -> bool:
        """Whether it has hung up, and not only said its last.  Any thread."""
        line = self.writer.get_extra_info("socket")
        poll = select.poll()
        try:
            poll.register(line.fileno(), 0)  # hanging up is told all the same
        except ValueError:  # closed by us
            return True
        return bool(poll.poll(0))

    def end(self) -> None:
        if self.metering is not None:
            self.metering.cancel()
        self.writer.transport.abort()


class Server:
    """Serves a desk on a socket from `start` to `close`.

    verbs : what can be asked beside `VERBS`.  slow : verbs that take long and do not belong in the
    control thread.
    """

    def __init__(
        self,
        desk: Desk,
        path: Path,
        verbs: dict[str, Verb] | None = None,
        slow: dict[str, Slow] | None = None,
    ) -> None:
        self.desk, self.path, self._slow = desk, path, slow or {}
        self._verbs = VERBS | (verbs or {})
        self.loop = asyncio.new_event_loop()
        self._clients: set[Client] = set()
        self._changed: dict[str, Change] = {}
        self._lock = threading.Lock()  # of what changed; held for a few instructions
        self._thread = threading.Thread(target=self._run, name="rtsep-socket", daemon=True)
        self._listening: asyncio.Server | None = None
        self._deaf: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Listen.  OSError where the socket cannot be had."""
        with claimed(self.path), contextlib.ExitStack() as undone:
            undone.callback(self.loop.close)
            opened = asyncio.start_unix_server(self._attend, self.path, limit=LONGEST_LINE)
            self._listening = self.loop.run_until_complete(opened)
            self.path.chmod(0o600)
            undone.pop_all()
        self._deaf = self.desk.listen(self._hear)
        self._thread.start()

    def close(self) -> None:
        self._deaf()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        if self._listening is not None:
            self.path.unlink(missing_ok=True)

    def _run(self) -> None:
        self.loop.run_forever()
        for client in list(self._clients):
            client.end()
        if self._listening is not None:
            self._listening.close()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks))
        self.loop.close()

    # changes, to those who watch

    def _hear(self, change: Change) -> None:
        """Control thread: keep the latest of each, and wake the loop once."""
        with self._lock:
            asleep = not self._changed
            self._changed[change.id] = change
        if asleep:
            self.loop.call_soon_threadsafe(self._spread)

    def _spread(self) -> None:
        with self._lock:
            changed, self._changed = self._changed, {}
        for client in [client for client in self._clients if client.watching]:
            for change in changed.values():
                told = {"event": "change", "id": change.id, "value": change.value}
                client.tell(told | {"from": change.origin})

    async def _meter(self, client: Client, every: float) -> None:
        while not client.writer.transport.is_closing():
            client.tell({"event": "meters", "values": meter_values(self.desk.engine)})
            await asyncio.sleep(every)

    def _watch(self, client: Client, request: Message) -> Message:
        client.watching = True
        every = request.get("meters")
        if every is not None:
            if not isinstance(every, int | float) or not OFTEN <= every <= RARELY:
                raise ValueError(f"meters={every!r:.40} is outside {OFTEN}..{RARELY:g} s")
            if client.metering is not None:
                client.metering.cancel()
            client.metering = self.loop.create_task(self._meter(client, every))
        return {}

    # requests

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(writer)
        self._make_room()
        self._clients.add(client)
        try:
            await self._converse(client, reader)
        except OSError:
            pass  # the client went away
        finally:
            self._clients.discard(client)
            if client.metering is not None:
                client.metering.cancel()
            writer.close()

    def _make_room(self) -> None:
        if len(self._clients) >= CLIENTS:
            quiet = min(self._clients, key=lambda client: (client.watching, client.heard))
            self._clients.discard(quiet)
            quiet.end()

    async def _converse(self, client: Client, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                client.tell(failure(ValueError(f"a line over {LONGEST_LINE} bytes")))
                return
            if not line:
                return
            client.heard = time.monotonic()
            if line.strip():
                client.tell(await self._answer(client, line))
                await asyncio.wait_for(client.writer.drain(), PATIENCE)

    async def _answer(self, client: Client, line: bytes) -> Message:
        try:
            request = decoded(line)
            return {"ok": True} | await self._obey(client, request)
        except (ValueError, TypeError, OverflowError, OSError, RuntimeError) as error:
            return failure(error)

    async def _obey(self, client: Client, request: Message) -> Message:
        verb = request.get("do")
        if verb == "watch":
            return self._watch(client, request)
        if isinstance(verb, str) and verb in self._slow:
            return await self._slow[verb](request, client.gone)
        if not isinstance(verb, str) or verb not in self._verbs:
            known = ", ".join([*self._verbs, *self._slow, "watch"])
            raise ValueError(f"'do' is {str(verb)[:40]!r} (wanted: {known})")
        return await self.control(self._verbs[verb], request)

    async def control(self, act: Callable[..., Any], request: Message) -> Message:
        """Have the control thread do it."""
        future = self.desk.ask(act, self.desk, request, "socket")
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future, loop=self.loop), PATIENCE)
        except TimeoutError:
            raise Busy(f"no answer within {PATIENCE:g} s") from None
