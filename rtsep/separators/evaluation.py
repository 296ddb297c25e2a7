"""A network at work on a stream: its session, its tensors and states, its worker thread."""

import ctypes
import os
import threading
import weakref
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.basis import resampling
from rtsep.artefacts.card import CardError
from rtsep.artefacts.network import Network, tensors_of
from rtsep.artefacts.runtime import Session, python_session, runtime
from rtsep.dsp.records import zeroed
from rtsep.dsp.stream import StreamSpec, phases_of
from rtsep.separators import worker as layout
from rtsep.separators.compilation import agrees, program_of
from rtsep.separators.program import IN_PLACE, Program
from rtsep.separators.semaphore import Semaphore

PRIORITY = 60  # of the worker thread, where the system allows: below an audio server's own
STEP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(layout.work.address)


def delay_for(max_block: int, spec: StreamSpec) -> int:
    """D, hops that a mask takes; ValueError where it is more than the record holds."""
    delay = -(-max_block // spec.hop) + 1
    if delay > layout.DELAYS:
        raise ValueError(
            f"max_block={max_block} would delay a network by {delay} hops of {spec.hop} samples "
            f"(at most {layout.DELAYS}: max_block={(layout.DELAYS - 1) * spec.hop})"
        )
    return delay


def evaluate(
    network: Network, spec: StreamSpec, lanes: int, max_block: int, worker: bool
) -> "Evaluation":
    """How a network is best run: in the audio thread where it is a small enough program.

    Otherwise, or where `worker` says so, onnxruntime runs it in a thread of its own, and its masks
    take `delay_for(max_block, spec)` hops.
    """
    library = runtime()
    program = None if worker or library is None else program_of(network)
    small = program is not None and lanes * program.work <= IN_PLACE
    if program and library and small and agrees(program, network, library):
        return Evaluation(network, spec, lanes, 0, program)
    return Evaluation(network, spec, lanes, delay_for(max_block, spec))


class Evaluation:
    """What runs a network, from the first frame to `stop`.  Control thread.

    delay : D in hops.  record : the WORKER record, whose address the slot has.
    real_time_safe : whether it runs without Python.
    """

    def __init__(
        self,
        network: Network,
        spec: StreamSpec,
        lanes: int,
        delay: int,
        program: Program | None = None,
    ) -> None:
        self.network, self.delay = network, delay
        self.record = zeroed(layout.WORKER)
        self._semaphore = Semaphore()
        self._thread: threading.Thread | None = None
        self._fill_counts(spec, lanes, in_phases=program is not None)
        self._states = self._make_states(lanes)
        library = runtime()
        self.real_time_safe = library is not None
        self._session: Any = None
        self._arrays: Any = None
        if program:
            self._fill_program(program)
        elif library is None:
            self._run_in_python()
        else:
            inputs, outputs = tensors_of(network.card)
            self._session = Session(library, network.content, list(inputs), list(outputs))
            self._fill_session(inputs, outputs, lanes)
        self.reset()
        kept = (self.record, self._semaphore)
        weakref.finalize(self, _close, kept).atexit = False

    @property
    def address(self) -> int:
        return int(self.record.ctypes.data)

    @property
    def is_running(self) -> bool:
        """Whether the worker thread takes the frames; they are answered in place otherwise."""
        return self._thread is not None

    def _fill_counts(self, spec: StreamSpec, lanes: int, in_phases: bool) -> None:
        card, worker = self.network.card, self.record[0]
        inner_hz = card.rate / card.window
        worker["lanes"], worker["bins"], worker["inner"] = lanes, spec.bins, card.bins
        worker["delay"] = self.delay
        hops = max(1, round(card.hop / card.rate / (spec.hop / spec.rate)))
        worker["phases"] = phases_of(hops) if in_phases else 1
        worker["every"] = hops // int(worker["phases"])
        known = min(card.bandwidth, (card.bins - 1) * inner_hz)
        worker["active"] = min(int(known / spec.bin_hz) + 1, spec.bins)
        grids = ((card.bins, inner_hz), (spec.bins, spec.bin_hz))
        for name, target, source in (("in", *grids), ("out", *grids[::-1])):
            first, share = taps(target, source, card.name)
            worker[f"taps_{name}"] = share.shape[1]
            worker[f"first_{name}"][: len(first)] = first
            worker[f"share_{name}"][: len(first), : share.shape[1]] = share
        worker["step"] = layout.run_session.address
        worker["semaphore"], worker["synchronous"] = self._semaphore.handle, 1
        worker["post"], worker["wait"] = self._semaphore.post, self._semaphore.wait

    def _make_states(self, lanes: int) -> list[list[list[NDArray[np.float32]]]]:
        """Every state as [lane][side][number]: one side is read while the other is written.

        Those of the first phase; a program in several has no other use for them than to be zero.
        """
        shapes = [tuple(shape) for shape in self.network.card.states]
        sizes = [prod(shape) for shape in shapes]
        ends, worker = np.cumsum([0, *sizes]), self.record[0]
        self._memory = np.zeros((lanes, int(worker["phases"]), 2, ends[-1]), np.float32)
        worker["states"], worker["state_size"] = self._memory.ctypes.data, self._memory[0].size
        return [
            [
                [side[a:b].reshape(s) for a, b, s in zip(ends, ends[1:], shapes, strict=False)]
                for side in lane
            ]
            for lane in self._memory[:, 0]
        ]

    def _fill_program(self, program: Program) -> None:
        """The program's arrays, by address, and the places of what goes in and out."""
        worker, self._arrays = self.record[0], program.arrays()
        for name, array in zip(("line", "span", "number"), self._arrays, strict=True):
            worker[f"{name}s"], worker[f"{name}_count"] = array.ctypes.data, len(array)
        worker["number_count"] = self._arrays[2].size
        names = {"heard": "magnitude", "mask": "mask", "state": "state_0", "next": "next"}
        for place, name in names.items():
            worker[f"{place}_at"] = program.places.get(name, (0, 0))[0]
        worker["step"] = layout.run_program.address

    def _fill_session(self, inputs: Any, outputs: Any, lanes: int) -> None:
        """Values on the record's and the states' memory, and the addresses of their lists."""
        session, worker = self._session, self.record[0]
        worker["tensors"] = len(inputs)
        worker["run"] = session.library.addresses["Run"]
        worker["release"] = session.library.addresses["ReleaseStatus"]
        worker["session"] = session.pointer.value
        worker["input_names"] = ctypes.addressof(session.inputs)
        worker["output_names"] = ctypes.addressof(session.outputs)
        self._lists = np.zeros((2, lanes, 2, len(inputs)), np.int64)
        for i in range(lanes):
            ends = [
                session.tensor(worker[name][i].ctypes.data, (1, self.network.card.bins))
                for name in ("magnitude", "mask")
            ]
            sides = [
                [session.tensor(a.ctypes.data, a.shape) for a in side] for side in self._states[i]
            ]
            for parity in range(2):
                self._lists[0, i, parity] = [ends[0], *sides[parity]]
                self._lists[1, i, parity] = [ends[1], *sides[1 - parity]]
                worker["given"][i, parity] = self._lists[0, i, parity].ctypes.data
                worker["made"][i, parity] = self._lists[1, i, parity].ctypes.data

    def _run_in_python(self) -> None:
        """Let the Python session serve, by the same address as the compiled call."""
        session, states, worker = python_session(self.network.content), self._states, self.record[0]
        inputs, outputs = tensors_of(self.network.card)
        bins = self.network.card.bins

        def step(_: int, lane: int) -> int:
            side = int(worker["parity"][0])
            given = [worker["magnitude"][lane][None, :bins], *states[lane][side]]
            try:
                mask, *after = session.run(list(outputs), dict(zip(inputs, given, strict=True)))
            except Exception:  # a failed run is counted; an exception cannot leave a C callback
                return 1
            worker["mask"][lane, :bins] = mask[0]
            for state, value in zip(states[lane][1 - side], after, strict=True):
                state[:] = value
            return 0

        self._step = STEP(step)
        worker["step"] = ctypes.cast(self._step, ctypes.c_void_p).value

    def reset(self) -> None:
        """Forget all frames: bit for bit as new.  Not while running."""
        worker = self.record[0]
        for name in ("hops", "late", "phase", "runs", "failed", "skipped", "run_max"):
            worker[name] = 0
        for name in ("words", "parity", "frames", "masks", "magnitude", "mask", "histogram"):
            worker[name][:] = 0
        worker["frame_of"][:] = worker["mask_of"][:] = -1
        self._memory[:] = 0

    def start(self) -> None:
        """Let the worker thread take the frames from here on."""
        if self._thread is not None or self.delay == 0:
            return
        worker = self.record[0]
        worker["words"][layout.STOP] = 0
        kept = tuple(vars(self).values())  # whatever an address in the record points into
        self._thread = threading.Thread(
            target=_work, args=(self.address, kept), name="rtsep network", daemon=True
        )
        self._thread.start()
        hasten(self._thread)
        worker["synchronous"] = 0

    def stop(self) -> None:
        """Answer in place from here on.  Not beside a stream that still runs."""
        if self._thread is None:
            return
        self.record[0]["words"][layout.STOP] = layout.ANSWERED
        _post(self._semaphore)
        self._thread.join()
        self._thread = None
        self.record[0]["synchronous"] = 1


def _work(address: int, kept: Any) -> None:
    """The worker thread; `kept` is what it works on, whatever becomes of its owner."""
    work(address)


def _post(semaphore: Semaphore) -> None:
    ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_long, ctypes.c_void_p)(semaphore.post)(
        semaphore.handle, 1, None
    )


