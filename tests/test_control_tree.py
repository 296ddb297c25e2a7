"""The tree of everything that can be turned or read, and the one thread that turns it."""

import threading
import time

import pytest
from control_room import desk_for

import rtsep
from models import model, pair
from rtsep.control import tree
from rtsep.control.desk import LONGEST, Busy, Change


@pytest.fixture(scope="module")
def engine():
    return rtsep.Engine(pair())


def test_every_parameter_is_described_with_its_range(engine):
    told = {each["id"]: each for each in tree.description(engine)}
    assert told.keys() == engine.parameters.keys()
    assert told["max_attenuation"]["unit"] == "dB"
    assert told["listen"]["choices"] == ["source", "residual", "all"]
    assert told["fan.gain"]["low"] == -80
    assert told["bypass"]["switch"]


def test_every_meter_is_one_number(engine):
    read = tree.meter_values(engine)
    assert all(isinstance(value, int | float) for value in read.values())
    assert {"meters.load", "meters.input_db.1", "meters.source_db.fan"} <= read.keys()
    assert tree.value_of(engine, "meters.latency_ms") == 5.0


def test_an_unknown_meter_names_those_there_are(engine):
    with pytest.raises(ValueError, match=r"no meter 'meters.lod' \(known: .*meters\.load"):
        tree.value_of(engine, "meters.lod")


@pytest.mark.parametrize(
    ("name", "values"),
    [("bypass", [1, 0]), ("listen", ["residual", "all", "source"]), ("strength", [0, 1])],
)
def test_toggling_goes_round(engine, name, values):
    parameter, value = engine.parameters[name], engine.parameters[name].default
    for expected in values:
        value = tree.toggled(parameter, value)
        assert value == expected


@pytest.mark.parametrize(("word", "value"), [("on", 1), ("OFF", 0), ("true", 1), (0, 0)])
def test_a_switch_takes_words(word, value):
    assert tree.turn(rtsep.Engine("bypass"), "bypass", word) == value


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("strength", 1.5, r"strength=1.5 is outside 0..1"),
        ("strength", float("nan"), "strength=nan is outside"),
        ("strength", "on", "strength takes a number, not 'on'"),
        ("bypass", 0.5, "bypass=0.5 is neither 0 nor 1"),
        ("listen", "moon", "listen='moon' is none of source, residual, all"),
        ("strenght", 1, r"no parameter 'strenght' \(nearest: 'strength'\)"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(engine, name, value, words):
    before = tree.parameter_values(engine)
    with pytest.raises((ValueError, TypeError), match=words):
        tree.turn(engine, name, value)
    assert tree.parameter_values(engine) == before


def test_the_desk_alone_touches_the_engine():
    with desk_for() as desk:
        names = {desk.ask(lambda: threading.current_thread().name).result(5) for _ in range(3)}
        assert names == {"rtsep-control"}


def test_changes_are_told_with_where_they_came_from_and_only_if_they_are_any():
    with desk_for() as desk:
        heard = []
        deaf = desk.listen(heard.append)
        for value in (0.5, 0.5, 0.25):
            desk.ask(desk.turn, "strength", value, "midi").result(5)
        desk.ask(desk.toggle, "bypass", "socket").result(5)
        deaf()
        desk.ask(desk.turn, "strength", 1.0, "midi").result(5)
        assert heard == [
            Change("strength", 0.5, "midi"), Change("strength", 0.25, "midi"),
            Change("bypass", 1.0, "socket"),
        ]  # fmt: skip


def test_jobs_are_done_in_order_and_faults_stay_with_who_asked():
    with desk_for() as desk:
        done = []
        futures = [desk.ask(done.append, i) for i in range(200)]
        with pytest.raises(ValueError, match=r"outside 0\.\.1"):
            desk.ask(desk.turn, "strength", 7, "socket").result(5)
        futures[-1].result(5)
        assert done == list(range(200))


def test_a_full_queue_refuses_askers_and_counts_what_is_posted():
    with desk_for() as desk:
        gate, inside = threading.Event(), threading.Event()
        desk.ask(inside.set)
        desk.ask(gate.wait, 30)
        inside.wait(5)
        while desk._jobs.qsize():
            time.sleep(0.001)
        for _ in range(LONGEST):
            desk.post(lambda: None)
        with pytest.raises(Busy, match=f"{LONGEST} requests wait"):
            desk.ask(lambda: None)
        desk.post(lambda: None)
        assert desk.dropped == 1
        gate.set()


def test_a_swap_tells_the_values_of_the_new_sources():
    with desk_for(rtsep.Engine("bypass")) as desk:
        heard = []
        desk.listen(heard.append)
        desk.ask(desk.swap, ["rain"], None, "teach").result(10)
        assert desk.models == ["rain"]
        assert {"rain.gain", "unknown.mute"} <= {change.id for change in heard}


def test_a_swap_that_fails_changes_nothing():
    with desk_for(rtsep.Engine(model())) as desk:
        sources = desk.engine.sources
        with pytest.raises(ValueError, match="no such model"):
            desk.ask(desk.swap, ["nobody-has-this"], None, "socket").result(10)
        assert (desk.models, desk.engine.sources) == (["bypass"], sources)
