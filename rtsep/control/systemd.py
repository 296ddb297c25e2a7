"""A systemd user unit for `rtsep live`, so that it is there from login on.

The unit and the link that enables it are written here, for systemd need not be running then.
Only files that rtsep wrote are replaced or removed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rtsep.artefacts.whole import shown, write_whole
from rtsep.control.places import FIRST, checked

MARK = "# Written by `rtsep service install`, removed by `rtsep service uninstall`."
TARGET = "default.target"
PATIENCE = 30.0  # seconds for systemctl
UNIT = """{mark}
[Unit]
Description=rtsep: {title}
After=pipewire.service pipewire-pulse.service wireplumber.service pulseaudio.service
# It starts again for as long as it takes: the microphone may be plugged in at noon.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
Slice=session.slice
Restart=on-failure
RestartSec=5
TimeoutStopSec=15
UMask=0077
# What needs no privilege and leaves sound alone. Not MemoryDenyWriteExecute: rtsep compiles for
# this processor. Not RestrictRealtime, PrivateDevices, PrivateTmp: sound servers need them.
NoNewPrivileges=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy={target}
"""


@dataclass(frozen=True)
class Unit:
    """The unit of one instance."""

    instance: str = FIRST

    @property
    def name(self) -> str:
        checked(self.instance, "instance")
        return "rtsep.service" if self.instance == FIRST else f"rtsep-{self.instance}.service"

    @property
    def path(self) -> Path:
        return folder() / self.name

    @property
    def link(self) -> Path:
        """What enables it."""
        return folder() / f"{TARGET}.wants" / self.name


def folder() -> Path:
    """Where a user's units lie; OSError where there is no systemd."""
    import platformdirs

    if sys.platform != "linux":
        raise OSError(f"systemd is Linux's ({sys.platform}): let `rtsep live` start at login")
    return Path(platformdirs.user_config_path("systemd")) / "user"


def quoted(word: str) -> str:
    """A word as ExecStart reads it; ValueError for what no unit can hold."""
    if not word.isprintable():
        raise ValueError(f"{word[:80]!a} cannot stand in a unit")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def command(words: Sequence[str]) -> list[str]:
    """Rtsep by this very interpreter; `-P`: nothing in the home folder takes a module's place."""
    return [sys.executable, "-P", "-m", "rtsep.cli", *words]


def check_interpreter() -> None:
    """OSError where this interpreter finds rtsep only by what the shell told it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [sys.executable, "-P", "-c", "import rtsep.cli"]
    done = subprocess.run(words, env=env, cwd="/", capture_output=True, timeout=PATIENCE)
    if done.returncode != 0:
        raise OSError(f"rtsep is not installed for {sys.executable}: {sys.executable} -m pip "
                      "install rtsep")  # fmt: skip


def text(title: str, words: Sequence[str]) -> str:
    """The unit that runs rtsep with these words."""
    executable = " ".join(map(quoted, command(words)))
    return UNIT.format(mark=MARK, title=title, command=executable, target=TARGET)


def is_ours(path: Path) -> bool:
    """Whether rtsep wrote it; False where nothing is.  OSError where something else is."""
    try:
        first = path.read_bytes()[: len(MARK)]
    except FileNotFoundError:
        return False
    if first != MARK.encode():
        raise OSError(f"{shown(path)} is not rtsep's: it stays as it is")
    return True


def write(unit: Unit, contents: str) -> None:
    """Put the unit where systemd looks for it, enabled."""
    is_ours(unit.path)
    unit.link.parent.mkdir(parents=True, exist_ok=True)
    write_whole(unit.path, lambda file: file.write(contents.encode()))
    draft = unit.link.with_name(f".{unit.name}.{os.getpid()}.part")
    draft.unlink(missing_ok=True)
    draft.symlink_to(Path("..") / unit.name)
    os.replace(draft, unit.link)


def remove(unit: Unit) -> bool:
    """Take unit and link away; whether there was one."""
    found = is_ours(unit.path)
    if found or unit.link.is_symlink():
        unit.link.unlink(missing_ok=True)
    unit.path.unlink(missing_ok=True)
    return found


def systemctl(*words: str) -> str | None:
    """What the user's systemd answers; None where it does not run.  OSError where it refuses."""
    if not answers():
        return None
    done = _systemctl(*words)
    if done.returncode != 0 and words[0] not in ("is-active", "show"):
        raise OSError(f"systemctl --user {' '.join(words)}: {done.stderr.strip() or 'refused'}")
    return done.stdout.strip()


def answers() -> bool:
    """Whether the user's systemd runs."""
    if shutil.which("systemctl") is None:
        return False
    return _systemctl("show", "--property=Version").returncode == 0


def _systemctl(*words: str) -> "subprocess.CompletedProcess[str]":
    command = ["systemctl", "--user", *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        said = f"no answer in {PATIENCE:g} s"
        raise OSError(f"systemctl --user {' '.join(words)}: {said}") from None
