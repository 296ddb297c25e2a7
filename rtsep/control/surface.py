"""A MIDI controller's side of the desk: what it says turns parameters, what changes it is told.

Knows no port: bytes come in by `hear`, and go out by whatever `send` is.  Control thread only,
where nothing else is said.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from rtsep.control.desk import Change, Desk
from rtsep.control.feedback import Echo
from rtsep.control.gestures import Gesture, gestures
from rtsep.control.mapping import MOST, PRESET, Hands, Mapping, mapping_from, turned
from rtsep.engine.parameters import find_parameter

SETTLING = 0.4  # seconds in which a control shows what it is, once it has moved
BY_NUMBER = Mapping(PRESET, kind="program", number=-1)


def recognised(heard: Sequence[Gesture]) -> Gesture:
    """The gesture that tells best what control was moved: NRPN, then 14 bit, then the first.

    Of 14 bits is what came in both its halves: alone, the number of either is a control of 7 bits.
    """
    ranks = ("nrpn", "cc14", "cc", "bend", "note", "program")
    same = [each for each in heard if each.channel == heard[0].channel]
    moved = {each.number for each in same if each.kind == "cc"}
    whole = [each for each in same
             if each.kind != "cc14" or {each.number, each.number + 32} <= moved]  # fmt: skip
    return min(whole, key=lambda each: ranks.index(each.kind))


@dataclass
class Pupil:
    """A mapping that is being learned."""

    told: dict[str, Any]
    switch: bool
    future: "Future[Mapping]" = field(default_factory=Future)
    heard: list[Gesture] = field(default_factory=list)

    def mapping(self) -> Mapping:
        """What was asked for, on the control that moved."""
        control = recognised(self.heard)
        told = dict(self.told)
        if told["parameter"] == PRESET or control.kind in ("note", "cc", "program"):
            told.setdefault("action", self._action(control))
        return mapping_from(
            {"kind": control.kind, "number": control.number, "channel": control.channel} | told
        )

    def _action(self, control: Gesture) -> str:
        if self.switch:
            return "toggle"
        return "momentary" if control.kind == "note" else "absolute"


class Surface:
    """The mappings of one desk.

    heard : messages so far.  port : where they come from, empty while nothing is connected.
    deaf : why none will ever come, empty where some may.
    load : what a program change calls with a preset's name or "#3".  changed : called when
    mappings were learned, forgotten or loaded.
    """

    def __init__(
        self,
        desk: Desk,
        table: Sequence[Mapping] = (),
        load: Callable[[str], Any] = lambda name: None,
        changed: Callable[[], Any] = lambda: None,
    ) -> None:
        self.desk, self._load, self._changed = desk, load, changed
        self.table: list[Mapping] = []
        self.send: Callable[[bytes], None] = lambda message: None
        self.heard, self.port, self.deaf = 0, "", ""
        self._pupil: Pupil | None = None
        self._take(table)
        desk.surface = self
        desk.listen(self._reflect)

    def use(self, table: Sequence[Mapping]) -> None:
        """Take these mappings instead of all there were; ValueError for too many."""
        self._take(table)
        self._changed()

    def _take(self, table: Sequence[Mapping]) -> None:
        if len(table) > MOST:
            raise ValueError(f"{len(table)} mappings (at most {MOST})")
        self.table = list(table)
        self._hands, self._echo = Hands(), Echo()
        self.show_all()

    # in

    def hear(self, data: Sequence[int]) -> None:
        """Obey a piece of a port's stream."""
        self.heard += 1
        for gesture in gestures(data, self._hands.reading):
            if self._pupil is not None:
                self._study(self._pupil, gesture)
            else:
                self._obey(gesture)

    def _obey(self, gesture: Gesture) -> None:
        meant = [
            mapping for mapping in [*self.table, *self._spare(gesture)]
            if mapping.hears(gesture) and not self._echo.is_echo(mapping, gesture)
        ]  # fmt: skip
        engine = self.desk.engine
        for name, value in turned(gesture, meant, self._hands, engine.parameters, engine.get):
            if name == PRESET:
                self._load(str(value))
            else:
                self.desk.turn(name, value, "midi")

    def _spare(self, gesture: Gesture) -> list[Mapping]:
        """Program changes choose presets by number unless something else hears them."""
        if gesture.kind != "program" or any(mapping.hears(gesture) for mapping in self.table):
            return []
        return [BY_NUMBER]

    # out

    def _reflect(self, change: Change) -> None:
        parameter = self.desk.engine.parameters.get(change.id)
        for mapping in self.table:
            if mapping.parameter == change.id and parameter is not None:
                for message in self._echo.answer(mapping, parameter, change.value):
                    self.send(message)

    def show_all(self) -> None:
        """Tell every control where it should stand, as after a controller was put back."""
        self._echo.last.clear()
        for name in {
            mapping.parameter for mapping in self.table
        } & self.desk.engine.parameters.keys():
            self._reflect(Change(name, self.desk.engine.get(name), "desk"))

    # learning

    def learn(self, told: dict[str, Any]) -> "Future[Mapping]":
        """Map the control that moves next; the future has the mapping.  ValueError if none can be.

        told : fields of a mapping, `parameter` among them.
        """
        trial = mapping_from({"kind": "cc", **told})
        switch = False
        if trial.parameter != PRESET:
            parameter = find_parameter(self.desk.engine.parameters, trial.parameter)
            switch = parameter.switch or bool(parameter.choices)
        if self._pupil is not None:
            self._pupil.future.set_exception(ValueError("another mapping was asked for since"))
        self._pupil = Pupil(told, switch)
        return self._pupil.future

    def _study(self, pupil: Pupil, gesture: Gesture) -> None:
        if not pupil.heard:
            timer = threading.Timer(SETTLING, self.desk.post, [self._conclude, pupil])
            timer.daemon = True
            timer.start()
        pupil.heard.append(gesture)
        del pupil.heard[256:]

    def _conclude(self, pupil: Pupil) -> None:
        if self._pupil is not pupil:
            return
        self._pupil = None
        try:
            self.add(mapping := pupil.mapping())
            pupil.future.set_result(mapping)
        except (ValueError, TypeError) as error:
            pupil.future.set_exception(error)

    def give_up(self, future: "Future[Mapping]") -> None:
        """No control moved in time."""
        if self._pupil is not None and self._pupil.future is future:
            self._pupil = None

    def add(self, mapping: Mapping) -> None:
        """A mapping in place of those of the same control."""
        self.use([each for each in self.table if not each.same_control(mapping)] + [mapping])

    def forget(self, parameter: str) -> int:
        """Take away a parameter's mappings; how many those were."""
        left = [each for each in self.table if each.parameter != parameter]
        gone = len(self.table) - len(left)
        self.use(left)
        return gone
