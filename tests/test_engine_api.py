"""The engine's face: what it promises by name, and what reset, prepare and snapshots mean."""

import copy
import pickle
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

import rtsep
from models import SEPARATORS, babble, bits, engine, model, noise, pair, separator
from rtsep.dsp.stream import MODES

RATE = 16000
TIMES = ("histogram", "hop_max", "process")  # outside the law: what time it took, where code lies


def record(running):
    """All memory of an engine, but what tells the time."""
    memory = running._record.view(np.uint8).copy()
    for field in TIMES:
        memory.view(running._record.dtype)[field] = 0
    return memory.tobytes()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", SEPARATORS)
def test_reset_is_new_bit_for_bit(kind, mode):
    running, new = engine(kind, latency=mode), engine(kind, latency=mode)
    running.process(babble(5000))
    running.separate(babble(333))
    running.reset()
    assert record(running) == record(new)
    assert bits(running.process(babble(5000))) == bits(new.process(babble(5000)))
    assert record(running) == record(new)


def test_reset_keeps_parameters_and_forgets_their_glides():
    turned = {"strength": 0.3, "fan.gain": -6.0, "bypass": 0, "noise_floor": -50, "freeze": 1}
    running = engine()
    running.process(babble(3000))
    for name, value in turned.items():
        running.set(name, value)
    running.process(babble(100))
    running.reset()
    assert {name: running.get(name) for name in turned} == turned
    assert record(running) == record(engine(**turned))


def test_reset_after_a_swap_is_new_with_the_swapped_model():
    running = engine()
    running.process(babble(3000))
    running.swap(separator("asvd", rate=RATE))
    running.process(babble(100))
    running.reset()
    assert record(running) == record(engine("asvd"))


def test_reset_forgets_the_unknown_source_restored_or_not():
    running = engine()
    running.process(babble(3000))
    running.restore(running.snapshot())
    running.reset()
    assert bits(running.snapshot().W) == bits(engine().snapshot().W)


def test_a_live_stream_is_not_reset():
    running = engine()
    running.live = True
    with pytest.raises(RuntimeError, match="running stream"):
        running.reset()


def test_equal_engines_are_equal_and_seeds_differ():
    assert record(engine()) == record(engine())
    assert record(engine()) != record(engine(options={"seed": 1}))


def test_it_says_what_it_is():
    running = engine("nmf known", channels=2, latency="medium")
    assert (running.rate, running.channels, running.latency) == (RATE, 2, running.spec.synthesis)
    assert (running.sources, running.keep) == (("voice", "fan"), ("voice",))
    assert running.address == running._record.ctypes.data
    assert running.address % 64 == 0
    assert running.callback.address > 0
    assert rtsep.Engine("bypass").sources == ("all",)


def test_it_notes_what_was_mapped():
    assert engine().note == ""
    note = rtsep.Engine(model(rate=48000), rate=44100).note
    assert "48000" in note
    assert "44100" in note
    assert "3000 Hz" in rtsep.Engine(model(rate=RATE, bandwidth=3000.0), rate=RATE).note


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 96000, 192000])
@pytest.mark.parametrize("kind", ["nmf", "asvd"])
def test_a_model_of_another_rate_is_mapped_and_runs(kind, rate):
    running, x = rtsep.Engine(model(kind=kind, rate=48000), rate=rate), babble(6000)
    stems = running.separate(x)
    assert np.isfinite(stems).all()
    assert all(np.std(stem) > 1e-4 * np.std(x) for stem in stems)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"latency": "quick"}, "'quick'"),
        ({"rate": 0}, "rate 0 Hz"),
        ({"rate": 500_000}, "rate 500000 Hz"),
        ({"max_block": 0}, "max_block=0"),
        ({"wrongly": 1}, "'wrongly'"),
        ({"options": {"steps": 0}}, r"steps=0 is outside 1\.\.100"),
        ({"options": {"speed": 1}}, "'speed'"),
        ({"options": {"exponent": float("nan")}}, "exponent=nan"),
        ({"model": []}, "no model"),
        ({"model": "bypass", "keep": "noise"}, r"noise is none of the sources \(all\)"),
        ({"model": "speach of nobody"}, "speach of nobody"),
    ],
    ids=str,
)
def test_what_it_cannot_be_is_refused_by_name_and_value(settings, says):
    with pytest.raises(ValueError, match=says):
        rtsep.Engine(**{"model": model(), **settings})


