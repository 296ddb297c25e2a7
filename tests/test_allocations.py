"""The device's callback asks nothing of the heap: counted, not assumed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CALLBACKS = 3000
BLOCK = 64

PROGRAM = f"""
import ctypes, sys
import numpy as np
import rtsep
from models import babble, separator
from networks import network
from rtsep.engine.crossing import crossing
from rtsep.engine.ends import input_callback, output_callback

counter = ctypes.CDLL(None)
counter.drive.restype = ctypes.c_long
counter.drive.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_ulong] + [ctypes.c_long] * 2 + [
    ctypes.c_void_p]

def asked(callback, userdata, channels=1, times={CALLBACKS}):
    x = np.repeat(babble({BLOCK} * times), channels)
    y = np.empty({BLOCK} * channels * 8, np.float32)
    return counter.drive(
        callback, x.ctypes.data, y.ctypes.data, {BLOCK}, channels, times, userdata)

print("greedy", asked(ctypes.cast(counter.greedy, ctypes.c_void_p), None, times=1))
for kind in ("nmf", "asvd", "bypass"):
    for channels, linked in ((1, True), (2, False)):
        engine = rtsep.Engine(separator(kind), channels=channels, linked=linked)
        print(kind, asked(engine.callback.address, engine.address, channels))
        engine.set("strength", 0.5)
        engine.set("release", 0.1)
        engine.swap(separator("asvd known"))
        print(kind, "swapping", asked(engine.callback.address, engine.address, channels, 200))
        assert engine.meters().blocks == {CALLBACKS} + 200
        assert engine.meters().hops == ({CALLBACKS} + 200) * {BLOCK} // engine.spec.hop
engine = rtsep.Engine(separator("nmf"))
engine.stems = len(engine.sources)
print("stems", asked(engine.callback.address, engine.address))
engine = rtsep.Engine("bypass")
cross = crossing(engine.rate, 1, engine.address)
count = 0
for _ in range({CALLBACKS}):
    for callback in (input_callback, output_callback):
        count += asked(callback.address, cross.ctypes.data, times=1)
assert cross[0]["primed"] and cross[0]["whole"] > {BLOCK} * 100
print("two clocks", count)
for models in (network("gru"), [network("gru"), separator("nmf")]):
    for how in (0, 1):
        engine = rtsep.Engine(models, max_block={BLOCK}, options={{"worker": how}})
        engine.live = True
        print("network", asked(engine.callback.address, engine.address))
        engine.live = False
    some = asked(engine.callback.address, engine.address)
    print("onnxruntime in place", "some" if some else "none")
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    library = tmp_path_factory.mktemp("counter") / "malloc_counter.so"
    source = HERE / "malloc_counter.c"
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-fno-builtin", "-shared", "-fPIC", source, "-o", library, "-ldl"],
        check=True,
    )
    return library


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD is Linux's")
def test_thousands_of_callbacks_ask_nothing_of_the_heap(counter, warm):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "LD_PRELOAD": str(counter), "PYTHONPATH": str(HERE)},
        capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    greedy, *counts = ran.stdout.splitlines()
    assert greedy == "greedy 9", "the counter does not count"
    assert len(counts) == 20
    in_place = [line for line in counts if "in place" in line]
    assert {line.split()[-1] for line in in_place} == {"some"}, "the runtime allocates"
    assert {line.split()[-1] for line in counts if line not in in_place} == {"0"}, ran.stdout
