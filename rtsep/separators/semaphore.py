"""A counting semaphore that compiled code posts and waits on by address, of the system's own.

`post(handle, 1, 0)` and `wait(handle, -1)` suit POSIX, Grand Central Dispatch and Windows alike:
arguments that a function does not have are ignored.
"""

import ctypes
import sys
from ctypes import c_int, c_long, c_uint, c_void_p
from typing import Any

SIZE = 64  # bytes; glibc's has 32


class Semaphore:
    """handle, post, wait : addresses.  Keep it for as long as a thread may wait on it."""

    def __init__(self) -> None:
        make = {"darwin": self._of_dispatch, "win32": self._of_windows}
        post, wait = make.get(sys.platform, self._of_posix)()
        self.post, self.wait = (ctypes.cast(each, c_void_p).value or 0 for each in (post, wait))

    def _of_posix(self) -> tuple[Any, Any]:
        library = ctypes.CDLL(None)
        self._memory = ctypes.create_string_buffer(SIZE)
        self.handle = ctypes.addressof(self._memory)
        if library.sem_init(c_void_p(self.handle), c_int(0), c_uint(0)) != 0:
            raise OSError("no semaphore can be made")
        return library.sem_post, library.sem_wait

    def _of_dispatch(self) -> tuple[Any, Any]:
        library = ctypes.CDLL(None)
        library.dispatch_semaphore_create.restype = c_void_p
        self.handle = int(library.dispatch_semaphore_create(c_long(0)))
        return library.dispatch_semaphore_signal, library.dispatch_semaphore_wait

    def _of_windows(self) -> tuple[Any, Any]:
        library = ctypes.CDLL("kernel32")
        library.CreateSemaphoreW.restype = c_void_p
        made = library.CreateSemaphoreW(None, c_long(0), c_long(2**31 - 1), None)
        self.handle = int(made)
        return library.ReleaseSemaphore, library.WaitForSingleObject
