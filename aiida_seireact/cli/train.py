"""``aiida-seireact train``: a dataset to a model, or to a committee, over as many jobs as it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_node, profile_option
from aiida_seireact.cli._submission import checked, follow, list_protocols, scheduler_options, submit, tell_trouble

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import AbstractCode, Node, ProcessNode

# Of the walltime, what a job spends on epochs; the rest is for its start, package and tests.
WALLTIME_SHARE = 0.9
WALLTIME_LEFT_S = 120
TARGETS = ("pair_allegro", "ase", "batch", "mliap", "none")
GIVEN = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("train", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("dataset", metavar="DATASET_PK")
@click.option("--protocol", metavar="NAME", help="fast, balanced or paper; `--protocols` tells. Default: fast.")
@click.option("--protocols", is_flag=True, is_eager=True, callback=lambda *args: _list(*args), expose_value=False,
              help="List the protocols and leave.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), help="Epochs at most; default: those of the protocol.")
@click.option("--seed", type=click.IntRange(0), help="Of first weights and order of frames.")
@click.option("--committee", type=click.IntRange(2, 32), metavar="N", help="Train N that differ by their seed: where "
              "they disagree they are unsure.")  # fmt: skip
@click.option(
    "--parent", metavar="MODEL_PK", help="A package to start from: an earlier model, or one trained elsewhere."
)
@click.option("--checkpoint", metavar="PK", help="Go on where an earlier training of the same settings stopped.")
@click.option(
    "--energies", metavar="PK", help="Energies of the atoms (`seireact.atoms`); default: fitted to the frames."
)
@click.option(
    "--learner", type=click.Choice(["allegro", "nequip"]), help="Network; default: allegro, which LAMMPS runs."
)
@click.option("--gpus", type=click.IntRange(1), metavar="N", help="Train on N GPUs of one machine; SLURM is asked for "
              "them. And compile for a GPU; default: one core.")  # fmt: skip
@click.option("--target", type=click.Choice(TARGETS), help="Whom the model is compiled for; default: pair_allegro.")
@click.option("--code", metavar="LABEL@COMPUTER", help="seireact-train; default: the newest that setup made.")
@click.option("--compile-code", metavar="LABEL@COMPUTER", help="seireact-compile; default: the newest that setup made.")
@click.option("--overrides", type=GIVEN, metavar="FILE.yaml", help="Other values than those of the protocol, nested as "
              "in it: `parameters: {settings: {lr: 0.01}}`. What an option says wins over it; what only follows from "
              "one (`max_time_s` from --walltime, `compile.device` from --gpus) does not.")  # fmt: skip
@click.option("--walltime", type=click.FloatRange(min=0, min_open=True), metavar="HOURS", help="Of each job; it ends "
              "by itself a little before, and the next one goes on.")  # fmt: skip
@click.option("--queue", metavar="NAME", help="Queue, or partition, of the scheduler.")
@click.option("--account", metavar="NAME", help="Account that the scheduler charges.")
@click.option("--scheduler-line", "lines", multiple=True, metavar="LINE", help="A line for the head of each job's "
              "script, as `#SBATCH --gpus=h100:1`; may be repeated.")  # fmt: skip
@click.option(
    "--dry-run", is_flag=True, help="Say what would run and what it would cost, and check it; submit nothing."
)
@click.option("--follow", "--wait", "wait", is_flag=True, help="Stay until it is done, and say how it goes.")
def train(
    profile: str | None,
    dataset: str,
    dry_run: bool,
    wait: bool,
    overrides: Path | None,
    walltime: float | None,
    queue: str | None,
    account: str | None,
    lines: tuple[str, ...],
    **chosen: Any,
) -> None:
    """Train a network on a dataset of the profile, test it on frames it never saw, and compile it for MD.

    A job ends after the last epoch that fits into its walltime, and the next one goes on from its checkpoint as if
    there had been no end. A training that diverges, or does not fit into memory, is tried with half the learning rate,
    or half the batch. `aiida-seireact dataset import` makes a dataset, `dataset info` tells what is in it.

    \b
    Examples:
      aiida-seireact train 812 --dry-run                      epochs, frames, CPU hours
      aiida-seireact train 812 --follow
      aiida-seireact train 812 --protocol paper --gpus 1 --walltime 24 --queue gpu
      aiida-seireact train 812 --committee 4
      aiida-seireact train 901 --parent 850 --epochs 20       more frames: on from an earlier model
    """
    from aiida_seireact.cli.demo_overrides import read_overrides
    from aiida_seireact.workchains.protocol import merge

    options = scheduler_options(walltime=walltime, nodes=1, ranks=1, queue=queue, account=account)
    values = read_overrides(overrides)
    load(profile)
    if walltime is not None:
        left = max(1.0, round(WALLTIME_SHARE * walltime * 3600 - WALLTIME_LEFT_S))
        values = merge({"parameters": {"settings": {"max_time_s": left}}}, values)
    if chosen["gpus"] is not None:
        values = merge({"compile": {"device": "cuda"}}, values)
    builder = build(dataset, chosen, merge(values, {"parameters": {"settings": _settings(chosen)}}), options)
    if asked := scheduler_lines(builder.code, chosen["gpus"], lines):
        builder.options = {**builder.options, "custom_scheduler_commands": "\n".join(asked)}
    tell_plan(checked(builder))
    if dry_run:
        click.echo("Nothing was submitted (--dry-run).")
        return
    node = submit(builder)
    if not wait:
        tell_trouble()
        return
    conclude(follow(node, _pace))


def _settings(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that options name."""
    settings = {"max_epochs": chosen["epochs"], "seed": chosen["seed"], "learner": chosen["learner"]}
    if chosen["gpus"] is not None:
        settings |= {"device": "gpu", "devices": chosen["gpus"]}
    return {name: value for name, value in settings.items() if value is not None}


