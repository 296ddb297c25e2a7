"""onnxruntime by its C interface, called by address: no Python between a frame and its mask.

The wheel carries the shared library beside its Python module and exports `OrtGetApiBase`, which
leads to a table of functions in the order of `onnxruntime_c_api.h`; the places used here belong to
its first version, "whose size cannot change".  One thread evaluates, none waits spinning.
"""

import ctypes
import importlib.util
import weakref
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_int, c_int64, c_size_t, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from rtsep.artefacts.card import CardError

INSTALL = "networks need onnxruntime: pip install onnxruntime"
VERSION = 17  # of the interface; any later library serves it
LIBRARIES = ("libonnxruntime.so*", "libonnxruntime*.dylib", "onnxruntime.dll")
FATAL, ALL_OPTIMISATIONS, FLOAT = 4, 99, 1

PLACES = {
    "GetErrorMessage": 2, "CreateEnv": 3, "CreateSessionFromArray": 8, "Run": 9,
    "CreateSessionOptions": 10, "SetSessionLogSeverityLevel": 22,
    "SetSessionGraphOptimizationLevel": 23, "SetIntraOpNumThreads": 24, "SetInterOpNumThreads": 25,
    "CreateTensorWithDataAsOrtValue": 49, "CreateCpuMemoryInfo": 69, "ReleaseStatus": 93,
    "ReleaseMemoryInfo": 94, "ReleaseSession": 95, "ReleaseValue": 96, "ReleaseSessionOptions": 100,
}  # fmt: skip


class _Base(ctypes.Structure):
    _fields_ = (
        ("GetApi", ctypes.CFUNCTYPE(c_void_p, ctypes.c_uint32)),
        ("GetVersionString", ctypes.CFUNCTYPE(c_char_p)),
    )


def library_path() -> Path | None:
    """The wheel's shared library; None where there is no such file.

    ImportError with the command that installs it where there is no onnxruntime at all.
    """
    found = importlib.util.find_spec("onnxruntime")
    if found is None or found.origin is None:
        raise ImportError(INSTALL)
    folder = Path(found.origin).parent / "capi"
    files = [path for pattern in LIBRARIES for path in sorted(folder.glob(pattern))]
    return files[0] if files else None


class Runtime:
    """The library's functions by name, and its environment.  Any thread."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        library.OrtGetApiBase.restype = ctypes.POINTER(_Base)
        base = library.OrtGetApiBase().contents
        self.version = base.GetVersionString().decode()
        table = base.GetApi(VERSION)
        if not table:
            raise OSError(f"{path.name} has no interface of version {VERSION}")
        pointers = ctypes.cast(table, ctypes.POINTER(c_void_p))
        self.addresses = {name: int(pointers[place] or 0) for name, place in PLACES.items()}
        self.environment = self.make("CreateEnv", c_int(FATAL), b"rtsep")

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function that returns a status; OSError with its words where it failed."""
        status = ctypes.CFUNCTYPE(c_void_p)(self.addresses[name])(*arguments)
        if status:
            message = ctypes.CFUNCTYPE(c_char_p)(self.addresses["GetErrorMessage"])
            words = (message(c_void_p(status)) or b"").decode(errors="replace")
            self.release("Status", c_void_p(status))
            raise OSError(f"{name}: {words}")

    def make(self, name: str, *arguments: Any) -> c_void_p:
        """Call a function whose last argument is where it puts what it makes."""
        made = c_void_p()
        self.call(name, *arguments, byref(made))
        return made

    def release(self, kind: str, made: c_void_p) -> None:
        ctypes.CFUNCTYPE(None)(self.addresses[f"Release{kind}"])(made)


@cache
def runtime() -> Runtime | None:
    """The library, loaded once; None where the wheel has none or another interface."""
    path = library_path()
    try:
        return Runtime(path) if path else None
    except (OSError, AttributeError):
        return None


class Session:
    """A network ready to run on tensors in the caller's memory.

    inputs, outputs : names in the order they are passed.  CardError where it does not load.
    """

    def __init__(
        self, library: Runtime, content: bytes, inputs: Sequence[str], outputs: Sequence[str]
    ) -> None:
        self.library, self._values = library, list[c_void_p]()
        self.inputs, self.outputs = _names(inputs), _names(outputs)
        options = library.make("CreateSessionOptions")
        try:
            for name, value in (
                ("SetSessionLogSeverityLevel", FATAL), ("SetIntraOpNumThreads", 1),
                ("SetInterOpNumThreads", 1),
                ("SetSessionGraphOptimizationLevel", ALL_OPTIMISATIONS),
            ):  # fmt: skip
                library.call(name, options, c_int(value))
            self.pointer = library.make(
                "CreateSessionFromArray", library.environment, content, c_size_t(len(content)),
                options,
            )  # fmt: skip
        except OSError as error:
            raise CardError(f"onnxruntime refuses it ({plain(error)})") from None
        finally:
            library.release("SessionOptions", options)
        self._memory = library.make("CreateCpuMemoryInfo", c_int(0), c_int(0))
        self._finalizer = weakref.finalize(
            self, _release, library, self.pointer, self._memory, self._values
        )
        self._finalizer.atexit = False

    def tensor(self, address: int, shape: Sequence[int]) -> int:
        """Address of a value that stands for float32 numbers of the caller's; kept by us."""
        count = 1
        for size in shape:
            count *= size
        value = self.library.make(
            "CreateTensorWithDataAsOrtValue", self._memory, c_void_p(address),
            c_size_t(4 * count), (c_int64 * len(shape))(*shape), c_size_t(len(shape)),
            c_int(FLOAT),
        )  # fmt: skip
        self._values.append(value)
        return int(value.value or 0)

    def run(self, given: Sequence[int], made: Sequence[int]) -> None:
        """Evaluate once, from values to values.  OSError where it fails."""
        self.library.call(
            "Run", self.pointer, None, self.inputs, (c_void_p * len(given))(*given),
            c_size_t(len(given)), self.outputs, c_size_t(len(made)), (c_void_p * len(made))(*made),
        )  # fmt: skip

    def close(self) -> None:
        """Give everything back; nothing may be running on it.  What is dropped is closed, too."""
        self._finalizer()


def _release(library: Runtime, session: c_void_p, memory: c_void_p, values: list[c_void_p]) -> None:
    for value in values:
        library.release("Value", value)
    library.release("MemoryInfo", memory)
    library.release("Session", session)


def _names(names: Sequence[str]) -> Any:
    return (c_char_p * len(names))(*[name.encode() for name in names])


def plain(error: BaseException) -> str:
    """An error's words on one line, and not too many."""
    return ascii(" ".join(str(error).split())[:300])[1:-1]


def python_session(content: bytes) -> Any:
    """The same network behind onnxruntime's own Python face.  CardError where it does not load."""
    try:
        import onnxruntime
    except ImportError:
        raise ImportError(INSTALL) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = FATAL
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no class in common
        raise CardError(f"onnxruntime refuses it ({plain(error)})") from None