@pytest.mark.parametrize(
    ("name", "value"),
    [("unknown_rank", 2.5), ("steps", "many"), ("seed", 1.5), ("sparsity", True)],
)
def test_an_option_of_the_wrong_kind_is_refused_wherever_it_comes_from(name, value):
    """A card is a stranger's: its options are checked like a caller's."""
    for settings in ({"options": {name: value}}, {"model": model(options={name: value})}):
        with pytest.raises(ValueError, match=name):
            rtsep.Engine(**{"model": model(), **settings})


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_an_option_that_is_no_number_is_refused_by_name(value):
    with pytest.raises(ValueError, match="steps"):
        rtsep.Engine(model(), options={"steps": value})


@pytest.mark.parametrize("rank", [4.0, np.int64(4), np.float32(4)])
def test_a_whole_number_of_any_kind_is_one(rank):
    engine = rtsep.Engine(model(rate=RATE), rate=RATE, options={"unknown_rank": rank})
    assert engine.snapshot().W.shape[1] == 4


def test_a_cards_options_are_defaults_and_the_callers_come_first():
    shy = model(options={"unknown_rank": 3})
    assert rtsep.Engine(shy).snapshot().W.shape[1] == 3
    assert rtsep.Engine(shy, options={"unknown_rank": 5}).snapshot().W.shape[1] == 5


def test_a_snapshot_moves_to_another_engine():
    one, other, x = engine(), engine(), babble(6000)
    one.process(x)
    other.restore(one.snapshot())
    assert bits(one.snapshot().W) == bits(other.snapshot().W)


def while_running(running, ask):
    """What `ask` gets while another thread pushes sound through."""
    running.live, done = True, threading.Event()

    def push():
        while not done.is_set():
            running.process(babble(800))

    thread = threading.Thread(target=push)
    thread.start()
    try:
        return ask(running)
    finally:
        done.set()
        thread.join()
        running.live = False


def test_a_running_stream_serves_snapshots_restores_and_swaps():
    def ask(running):
        taken = running.snapshot()
        running.set("freeze", 1)
        running.restore(taken)
        running.swap(separator("asvd", rate=RATE))
        running.swap(separator("nmf", rate=RATE))
        return taken

    running = engine()
    taken = while_running(running, ask)
    np.testing.assert_allclose(taken.W.sum(axis=2), 1, rtol=1e-4)
    assert running.sources == ("fan", "unknown")


def test_parameters_turn_from_several_threads_while_models_are_swapped():
    running, failed, done = engine(), [], threading.Event()

    def turn():
        while not done.is_set():
            try:
                running.set("strength", 0.5)
                running.meters()
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=turn) for _ in range(2)]
    pause = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    for thread in threads:
        thread.start()
    try:
        for i in range(40):
            running.swap(model(f"source{i}", rate=RATE))
    finally:
        done.set()
        sys.setswitchinterval(pause)
        for thread in threads:
            thread.join()
    assert failed == []


def test_a_card_may_not_ask_for_any_amount_of_work():
    hungry = replace(model(), card=replace(model().card, options={"steps": 30}))
    with pytest.raises(ValueError, match="a card asks for 120 steps a hop"):
        rtsep.Engine(hungry)
    assert rtsep.Engine(model(), options={"steps": 30}).options.steps == 30


def test_an_engine_is_not_copied():
    for act in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            act(engine())


@pytest.mark.parametrize("shift", [7, -7])
def test_out_may_overlap_the_block(shift):
    x, room = babble(3000), np.zeros(3007, np.float32)
    wanted = engine().process(x)
    block, out = (room[:3000], room[7:]) if shift > 0 else (room[7:], room[:3000])
    block[:] = x
    assert bits(engine().process(block, out=out)) == bits(wanted)


def test_a_swap_that_fails_changes_nothing():
    running = engine()
    with pytest.raises(TypeError):
        running.swap(model(rate=RATE), keep=5)
    running.reset()
    assert running.sources == ("fan", "unknown")


@pytest.mark.parametrize(
    "settings", [{"rate": 44100.0}, {"channels": 2.0}, {"max_block": 2.5}], ids=str
)
def test_numbers_that_are_not_whole_are_refused(settings):
    with pytest.raises(TypeError, match="is not a whole number"):
        rtsep.Engine("bypass", **settings)


def test_a_running_stream_can_be_listened_to():
    """`capture` returns raw input: here every sample is one."""
    running = engine(input_gain=-20, channels=2)
    running.live, done = True, threading.Event()

    def push():
        while not done.is_set():
            running.process(np.stack([np.ones(160), np.zeros(160)]))

    thread = threading.Thread(target=push)
    thread.start()
    try:
        heard = running.capture(0.1)
    finally:
        done.set()
        thread.join()
    assert heard.shape == (1600,)
    assert (heard == 0.5).all()


def test_nobody_waits_for_a_stream_that_stands_still():
    running = engine()
    running.live = True
    with pytest.raises(TimeoutError, match="2 s"):
        running.snapshot()