def scheduler_lines(code: AbstractCode, gpus: int | None, lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines that ask the scheduler of a code for its GPUs, beside those given.

    :raises click.UsageError: a scheduler whose words for that are not known here.
    """
    if gpus is None or any("gpu" in line or "gres" in line for line in lines):
        return lines
    scheduler = code.computer.scheduler_type if code.computer is not None else "core.direct"
    if scheduler == "core.slurm":
        return (f"#SBATCH --gpus={gpus}", *lines)
    if scheduler != "core.direct" and not lines:
        raise click.UsageError(
            f"How {scheduler} is asked for {gpus} GPUs is not known here: say it by --scheduler-line, as "
            "`--scheduler-line '#PBS -l select=1:ngpus=1'`."
        )
    return lines


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from aiida_seireact.workchains.train import TrainWorkChain

        list_protocols(context, TrainWorkChain)


def build(dataset: str, chosen: dict[str, Any], values: dict[str, Any], options: dict[str, Any]) -> ProcessBuilder:
    """Return the builder of a training, or of a committee.

    :raises click.ClickException: the first thing that does not fit.
    """
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    from aiida_seireact.cli.label import find
    from aiida_seireact.data.checkpoint import CheckpointData
    from aiida_seireact.data.dataset import DatasetData
    from aiida_seireact.data.potential import PotentialData
    from aiida_seireact.workchains.committee import CommitteeWorkChain
    from aiida_seireact.workchains.train import TrainWorkChain

    if chosen["target"] not in (None, "none"):
        values = {**values, "compile": {**values.get("compile", {}), "target": chosen["target"]}}
    if chosen["committee"] and (chosen["parent"] or chosen["checkpoint"]):
        raise click.UsageError("--parent and --checkpoint are of one training; a committee begins anew.")
    data = _node(dataset, DatasetData, "a dataset", "`aiida-seireact dataset import` makes one")
    codes = find(chosen["code"]), find(chosen["compile_code"])
    try:
        if chosen["committee"]:
            builder = CommitteeWorkChain.get_builder_from_protocol(
                data, *codes, chosen["protocol"], values, options, n_members=chosen["committee"]
            )
        else:
            builder = TrainWorkChain.get_builder_from_protocol(data, *codes, chosen["protocol"], values, options)
        if chosen["target"] == "none":
            del builder.compile_code, builder.compile
        if chosen["parent"]:
            builder.parent = _node(chosen["parent"], PotentialData, "a model", "a package of an earlier training")
        if chosen["checkpoint"]:
            builder.checkpoint = _node(chosen["checkpoint"], CheckpointData, "a checkpoint", "an output of a training")
        if chosen["energies"]:
            builder.reference_energies = _node(chosen["energies"], orm.Dict, "energies", "an output of seireact.atoms")
    except (ValueError, NotExistent) as error:
        # A builder puts words of its own before those of a validator.
        raise click.ClickException(" ".join(str(error).removeprefix("invalid attribute value ").split())) from None
    return builder


def _node(name: str, kind: type[Node], what: str, where: str) -> Any:
    node = load_node(name)
    if not isinstance(node, kind):
        raise click.ClickException(f"Node {node.pk} is a {type(node).__name__}, not {what} ({where}).")
    return node


def tell_plan(builder: ProcessBuilder) -> None:
    """Say what would run and what it would cost."""
    from aiida_seireact.cli.training_cost import cost_of, n_atoms
    from aiida_seireact.formats.train_settings import TrainSettings

    data = builder.dataset
    settings = TrainSettings.model_validate(builder.parameters.get_dict().get("settings", {}))
    counts = {split: len(data.frame_ids(split)) for split in ("train", "val", "test")}
    click.echo(
        f"{counts['train']:,} frames of {', '.join(data.species)} to learn from, {counts['val']:,} to choose the epoch "
        f"by, {counts['test']:,} to test on; {n_atoms(data):,} atoms an epoch"
    )
    members = len(builder.seeds.get_list()) if "seeds" in builder else 1
    who = f"{members} members, each " if members > 1 else ""
    rate = f"learning rate {settings.lr:g}"
    where = f"{settings.devices} GPU" + "s" * (settings.devices > 1) if settings.device == "gpu" else "a core"
    click.echo(
        f"{who}{settings.learner}, {settings.max_epochs:,} epochs at most in batches of {settings.batch_size}, {rate}, "
        f"on {where}, by {builder.code.full_label}"
    )
    compiled = builder.compile.get_dict() if builder.get("compile") else {"target": "nobody"}
    target = compiled.get("target", "pair_allegro") + " on a GPU" * (compiled.get("device") == "cuda")
    limit = settings.max_time_s
    jobs = "in one job" if limit is None else f"in jobs of {limit / 3600:.3g} h of training, as many as it takes"
    click.echo(f"{jobs}; compiled for {target}")
    cost = cost_of(settings, data)
    if cost.hours is None:
        click.echo(f"cost: {cost.basis}")
        return
    every = f", {members * cost.hours:.2g} for all members" if members > 1 else ""
    click.echo(f"about {cost.hours:.2g} CPU hours{every} ({cost.basis})")


def _pace(node: ProcessNode) -> str:
    from aiida_seireact.cli.progress import progress_of

    return "; ".join(job.last_line for job in progress_of(node).jobs if job.last_line)


def conclude(node: Any) -> None:
    """Say how good the model is and where it is.

    :raises click.ClickException: it failed.
    """
    if "metrics" in node.outputs and "potential" in node.outputs:
        _tell_model("model", node.outputs.potential, node.outputs.metrics)
    elif "members" in node.outputs:
        for name in sorted(node.outputs.members):
            _tell_model(name, node.outputs.members[name], node.outputs.metrics[name])
    if "spread" in node.outputs:
        found = node.outputs.spread["spearman_by_atom"]
        click.echo(
            f"disagreement and error of an atom's force: rank correlation {found if found is None else f'{found:.2f}'}"
        )
    changes = node.outputs.changes if "changes" in node.outputs else {}
    if node.process_class.__name__ == "TrainWorkChain":
        _tell_changes("", changes)
    else:
        for name in sorted(changes):
            _tell_changes(f"{name} ", changes[name])
    if not node.is_finished_ok:
        for name in ("potential", "checkpoint"):
            if name in node.outputs:
                click.echo(f"what there is of it: {name} <{node.outputs[name].pk}>")
    if "compiled" in node.outputs:
        click.echo(f"compiled: PotentialData <{node.outputs.compiled.pk}>")
    if not node.is_finished_ok:
        raise click.ClickException(node.exit_message or f"{node.process_label} <{node.pk}> did not finish.")


def _tell_changes(who: str, changes: Any) -> None:
    for change in changes.values():
        told = ", ".join(f"{name} {item['from']:g} -> {item['to']:g}" for name, item in change["settings"].items())
        click.echo(f"{who}changed on the way, {change['why']}: {told}")


def _tell_model(name: str, potential: Any, metrics: Any) -> None:
    found = metrics["all"]
    errors = "no test frames"
    if found is not None:
        energy, force = found["energy_rmse_mev_per_atom"], found["force_rmse_ev_per_ang"]
        errors = f"{energy:.3g} meV/atom, {force:.3g} eV/Å on test frames"
    click.echo(
        f"{name} PotentialData <{potential.pk}>: best epoch {metrics['best_epoch']} of {metrics['n_epochs']}, {errors}"
    )
