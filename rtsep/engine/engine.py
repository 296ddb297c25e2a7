"""The Python face of an engine: prepare, process, reset; parameters, meters, swap.

`process` and `separate` belong to one thread at a time; everything else may be called from any
other thread meanwhile.
"""

import ctypes
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.network import Network
from rtsep.dsp.kernel import sealed
from rtsep.dsp.records import zeroed
from rtsep.dsp.spectra import twiddles
from rtsep.dsp.stream import StreamSpec, stream_spec, whole_number
from rtsep.dsp.windows import window_pair
from rtsep.engine import snapshots
from rtsep.engine import state as layout
from rtsep.engine.bands import read_spectra
from rtsep.engine.blocks import Samples, planes, room_for
from rtsep.engine.meters import Meters, read_meters
from rtsep.engine.models import Model, load_models, note_of
from rtsep.engine.parameters import Parameter, Value, find_parameter, parameters_of
from rtsep.engine.process import process_block, stream_callback
from rtsep.engine.roles import kept_by_name, kept_by_role
from rtsep.engine.snapshots import Snapshot
from rtsep.engine.stems import stems_callback
from rtsep.engine.targets import settle, write_source_targets, write_targets
from rtsep.separators.evaluation import Evaluation, evaluate
from rtsep.separators.prepare import (
    divided,
    has_unknown,
    known_sources,
    merge_options,
    prepare_slot,
    source_names,
)
from rtsep.separators.slot import CHANNELS, SOURCES

FADE_SECONDS = 0.05
PATIENCE_SECONDS = 2.0
AWAKENING_SECONDS = 10.0  # for a stopped stream to go on
BLOCK_SECONDS = 512 / 48000  # of the blocks a network's delay allows for, unless told
_process = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, *[ctypes.c_int64] * 4)(
    process_block.address
)