def _close(kept: Any) -> None:
    """Tell the worker thread to end at once; the session goes with the last who has it."""
    record, semaphore = kept
    record[0]["words"][layout.STOP] = layout.AT_ONCE
    _post(semaphore)


def hasten(thread: threading.Thread) -> None:
    """Real-time priority where we may have it."""
    with suppress(OSError, AttributeError):
        os.sched_setscheduler(thread.native_id or 0, os.SCHED_FIFO, os.sched_param(PRIORITY))


def taps(target: tuple[int, float], source: tuple[int, float], name: str) -> tuple[Any, Any]:
    """How bins of one grid are made of another's.  Grids as (bins, Hz between bins).

    Returns the first bin int64 (F,) and shares float32 (F, taps), which sum to one, or to zero
    above the source's range.  CardError where the grids are too far apart.
    """
    (bins, target_hz), (among, source_hz) = target, source
    matrix = resampling(np.arange(bins) * target_hz, among, source_hz, target_hz)
    count = int((matrix > 0).sum(axis=1).max())
    if count > layout.TAPS:
        raise CardError(
            f"model {name!r}: bins of {target_hz:g} Hz cannot be made of bins of {source_hz:g} Hz"
        )
    first = np.minimum(np.argmax(matrix > 0, axis=1), among - count)
    return first, np.take_along_axis(matrix, first[:, None] + np.arange(count), axis=1)
