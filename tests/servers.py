"""Sound servers for the tests: each a child in a folder of its own, stopped by its process id.

`pulse()`, `pipewire()` and `jack()` are context managers that yield a running `Server`. PulseAudio
and PipeWire come with three nodes: play into `mic_feed` (its monitor is the microphone), play into
`virt_out`, record from `rtsep_mic`. Nothing here changes this process's environment: pass
`server.env` to a subprocess.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

PROGRAMS = {
    "pulse": ("pulseaudio", "pactl", "parec"),
    "pipewire": ("dbus-daemon", "pipewire", "wireplumber", "pipewire-pulse", "pw-cli", "pactl"),
    "jack": ("jackd", "jack_lsp", "jack_freewheel"),
}
PATIENCE = 20.0  # seconds for a server to answer or to leave
_numbers = count()


@dataclass
class Server:
    """A running sound server: `env` leads a subprocess to it, `folder` holds its logs."""

    env: dict[str, str]
    folder: Path
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    commands: list[tuple[tuple[str, ...], dict[str, str] | None]] = field(default_factory=list)

    def start(self, *command: str, env: dict[str, str] | None = None) -> None:
        self.commands.append((command, env))
        log = (self.folder / f"{command[0]}.log").open("ab")
        # The kernel ends the child with us, however we end.
        guarded = ["setpriv", "--pdeathsig", "KILL", *command]
        with log:
            child = subprocess.Popen(
                guarded, env=env or self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.children.append(child)

    def answers(self, *command: str) -> bool:
        done = subprocess.run(command, env=self.env, capture_output=True, timeout=PATIENCE)
        return done.returncode == 0

    def wait_for(self, *command: str) -> None:
        end = time.monotonic() + PATIENCE
        while not self.answers(*command):
            dead = [child.args for child in self.children if child.poll() is not None]
            if dead or time.monotonic() > end:
                raise RuntimeError(f"no answer to {command}; ended: {dead}\n{self.logs()}")
            time.sleep(0.1)

    def wait_for_last(self, *command: str) -> None:
        """As `wait_for`, but for a server started again after `kill`."""
        end = time.monotonic() + PATIENCE
        while not self.answers(*command) and time.monotonic() < end:
            time.sleep(0.1)

    def logs(self) -> str:
        return "\n".join(f"{log.name}: {log.read_text()}" for log in self.folder.glob("*.log"))

    def freewheel(self, on: bool) -> None:
        """JACK only: run as fast as the clients can, every period computed in full."""
        subprocess.run(["jack_freewheel", "y" if on else "n"], env=self.env, check=True)

    def kill(self) -> None:
        """End all of it at once, as a crash would."""
        for child in self.children:
            child.kill()
            child.wait()

    def start_again(self, *question: str) -> None:
        """The same after `kill`; it has come up when the question is answered."""
        commands, self.commands = self.commands, []
        self.children.clear()
        for command, env in commands:
            self.start(*command, env=env)
            self.wait_for_last(*question)

    def stop(self) -> None:
        for child in reversed(self.children):
            child.terminate()
            try:
                child.wait(PATIENCE / 4)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextmanager
def _server(**places: str) -> Iterator[Server]:
    # Not pytest's tmp_path: a socket's path may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="rtsep-"))
    env = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    env.pop("DBUS_SESSION_BUS_ADDRESS", None)
    server = Server(env | {k: v.format(folder=folder) for k, v in places.items()}, folder)
    (folder / "run").mkdir(mode=0o700)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def pulse() -> Iterator[Server]:
    """PulseAudio at 48 kHz, mono; PortAudio's device is `pulse`, usable from 0.03 s of latency."""
    run = "{folder}/run"
    places = {"XDG_RUNTIME_DIR": run, "PULSE_RUNTIME_PATH": run, "PULSE_STATE_PATH": run}
    places |= {"PULSE_SERVER": "unix:{folder}/run/native", "PULSE_COOKIE": "{folder}/cookie"}
    nodes = {"PULSE_SOURCE": "mic_feed.monitor", "PULSE_SINK": "virt_out"}
    sink = "module-null-sink sink_name={} rate=48000 channels=1 format=float32le"
    modules = [
        "module-native-protocol-unix auth-anonymous=1 socket={folder}/run/native",
        sink.format("mic_feed"),
        sink.format("virt_out"),
        "module-remap-source source_name=rtsep_mic master=virt_out.monitor",
    ]
    with _server(**places) as server:
        options = "-n --daemonize=no --exit-idle-time=-1 --use-pid-file=no --log-target=stderr"
        loads = [word for m in modules for word in ("-L", m.format(folder=server.folder))]
        home = server.env | {"HOME": str(server.folder)}
        server.start("pulseaudio", *options.split(), *loads, env=home)
        server.wait_for("pactl", "info")
        # A null sink that nobody hears at low latency works in steps of 2 s: listen to both.
        for sink_name in ("mic_feed", "virt_out"):
            listen = ("parec", "-d", f"{sink_name}.monitor", "--latency-msec=5", "--raw")
            server.start("sh", "-c", 'exec "$@" >/dev/null', "sh", *listen)
        time.sleep(2.5)
        server.env |= nodes
        yield server