class Engine:
    """Separates known sources from the rest, block by block.

    model : a name, a path, a loaded model, "bypass", or a list of models.
    rate : Hz, 8000..192000.  channels : 1..8.  latency : "low", "medium" or "high".
    linked : one mask for all channels; else one each.
    unknown : whether there is a source beside the known ones; by default there is, unless some
    models are to be kept and others removed.  keep : names of the sources to keep.
    max_block : samples a block at most in a live stream.  The masks of a network that needs a
    worker thread take ceil(max_block / hop) + 1 hops, and later ones are held over and counted.
    10.7 ms unless given.
    options : of the separator, see `rtsep.separators.prepare.Options`.
    parameters : initial values by id, as `set` takes them.
    """

    def __init__(
        self,
        model: Model | Sequence[Model] = "speech",
        *,
        rate: int = 48000,
        channels: int = 1,
        latency: str = "low",
        linked: bool = True,
        unknown: bool | None = None,
        keep: str | Sequence[str] | None = None,
        max_block: int | None = None,
        options: dict[str, Any] | None = None,
        **parameters: Value,
    ) -> None:
        channels = whole_number("channels", channels)
        max_block = max_block if max_block is None else whole_number("max_block", max_block)
        if not 1 <= channels <= CHANNELS:
            raise ValueError(f"channels={channels} is outside 1..{CHANNELS}")
        if max_block is not None and max_block < 1:
            raise ValueError(f"max_block={max_block} is not positive")
        self._stems = 0
        self.spec: StreamSpec = stream_spec(rate, latency)
        self.channels, self.linked = channels, linked
        self._lock = threading.RLock()  # of control's threads; sound never takes it
        self.max_block: int = max_block or round(BLOCK_SECONDS * rate)
        self._live, self._freewheel = False, False
        self._halted, self._attending = False, 0
        self._evaluations: list[Evaluation | None] = [None, None]
        self._slot, self.keep = 0, tuple[str, ...]()
        self.crossing: Any = None  # record between two devices' clocks, where there are two
        self._unknown, self._options = unknown, dict(options or {})
        self._keep = [keep] if isinstance(keep, str) else keep
        self._record = zeroed(layout.STATE)
        self._state: Any = self._record[0]
        self._models = load_models(model)
        self._values: dict[str, Value] = {}
        self._prepare()
        for name, value in parameters.items():
            self.set(name, value)
        self._settle()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an engine holds addresses: it cannot be copied or pickled; make another")

    # what it is

    @property
    def rate(self) -> int:
        """Samples per second and channel."""
        return self.spec.rate

    @property
    def latency(self) -> int:
        """Delay in samples, exact and constant: output[n] answers input[n - latency]."""
        return self.spec.synthesis + int(self._state["slot"][self._slot]["delay"]) * self.spec.hop

    @property
    def lanes(self) -> int:
        """Masks in use: one, or one per channel."""
        return 1 if self.linked else self.channels

    @property
    def note(self) -> str:
        """What had to be mapped to fit the stream; empty if nothing."""
        notes = [note_of(self._models, self.spec)]
        evaluation = self._evaluations[self._slot]
        if evaluation and not evaluation.real_time_safe:
            notes.append("onnxruntime's shared library is missing: it runs in Python, which is not "
                         "real-time safe")  # fmt: skip
        return "; ".join(filter(None, notes))

    @property
    def address(self) -> int:
        """Address of the record, userdata of `callback`; keep the engine while it is in use."""
        return int(self._record.ctypes.data)

    @property
    def callback(self) -> Any:
        """PortAudio's stream callback for interleaved float32; its `.address` is what to pass."""
        return stems_callback if self._stems else stream_callback

    @property
    def stems(self) -> int:
        """How many sources `callback` gives out, each on channels of its own; 0 for their mix.

        Set before the stream starts.
        """
        return self._stems

    @stems.setter
    def stems(self, stems: int) -> None:
        if self.live:
            raise RuntimeError("a running stream keeps its stems")
        if not 0 <= stems <= SOURCES:
            raise ValueError(f"stems={stems} is outside 0..{SOURCES}")
        self._stems = self._state["stems"] = stems

    @property
    def live(self) -> bool:
        """Whether a device's thread runs it.  Set before the stream starts and after it ends."""
        return self._live

    @live.setter
    def live(self, live: bool) -> None:
        with self._lock:
            self._live, self._halted = live, False
            self._employ()

    @property
    def halted(self) -> bool:
        """Whether its stream is stopped until it is needed again.  Any thread."""
        return self._halted

    def halt(self) -> None:
        """A live stream has been stopped: until it goes on all is as offline, and it is silent."""
        with self._lock:
            self.live, self._halted = False, True
            for field in (*layout.LEVELS, *layout.SOUND):
                self._state[field] = 0

    @property
    def attended(self) -> bool:
        """Whether somebody needs the input itself, heard or not.  Any thread."""
        return self._attending > 0

    @contextmanager
    def attend(self) -> Iterator[None]:
        """Have the input come in, also where nobody hears the output; it may take a second.

        TimeoutError where it does not.  Any thread but the one that runs the stream.
        """
        with self._lock:
            self._attending += 1
        try:
            self._wait(lambda: not self._halted, "the input", AWAKENING_SECONDS)
            yield
        finally:
            with self._lock:
                self._attending -= 1

    @property
    def freewheel(self) -> bool:
        """Whether a live stream runs as fast as it can: networks then answer in place."""
        return self._freewheel

    @freewheel.setter
    def freewheel(self, freewheel: bool) -> None:
        self._freewheel = freewheel
        self._employ()

    @property
    def unheard(self) -> bool:
        """Whether nobody takes what a live stream gives out: it then rests.  Any thread sets it."""
        return bool(self._state["unheard"])

    @unheard.setter
    def unheard(self, unheard: bool) -> None:
        self._state["unheard"] = unheard

    def _employ(self) -> None:
        """Networks' worker threads and the ladder are there for a stream in real time alone."""
        self._state["ladder"] = self._live and not self._freewheel
        for evaluation in filter(None, self._evaluations):
            if self._live and not self._freewheel:
                evaluation.start()
            else:
                evaluation.stop()

    # prepare and reset

    def _retire(self, index: int) -> Evaluation | None:
        """Take the slot's network from it."""
        evaluation, self._evaluations[index] = self._evaluations[index], None
        if evaluation:
            evaluation.stop()
        return evaluation

    def _evaluate(
        self, index: int, models: Sequence[Basis | Network], worker: bool
    ) -> Evaluation | None:
        """What is to run the network among the models; the one before, as new, if it is its own."""
        _, network = divided(models)
        before = self._retire(index)
        if network and before and before.network is network:
            before.reset()
            self._evaluations[index] = before
        elif network:
            self._evaluations[index] = evaluate(
                network, self.spec, self.lanes, self.max_block, worker
            )
        return self._evaluations[index]

    def _prepare(self) -> None:
        state, spec = self._state, self.spec
        if self._slot == 1:
            self._evaluations.reverse()
        self._retire(1)
        self._record.view(np.uint8)[:] = 0
        state["process"], state["stems"] = process_block.address, self._stems
        for field in ("rate", "window", "hop", "synthesis", "bins"):
            state[field] = getattr(spec, field)
        state["channels"], state["lanes"] = self.channels, self.lanes
        analysis, synthesis = window_pair(spec)
        state["analysis_window"][: spec.window] = analysis
        state["synthesis_window"][: spec.window] = synthesis
        state["roots"][:, : spec.window] = twiddles(spec.window)
        state["fade_hops"] = max(1, round(FADE_SECONDS * spec.rate / spec.hop))
        state["spans"][: layout.STRENGTH] = round(0.02 * spec.rate)
        state["spans"][layout.STRENGTH :] = max(1, round(0.02 * spec.rate / spec.hop))
        state["level"] = state["next_level"] = 1
        self._fill_slot(0, self._models)
        self._take_delay()
        self._settle()

    def _take_delay(self) -> None:
        """The stream's delay is that of the active slot from here on."""
        state = self._state
        state["delay"] = state["slot"][int(state["active"])]["delay"]
        state["latency"] = self.spec.synthesis + int(state["delay"]) * self.spec.hop
        state["ahead_at"], state["ahead"][:] = 0, 0

    def _fill_slot(self, index: int, models: list[Basis | Network]) -> None:
        """Prepare models in a slot and take their sources as the engine's."""
        unknown = has_unknown(models, self._unknown)
        options = merge_options([model.card.options for model in models], self._options)
        roles = [each["role"] for each in known_sources(models)]
        sources = source_names(models, unknown)
        named = self._keep and kept_by_name(self._keep, roles, sources)
        keep = tuple(named or kept_by_role(roles, sources))
        self._record["slot"][:, index : index + 1].view(np.uint8)[:] = 0
        slot = self._state["slot"][index]
        prepare_slot(
            slot, models, self.spec, lanes=self.lanes, unknown=unknown, keep=keep, options=options,
            evaluation=self._evaluate(index, models, bool(options.worker)),
        )  # fmt: skip
        self._employ()
        turned = {f"{name}.gain" for name in {*self.keep} ^ {*keep}}  # kept before and not now
        self.sources, self.keep = sources, keep
        self.parameters: dict[str, Parameter] = parameters_of(self.sources, self.keep)
        self._slot, self._models, self.options = index, models, options
        self._values = {
            name: parameter.default if name in turned else self._values.get(name, parameter.default)
            for name, parameter in self.parameters.items()
        }

    def _settle(self) -> None:
        self._publish()
        settle(self._state["glides"])
        settle(self._state["slot"][self._slot]["gains"])

    def reset(self) -> None:
        """Forget all sound heard: bit for bit as new, parameters kept.  Not while live."""
        if self.live:
            raise RuntimeError("a running stream cannot be reset")
        self._prepare()

    def check_block(self, block: int) -> None:
        """ValueError where a live stream's blocks are larger than a network's delay allows for."""
        if block > self.max_block and self._state["slot"][self._slot]["delay"]:
            raise ValueError(f"block={block} exceeds the engine's max_block={self.max_block}")

    def seal(self) -> AbstractContextManager[None]:
        """Context in which nothing may compile, for as long as a stream runs."""
        return sealed()

    # sound

    def _run(self, x: Samples, out: Samples, stems: Samples, sources: int) -> None:
        n = x.shape[1]
        _process(self.address, x.ctypes.data, out.ctypes.data, stems.ctypes.data, sources, n, n, 1)

    def process(self, block: NDArray[Any], out: Samples | None = None) -> Samples:
        """The next samples, in and out.

        block : float32 (n,) for one channel or (channels, n), any n, [-1, 1] by convention.
        out : where to write, C contiguous, may be `block` itself.  Returns the block's shape.
        """
        x = planes(block, self.channels)
        result = room_for(block, out)
        if out is not None and out is not block and np.may_share_memory(x, result):
            x = x.copy()
        self._run(x, result, result, 0)
        return result

    def separate(self, block: NDArray[Any]) -> Samples:
        """The next samples of every source by its raw mask: float32 (sources, channels, n).

        Their sum is the input, `latency` samples later.  Call it from the first block on: sources
        fade in over one window where `process` was called before, and after a swap, whose fade
        then ends at once.
        """
        x = planes(block, self.channels)
        self._end_fade()
        self._state["stems"] = self._stems or 1
        stems = np.zeros((len(self.sources), *x.shape), np.float32)
        self._run(x, np.empty_like(x), stems, len(stems))
        return stems

    # control

    def get(self, name: str) -> Value:
        """Value of a parameter, in its own unit."""
        return self._values[find_parameter(self.parameters, name).id]

    def set(self, name: str, value: Value) -> None:
        """Turn a parameter; it takes effect with the next block and glides from there."""
        with self._lock:
            parameter = find_parameter(self.parameters, name)
            self._values[parameter.id] = parameter.check(value)
            self._publish()

    def _publish(self) -> None:
        write_targets(self._state, self.spec, self._values)
        write_source_targets(self._state["slot"][self._slot], self.sources, self._values)

    def meters(self) -> Meters:
        """One reading of all meters."""
        with self._lock:
            evaluation = self._evaluations[self._slot]
            worker = evaluation and evaluation.record[0]
            return read_meters(self._state, self.sources, worker, self.crossing)

    def spectra(self, bands: int) -> tuple[list[float], list[float]]:
        """What came in and what goes out, by bands of equal width to the ear, in dBFS.  Any thread.

        Both follow within 100 ms; see `rtsep.engine.bands.edges` for where the bands lie.
        """
        return read_spectra(self._state, bands)

    def swap(
        self, model: Model | Sequence[Model], *, keep: str | Sequence[str] | None = None
    ) -> None:
        """Replace the model by crossfading masks; parameters of sources with equal names stay.

        But for the gain of one that is kept now and was not, or the other way round.  To a network
        or from one the stream fades out and in again, with another `latency`.
        keep : names of the new model's sources to keep; by their cards' roles unless given.
        In a running stream it waits for an earlier swap to end; otherwise it ends it at once.
        """
        models = load_models(model)
        with self._lock:
            self._swap(models, [keep] if isinstance(keep, str) else keep)

    def _swap(self, models: list[Basis | Network], keep: Sequence[str] | None) -> None:
        before = self._keep
        if self.live:
            self._wait(lambda: self._state["active"] == self._state["requested"], "a swap")
        else:
            self._end_fade()
        index = 1 - int(self._state["active"])
        self._keep = keep
        try:
            self._fill_slot(index, models)
        except BaseException:
            self._keep = before
            raise
        self._publish()
        settle(self._state["slot"][index]["gains"])
        self._state["requested"] = index

    def _end_fade(self) -> None:
        state = self._state
        if state["active"] == state["requested"]:
            return
        state["stem_out"][:] = state["stem_tail"][:] = 0
        state["source_power"][:] = 0
        state["active"], state["fade"] = int(state["requested"]), 0
        state["level"], state["next_level"], state["hush"] = 1, 1, 0
        if state["slot"]["worker"].any():
            self._take_delay()

    def _wait(self, done: Any, what: str, seconds: float = PATIENCE_SECONDS) -> None:
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"{what} was not served within {seconds:g} s")
            time.sleep(0.002)

    def _ask(self, request: str, served: str) -> None:
        """Have the audio thread serve a request."""
        self._state[request] += 1
        self._wait(lambda: self._state[served] == self._state[request], request)

    def snapshot(self) -> Snapshot:
        """The unknown source's basis as it is now."""
        if self.live:
            self._ask("snapshot_request", "snapshot_served")
        return snapshots.take(self._state, staged=self.live)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot of the same stream's unknown source.

        ValueError where it is of another kind of separator, of another size, or of no unknown.
        """
        snapshots.put(self._state, snapshot, staged=self.live)
        if self.live:
            self._ask("restore_request", "restore_served")

    def capture(self, seconds: float) -> Samples:
        """The next raw input samples of a running stream, mixed to one channel, float32 (n,)."""
        ring, size = self._state["capture"], layout.CAPTURE
        here = int(self._state["samples"])
        end, pieces = here + round(seconds * self.rate), []
        while here < end:
            self._wait(lambda: int(self._state["samples"]) > here, "the input")  # noqa: B023
            there = min(int(self._state["samples"]), end)
            if there - here > size:
                raise TimeoutError(f"the input ran {there - here} samples ahead of {size}")
            pieces.append(ring[np.arange(here, there) % size])
            here = there
            time.sleep(0.01)
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
