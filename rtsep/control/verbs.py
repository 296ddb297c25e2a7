"""What can be asked of a running engine from outside: one function a verb, in the control thread.

Each takes the desk and the request's fields and returns the fields of the answer.
"""

import os
from collections.abc import Callable
from typing import Any

from rtsep.control import tree
from rtsep.control.desk import Desk
from rtsep.control.wire import Message
from rtsep.engine.rest import WORDS

Verb = Callable[[Desk, Message, str], Message]


def field(request: Message, name: str, kind: type | tuple[type, ...], what: str) -> Any:
    """A field of a request; TypeError or ValueError says what is wanted."""
    if name not in request:
        raise ValueError(f"{request.get('do')!r} needs {name!r} ({what})")
    value = request[name]
    if not isinstance(value, kind):
        raise TypeError(f"{name!r} is {str(value)[:80]!r} (wanted: {what})")
    return value


def get(desk: Desk, request: Message, origin: str) -> Message:
    """One value, or the whole tree."""
    if request.get("id") is None:
        return {"values": tree.parameter_values(desk.engine) | tree.meter_values(desk.engine)}
    return {"value": tree.value_of(desk.engine, field(request, "id", str, "a parameter's id"))}


def describe(desk: Desk, request: Message, origin: str) -> Message:
    """Every parameter with unit and range, the meters, and why it rests if it does."""
    return {
        "parameters": tree.description(desk.engine), "meters": tree.meter_values(desk.engine),
        "resting": WORDS[desk.engine.meters().resting],
    }  # fmt: skip


def turn(desk: Desk, request: Message, origin: str) -> Message:
    name = field(request, "id", str, "a parameter's id")
    value = field(request, "value", (int, float, str), "a number or a word")
    return {"value": desk.turn(name, value, origin)}


def toggle(desk: Desk, request: Message, origin: str) -> Message:
    return {"value": desk.toggle(field(request, "id", str, "a parameter's id"), origin)}


def swap(desk: Desk, request: Message, origin: str) -> Message:
    models = field(request, "models", list, "names or paths of models")
    if not all(isinstance(model, str) for model in models):
        raise TypeError(f"'models' is {str(models)[:80]} (wanted: names or paths)")
    desk.swap(models, None, origin)
    return status(desk, request, origin)


def status(desk: Desk, request: Message, origin: str) -> Message:
    engine = desk.engine
    return {
        "pid": os.getpid(), "models": desk.models, "sources": list(engine.sources),
        "keep": list(engine.keep), "rate": engine.rate, "channels": engine.channels,
        "latency": engine.latency, "note": engine.note,
        "resting": WORDS[engine.meters().resting],
    }  # fmt: skip


VERBS: dict[str, Verb] = {
    "get": get, "describe": describe, "set": turn, "toggle": toggle, "swap": swap,
    "status": status,
}  # fmt: skip
