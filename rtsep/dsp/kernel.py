"""The one decorator for compiled kernels, and the promise not to compile beside sound.

Kernels never allocate, raise, lock or print.  Numba's cache does not see a change in an inlined
function of another file, so the cache folder is named after all kernel sources, where they lie,
numba's version and the processor: a change anywhere compiles everything anew.

A process of its own does that.  Where code was compiled in the process that runs it, calls between
kernels find other copies of them than where it was loaded, rounded otherwise in the last bit: so
every process loads.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any, TypeVar, overload

import numba
import platformdirs
from llvmlite import binding
from numba import types

PACKAGE = Path(__file__).resolve().parents[1]
KERNEL_FOLDERS = ("dsp", "separators", "engine")
COMPILED = ("rtsep.engine.engine", "rtsep.engine.ends")  # with all that they import
LAST = "ends.output_callback-*.nbc"  # compiled after all else
APART = "RTSEP_COMPILES"  # set in the process that compiles
UNUSED_SECONDS = 90 * 86400  # after which other versions' kernels are taken away

# Everything of fast-math but nnan and ninf, which would compile the checks for NaN away.
FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}

Function = TypeVar("Function", bound=Callable[..., Any])


def cache_key() -> str:
    """Hash of the kernel sources and their place, numba's version and the processor.

    Numba keeps code by the place of its source: what another installation compiled is not ours.
    """
    machine = f"{numba.__version__} {sys.version} {binding.get_host_cpu_name()} {PACKAGE}"
    digest = hashlib.sha256(machine.encode())
    for folder in KERNEL_FOLDERS:
        for source in sorted((PACKAGE / folder).glob("*.py")):
            digest.update(source.name.encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled kernels are kept: below NUMBA_CACHE_DIR if set, else the user's cache."""
    parent = os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_dir("rtsep")
    return Path(parent) / f"kernels-{cache_key()}"


def writable(folder: Path) -> Path:
    """The folder, made where it is missing; OSError where nothing can be kept there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        words = f"{error.strerror} (compiled code is kept there; NUMBA_CACHE_DIR names a folder)"
        raise OSError(error.errno, words, str(folder)) from None
    return folder


def is_compiled() -> bool:
    """Whether kernels of this version have been compiled on this machine before."""
    return any(CACHE.rglob(LAST))


CACHE = writable(cache_folder())
numba.config.CACHE_DIR = str(CACHE)
_dispatchers: list[Any] = []
_sealing, _seals = Lock(), 0


@overload
def kernel(function: Function) -> Function: ...
@overload
def kernel(*, exact: bool) -> Callable[[Function], Function]: ...
def kernel(function: Any = None, *, exact: bool = False) -> Any:
    """Compile a function to nopython code without the GIL, cached on disk.

    exact : no reassociation; for loops whose length depends on the block, where the order of
    additions would otherwise depend on how the input was cut.
    """
    if function is None:
        return partial(kernel, exact=exact)
    fastmath: Any = False if exact else FAST
    compiled = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=fastmath)(function)
    _dispatchers.append(compiled)
    return compiled


def tidy() -> None:
    """Mark this version's kernels as used, and take away those long without a mark."""
    with suppress(OSError):
        os.utime(CACHE)
        for folder in CACHE.parent.glob("kernels-" + 16 * "[0-9a-f]"):
            if folder.stat().st_mtime < time.time() - UNUSED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


@cache
def _compile_apart() -> None:
    """What fails here is compiled where it is used."""
    tidy()
    if is_compiled() or APART in os.environ or "python" not in Path(sys.executable or "").name:
        return
    program = f"import sys; sys.path[:] = {sys.path!r}; import {', '.join(COMPILED)}"
    subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {APART: "1"},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def native(*arguments: Any, returns: Any = types.void) -> Callable[[Function], Any]:
    """Compile a function to native code with a C address, cached on disk."""
    _compile_apart()
    compiled: Callable[[Function], Any] = numba.cfunc(
        returns(*arguments), cache=True, error_model="numpy"
    )
    return compiled


@contextmanager
def sealed() -> Iterator[None]:
    """Forbid compiling inside; a call that would compile raises TypeError instead.  Any thread.

    May be entered by several streams at once; the last to leave lifts it.
    """
    global _seals
    with _sealing:
        _seals += 1
        _permit(False)
    try:
        yield
    finally:
        with _sealing:
            _seals -= 1
            _permit(_seals == 0)


def _permit(compiling: bool) -> None:
    for dispatcher in _dispatchers:
        dispatcher._can_compile = compiling
