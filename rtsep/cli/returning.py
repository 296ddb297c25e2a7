"""When the sound goes away: the process starts itself anew and waits for the devices by name.

PortAudio can be neither ended nor opened again in a process whose sound server has died.  So the
process is replaced by another run of the same command, its number kept, which goes on from the
last state that control wrote down.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NoReturn

from rtsep.control.places import hand_over, take_over

MARK = "RTSEP_RETURN"
PAUSES = (0.5, 2.5)  # seconds between two tries, the first and the longest
SLOWER = 1.2  # each by so much


@dataclass(frozen=True)
class Return:
    """What a run that lost its sound hands to the next one.

    instance : its name, None where sockets have no folder.  devices : arguments of a route, by
    name.  left : seconds it has still to run, None for ever.  times : how often the sound went
    away so far.  tries : of having it back, so far in vain.  lock : what holds the name meanwhile.
    """

    instance: str | None
    devices: dict[str, Any] = field(default_factory=dict)
    left: float | None = None
    times: int = 1
    tries: int = 0
    lock: int | None = None


def handed_over() -> Return | None:
    """What an earlier run has left for this one, taken out of the environment."""
    mark = os.environ.pop(MARK, None)
    back = Return(**json.loads(mark)) if mark else None
    if back and back.instance and back.lock is not None:
        take_over(back.instance, back.lock)
    return back


def run_again(back: Return) -> NoReturn:
    """Replace the process by another run of its command.  Nothing after this happens."""
    back = replace(back, lock=hand_over(back.instance))
    sys.stdout.flush()
    sys.stderr.flush()
    safely = ["-P"] if sys.flags.safe_path else []
    command = [sys.executable, *safely, "-m", "rtsep.cli", *sys.argv[1:]]
    os.execve(sys.executable, command, os.environ | {MARK: json.dumps(asdict(back))})


def pause(tries: int) -> float:
    """Seconds to wait after so many tries: a try is a process that starts, and costs."""
    first, longest = PAUSES
    return float(min(first * SLOWER ** min(tries, 100), longest))


@contextmanager
def patient(back: Return | None) -> Iterator[None]:
    """What fails inside is tried again for as long as the sound is away; else it is an error."""
    begin = time.monotonic()
    try:
        yield
    except (OSError, ValueError):
        if back is None:
            raise
        time.sleep(pause(back.tries))
        spent = time.monotonic() - begin
        left = None if back.left is None else back.left - spent
        if left is not None and left <= 0:
            raise
        run_again(replace(back, left=left, tries=back.tries + 1))
