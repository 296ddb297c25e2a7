"""The README says what is so: its table of controls, and the commands it shows."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from rtsep.cli.main import app
from rtsep.engine.parameters import ENGINE, source_parameters

README = (Path(__file__).parent.parent / "README.md").read_text()


def controls():
    """Rows of the table of controls: id, range, default."""
    table = README[README.index("| parameter | range |") :].partition("\n\n")[0]
    rows = [[cell.strip(" `") for cell in row.split("|")[1:4]] for row in table.splitlines()[2:]]
    return {name: (span, first) for name, span, first in rows}


def as_told(parameter):
    if parameter.choices:
        return ", ".join(parameter.choices), parameter.default
    if parameter.switch:
        return "0, 1", f"{parameter.default:g}"
    unit = f" {parameter.unit}" if parameter.unit else ""
    return f"{parameter.low:g}..{parameter.high:g}{unit}", f"{parameter.default:g}"


def test_the_table_of_controls_is_true_and_whole():
    known = {each.id: as_told(each) for each in (*ENGINE, *source_parameters("SOURCE", kept=True))}
    span, first = known["SOURCE.gain"]
    removed = source_parameters("SOURCE", kept=False)[0].default
    known["SOURCE.gain"] = span, f"{first}; {removed:g} if removed"
    assert controls() == known


def shown():
    """Every command that stands in code, as words."""
    blocks = re.findall(r"```\n(.*?)```", README, re.DOTALL)
    lines = [line.partition("#")[0] for block in blocks for line in block.splitlines()]
    inline = [" ".join(words.split()) for words in re.findall(r"`(rtsep [^`]*)`", README)]
    found = [line.strip() for line in lines if line.startswith("rtsep ")] + inline
    return sorted({line for line in found if "..." not in line})


@pytest.mark.parametrize("line", shown())
def test_commands_and_their_options_are_there(line):
    command = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands") or not words, f"no command {words[:1]}"
    known = {option for each in command.params for option in each.opts} | {"--help", "--version"}
    options = [word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)]
    assert set(options) <= known
