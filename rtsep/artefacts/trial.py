"""The first run of a network, in a process of its own that may not take more than its card says.

What a walk through the file cannot tell, how much memory loading and running take and whether the
runtime survives it, is found out here once for every file; that it went well is remembered.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rtsep.artefacts import runtime
from rtsep.artefacts.card import CardError

SECONDS = 60  # of the clock for a trial; half of it of the processor
RUNS = 3
CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from rtsep.artefacts.trial import main; main()"
)

Shapes = dict[str, tuple[int, ...]]


def run_once(content: bytes, digest: str, inputs: Shapes, outputs: Shapes, memory: int) -> None:
    """Try a file unless it has been tried before; CardError where it fails.

    memory : bytes that loading and running may take.
    """
    runtime.library_path()
    passed = _passed(digest, memory)
    if passed.exists():
        return
    measure(content, inputs, outputs, memory)
    try:
        passed.parent.mkdir(parents=True, exist_ok=True)
        passed.touch()
    except OSError:
        return


def _passed(digest: str, memory: int) -> Path:
    """The file whose existence says that a trial went well."""
    from importlib.metadata import version

    import platformdirs

    folder = Path(platformdirs.user_cache_dir("rtsep")) / "networks"
    return folder / f"{digest}-{memory}-{version('onnxruntime')}"


def measure(content: bytes, inputs: Shapes, outputs: Shapes, memory: int) -> int:
    """Bytes that loading and running take in a process of its own; CardError beyond `memory`."""
    asked = json.dumps({"inputs": inputs, "outputs": outputs, "memory": memory}).encode()
    try:
        child = subprocess.run(
            [sys.executable, "-c", CHILD, json.dumps(sys.path)],
            input=asked + b"\n" + content, capture_output=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CardError(f"does not load and run within {SECONDS} s") from None
    try:
        told = json.loads(child.stdout)
    except ValueError:
        told = {"error": f"the process ended with {child.returncode}"}
    if "error" in told:
        raise CardError(f"does not load and run in {memory} bytes: {told['error']}")
    return int(told["bytes"])


def main() -> None:
    """The child: a line of JSON and the file from standard input, a line of JSON out."""
    asked = json.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    try:
        told: dict[str, Any] = {"bytes": attempt(content, **asked)}
    except (CardError, OSError, MemoryError) as error:
        told = {"error": runtime.plain(error) or type(error).__name__}
    print(json.dumps(told), flush=True)  # noqa: T201


def attempt(content: bytes, inputs: Shapes, outputs: Shapes, memory: int) -> int:
    """Load and run with zeros, under limits; bytes of address space it took."""
    library = runtime.runtime()
    before = _limit(memory)
    if library is None:
        session = runtime.python_session(content)
        import numpy as np

        zeros = {name: np.zeros(shape, np.float32) for name, shape in inputs.items()}
        for _ in range(RUNS):
            session.run(list(outputs), zeros)
    else:
        _run(library, content, inputs, outputs)
    return _peak() - before


def _run(library: runtime.Runtime, content: bytes, inputs: Shapes, outputs: Shapes) -> None:
    import ctypes
    from math import prod

    session = runtime.Session(library, content, list(inputs), list(outputs))
    memory = []

    def value(shape: tuple[int, ...]) -> int:
        memory.append((ctypes.c_float * prod(shape))())
        return session.tensor(ctypes.addressof(memory[-1]), shape)

    given, made = [value(s) for s in inputs.values()], [value(s) for s in outputs.values()]
    for _ in range(RUNS):
        session.run(given, made)
    session.close()


def _limit(memory: int) -> int:
    """Bound what this process may take from here on; bytes it has now.  Not on Windows."""
    try:
        import resource
    except ImportError:
        return 0
    before = _peak()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS // 2, SECONDS // 2))
    resource.setrlimit(resource.RLIMIT_AS, (before + memory, before + memory))
    return before


def _peak() -> int:
    """Most address space this process has had, in bytes; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmPeak")), 0)
