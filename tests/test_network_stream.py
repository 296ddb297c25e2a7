"""A network in a stream: the masks of its frames, on time, whoever evaluates it and wherever."""

import ctypes
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import KINDS, F, gru, network

import rtsep
from models import babble, bits, delayed, model, noise, stream
from rtsep.artefacts import runtime
from rtsep.artefacts.network import read_network, tensors_of
from rtsep.dsp.stream import MODES, stream_spec
from rtsep.ports.live import StreamCallback
from rtsep.separators import evaluation as evaluations
from rtsep.separators import worker as layout
from rtsep.separators.compilation import agrees, program_of
from rtsep.separators.program import CODE

blocks = st.lists(st.integers(1, 5000), min_size=1, max_size=6)
settled = settings(deadline=None, max_examples=10)


def engine(kind="gru", *, worker=1, **settings):
    """With onnxruntime in a worker thread, unless told."""
    return rtsep.Engine(network(kind), max_attenuation=100, options={"worker": worker}, **settings)


def record(running):
    return running._evaluations[running._slot].record[0]


class Oracle:
    """Networks behind onnxruntime's Python face that take turns, one run every so many frames."""

    def __init__(self, kind, every, phases=1):
        self.session = runtime.python_session(network(kind).content)
        inputs, outputs = tensors_of(network(kind).card)
        self.names, self.outputs = list(inputs), list(outputs)
        shapes = list(inputs.values())[1:]
        self.states = [[np.zeros(each, np.float32) for each in shapes] for _ in range(phases)]
        self.every, self.turn, self.mask = every, 0, None
        self.known = int(network(kind).card.bandwidth / (48000 / 1024)) + 1

    def masks(self, v):
        if self.turn % self.every == 0:
            phase = self.turn // self.every % len(self.states)
            values = [v[None].astype(np.float32), *self.states[phase]]
            given = dict(zip(self.names, values, strict=True))
            mask, *self.states[phase] = self.session.run(self.outputs, given)
            self.mask = np.clip(mask[0], 0, 1)
            self.mask[self.known :] = self.mask[self.known // 2 : self.known].mean()
        self.turn += 1
        return np.stack([self.mask, 1 - self.mask])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("worker", [0, 1])
@pytest.mark.parametrize("kind", ["sized", "smoothed", "gru"])
def test_every_frame_gets_the_mask_that_was_made_of_it(kind, worker, mode):
    """Against the whole engine in plain numpy with the Python session in it."""
    running, x = engine(kind, worker=worker, latency=mode), babble(9000)
    turns = (2, 1) if worker else (1, 2)
    oracle = Oracle(kind, *(turns if mode == "low" else (1, 1)))
    wanted = naive.engine(x, running.spec, oracle, [1, 0])
    late = running.latency - running.spec.synthesis
    np.testing.assert_allclose(running.process(x), delayed(wanted, late), atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000, 192000])
