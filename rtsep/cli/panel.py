"""Meters on the terminal: a quiet panel where there is one, a line a second elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtsep.cli.drawing import View
    from rtsep.control.desk import Change, Desk
    from rtsep.engine.engine import Engine
    from rtsep.engine.meters import Meters
    from rtsep.engine.parameters import Parameter, Value

GLOW = 2.0  # seconds for which a turned parameter is told
Tell = Callable[[float, float | None], None]  # seconds run, seconds in all if known


def levels(meters: "Meters") -> list[tuple[str, float]]:
    """What has a level, in dBFS: input, output, then the sources.  Of channels, the loudest."""
    ends = [("input", max(meters.input_db)), ("output", max(meters.output_db))]
    return ends + list(meters.source_db.items())


def network(meters: "Meters") -> str:
    """How the network fares, where there is one."""
    if not meters.network_runs:
        return ""
    return (
        f"  network p50 {meters.network_p50_us:.0f} p99.9 {meters.network_p999_us:.0f} us  "
        f"masks late {meters.network_late}  failed {meters.network_failed}"
    )


def crossing(meters: "Meters") -> str:
    """How two devices' clocks differ, where there are two."""
    if not meters.deposits:
        return ""
    return (
        f"  drift {meters.drift_ppm:+.1f} ppm  between the devices {meters.crossing_ms:.1f} ms  "
        f"starved {meters.starved}  restarts {meters.restarts}"
    )


def overload(meters: "Meters") -> str:
    """What is left out for want of time, where it ever was."""
    if not meters.overloads:
        return ""
    done = ("all", "fewer steps", "no learning", "dry")[meters.rung]
    return f"  overloads {meters.overloads} (now: {done})"


def rest(meters: "Meters") -> str:
    """Why nothing is separated now, where that is so."""
    from rtsep.engine.rest import WORDS

    why = WORDS[meters.resting]
    return f"resting: {why}  " if why else ""


def timing(meters: "Meters") -> str:
    return (
        f"latency {meters.latency_ms:.1f} ms  load {100 * meters.load:.1f} %  hop p50 "
        f"{meters.hop_p50_us:.0f} p99 {meters.hop_p99_us:.0f} max {meters.hop_max_us:.0f} us  "
        f"blocks {meters.blocks}  late {meters.late_blocks}  clipped {meters.clipped}"
        f"{overload(meters)}{network(meters)}{crossing(meters)}"
    )


def plain(meters: "Meters") -> str:
    """All levels on one line."""
    return "  ".join(f"{name} {db:.1f} dB" for name, db in levels(meters))


@contextmanager
def shown(
    engine: "Engine", desk: "Desk | None" = None, way: str = "", lost: int = 0
) -> Iterator[Tell]:
    """What to call ten times a second to show an engine's meters on standard error.

    desk : who turns it and with which models, in the panel.  way : from where to where.
    lost : how often the sound went away and came back.
    """
    from rtsep.cli.screen import in_foreground

    if in_foreground(sys.stderr):
        with _panel(engine, desk, way, lost) as tell:
            yield tell
    else:
        yield _lines(engine)


def figure(parameter: "Parameter", value: "Value") -> str:
    """A parameter as people read it."""
    name = parameter.id
    if parameter.switch:
        return name
    unit = f" {parameter.unit}" if parameter.unit else ""
    return f"{name} {value}" if isinstance(value, str) else f"{name} {value:.4g}{unit}"


def turned(engine: "Engine") -> str:
    """Strength, and whatever else is not as it is by default."""
    settings = engine.settings()
    away = [name for name, (each, value) in settings.items() if value != each.default]
    return "  ".join(figure(*settings[name]) for name in dict.fromkeys(["strength", *away]))


class Hands:
    """Who turns what at the moment: MIDI's activity, and the latest change."""

    def __init__(self, engine: "Engine", desk: "Desk | None") -> None:
        self._engine, self._desk = engine, desk
        self._change: tuple[float, Change] | None = None
        self._heard, self._blink = 0, 0.0
        if desk is not None:
            desk.listen(self._note)

    def _note(self, change: "Change") -> None:
        self._change = (time.monotonic(), change)

    def _midi(self, now: float) -> str:
        surface = self._desk and self._desk.surface
        if not surface or not surface.port:
            return ""
        if surface.heard != self._heard:
            self._heard, self._blink = surface.heard, now
        lit = "*" if now - self._blink < GLOW / 4 else " "
        return f"midi {lit} {surface.port}  {surface.heard} messages"

    def words(self) -> str:
        now = time.monotonic()
        told = [self._midi(now)]
        if self._change and now - self._change[0] < GLOW:
            change = self._change[1]
            setting = self._engine.settings().get(change.id)
            if setting is not None:
                told.append(f"{figure(*setting)} by {change.origin}")
        return "  ".join(filter(None, told))


def models_of(engine: "Engine", desk: "Desk | None") -> str:
    """Names of the models, and which of their sources stay."""
    names = [os.path.basename(name) for name in desk.models] if desk else []
    return f"rtsep  {', '.join(names or engine.sources)}  keeps {', '.join(engine.keep) or 'all'}"


@contextmanager
def _panel(engine: "Engine", desk: "Desk | None", way: str, lost: int) -> Iterator[Tell]:
    from rtsep.cli import notes
    from rtsep.cli.drawing import View, drawn
    from rtsep.cli.screen import Screen, draws_blocks
    from rtsep.engine.bands import edges

    hands = Hands(engine, desk)
    with notes.captured() as (said, terminal):
        if lost:
            said.add(f"the sound is back, {lost} times by now" if lost > 1 else "the sound is back")
        screen = Screen(terminal, draws_blocks(terminal.encoding, os.environ))

        def view(seconds: float, total: float | None) -> "View":
            return View(
                seconds, total, models_of(engine, desk), way or f"{engine.rate} Hz",
                engine.meters(), engine.spectra, lambda bands: list(edges(bands, engine.rate)),
                turned(engine), hands.words(), said.latest, lost,
            )  # fmt: skip

        def tell(seconds: float, total: float | None) -> None:
            columns, rows = screen.size
            screen.show(drawn(view(seconds, total), columns, rows, screen.blocks))

        with screen.taken():
            yield tell


def _lines(engine: "Engine") -> Tell:
    due = time.monotonic() + 1

    def tell(seconds: float, total: float | None) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due += 1
            meters = engine.meters()
            words = f"{seconds:.1f} s  {plain(meters)}  {rest(meters)}"
            print(words.rstrip(), file=sys.stderr, flush=True)

    return tell