_PIPEWIRE = """
context.properties = {{
  default.clock.rate = 48000 default.clock.quantum = {quantum}
  default.clock.min-quantum = 32 default.clock.max-quantum = 1024
  vm.overrides = {{ default.clock.min-quantum = 32 }}  # else 1024 in a virtual machine
}}
context.objects = [ {nodes} ]
"""
_NODE = """{{ factory = adapter args = {{ factory.name = support.null-audio-sink
  node.name = {0} node.description = {0} media.class = {1}
  audio.position = [ MONO ] object.linger = true }} }}"""


@contextmanager
def pipewire(quantum: int = 128) -> Iterator[Server]:
    """PipeWire with its PulseAudio face; `through_jack(server.env)` shows its nodes as JACK's."""
    run = "{folder}/run"
    places = {"XDG_RUNTIME_DIR": run, "PIPEWIRE_RUNTIME_DIR": run}
    places |= {"XDG_CONFIG_HOME": "{folder}/config", "XDG_STATE_HOME": "{folder}/state"}
    places |= {"PULSE_SERVER": f"unix:{run}/pulse/native", "PULSE_COOKIE": "{folder}/cookie"}
    classes = {"mic_feed": "Audio/Sink", "virt_out": "Audio/Sink"}
    classes |= {"rtsep_mic": "Audio/Source/Virtual"}
    nodes = "\n".join(_NODE.format(name, kind) for name, kind in classes.items())
    with _server(**places, DBUS_SESSION_BUS_ADDRESS=f"unix:path={run}/bus") as server:
        config = server.folder / "config/pipewire/pipewire.conf.d/10-test.conf"
        config.parent.mkdir(parents=True)
        config.write_text(_PIPEWIRE.format(quantum=quantum, nodes=nodes))
        bus = server.env["DBUS_SESSION_BUS_ADDRESS"]
        server.start("dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={bus}")
        server.wait_for("test", "-S", str(server.folder / "run/bus"))
        server.start("pipewire")
        server.wait_for("pw-cli", "info", "0")
        server.start("wireplumber")
        server.start("pipewire-pulse")
        server.wait_for("sh", "-c", "pactl list short sources | grep -q rtsep_mic")
        for port in ("-o virt_out:monitor_MONO", "-i rtsep_mic:input_MONO"):
            server.wait_for("sh", "-c", f"pw-link {port} | grep -q .")
        # The session manager chooses the defaults last.
        chosen = 'pactl list short sources | grep -q "$(pactl get-default-source)"'
        server.wait_for("sh", "-c", chosen)
        yield server


def through_jack(env: dict[str, str]) -> dict[str, str]:
    """The same environment with PipeWire's own libjack in front of any other."""
    found = sorted(Path("/usr/lib").glob("*/pipewire-0.3/jack/libjack.so.0"))
    if not found:
        raise FileNotFoundError("pipewire-0.3/jack/libjack.so.0 (Debian: pipewire-jack)")
    return env | {"LD_PRELOAD": str(found[0])}


@contextmanager
def jack(period: int = 128, rate: int = 48000) -> Iterator[Server]:
    """JACK on its dummy device, one channel each way; `server.freewheel(True)` for exact runs."""
    name = f"rtsep_test_{os.getpid()}_{next(_numbers)}"
    places = {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
    real_time = ("-R", "-P70") if os.geteuid() == 0 else ("-r",)
    device = f"-d dummy -r {rate} -p {period} -C 1 -P 1".split()
    with _server(**places, JACK_NO_AUDIO_RESERVATION="1") as server:
        command = ("jackd", *real_time, "--name", name, *device)
        server.start(*command)
        server.wait_for("jack_lsp")
        yield server
        if server.children[0].poll() is not None:
            # A killed jackd keeps one of the machine's eight slots until one of its name ends well.
            server.start(*command)
            server.wait_for_last("jack_lsp")


def missing(kind: str) -> list[str]:
    """Programs that `kind` of server lacks on this machine."""
    return [program for program in PROGRAMS[kind] if shutil.which(program) is None]


def host_steal() -> tuple[int, int]:
    """Ticks that the host took from this virtual machine, and all ticks, since its start."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split()[1:9]]
    return ticks[7], sum(ticks)


def steal_since(before: tuple[int, int]) -> float:
    """Stolen share (0..1) of the time since `before = host_steal()`: quote it beside any xrun."""
    stolen, total = host_steal()
    return (stolen - before[0]) / max(total - before[1], 1)


def start_systemd(server: Server) -> bool:
    """Start a user's systemd beside a sound server, for units that use it; whether it came up.

    It wants a /run of a machine that systemd booted: it gets one of its own.
    """
    own = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec "
    server.start("unshare", "--mount", "sh", "-c", own + "/usr/lib/systemd/systemd --user")
    manager, end = server.children[-1], time.monotonic() + PATIENCE
    while time.monotonic() < end and manager.poll() is None:
        if server.answers("systemctl", "--user", "show", "--property=Version"):
            return True
        time.sleep(0.1)
    return False