def test_a_mask_of_a_quarter_is_a_quarter_at_every_rate(rate, mode):
    running, x = engine("fixed", worker=0, rate=rate, latency=mode), babble(20000)
    assert running.latency == running.spec.synthesis
    np.testing.assert_allclose(running.process(x), 0.25 * delayed(x, running.latency), atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_its_delay_is_declared_and_measured(mode):
    for max_block in (1, 64, 480, 600):
        running = engine("fixed", latency=mode, max_block=max_block)
        hops = -(-max_block // running.spec.hop) + 1
        assert running.latency == running.spec.synthesis + hops * running.spec.hop
        impulse = np.zeros(8000, np.float32)
        impulse[1000] = 1
        for turned in ({}, {"strength": 0}, {"bypass": 1}):
            running.reset()
            for name, value in turned.items():
                running.set(name, value)
            assert np.argmax(np.abs(running.process(impulse))) == 1000 + running.latency
        assert running.meters().latency_ms == pytest.approx(running.latency / 48)


def test_five_milliseconds_hold_a_network_in_mode_low_and_twenty_with_a_worker():
    assert (engine("gru", worker=0).latency, engine("gru").latency) == (240, 960)


def test_in_place_there_is_no_worker_thread_and_nothing_can_be_late():
    x, running = babble(9000), engine("gru", worker=0)
    running.live = True
    assert not running._evaluations[0].is_running
    y = play(running, x, 4096, after=lambda _: None)
    running.live = False
    assert running.meters().network_late == 0
    assert bits(y) == bits(engine("gru", worker=0).process(x))


def test_what_no_program_does_or_does_otherwise_is_onnxruntimes():
    """Not a number is nothing that could be found equal; a reset before the product, not in it."""
    assert engine("gru", worker=0)._evaluations[0].delay == 0
    assert engine("poisoned", worker=0)._evaluations[0].delay > 0
    for edit in (other_activation, other_reset):
        changed = gru()
        edit(changed.graph.node)
        assert program_of(read_network(changed.SerializeToString())) is None


def other_activation(nodes):
    nodes[-1].op_type = "HardSigmoid"


def other_reset(nodes):
    recurrent = next(each for each in nodes if each.op_type == "GRU")
    for attribute in recurrent.attribute:
        attribute.i = 0 if attribute.name == "linear_before_reset" else attribute.i


def test_a_program_that_computes_something_else_is_found_out():
    made, library = network("gru"), runtime.runtime()
    program = program_of(made)
    assert agrees(program, made, library)
    at = next(i for i, line in enumerate(program.lines) if line[0] == CODE["GATES"])
    program.lines[at] = (*program.lines[at][:5], program.places["state_1"][0], 0, 0)
    assert not agrees(program, made, library)


def test_a_block_that_no_delay_can_hold_is_refused():
    with pytest.raises(ValueError, match="max_block=8192 would delay a network by 70 hops"):
        engine("fixed", max_block=8192)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("worker", [0, 1])
@given(blocks)
@settled
def test_every_partition_gives_the_same_bits(worker, mode, sizes):
    x = babble(7000)
    one, other = (engine("gru", worker=worker, latency=mode) for _ in range(2))
    assert bits(one.process(x)) == bits(stream(other, x, sizes))


@pytest.mark.parametrize("worker", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_reset_is_new(kind, worker):
    x, running = 3 * babble(7000), engine(kind, worker=worker)
    first = running.process(x)
    running.reset()
    assert bits(first) == bits(running.process(x))
    assert bits(first) == bits(engine(kind, worker=worker).process(x))


def test_stems_sum_to_the_input():
    x = babble(9000)
    stems = rtsep.separate(x, 48000, network("smoothed"), latency="low")
    assert tuple(stems) == ("speech", "unknown")
    np.testing.assert_allclose(sum(stems.values()), x, atol=1e-6)


def test_two_sources_have_their_names_and_roles():
    running = rtsep.Engine(network("gru", ("speech", "noise")))
    assert (running.sources, running.keep) == (("speech", "noise"), ("speech",))
    other = rtsep.Engine(network("gru", ("speech", "noise")), keep="noise", max_attenuation=100)
    x = babble(6000)
    both = rtsep.Engine(network("gru"), max_attenuation=100).process(x) + other.process(x)
    np.testing.assert_allclose(both, delayed(x, running.latency), atol=1e-6)


@pytest.mark.parametrize("worker", [0, 1])
def test_unlinked_channels_are_engines_of_their_own(worker):
    x = np.stack([babble(6000), noise(6000)])
    stereo = engine("gru", worker=worker, channels=2, linked=False).process(x)
    alone = [engine("gru", worker=worker).process(channel) for channel in x]
    assert bits(stereo) == bits(np.stack(alone))


def test_linked_channels_share_a_mask():
    x = np.stack([babble(6000)] * 2)
    stereo = engine("gru", channels=2).process(x)
    assert bits(stereo[0]) == bits(stereo[1])
    np.testing.assert_allclose(stereo[0], engine("gru").process(x[0]), atol=1e-6)


def answered(running):
    """Wait for the worker to have answered all it was asked."""
    words, end = record(running)["words"], time.monotonic() + 60
    while words[layout.TAKEN] < words[layout.ASKED]:
        assert time.monotonic() < end, "the worker does not answer"
        time.sleep(1e-4)


def play(running, x, block, after=answered):
    """The device's callback, block by block, something done after each."""
    called, y = StreamCallback(running.callback.address), np.zeros_like(x)
    for at in range(0, len(x), block):
        n = min(block, len(x) - at)
        called(x[at:].ctypes.data, y[at:].ctypes.data, n, None, 0, running.address)
        after(running)
    return y


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["smoothed", "gru"])
def test_the_worker_thread_gives_the_bits_of_the_offline_run(kind, mode):
    x, running = babble(9000), engine(kind, latency=mode, max_block=240)
    running.live = True
    assert running._evaluations[0].is_running
    y = play(running, x, 240)
    running.live = False
    meters = running.meters()
    assert (meters.network_late, meters.network_failed) == (0, 0)
    assert meters.network_runs == -(-meters.hops // (2 if mode == "low" else 1))
    assert bits(y) == bits(engine(kind, latency=mode, max_block=240).process(x))


def test_in_freewheel_it_answers_in_place():
    x, running = babble(9000), engine("gru")
    running.freewheel = running.live = True
    assert not running._evaluations[0].is_running
    y = play(running, x, 128, after=lambda _: None)
    running.live = False
    assert bits(y) == bits(engine("gru").process(x))


def test_a_late_mask_is_held_and_counted_and_nothing_shifts():
    """The worker sleeps through the middle of the sound; what comes later is on time again."""
    x, running = babble(24000), engine("sized", max_block=240)
    alone = engine("sized", max_block=240).process(x)
    step = layout.run_session.address
    gate, native = [True], ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)(step)

    def run_when_open(record, lane):
        while not gate[0]:
            time.sleep(1e-4)
        return native(record, lane)

    slow = evaluations.STEP(run_when_open)
    record(running)["step"] = ctypes.cast(slow, ctypes.c_void_p).value
    running.live = True
    y = [play(running, x[:9600], 240)]
    assert running.meters().network_late == 0
    gate[0] = False
    y.append(play(running, x[9600:14400], 240, after=lambda _: None))
    late = running.meters().network_late
    gate[0] = True
    answered(running)
    y = np.concatenate([*y, play(running, x[14400:], 240)])
    running.live = False
    hops_of_delay = record(running)["delay"]
    assert 40 - hops_of_delay - 1 <= late <= 40
    assert running.meters().network_late - late <= hops_of_delay
    assert record(running)["skipped"] > 0
    settled = 14400 + running.latency + running.spec.window
    assert bits(y[:9600]) == bits(alone[:9600])
    assert bits(y[settled:]) == bits(alone[settled:])
    held = slice(9600 + running.latency + running.spec.window, 14400)
    assert np.abs(y[held]).max() > 0.01, "a held mask is not silence"
    assert bits(y[held]) != bits(alone[held])


def test_what_is_not_a_number_is_held_over_and_forgotten():
    x, running = babble(12000, level=0.01), engine("poisoned")
    x[5000:5100] = 1
    y = running.process(x)
    assert running.meters().network_failed > 0
    assert running.meters().network_late > 0
    np.testing.assert_allclose(y, 0.5 * delayed(x, running.latency), atol=1e-5)


def test_without_the_shared_library_the_python_session_serves_and_says_so(monkeypatch):
    x, wanted = babble(6000), engine("gru").process(babble(6000))
    monkeypatch.setattr(evaluations, "runtime", lambda: None)
    running = engine("gru")
    assert "not real-time safe" in running.note
    assert "real-time" not in rtsep.Engine(model()).note
    np.testing.assert_allclose(running.process(x), wanted, atol=1e-6)
    running.reset()
    running.live = True
    y = play(running, x, 480)
    running.live = False
    np.testing.assert_allclose(y, wanted, atol=1e-6)


def test_above_its_bandwidth_the_mask_is_the_mean_of_the_octave_below():
    running = rtsep.Engine(network("sized", bandwidth=6000), latency="high")
    running.process(noise(9000))
    mask = running._state["slot"][0]["lane"][0]["mask"][0]
    known = int(6000 / (48000 / 1024)) + 1
    np.testing.assert_allclose(mask[known:F], mask[known // 2 : known].mean(), rtol=1e-5)
    assert np.ptp(mask[:known]) > 0.1


def test_an_engine_that_is_dropped_ends_its_worker():
    running = engine("fixed")
    running.live = True
    thread = running._evaluations[0]._thread
    del running
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("library", [runtime.runtime(), None], ids=["library", "Python"])
def test_a_worker_keeps_what_it_works_on(monkeypatch, library):
    """Dropped by all others while it is in the middle of a frame."""
    end = threading.Event()
    monkeypatch.setattr(evaluations, "_work", lambda address, kept: end.wait(60))
    monkeypatch.setattr(evaluations, "runtime", lambda: library)
    running = evaluations.Evaluation(network("gru"), stream_spec(), 1, 3)
    running.start()
    used = ["record", "_memory", *(["_lists", "_session"] if library else ["_step"])]
    kept = {name: weakref.ref(getattr(running, name)) for name in used}
    owner, thread = weakref.ref(running), running._thread
    del running
    gc.collect()
    assert owner() is None
    assert [name for name, each in kept.items() if each() is None] == []
    end.set()
    thread.join()


@pytest.mark.parametrize(("told", "runs"), [(layout.ANSWERED, 24), (layout.AT_ONCE, 1)])
def test_a_worker_ends_after_all_frames_or_at_once(told, runs):
    running = evaluations.Evaluation(network("fixed"), stream_spec(), 1, 3)
    worker = running.record[0]

    def step(_, lane):
        worker["words"][layout.STOP] = told
        return 1

    callback = evaluations.STEP(step)
    worker["step"] = ctypes.cast(callback, ctypes.c_void_p).value
    worker["frame_of"][:24], worker["words"][layout.ASKED] = np.arange(24), 24
    evaluations._post(running._semaphore)
    evaluations.work(running.address)
    assert worker["runs"] == runs


DROPPED = """
import ctypes, time
import numpy as np
from networks import network
from rtsep.dsp.stream import stream_spec
from rtsep.separators import evaluation, worker
def slowly(record, lane):
    time.sleep(0.01)
    return native(record, lane)
native = evaluation.STEP(worker.run_session.address)
step = evaluation.STEP(slowly)
for _ in range(10):
    running = evaluation.Evaluation(network("gru"), stream_spec(), 1, 3)
    running.start()
    record, thread = running.record[0], running._thread
    record["step"] = ctypes.cast(step, ctypes.c_void_p).value
    record["frame_of"][:24], record["words"][worker.ASKED] = np.arange(24), 24
    evaluation._post(running._semaphore)
    del running
    others = [np.full(n, 0x4141) for n in (8, 12, 16, 36) for _ in range(20)]
    thread.join()
"""


def test_a_worker_with_frames_left_outlives_its_owner(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    subprocess.run([sys.executable, "-c", DROPPED], check=True, timeout=200)


def test_two_networks_or_none_of_the_rest_are_refused():
    with pytest.raises(ValueError, match="at most one"):
        rtsep.Engine([network("gru"), network("fixed")])
    with pytest.raises(ValueError, match="names 1 of its two sources"):
        rtsep.Engine(network("gru"), unknown=False)
    with pytest.raises(ValueError, match=r"bins of 750 Hz cannot be made of bins of 46.875 Hz"):
        rtsep.Engine(network("sized", bins=33, hop=32))


@pytest.mark.parametrize("worker", [0, 1])
def test_a_sealed_live_stream_swaps_to_a_network_and_on_to_another(worker):
    """Nothing compiles, nothing waits; each network runs as it would have offline."""
    x = babble(40000)
    settings = {"max_attenuation": 100, "latency": "medium", "max_block": 256}
    running, offline = (
        rtsep.Engine("bypass", options={"worker": worker}, **settings) for _ in range(2)
    )
    done = {running: [], offline: []}
    running.live = True
    with running.seal():
        for start, after in ((0, network("smoothed")), (12800, network("gru")), (25600, "bypass")):
            part = x[start : start + 12800]
            done[running].append(play(running, part, 256, after=answered_if_any))
            done[offline].append(offline.process(part))
            for each in done:
                each.swap(after)
    running.live = False
    assert bits(np.concatenate(done[running])) == bits(np.concatenate(done[offline]))


def answered_if_any(running):
    for evaluation in filter(None, running._evaluations):
        words, end = evaluation.record[0]["words"], time.monotonic() + 60
        while evaluation.is_running and words[layout.TAKEN] < words[layout.ASKED]:
            assert time.monotonic() < end, "the worker does not answer"
            time.sleep(1e-4)
