"""The command `rtsep`.  Nothing heavy is imported before a command runs."""

import io
import os
import signal
import sys
from typing import Annotated

import typer

from rtsep.cli.denoise import denoise
from rtsep.cli.devices import devices
from rtsep.cli.evaluate import Greedy, evaluate
from rtsep.cli.learn import learn
from rtsep.cli.live import live
from rtsep.cli.midi import midi
from rtsep.cli.models import models
from rtsep.cli.options import one_line
from rtsep.cli.preset import preset
from rtsep.cli.remote import bypass, get, set_, teach, watch
from rtsep.cli.route import route
from rtsep.cli.service import service
from rtsep.cli.train import train
from rtsep.cli.tune import tune

app = typer.Typer(
    name="rtsep",
    help="Separate the sound you know from everything else, live.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (denoise, live, learn, tune, train, devices, get, watch, bypass, teach):
    app.command()(command)
app.command("set", context_settings={"ignore_unknown_options": True})(set_)
app.command(cls=Greedy)(evaluate)
for group in (models, midi, preset, route, service):
    app.add_typer(group)

BAD_INPUT, STOPPED, TERMINATED = 2, 130, 143


def show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"rtsep {version('rtsep')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Separate the sound you know from everything else, live."""


def refuse(error: Exception) -> None:
    """Say what is wrong with what we were given, and leave."""
    print(f"rtsep: {one_line(error)}", file=sys.stderr)
    if getattr(error, "must_exit", False):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(BAD_INPUT)
    sys.exit(BAD_INPUT)


def end(*_: object) -> None:
    """Of SIGTERM: leave as after an exception, nothing half made behind."""
    sys.exit(TERMINATED)


def ready_streams() -> None:
    """A closed standard output or error is a silent one; a letter that either lacks is escaped."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # no other file takes the place of a closed one, where libraries would write into it
    os.close(number)
    for number, name in enumerate(("stdout", "stderr"), 1):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(number, "w"))
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def run() -> None:
    """Entry point: a wrong value, kind, model file or device is one line and exit code 2."""
    ready_streams()
    signal.signal(signal.SIGTERM, end)
    try:
        app()
    except BrokenPipeError:
        os._exit(1)
    except (ValueError, TypeError, OSError, ImportError) as error:
        refuse(error)
    except KeyboardInterrupt:
        sys.exit(STOPPED)
