"""The Python face of an engine: prepare, process, reset; parameters, meters, swap.

`process` and `separate` belong to one thread at a time; everything else may be called from any
other thread meanwhile.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.artefacts.basis import Basis
from rtsep.artefacts.library import DEFAULT
from rtsep.artefacts.network import Network
from rtsep.engine import snapshots
from rtsep.engine.bands import read_spectra
from rtsep.engine.blocks import Samples, planes, room_for
from rtsep.engine.meters import Meters, read_meters
from rtsep.engine.models import Model, load_models, note_of
from rtsep.engine.parameters import Parameter, Value, find_parameter, parameters_of
from rtsep.engine.prepare import end_fade, prepare_stream, take_delay
from rtsep.engine.process import process_block
from rtsep.engine.requests import ask, wait_until
from rtsep.engine.roles import kept_by_name, kept_by_role
from rtsep.engine.snapshots import Snapshot
from rtsep.engine.stream import Stream
from rtsep.engine.targets import settle, write_source_targets, write_targets
from rtsep.separators.options import merge_options
from rtsep.separators.prepare import prepare_slot
from rtsep.separators.sources import has_unknown, known_sources, source_names

_process = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, *[ctypes.c_int64] * 4)(
    process_block.address
)


class Engine(Stream):
    """Separates known sources from the rest, block by block.

    model : a name, a path, a loaded model, "bypass", or a list of models; the shipped network for
    speech unless given.
    rate : Hz, 8000..192000.  channels : 1..8.  latency : "low", "medium" or "high".
    linked : one mask for all channels; else one each.
    unknown : whether there is a source beside the known ones; by default there is, unless some
    models are to be kept and others removed.  keep : names of the sources to keep.
    max_block : samples a block at most in a live stream, 10.7 ms of them unless given.  The masks
    of a network that needs a worker thread take ceil(max_block / hop) + 1 hops, and later ones are
    held over and counted.
    options : of the separator, see `rtsep.separators.options.Options`.
    parameters : initial values by id, as `set` takes them.
    """

    def __init__(
        self,
        model: Model | Sequence[Model] = DEFAULT,
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
        super().__init__(rate, channels, latency, linked, max_block)
        self._unknown, self._options = unknown, dict(options or {})
        self._keep = [keep] if isinstance(keep, str) else keep
        self.keep = tuple[str, ...]()
        self._models = load_models(model)
        self._values: dict[str, Value] = {}
        self._prepare()
        for name, value in parameters.items():
            self.set(name, value)
        self._settle()

    @property
    def note(self) -> str:
        """What had to be mapped to fit the stream; empty if nothing."""
        notes = [note_of(self._models, self.spec)]
        evaluation = self._evaluations[self._slot]
        if evaluation and not evaluation.real_time_safe:
            notes.append("onnxruntime's shared library is missing: it runs in Python, which is not "
                         "real-time safe")  # fmt: skip
        return "; ".join(filter(None, notes))

    # prepare and reset

    def _prepare(self) -> None:
        if self._slot == 1:
            self._evaluations.exchange()
        self._evaluations.retire(1)
        prepare_stream(
            self._record, self.spec, channels=self.channels, lanes=self.lanes, stems=self._stems
        )
        self._fill_slot(0, self._models)
        take_delay(self._state)
        self._settle()

    def _fill_slot(self, index: int, models: list[Basis | Network]) -> None:
        """Prepare models in a slot and take their sources as the engine's."""
        unknown = has_unknown(models, self._unknown)
        options = merge_options([model.card.options for model in models], self._options)
        roles = [each["role"] for each in known_sources(models)]
        sources = source_names(models, unknown)
        named = self._keep and kept_by_name(self._keep, roles, sources)
        keep = tuple(named or kept_by_role(roles, sources))
        self._record["slot"][:, index : index + 1].view(np.uint8)[:] = 0
        evaluation = self._evaluations.renew(
            index, models, self.spec, lanes=self.lanes, max_block=self.max_block,
            worker=bool(options.worker),
        )  # fmt: skip
        prepare_slot(
            self._state["slot"][index], models, self.spec, lanes=self.lanes, unknown=unknown,
            keep=keep, options=options, evaluation=evaluation,
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
        settle(self._state["slot"][self._slot]["glides"])

    def reset(self) -> None:
        """Forget all sound heard: bit for bit as new, parameters kept.  Not while live."""
        if self.live:
            raise RuntimeError("a running stream cannot be reset")
        self._prepare()

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

        Their sum is the input times `input_gain`, `latency` samples later.  Call it from the first
        block on: sources fade in over one window where `process` was called before, and after a
        swap, whose fade then ends at once.
        """
        x = planes(block, self.channels)
        end_fade(self._state)
        self._state["stems"] = self._stems or 1
        stems = np.zeros((len(self.sources), *x.shape), np.float32)
        self._run(x, np.empty_like(x), stems, len(stems))
        return stems

    # control

    def get(self, name: str) -> Value:
        """Value of a parameter, in its own unit."""
        with self._lock:
            return self._values[find_parameter(self.parameters, name).id]

    def settings(self) -> dict[str, tuple[Parameter, Value]]:
        """All parameters and their values, of one moment.  Any thread."""
        with self._lock:
            return {name: (each, self._values[name]) for name, each in self.parameters.items()}

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
            wait_until(lambda: self._state["active"] == self._state["requested"], "a swap")
        else:
            end_fade(self._state)
        index = 1 - int(self._state["active"])
        self._keep = keep
        try:
            self._fill_slot(index, models)
        except BaseException:
            self._keep = before
            raise
        self._publish()
        settle(self._state["slot"][index]["glides"])
        self._state["requested"] = index

    def snapshot(self) -> Snapshot:
        """The unknown source's basis as it is now."""
        if self.live:
            ask(self._state, "snapshot")
        return snapshots.take(self._state, staged=self.live)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot of the same stream's unknown source.

        ValueError where it is of another kind of separator, of another size, or of no unknown.
        """
        snapshots.put(self._state, snapshot, staged=self.live)
        if self.live:
            ask(self._state, "restore")
