"""Meters in the record, and what Python reads out of them.

Levels follow the sound hop by hop; a hop's time goes into a histogram.  Times stand outside the
law that output depends on input alone.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtsep.dsp.kernel import kernel
from rtsep.dsp.times import enter, quantile_us
from rtsep.engine.state import BYPASS, LISTEN_DRY, LISTEN_WET, OUTPUT_GAIN, VALUE

SILENT_DB = -120.0


@kernel
def measure_input(state, c, follow, decay):
    """Let a channel's input level follow the hop just taken in.  Audio thread."""
    energy, highest = np.float64(0), np.float64(0)
    for i in range(state.hop):
        a = np.float64(state.hop_in[c, i])
        energy += a * a
        highest = max(highest, abs(a))
    state.input_power[c] += follow * (energy / state.hop - state.input_power[c])
    state.input_peak[c] = max(highest, state.input_peak[c] * decay)


@kernel
def measure_output(state, c, follow, decay):
    """Let a channel's output level follow what was given out since the last hop.  Audio thread."""
    state.output_power[c] += follow * (state.given_energy[c] / state.hop - state.output_power[c])
    state.output_peak[c] = max(state.given_peak[c], state.output_peak[c] * decay)
    state.given_energy[c], state.given_peak[c] = 0, 0


@kernel
def measure_sources(state, slot, follow):
    """Let every source's energy follow its masks.  Audio thread."""
    for s in range(slot.sources):
        energy = np.float64(0)
        for i in range(state.lanes):
            mask, v = slot.lane[i].mask, state.magnitude[i]
            for f in range(state.bins):
                a = mask[s, f] * v[f]
                energy += np.float64(a * a)
        state.source_power[s] += follow * (energy / state.lanes - state.source_power[s])


@kernel
def measure_spectra(state, follow):
    """Let two power spectra follow what was analysed and what is given out.  Audio thread."""
    past, share = np.float32(1 - follow), np.float32(follow / state.lanes)
    through = np.float32(state.glides[VALUE, BYPASS])
    dry = np.float32(state.glides[VALUE, LISTEN_DRY])
    wet = np.float32(state.glides[VALUE, LISTEN_WET])
    loud = np.float32(state.glides[VALUE, OUTPUT_GAIN])
    for f in range(state.bins):
        state.taken_power[f] *= past
        state.given_power[f] *= past
    for i in range(state.lanes):
        v, g = state.magnitude[i], state.gain[i]
        for f in range(state.bins):
            a = v[f]
            b = a * (through + (1 - through) * loud * (dry + wet * g[f]))
            state.taken_power[f] += share * a * a
            state.given_power[f] += share * b * b


@kernel
def measure(state):
    """Levels after a hop: about 100 ms to follow, peaks that fall 20 dB in a second."""
    seconds = np.float64(state.hop) / np.float64(state.rate)
    follow = 1 - np.exp(-seconds / 0.1)
    decay = np.exp(-seconds * 2.302585)
    for c in range(state.channels):
        measure_input(state, c, follow, decay)
        measure_output(state, c, follow, decay)
    measure_sources(state, state.slot[state.active], follow)
    measure_spectra(state, follow)


@kernel
def count_time(state, duration):
    """Enter a hop's duration in ns into the histogram.  Audio thread."""
    enter(state.histogram, duration)
    state.hop_max = max(state.hop_max, duration)
    state.hops += 1


@dataclass(frozen=True)
class Meters:
    """One reading.  Levels in dBFS of the mean square (peaks: of the sample), times in us.

    reduction_db : how much quieter than the input what is given out is, hop by hop.
    network_late : hops whose mask was not there in time and was held over.  network_failed : runs
    that gave no mask.

    rung : 0 does all there is to do, 3 is the dry path (see `rtsep.engine.ladder`); overloads :
    steps down so far; idle_hops : left out for there was nothing to hear, or nobody; resting : why
    that is so now, an index of `rtsep.engine.rest.WORDS`.
    With two devices on two clocks: drift_ppm is how much faster the input's is, crossing_ms the
    time between their callbacks, constant; deposits are the input's blocks, starved the output's
    that lacked samples, restarts the times it began anew.
    """

    input_db: tuple[float, ...]
    output_db: tuple[float, ...]
    input_peak_db: tuple[float, ...]
    output_peak_db: tuple[float, ...]
    source_db: dict[str, float]
    samples: int
    blocks: int
    late_blocks: int
    device_flags: int
    hops: int
    hop_p50_us: float
    hop_p99_us: float
    hop_max_us: float
    load: float
    clipped: int
    nonfinite: int
    latency_ms: float
    network_runs: int = 0
    network_late: int = 0
    network_failed: int = 0
    network_p50_us: float = 0.0
    network_p999_us: float = 0.0
    network_max_us: float = 0.0
    reduction_db: float = 0.0
    rung: int = 0
    overloads: int = 0
    idle_hops: int = 0
    resting: int = 0
    drift_ppm: float = 0.0
    crossing_ms: float = 0.0
    deposits: int = 0
    starved: int = 0
    restarts: int = 0


