"""Declared latency against measured latency, to the sample.

An impulse goes through transform, mask one and overlap-add; where the output peaks is the latency.
Every mode, rate, number of channels and way of cutting blocks has to give the same number.  Beside
it: the bypass, the dry path of strength 0, and a mask at work, found by cross-correlation.
"""

import sys
from collections.abc import Callable, Iterator

import numpy as np
from circumstances import Row, arguments, measured
from specimens import Samples, babble, random_model

import rtsep
from rtsep.dsp.stream import MODES

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000)
CHANNELS, BLOCKS = (1, 2, 8), (1, 64, 128, 480, 0)


def cuts(n: int, block: int) -> Iterator[tuple[int, int]]:
    """First and last sample of every block; block 0 is 1 to 1000 by chance."""
    chance, start = np.random.default_rng(n), 0
    while start < n:
        end = min(n, start + (block or int(chance.integers(1, 1001))))
        yield start, end
        start = end


def streamed(engine: rtsep.Engine, x: Samples, block: int) -> Samples:
    """The whole of x (channels, n), block by block, through an engine that is as new."""
    engine.reset()
    blocks = [engine.process(np.ascontiguousarray(x[:, a:b])) for a, b in cuts(x.shape[1], block)]
    return np.concatenate(blocks, axis=1)


def peak_delay(engine: rtsep.Engine, block: int) -> tuple[int, float]:
    """Samples between an impulse and its answer, and the greatest error of that answer."""
    at = engine.spec.window + 7 * block + 13
    x = np.zeros((engine.channels, at + 3 * engine.spec.window), np.float32)
    x[:, at] = 1
    y = streamed(engine, x, block)
    peaks = {int(i) - at for i in np.abs(y).argmax(axis=1)}
    delay = peaks.pop() if len(peaks) == 1 else -1
    return delay, float(np.abs(y - np.roll(x, delay, axis=1)).max())


def correlation_delay(engine: rtsep.Engine) -> tuple[int, float]:
    """Where the output is most like the input, and how much the mask takes away in dB."""
    x = babble(1, engine.rate)
    y, size = streamed(engine, x, 480)[0], 2 * x.shape[1]
    likeness = np.fft.irfft(np.fft.rfft(y, size) * np.conj(np.fft.rfft(x[0], size)), size)
    delay = int(likeness[: x.shape[1]].argmax())
    return delay, 10 * np.log10(float(np.mean(y**2) / np.mean(x**2)))


def by_impulse(rates: tuple[int, ...]) -> Iterator[Row]:
    for rate in rates:
        for mode in MODES:
            engines = [
                rtsep.Engine("bypass", rate=rate, channels=channels, latency=mode)
                for channels in CHANNELS
            ]
            runs = [peak_delay(engine, block) for engine in engines for block in BLOCKS]
            declared = engines[0].latency
            yield {
                "rate": rate, "latency": mode, "declared": declared,
                "measured": " ".join(str(delay) for delay in sorted({delay for delay, _ in runs})),
                "ms": 1000 * declared / rate, "error": max(error for _, error in runs),
                "runs": len(runs),
            }  # fmt: skip


def by_path(rate: int) -> Iterator[Row]:
    """A separator in the way: bypassed, at strength 0, and at work."""
    model = random_model(64, rate)
    ways: dict[str, Callable[[rtsep.Engine], tuple[int, float]]] = {
        "bypass=1": lambda engine: peak_delay(engine, 128),
        "strength=0": lambda engine: peak_delay(engine, 128),
        "mask at work": correlation_delay,
    }
    for mode in MODES:
        for way, delay_of in ways.items():
            name, _, value = way.partition("=")
            settings = {name: float(value)} if value else {}
            engine = rtsep.Engine(model, rate=rate, latency=mode, **settings)
            delay, figure = delay_of(engine)
            row = {"latency": mode, "path": way, "declared": engine.latency, "measured": str(delay)}
            yield row | ({"error": figure, "level dB": "-"} if value else
                         {"error": "-", "level dB": figure})  # fmt: skip


def wrong(rows: list[Row]) -> bool:
    return any(str(row["declared"]) != row["measured"] for row in rows)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=RATES)
    given = parser.parse_args()
    with measured(given.json) as report:
        impulses, paths = list(by_impulse(tuple(given.rates))), list(by_path(48000))
        title = f"an impulse, {CHANNELS} channels, blocks of {BLOCKS} (0: by chance)"
        report.table(title, impulses)
        report.table("other paths at 48 kHz", paths)
    sys.exit(wrong(impulses) or wrong(paths))


if __name__ == "__main__":
    main()
