"""What goes over the local socket: JSON, one object a line, asked and answered in turn.

{"do": "set", "id": "strength", "value": 0.6}   ->   {"ok": true, "value": 0.6}
"""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LONGEST_LINE = 1 << 16
Message = dict[str, Any]


class Refused(ValueError):  # noqa: N818
    """What the running instance answered instead of doing it."""


def encoded(message: Message) -> bytes:
    return json.dumps(message).encode() + b"\n"


def decoded(line: bytes) -> Message:
    """One line's object; ValueError for anything else."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {str(error)[:80]} ({len(line)} bytes)") from None
    if not isinstance(message, dict):
        raise ValueError(f"a {type(message).__name__} (wanted: an object, as in {{'do': 'get'}})")
    return message


class Line:
    """A connection to a running instance.  seconds : to wait for an answer, None for ever."""

    def __init__(self, path: Path, seconds: float | None = 10) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(seconds)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._file = self._socket.makefile("rb")

    def send(self, message: Message) -> None:
        self._socket.sendall(encoded(message))

    def messages(self) -> Iterator[Message]:
        """What comes in, until the instance ends."""
        while line := self._file.readline():
            yield decoded(line)

    def ask(self, **message: Any) -> Message:
        """One request and its answer; Refused with the instance's own words."""
        self.send(message)
        for answer in self.messages():
            if "ok" not in answer:
                continue
            if not answer["ok"]:
                raise Refused(answer.get("error", "refused without a word"))
            return answer
        raise ConnectionError("the instance ended without an answer")

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