def test_a_frozen_restored_basis_stays_restored_while_live():
    running = engine(freeze=1)
    running.process(babble(4000))
    learned = engine()
    learned.process(babble(6000))
    while_running(running, lambda live: live.restore(learned.snapshot()))
    assert bits(running.snapshot().W) == bits(learned.snapshot().W)


def test_the_package_offers_what_it_lists_and_every_one_says_what_it_is():
    for name in rtsep.__all__:
        offered = getattr(rtsep, name)
        assert isinstance(offered, str) or offered.__doc__
        assert name in rtsep.__doc__ or name == "__version__"
    assert set(rtsep.__all__) <= set(dir(rtsep))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        rtsep.nothing_of_the_kind  # noqa: B018


def test_importing_and_running_need_numpy_and_numba_alone():
    program = """
import sys, rtsep
assert not {"numba", "numpy"} & set(sys.modules), "heavy at import"
import numpy
rtsep.Engine("bypass").process(numpy.zeros(500, "f4"))
heavy = {"torch", "onnx", "onnxruntime", "sklearn", "librosa", "matplotlib", "rich", "typer",
         "sounddevice", "soundfile", "soxr", "rtmidi", "jack", "pesq"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=600)


def test_the_batch_call_names_its_sources():
    x = noise(2, 3000)
    stems = rtsep.separate(x, RATE, pair(rate=RATE))
    assert list(stems) == ["voice", "fan"]
    assert all(stem.dtype == np.float32 for stem in stems.values())
    assert list(rtsep.separate(x, RATE, "bypass")) == ["all"]


@pytest.mark.parametrize("shape", [(3000,), (1, 3000), (2, 3000)])
def test_a_whole_recording_is_denoised_as_a_stream_is_and_in_time(shape):
    x, models = noise(*shape) if len(shape) == 2 else noise(1, *shape)[0], pair(rate=RATE)
    given = {"keep": "fan", "strength": 0.7, "max_attenuation": 40}
    cleaned = rtsep.denoise(x, RATE, models, latency="low", **given)
    engine = rtsep.Engine(models, rate=RATE, channels=len(np.atleast_2d(x)), latency="low", **given)
    late = np.pad(np.atleast_2d(x), ((0, 0), (0, engine.latency)))
    blocks = [late[:, i : i + 100] for i in range(0, late.shape[1], 100)]
    expected = np.hstack([engine.process(block) for block in blocks])
    assert cleaned.shape == shape
    assert np.array_equal(np.atleast_2d(cleaned), expected[:, engine.latency :])
    assert np.allclose(rtsep.denoise(x, RATE, models, strength=0), x, atol=1e-6)


def test_the_shipped_network_separates_unless_told():
    x, shipped = noise(1, 3000)[0], "nes-speech-medium"
    assert np.array_equal(rtsep.denoise(x, RATE), rtsep.denoise(x, RATE, shipped))
    stems, expected = rtsep.separate(x, RATE), rtsep.separate(x, RATE, shipped)
    assert all(np.array_equal(stems[name], expected[name]) for name in expected)
    streamed, expected = (rtsep.Engine(*model, rate=RATE).process(x) for model in ((), (shipped,)))
    assert np.array_equal(streamed, expected)


@pytest.mark.parametrize("kind", ["i2", "i4", "u1", "?", "c8"])
@pytest.mark.parametrize("call", [rtsep.separate, rtsep.denoise])
def test_the_batch_calls_refuse_what_is_no_sound(call, kind):
    with pytest.raises(TypeError, match=str(np.dtype(kind))):
        call(np.ones(1000, kind), 48000, "bypass")


@pytest.mark.parametrize("call", [rtsep.separate, rtsep.denoise])
def test_the_batch_calls_tell_whole_numbers_from_loud_sound(call):
    with pytest.raises(TypeError, match="int16"):
        call(np.full(1000, 30000, np.int16), 48000, "bypass")


@pytest.mark.parametrize("shape", [(), (1, 2, 3)])
@pytest.mark.parametrize("call", [rtsep.separate, rtsep.denoise])
def test_the_batch_calls_refuse_another_shape(call, shape):
    with pytest.raises(ValueError, match="shape"):
        call(np.ones(shape, np.float32), 48000, "bypass")


def test_settings_are_of_one_moment():
    """Whoever reads while models are swapped waits, and finds every parameter's value."""
    engine, read = rtsep.Engine("bypass"), []
    reader = threading.Thread(target=lambda: read.append(engine.settings()))
    with engine._lock:
        engine.parameters = {"fan.gain": engine.parameters["strength"]}
        reader.start()
        reader.join(0.1)
        assert not read
        engine._values = {"fan.gain": 0.5}
    reader.join()
    assert read == [{"fan.gain": (engine.parameters["fan.gain"], 0.5)}]
