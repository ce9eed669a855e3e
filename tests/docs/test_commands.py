"""Every command and option that the pages name exists: ours, the programs' and verdi's."""

from __future__ import annotations

import re
import shlex
from importlib import import_module

import click
import pytest
from aiida.cmdline.commands.cmd_verdi import verdi
from aiida_vasp.commands import cmd_aiida_vasp

from aiida_seireact.cli.build import build
from aiida_seireact.cli.dataset import dataset
from aiida_seireact.cli.main import cli
from tests.docs._pages import PAGES, ROOT, all_blocks, prose

PROGRAMS = (
    "label",
    "flare",
    "train",
    "compile",
    "lmp",
    "pair-style",
    "select",
    "validate",
    "curate",
    "sample",
    "classify",
    "analyse",
    "build",
)
COMMANDS: dict[str, click.Command] = {
    "aiida-seireact": cli,
    "aiida-vasp": cmd_aiida_vasp,
    "verdi": verdi,
    **{
        f"seireact-{name}": import_module(f"aiida_seireact.programs.{name.replace('-', '_')}").main for name in PROGRAMS
    },
}


def named_commands() -> dict[str, str]:
    """Return each command line of ours or of verdi in the pages, with the place of its first use."""
    found: dict[str, str] = {}
    for block in all_blocks("console"):
        for line in block.text.splitlines():
            for part in line.removeprefix("$ ").split(" && "):
                found.setdefault(part.strip(), block.where)
    for page in PAGES:
        for span in re.findall(r"`([^`\n]+)`", prose(page)):
            found.setdefault(span.strip(), str(page.relative_to(ROOT)))
    return {line: where for line, where in found.items() if line.split()[0].rsplit("/", 1)[-1] in COMMANDS}


LINES = named_commands()


def options_of(command: click.Command) -> dict[str, click.Parameter]:
    """Return the options of a command by the words that call them."""
    found: dict[str, click.Parameter] = {}
    for parameter in command.params:
        found |= dict.fromkeys((*parameter.opts, *parameter.secondary_opts), parameter)
    return found


@pytest.mark.parametrize("line", sorted(LINES))
def test_command_and_options_exist(line: str) -> None:
    program, *words = shlex.split(line)
    command = COMMANDS[program.rsplit("/", 1)[-1]]
    known = options_of(command)
    while words:
        word = words.pop(0)
        if word.startswith("-"):
            if word in ("--help", "-h", "--version", "-V"):
                continue
            assert word in known, f"{LINES[line]}: `{line}`: {command.name} has no option {word}"
            parameter = known[word]
            if not (isinstance(parameter, click.Option) and parameter.is_flag) and words:
                words.pop(0)
        elif isinstance(command, click.Group):
            inner = command.get_command(click.Context(command), word)
            assert inner is not None, f"{LINES[line]}: `{line}`: {command.name} has no command {word}"
            command, known = inner, options_of(inner)


def test_options_named_without_a_command_are_options_of_ours() -> None:
    context = click.Context(cli)
    known = {word for name in cli.list_commands(context) for word in options_of(cli.get_command(context, name) or cli)}
    known |= {word for inner in dataset.commands.values() for word in options_of(inner)}
    known |= {
        word for name in build.list_commands(context) for word in options_of(build.get_command(context, name) or cli)
    }
    known |= {"--help", "--dry-run"}
    for page in PAGES:
        for span in re.findall(r"`(--[a-z-]+)`", prose(page)):
            assert span in known, f"{page.name}: {span}"


def test_the_pages_name_every_command_of_ours() -> None:
    used = {line.split()[1] for line in LINES if line.startswith("aiida-seireact ") and len(line.split()) > 1}
    assert set(cli.list_commands(click.Context(cli))) <= used
