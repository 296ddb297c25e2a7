"""`python -m rtsep.cli` is `rtsep`."""

from rtsep.cli.main import run

run()
