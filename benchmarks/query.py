"""Each query of publication data on studies of 1,000 labels, 100 models and 10 runs, beside loading node by node.

The peer walks the processes called by each study and loads every output it wants, as is done where no query is written.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import numpy as np

from benchmarks.dataset import empty_profile, timed


def loaded(tops: list[int], process_type: str, label: str) -> Iterator[Any]:
    """Yield an output of each job of a kind that ended well, one node after another."""
    from aiida import orm

    for top in tops:
        for process in orm.load_node(top).called_descendants:
            if process.process_type == process_type and process.is_sealed and process.exit_status == 0:
                yield process.base.links.get_outgoing(link_label_filter=label).one().node


def peer_labels(tops: list[int]) -> Any:
    """Return the energy per atom of each label."""
    shards = (node.frames for node in loaded(tops, "aiida.calculations:seireact.ase", "frames"))
    return np.concatenate([frames.energy / frames.n_atoms for frames in shards])


def peer_parity(tops: list[int]) -> Any:
    """Return the predicted forces of each model."""
    found = loaded(tops, "aiida.calculations:seireact.allegro", "predictions")
    return np.concatenate([node.get_array("forces_predicted").ravel() for node in found])


def peer_costs(tops: list[int]) -> Any:
    """Return the core hours of each MD job, by its own clock."""
    found = [node.get_dict() for node in loaded(tops, "aiida.calculations:seireact.lammps", "performance")]
    return np.array([3.6 / 3600 * one["ranks"] * one["threads"] for one in found])


FULL = {"labels": 1_000, "models": 100, "runs": 10}
LIMIT_S = 1.0
"""What no query may take on studies of the full size."""
PEERS: dict[str, tuple[Callable[[list[int]], Any], Callable[[Any], Any]]] = {
    "labels": (peer_labels, lambda table: table["energy_ev_per_atom"]),
    "parity": (peer_parity, lambda table: table.query("quantity == 'forces'")["predicted"]),
    "costs": (peer_costs, lambda table: table.query("kind == 'MD'")["core_hours"]),
}
"""By query, the other way to its numbers, and where they are in its table."""


def too_slow(spent: Mapping[str, float], sizes: Mapping[str, int]) -> str:
    """Return a sentence that names the queries that took too long for studies of the full size; empty if none did."""
    late = [f"{name} ({seconds:.2f} s)" for name, seconds in spent.items() if seconds >= LIMIT_S]
    return f"too slow, {LIMIT_S:g} s or more: {', '.join(late)}" if late and sizes == FULL else ""


def build(n_runs: int, n_labels: int, n_models: int, *, packed: bool) -> tuple[list[int], int, int]:
    """Store studies; return the PKs of their top processes, the number of nodes and the bytes of their files."""
    from aiida import orm

    from benchmarks._bulk import Bulk
    from benchmarks._study import Sizes, Study

    computer = orm.Computer(
        label="here", hostname="localhost", transport_type="core.local", scheduler_type="core.direct"
    ).store()
    bulk = Bulk()
    sizes = Sizes(labels=n_labels // n_runs, models=n_models // n_runs)
    tops = [Study(bulk, number, sizes, computer.pk).build() for number in range(n_runs)]
    pks, n_bytes = bulk.store(packed=packed)
    return [pks[top] for top in tops], len(pks), n_bytes


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--labels", "n_labels", default=FULL["labels"], show_default=True, help="Labelling jobs, in all runs together."
)
@click.option(
    "--models", "n_models", default=FULL["models"], show_default=True, help="Trainings, in all runs together."
)
@click.option("--runs", "n_runs", default=FULL["runs"], show_default=True, help="Studies, each with one long run.")
@click.option("--loose", is_flag=True, help="Leave each file alone, as before `verdi storage maintain`.")
def main(n_labels: int, n_models: int, n_runs: int, loose: bool) -> None:
    """Ask every query for all studies at once; the last line is `ratio = <seconds node by node / ours>`.

    It ends with 1 if the other way finds other numbers, or if a query of the default sizes took 1 s or more.
    """
    warnings.simplefilter("ignore")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("aiida-core", "pandas", "numpy"))
    with empty_profile():
        from aiida_seireact import query

        seconds, (tops, n_nodes, n_bytes) = timed(lambda: build(n_runs, n_labels, n_models, packed=not loose))
        click.echo(
            f"{n_labels} labels of 228 atoms, {n_models} models, {n_runs} runs: {n_nodes} nodes, {n_bytes / 1e6:.0f} MB"
        )
        click.echo(f"files {'alone' if loose else 'in packs'}; stored in bulk in {seconds:.1f} s; 1 thread")
        click.echo(f"Python {platform.python_version()}, {versions}; SQLite profile")
        names = [name for name in query.__all__ if name[0].islower() and name != "walked"]
        query.processes(tops[0])  # what is imported and compiled once is not counted
        tables, spent, of_cpu = {}, {}, {}
        click.echo(f"{'':<16}{'seconds':>8}{'of CPU':>8}{'rows':>10}")
        for name in names:
            begin = time.process_time()
            spent[name], tables[name] = timed(lambda name=name: getattr(query, name)(tops))  # type: ignore[misc]
            of_cpu[name] = time.process_time() - begin
            click.echo(f"{name:<16}{spent[name]:8.2f}{of_cpu[name]:8.2f}{len(tables[name]):10d}")
        same, theirs, ours = True, 0.0, sum(spent[name] for name in PEERS)
        for name, (peer, column) in PEERS.items():
            took, found = timed(lambda peer=peer: peer(tops[:1]))  # type: ignore[misc]
            equal = np.array_equal(found, column(tables[name].query("run == 'run 0'")))
            click.echo(
                f"{name} of one run node by node: {took:.2f} s, of all in a table: {spent[name]:.2f} s; same: {equal}"
            )
            same, theirs = same and equal, theirs + took * n_runs
    click.echo(f"slowest: {max(spent.values()):.2f} s on the clock, {max(of_cpu.values()):.2f} s of CPU")
    click.echo(f"node by node: {theirs:.1f} s for all runs, scaled from one, beside {ours:.2f} s")
    if late := too_slow(spent, {"labels": n_labels, "models": n_models, "runs": n_runs}):
        click.echo(late)
    click.echo(f"ratio = {theirs / ours:.1f}")
    if late or not same:
        sys.exit(1)


if __name__ == "__main__":
    main()
