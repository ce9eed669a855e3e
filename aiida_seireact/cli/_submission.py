"""What the commands share that submit: check a builder, tell of trouble, wait, and say how it went."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import ProcessNode


def checked(builder: ProcessBuilder) -> ProcessBuilder:
    """Return the builder if its process takes it.

    :raises click.ClickException: the first thing that does not fit.
    """
    problem = builder.process_class.spec().inputs.validate(builder._inputs(prune=True))
    if problem is not None:
        raise click.ClickException(" ".join(problem.message.split()))
    return builder


def submit(builder: ProcessBuilder, *, wait: bool) -> ProcessNode:
    """Submit, say how to look at it, and stay until it is done if asked.

    :raises click.ClickException: it was waited for, and failed.
    """
    from aiida import engine

    from aiida_seireact.cli.watchdog import signs_of_trouble

    node = engine.submit(builder)
    click.echo(f"Submitted {node.process_label} <{node.pk}>.  aiida-seireact watch {node.pk}")
    for sign in signs_of_trouble():
        click.secho(f"{sign} `aiida-seireact doctor --mend` looks after it.", fg="yellow", err=True)
    while wait and not node.is_terminated:
        time.sleep(1.0)
    if wait and not node.is_finished_ok:
        raise click.ClickException(node.exit_message or f"{node.process_label} <{node.pk}> did not finish.")
    return node


def scheduler_options(
    walltime_hours: float | None, nodes: int, ranks: int, queue: str | None, account: str | None
) -> dict[str, Any]:
    """Return options of AiiDA's jobs, without those that nobody named."""
    options: dict[str, Any] = {"resources": {"num_machines": nodes, "num_mpiprocs_per_machine": ranks}}
    if walltime_hours is not None:
        options["max_wallclock_seconds"] = round(walltime_hours * 3600)
    named: Mapping[str, Any] = {"queue_name": queue, "account": account}
    return {**options, **{name: value for name, value in named.items() if value is not None}}
