"""Two devices on two clocks: a stream each, a ring and a resampler between them."""

from typing import Any

from rtsep.engine.crossing import crossing, resume
from rtsep.engine.ends import input_callback, output_callback
from rtsep.engine.engine import Engine
from rtsep.ports.portaudio import Route, played_channels, reason, sounddevice


class Pair:
    """An input stream and an output stream that look like one.  Control thread only.

    The engine runs in the output's thread; it keeps the ring's memory in `engine.crossing`.
    """

    def __init__(
        self, engine: Engine, route: Route, block: int, latency: tuple[float, float]
    ) -> None:
        common = {"samplerate": route.rate, "blocksize": block}
        heard = common | {"device": route.source.index, "latency": latency[0]}
        played = common | {"device": route.sink.index, "latency": latency[1]}
        heard["channels"], played["channels"] = route.channels, played_channels(engine, route)
        self._crossing = engine.crossing = crossing(route.rate, route.channels, engine.address)
        self._address = int(engine.crossing.ctypes.data)
        self._input = self._stream("input", input_callback, route, heard)
        try:
            self._output = self._stream("output", output_callback, route, played)
        except OSError:
            self._input.close()
            raise

    def _stream(self, kind: str, callback: Any, route: Route, how: dict[str, Any]) -> Any:
        sd = sounddevice()
        try:
            return sd._StreamBase(
                kind=kind,
                dtype="float32",
                dither_off=True,
                callback=sd._ffi.cast("PaStreamCallback*", callback.address),
                userdata=sd._ffi.cast("void*", self._address),
                **how,
            )
        except sd.PortAudioError as error:
            raise OSError(f"{route} cannot be opened: {reason(error)}") from error

    @property
    def latency(self) -> tuple[float, float]:
        """In s, in and out, as PortAudio tells."""
        return self._input.latency, self._output.latency

    def start(self) -> None:
        """Also again, after `stop`."""
        if self._crossing[0]["deposits"]:
            resume(self._crossing)
        self._input.start()
        try:
            self._output.start()
        except sounddevice().PortAudioError:
            self._input.stop()
            raise

    def stop(self) -> None:
        self._output.stop()
        self._input.stop()

    def close(self) -> None:
        self._output.close()
        self._input.close()