def decibels(power: float) -> float:
    """10 log10 of a mean square, not under SILENT_DB."""
    return max(10 * math.log10(power), SILENT_DB) if power > 1e-12 else SILENT_DB


def read_network(worker: Any) -> dict[str, Any]:
    """Read the meters of a network's record, by their names in `Meters`.  Any thread."""
    histogram = worker["histogram"].copy()
    return {
        "network_runs": int(worker["runs"]),
        "network_late": int(worker["late"]),
        "network_failed": int(worker["failed"]),
        "network_p50_us": quantile_us(histogram, 0.5),
        "network_p999_us": quantile_us(histogram, 0.999),
        "network_max_us": float(worker["run_max"]) / 1000,
    }


def read_reduction(record: Any) -> float:
    """Power taken away between analysis and synthesis, in dB; 0 in silence.  Any thread."""
    taken, given = (float(record[name].sum()) for name in ("taken_power", "given_power"))
    return decibels(taken) - decibels(given)


def parseval(record: Any) -> float:
    """What turns a sum of |X|^2 over the bins into a mean square."""
    window = record["analysis_window"][: record["window"]]
    return 2 / (float(record["window"]) * float(np.mean(window**2)) * float(record["window"]))


def read_crossing(record: Any) -> dict[str, Any]:
    """Read the meters of the record between two clocks, by their names in `Meters`.  Any thread."""
    one = record[0]
    return {
        "drift_ppm": 1e6 * float(one["integral"]),
        "crossing_ms": 1000 * float(one["target"]) / float(one["rate"]),
        "deposits": int(one["deposits"]),
        "starved": int(one["starved"]),
        "restarts": int(one["restarts"]),
    }


def read_meters(
    record: Any, sources: tuple[str, ...], worker: Any = None, crossing: Any = None
) -> Meters:
    """Read the meters of a record, of a network's and a crossing's if there is one.  Any thread."""
    channels = int(record["channels"])
    swapped = record["active"] == record["requested"]
    scale = parseval(record) if swapped else 0.0  # until then the powers are of others
    histogram = record["histogram"].copy()
    median, hop_us = quantile_us(histogram, 0.5), 1e6 * record["hop"] / record["rate"]

    def levels(field: str, square: bool) -> tuple[float, ...]:
        return tuple(decibels(float(a * a if square else a)) for a in record[field][:channels])

    return Meters(
        input_db=levels("input_power", False),
        output_db=levels("output_power", False),
        input_peak_db=levels("input_peak", True),
        output_peak_db=levels("output_peak", True),
        source_db={
            name: decibels(scale * float(power))
            for name, power in zip(sources, record["source_power"], strict=False)
        },
        samples=int(record["samples"]),
        blocks=int(record["blocks"]),
        late_blocks=int(record["late_blocks"]),
        device_flags=int(record["device_flags"]),
        hops=int(record["hops"]),
        hop_p50_us=median,
        hop_p99_us=quantile_us(histogram, 0.99),
        hop_max_us=float(record["hop_max"]) / 1000,
        load=median / hop_us,
        clipped=int(record["clipped"]),
        nonfinite=int(record["nonfinite"]),
        latency_ms=1000 * float(record["latency"]) / float(record["rate"]),
        reduction_db=read_reduction(record),
        rung=int(record["rung"]),
        overloads=int(record["overloads"]),
        idle_hops=int(record["idle_hops"]),
        resting=int(record["resting"]),
        **(read_network(worker) if worker is not None else {}),
        **(read_crossing(crossing) if crossing is not None else {}),
    )
