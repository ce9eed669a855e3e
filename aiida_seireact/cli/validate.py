"""``aiida-seireact validate``: hold a model against a scorecard, and show the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_node, load_process, profile_option, terminal
from aiida_seireact.cli._submission import checked, follow, list_protocols, submit, tell_trouble

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import Node, ProcessNode

    from aiida_seireact.science.validation.lines import AskedRun

GIVEN = click.Path(exists=True, dir_okay=False, path_type=Path)


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from aiida_seireact.workchains.validate import ValidateWorkChain

        list_protocols(context, ValidateWorkChain)


@click.command("validate", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("model", metavar="[MODEL_PK]", required=False)
@click.option("--dataset", metavar="PK", help="The dataset whose test frames are held out; default: that of the model.")
@click.option(
    "--compiled", metavar="PK", help="The same model compiled for LAMMPS; default: the newest in the profile."
)
@click.option("--run", "runs", multiple=True, metavar="NAME=PK",
              help="A run of this model that exists, for a line that looks at it: no new one is made.")  # fmt: skip
@click.option("--phases", metavar="FILE|PK", help="Cells of the phases, the name of each as config type; default: "
              "those of the library.")  # fmt: skip
@click.option("--protocol", metavar="NAME", help="fast, balanced, …; --list-protocols shows them.")
@click.option("--list-protocols", is_flag=True, is_eager=True, expose_value=False, callback=_list,
              help="List the protocols and leave.")  # fmt: skip
@click.option("--level", metavar="NAME", help="Level of theory of the labels, a protocol of `seireact.label`; default: "
              "what labelled the dataset.")  # fmt: skip
@click.option("--without", multiple=True, metavar="LINE", help="Leave out a line of the scorecard.")
@click.option("--overrides", type=GIVEN, metavar="FILE.yaml", help="Other values than those of the protocol, nested as "
              "in it: `scorecard: {lines: {forces: {target: {max: 0.3}}}}`.")  # fmt: skip
@click.option("--show", metavar="PK", help="Show the verdict of a validation that has ended, or a verdict, and leave.")
@click.option("--frames", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.extxyz",
              help="With --show or --follow: write the frames that failed lines name, with labels.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show the lines and what they would compute; submit nothing.")
@click.option("--follow", "wait", is_flag=True, help="Wait for the verdict and show it; exit status 1 if rejected.")
def validate(
    profile: str | None,
    model: str | None,
    dataset: str | None,
    compiled: str | None,
    runs: tuple[str, ...],
    phases: str | None,
    protocol: str | None,
    level: str | None,
    without: tuple[str, ...],
    overrides: Path | None,
    show: str | None,
    frames: Path | None,
    dry_run: bool,
    wait: bool,
) -> None:
    """Hold a model against a scorecard: may it be used for production?

    MODEL_PK is a package, a compiled file or a Gaussian process. Each line of the scorecard is a test with a target:
    errors on frames the model never saw, energies of the products and of their reaction, volumes, elastic constants,
    MD that must be stable. The cells that lines ask for are labelled once for all models. A model that misses one
    target is rejected, and the verdict tells the number, the target and the frames that show it.

    \b
    Examples:
      aiida-seireact validate 1234 --dry-run            what is tested, and what would be computed?
      aiida-seireact validate 1234 --follow
      aiida-seireact validate 1234 --protocol balanced --without structure
      aiida-seireact validate --show 1300               the scorecard of a validation that has ended
      aiida-seireact models                             all models, with their verdicts
    """
    from aiida_seireact.cli.demo_overrides import read_overrides

    if (model is None) == (show is None):
        raise click.UsageError("Give a model to validate, or --show a validation that has ended.")
    if frames is not None and not (show or wait):
        raise click.UsageError("--frames are those of a verdict: give --show or --follow with it.")
    load(profile)
    if show is not None:
        show_verdict(load_node(show), frames)
        return
    changes = {**read_overrides(overrides), **({} if level is None else {"level": level})}
    builder = build(str(model), dataset, compiled, runs, phases, protocol, changes, without)
    tell_plan(checked(builder))
    if dry_run:
        click.echo("Nothing was submitted (--dry-run).")
        return
    node = submit(builder)
    if not wait:
        tell_trouble()
        return
    if not follow(node, _stage).is_finished_ok:
        raise click.ClickException(node.exit_message or f"{node.process_label} <{node.pk}> did not finish.")
    if not show_verdict(node, frames):
        raise SystemExit(1)


def build(
    model: str,
    dataset: str | None,
    compiled: str | None,
    runs: tuple[str, ...],
    phases: str | None,
    protocol: str | None,
    changes: Mapping[str, Any],
    without: tuple[str, ...],
) -> ProcessBuilder:
    """Return the builder of a validation.

    :raises click.ClickException: the first thing that does not fit.
    """
    from aiida.common.exceptions import NotExistent

    from aiida_seireact.cli.label import read_frames
    from aiida_seireact.cli.produce import model_of
    from aiida_seireact.data.lineage import compiled_of, dataset_of
    from aiida_seireact.workchains.protocol import merge
    from aiida_seireact.workchains.validate import ValidateWorkChain

    potential = model_of(model)
    dropped = {"scorecard": {"lines": dict.fromkeys(without)}} if without else {}
    try:
        known = ValidateWorkChain.get_protocol_inputs(protocol)["scorecard"]["lines"]
        if foreign := [name for name in without if name not in known]:
            raise ValueError(f"--without {foreign[0]}: the scorecard has the lines {', '.join(known)}.")
        return ValidateWorkChain.get_builder_from_protocol(
            potential,
            compiled_of(potential) if compiled is None else model_of(compiled),
            dataset_of(potential) if dataset is None else _dataset(dataset),
            None if phases is None else read_frames(phases),
            dict(_run(text) for text in runs),
            protocol=protocol,
            overrides=merge(changes, dropped),
        )
    except (ValueError, NotExistent) as error:
        raise click.ClickException(" ".join(str(error).split())) from None


def _dataset(name: str) -> Any:
    from aiida_seireact.data.dataset import DatasetData

    node = load_node(name)
    if not isinstance(node, DatasetData):
        raise click.ClickException(f"Node {node.pk} is a {type(node).__name__}; a dataset is a DatasetData.")
    return node


def _run(text: str) -> tuple[str, Node]:
    name, _, pk = text.partition("=")
    if not name or not pk:
        raise click.UsageError(f"--run {text}: write NAME=PK, the name that a line asks for and a trajectory.")
    node = load_node(pk)
    found = node.outputs.trajectory if hasattr(node, "outputs") and "trajectory" in node.outputs else node
    return name, found


def tell_plan(builder: ProcessBuilder) -> None:
    """Show each line, and what would be computed for it."""
    from rich.table import Table

    from aiida_seireact.formats.scorecard import read_scorecard
    from aiida_seireact.workchains.validate_checks import phases_given

    inputs = builder._inputs(prune=True)
    card = read_scorecard(inputs["scorecard"].get_dict())
    phases = phases_given(inputs)
    static, runs, alone = card.static(phases), card.runs(phases), card.alone(phases)
    table = Table(title=f"scorecard {card.name}", title_justify="left")
    for name in ("line", "test", "target", "needs", "why"):
        table.add_column(name, overflow="fold")
    for name, line in card.lines.items():
        needs = []
        if line.needs_held_out and "dataset" in inputs:
            needs.append(f"{len(inputs['dataset'].frame_ids('test'))} held-out frames")
        needs += [f"{len(static[name])} labels"] if static[name] else []
        needs += [f"{len(alone[name])} cells alone"] if alone[name] else []
        needs += [_run_told(run, handed_in=run.name in inputs.get("runs", {})) for run in runs[name]]
        table.add_row(name, line.test, line.target.text(), "\n".join(needs) or "nothing new", line.why)
    terminal().print(table)


def _run_told(run: AskedRun, *, handed_in: bool) -> str:
    if handed_in or run.atoms is None:
        return f"run {run.name}" + (", handed in" if handed_in else ", to be handed in")
    return f"MD of {run.subject} by the {run.by}: {len(run.atoms)} atoms, {run.steps:,} steps"


def show_verdict(node: Node, frames: Path | None = None) -> bool:
    """Show the verdict of a validation, or a verdict; return whether it is for production.

    :param frames: file for the frames that failed lines name.
    :raises click.ClickException: it is something else, or has none.
    """
    from aiida.orm import Dict, ProcessNode

    from aiida_seireact.cli.render.verdicts import scorecard_table
    from aiida_seireact.formats.verdict import VerdictError, read_verdict

    why: dict[str, str] = {}
    content = node
    if isinstance(node, ProcessNode):
        content = verdict_of(node)
        if "scorecard" in node.inputs:
            lines = node.inputs.scorecard.get_dict()["lines"]
            why = {name: line.get("why", "") for name, line in lines.items() if line}
    if not isinstance(content, Dict):
        raise click.ClickException(f"Node {node.pk} is a {type(node).__name__}: give a validation or its verdict.")
    values = content.get_dict()
    try:
        verdict = read_verdict(values, str(values.get("model_hash", "")))
    except VerdictError as error:
        raise click.ClickException(str(error)) from None
    console = terminal()
    console.print(scorecard_table(verdict, why))
    if frames is not None and verdict.failed:
        from aiida_seireact.cli.verdict_frames import save_frames

        if not isinstance(node, ProcessNode):
            raise click.ClickException(f"--frames needs the validation, not its verdict <{node.pk}>: give its PK.")
        save_frames(node, verdict, frames)
    return verdict.decision == "production"


def verdict_of(node: ProcessNode) -> Node:
    """Return the verdict of a process.

    :raises click.ClickException: it has none, and why.
    """
    process = load_process(str(node.pk))
    if "verdict" in process.outputs:
        found: Node = process.outputs.verdict
        return found
    if not process.is_terminated:
        raise click.ClickException(f"{process.process_label} <{process.pk}> has not ended: `aiida-seireact status "
                                   f"{process.pk} --follow` waits for it.")  # fmt: skip
    why = process.exit_message or "it judges no model"
    raise click.ClickException(f"{process.process_label} <{process.pk}> has no verdict: {why}")


def _stage(node: ProcessNode) -> str:
    """Return what is running."""
    running = [child for child in node.called if not child.is_terminated]
    return ", ".join(f"{child.process_label} <{child.pk}>" for child in running) or "planning"
