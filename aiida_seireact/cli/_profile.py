"""What the commands share: the option --profile, and loading profile, node and process."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from aiida.manage.configuration import Profile
    from aiida.orm import Node, ProcessNode
    from rich.console import Console


def profile_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``-p/--profile`` to a command; given there or before the command, as in verdi."""
    return click.option(
        "-p",
        "--profile",
        metavar="NAME",
        callback=lambda context, _, value: value or profile_before(context),
        help="AiiDA profile; default: the default profile.",
    )(command)


def profile_before(context: click.Context) -> str | None:
    """Return the profile that was named before the command: at its group, or at the top."""
    while context.parent is not None:
        context = context.parent
        if name := context.params.get("profile"):
            return str(name)
    return None


def use_this_environment() -> None:
    """Put the scripts beside this Python first on PATH: the daemon looks for `verdi` there.

    Needed when the command was called by its path, without activating the environment. Call it before
    AiiDA is imported, since AiiDA looks for `verdi` once, on import.
    """
    scripts = str(Path(sys.executable).parent)
    paths = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if paths[0] != scripts:
        os.environ["PATH"] = os.pathsep.join([scripts, *(path for path in paths if path != scripts)])


def load(name: str | None = None) -> Profile:
    """Load a profile, the default one if no name is given.

    :raises click.ClickException: there is none of that name, or none at all.
    """
    use_this_environment()
    from aiida import load_profile
    from aiida.common.exceptions import (
        ConfigurationError,
        MissingConfigurationError,
        ProfileConfigurationError,
    )
    from aiida.manage import get_config

    try:
        if name is None and get_config().default_profile_name is None:
            raise MissingConfigurationError
        return load_profile(name, allow_switch=True)
    except ProfileConfigurationError:
        known = ", ".join(get_config().profile_names) or "none"
        raise click.ClickException(
            f"There is no AiiDA profile {name!r} (there is: {known}): `aiida-seireact setup --profile {name}` makes it."
        ) from None
    except MissingConfigurationError:
        raise click.ClickException(
            "There is no AiiDA profile yet: `aiida-seireact setup` makes one. "
            "(Or AIIDA_PATH points elsewhere: the demo's profile is found after `source demo/env.sh`.)"
        ) from None
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def without_tracebacks() -> Iterator[None]:
    """Let a process that refuses its input say so in one sentence; its traceback goes to the node alone."""
    console = [handler for handler in logging.getLogger("aiida").handlers if type(handler) is logging.StreamHandler]
    levels = [handler.level for handler in console]
    for handler in console:
        handler.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler, level in zip(console, levels, strict=True):
            handler.setLevel(level)


def load_node(identifier: str) -> Node:
    """Return a node by PK, UUID or the beginning of a UUID.

    :raises click.ClickException: no node, or more than one.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.manage import get_manager

    try:
        return orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        profile = get_manager().get_profile()
        raise click.ClickException(
            f"No single node {identifier!r} in profile {profile.name if profile else '?'!r} ({error}): "
            "`verdi process list -a` shows what is there; --profile chooses another profile."
        ) from None


def load_process(identifier: str) -> ProcessNode:
    """Return a process by PK or UUID.

    :raises click.ClickException: no such node, or not a process.
    """
    from aiida.orm import ProcessNode

    node = load_node(identifier)
    if not isinstance(node, ProcessNode):
        raise click.ClickException(
            f"Node {node.pk} is a {type(node).__name__}, not a process: "
            f"`aiida-seireact trace {node.pk}` tells where it came from."
        )
    return node


def terminal() -> Console:
    """Return the terminal to write tables on."""
    from rich.console import Console

    console = Console(highlight=False)
    # Behind a pipe the width is a guess of 80, too narrow for a hash or for five columns.
    return console if console.is_terminal else Console(highlight=False, width=140)
