"""Stems live: what the callback gives out is what `separate` gives, source by source."""

import ctypes

import numpy as np
import pytest
from control_room import desk_for
from live_streams import play_stems

import rtsep
from models import babble, model
from rtsep.cli.streams import stems_told
from rtsep.dsp.resampling import HALF, TAPS
from rtsep.engine.crossing import WRITTEN, crossing
from rtsep.engine.ends import output_callback

RATE = 16000


def engine(channels=1):
    return rtsep.Engine([model("fan", rate=RATE)], rate=RATE, channels=channels)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("blocks", [[1, 3, 480, 128, 4096, 2500], [128] * 57])
def test_the_callback_gives_what_separate_gives(channels, blocks):
    n = sum(blocks)
    x = np.stack([babble(n), babble(n, seed=1)])[:channels].astype(np.float32)
    live, offline = engine(channels), engine(channels)
    live.stems = len(live.sources)
    told = x.copy()
    y = play_stems(live, x, blocks)
    wanted = offline.separate(x)
    assert np.array_equal(y, wanted.reshape(y.shape))
    assert np.array_equal(x, told)
    late = y.sum(axis=0)[:, live.latency :]
    assert np.abs(late - x[:, : late.shape[1]])[:, 2000:].max() <= 1e-5
    assert live.meters().blocks == len(blocks)


def play_late(engine, x, blocks):
    """As `play_stems`, by the output's callback where there are two clocks; x lies in the ring."""
    record = crossing(RATE, engine.channels, engine.address)
    one, written = record[0], HALF + x.shape[1]
    one["ring"][: engine.channels, HALF:written] = x
    one["words"][WRITTEN], one["whole"] = written + 2 * TAPS, HALF
    one["primed"], one["level"] = 1, 1
    nothing = np.full_like(x, np.nan)  # an output has no input of its own
    return play_stems(engine, nothing, blocks, output_callback, record.ctypes.data)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("blocks", [[1, 3, 480, 128, 4096, 2500], [128] * 57])
def test_on_two_clocks_too(channels, blocks):
    n = sum(blocks)
    x = np.stack([babble(n), babble(n, seed=1)])[:channels].astype(np.float32)
    one, other = engine(channels), engine(channels)
    one.stems = other.stems = len(one.sources)
    assert np.array_equal(play_late(one, x, blocks), play_stems(other, x, blocks))
    assert one.meters().blocks == len(blocks)


def test_a_swap_to_fewer_sources_leaves_silence_not_what_was():
    x = babble(12000)[None].astype(np.float32)
    live = engine()
    live.stems = 2
    play_stems(live, x, [480] * 10)
    live.swap("bypass")
    after = play_stems(live, x, [480] * 20)
    assert np.abs(after[1, 0, -2000:]).max() == 0
    assert np.abs(after[0, 0, -2000:]).max() > 0.01


def test_reset_keeps_stems_and_a_running_stream_its_number():
    live = engine()
    live.stems = 2
    live.reset()
    x = babble(4800)[None].astype(np.float32)
    assert np.array_equal(play_stems(live, x, [480] * 10), engine().separate(x).reshape(2, 1, -1))
    live.live = True
    with pytest.raises(RuntimeError, match="keeps its stems"):
        live.stems = 1
    live.live = False
    with pytest.raises(ValueError, match="stems=99 is outside"):
        live.stems = 99
    live.stems = 0
    assert live.callback is not None
    assert ctypes.c_void_p(live.callback.address).value == engine().callback.address


def test_sources_that_take_others_channels_are_told(tmp_path, capsys):
    names = []
    for name in ("fan", "rain", "sea"):
        names.append(str(tmp_path / f"{name}.npz"))
        rtsep.save(names[-1], model(name, rate=RATE))
    ours = rtsep.Engine(names[:1], rate=RATE)
    ours.stems = 2
    with desk_for(ours, names[:1]) as desk, stems_told(ours, desk):
        desk.ask(desk.turn, "strength", 0.5, "test").result(5)
        assert capsys.readouterr().err == ""
        desk.ask(desk.swap, names[1:2], None, "teach").result(20)
        desk.ask(desk.turn, "strength", 0.6, "test").result(5)
        first = "channels keep their names: fan, unknown have rain, unknown\n"
        assert capsys.readouterr().err == first
        desk.ask(desk.swap, names[1:], None, "teach").result(20)
        assert capsys.readouterr().err.endswith("have rain, sea, unknown; no channel has unknown\n")
