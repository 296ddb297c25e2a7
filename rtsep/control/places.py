"""Where control's files lie, and how an instance of `rtsep live` is found by its name."""

import contextlib
import itertools
import os
import re
import socket
import stat
import warnings
from collections.abc import Callable
from pathlib import Path

FIRST = "main"
LONGEST_PATH = 107  # bytes of a socket's address
_claimed: dict[Path, int] = {}  # by this process, and their locks
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def checked(name: str, what: str) -> str:
    """A name that may name a file; ValueError otherwise."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{what} {name[:80]!r} is no name (wanted: letters, digits, . _ -, 1..64)")
    return name


def _private(folder: Path) -> Path:
    """A folder that is ours and nobody else's, made where it is missing."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to user {found.st_uid} (we are {os.getuid()})")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def runtime_folder() -> Path:
    """The folder of the sockets, mode 0700.  OSError where it cannot be had or is not ours."""
    import platformdirs

    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no local sockets: MIDI and OSC are there")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set
        folder = Path(platformdirs.user_runtime_path("rtsep"))
    if folder.parent.is_relative_to("/tmp"):
        _private(folder.parent)
    return _private(folder)


def config_folder() -> Path:
    """Where presets lie; it need not exist."""
    import platformdirs

    return Path(platformdirs.user_config_path("rtsep"))


def state_folder() -> Path:
    """Where the last state lies; it need not exist."""
    import platformdirs

    return Path(platformdirs.user_state_path("rtsep"))


def socket_path(instance: str) -> Path:
    """An instance's socket; ValueError where the system's limit is shorter than the path."""
    path = runtime_folder() / f"{checked(instance, 'instance')}.sock"
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise ValueError(
            f"socket {path} has {len(os.fsencode(path))} bytes (at most {LONGEST_PATH})"
        )
    return path


def answers(path: Path) -> bool:
    """Whether somebody listens there; a crashed run leaves a socket where nobody does."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(os.fspath(path))
        except (BlockingIOError, TimeoutError):  # there, and busy
            return True
        except OSError:
            return False
    return True


def running() -> list[str]:
    """Names of the instances that answer, sorted."""
    return sorted(path.stem for path in runtime_folder().glob("*.sock") if answers(path))


def _name_path(instance: str) -> Path:
    return runtime_folder() / f"{checked(instance, 'instance')}.name"


def claim(instance: str) -> bool:
    """Hold a name to the end of this process, before its socket is there; whether it was free.

    The socket has a lock of its own, held while it is bound.
    """
    import fcntl

    path = _name_path(instance)
    if path in _claimed:
        return True
    lock = os.open(path, os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    _claimed[path] = lock
    return True


def hand_over(instance: str | None) -> int | None:
    """The lock on a claimed name, left open for the program that is to replace this one."""
    lock = _claimed.get(_name_path(instance)) if instance is not None and _claimed else None
    if lock is not None:
        os.set_inheritable(lock, True)
    return lock


def take_over(instance: str, lock: int) -> None:
    """Hold a name on by the lock that the program before has left open."""
    os.set_inheritable(lock, False)
    _claimed[_name_path(instance)] = lock


def free_name(is_free: Callable[[str], bool] = lambda name: True) -> str:
    """`main`, or `main2` and so on where that is taken."""
    taken = running()
    names = (FIRST + (str(number) if number > 1 else "") for number in itertools.count(1))
    return next(name for name in names if name not in taken and is_free(name))


def chosen(instance: str | None) -> str:
    """The instance that is meant; without a name the only one, or `main`.  OSError if none."""
    known = running()
    if instance is not None:
        if checked(instance, "instance") not in known:
            there = f"running: {', '.join(known)}" if known else "none is running"
            raise ConnectionError(f"no instance {instance!r} ({there})")
        return instance
    if len(known) == 1 or FIRST in known:
        return known[0] if len(known) == 1 else FIRST
    if known:
        raise ValueError(f"{len(known)} instances run: {', '.join(known)} (choose by --instance)")
    raise ConnectionError("no rtsep is running here (start one: rtsep live)")
