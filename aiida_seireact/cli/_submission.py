"""What the commands share that submit: check a builder, tell of trouble, wait, and say how it went."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli.interrupts import undisturbed

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import ProcessNode

    from aiida_seireact.workchains.protocol import ProtocolMixin


def checked(builder: ProcessBuilder) -> ProcessBuilder:
    """Return the builder if its process takes it.

    :raises click.ClickException: the first thing that does not fit.
    """
    problem = builder.process_class.spec().inputs.validate(builder._inputs(prune=True))
    if problem is not None:
        raise click.ClickException(" ".join(problem.message.split()))
    return builder


def submit(builder: ProcessBuilder, look: str = "watch") -> ProcessNode:
    """Submit, and say how to look at it.

    :param look: the command to do so.
    """
    from aiida import engine

    with undisturbed():
        node = engine.submit(builder)
        click.echo(f"Submitted {node.process_label} <{node.pk}>.  aiida-seireact {look} {node.pk}")
    return node


def tell_trouble() -> None:
    """Say why nobody may work on what was submitted."""
    from aiida_seireact.cli.watchdog import signs_of_trouble

    for sign in signs_of_trouble():
        click.secho(f"{sign} `aiida-seireact doctor --mend` looks after it.", fg="yellow", err=True)


def follow(node: ProcessNode, line_of: Callable[[Any], str]) -> Any:
    """Wait until a process has ended, and return it; say how far it is.

    :param line_of: returns that in a line; told when it changes.
    :raises click.ClickException: nobody works on it.
    """
    from aiida_seireact.cli.watchdog import signs_of_trouble

    told = ""
    while not node.is_terminated:
        for sign in signs_of_trouble():
            raise click.ClickException(
                f"{sign} The process is kept: `aiida-seireact doctor --mend`, then "
                f"`aiida-seireact status {node.pk} --follow`."
            )
        if (line := line_of(node)) != told:
            click.echo(told := line, err=True)
        time.sleep(1.0)
    return node


def list_protocols(context: click.Context, workchain: type[ProtocolMixin]) -> None:
    """Print the protocols of a WorkChain, each with a sentence, and leave."""
    default = workchain.get_default_protocol()
    for name, description in workchain.get_available_protocols().items():
        click.echo(f"{name}{' (default)' if name == default else ''}: {description}")
    context.exit()


def scheduler_options(
    *, walltime: float | None, nodes: int, ranks: int, queue: str | None, account: str | None
) -> dict[str, Any]:
    """Return options of AiiDA's jobs, without those that nobody named.

    :param walltime: hours.
    """
    options: dict[str, Any] = {"resources": {"num_machines": nodes, "num_mpiprocs_per_machine": ranks}}
    if walltime is not None:
        options["max_wallclock_seconds"] = round(walltime * 3600)
    named: Mapping[str, Any] = {"queue_name": queue, "account": account}
    return {**options, **{name: value for name, value in named.items() if value is not None}}
