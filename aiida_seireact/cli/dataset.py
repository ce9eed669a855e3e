"""``aiida-seireact dataset``: look at datasets, bring frames in and out, keep fewer, and tell what changed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_node, profile_option, terminal, without_tracebacks
from aiida_seireact.cli.dataset_curate import dedupe, filter_, subsample

if TYPE_CHECKING:
    from aiida_seireact.cli.dataset_facts import Facts, Range
    from aiida_seireact.data.dataset import DatasetData
    from aiida_seireact.formats.jobs.imports import ImportSettings

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
IMPORTED = ("extxyz", "ase-db", "vasp", "deepmd")


@click.group("dataset", context_settings=HELP)
@profile_option
def dataset(profile: str | None) -> None:
    """Look at datasets, bring frames in and out, keep fewer, tell what changed.

    \b
    Examples:
      aiida-seireact dataset info 1234                          what is in it
      aiida-seireact dataset import runs/ --level PBE-520eV     VASP runs that exist already
      aiida-seireact dataset export 1234 -o all.extxyz          for ASE, nequip and others, to the last bit
      aiida-seireact dataset diff 1200 1234                     what changed
      aiida-seireact dataset plot 1234 -o plots                 coverage, energies, forces
      aiida-seireact dataset filter 1234 --max-force 20         fewer frames; also: dedupe, subsample
    """


for command in (filter_, dedupe, subsample):
    dataset.add_command(command)


# ------------------------------------------------------------------------------------ look
@dataset.command("info", context_settings=HELP)
@profile_option
@click.argument("node", metavar="PK|UUID")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def info(profile: str | None, node: str, as_json: bool) -> None:
    """Tell what is in a dataset or a shard of frames: counts, splits, config types, level of theory, ranges."""
    load(profile)
    facts = _facts(node)
    if as_json:
        click.echo(json.dumps(asdict(facts), indent=2))
        return
    _print_facts(facts)


def _facts(identifier: str) -> Facts:
    from aiida_seireact.cli.dataset_facts import DatasetError, facts_of, table_of

    node = load_node(identifier)
    try:
        return facts_of(node, table_of(node))
    except DatasetError as error:
        raise click.ClickException(str(error)) from None


def _print_facts(facts: Facts) -> None:
    from rich.table import Table

    from aiida_seireact.cli.dataset_facts import in_words
    from aiida_seireact.cli.render.words import counted

    console = terminal()
    parts = f" ({', '.join(f'{count} {name}' for name, count in facts.by_split.items())})" if facts.by_split else ""
    console.print(f"{facts.kind} <{facts.pk}> {facts.content_hash[:12]}: {facts.n_frames} frames{parts}")
    level = f"{in_words(facts.levels)}, settings {facts.settings_hash[:12]}" if facts.settings_hash else "not labelled"
    stress = "" if facts.has_stress or not facts.settings_hash else ", without stress"
    console.print(f"labels    {level}{stress}")
    console.print(f"species   {in_words(facts.species)}; {facts.n_atoms} atoms in {counted(facts.n_shards, 'shard')}")
    console.print(f"formulas  {in_words(facts.formulas)}")
    table = Table(box=None, pad_edge=False)
    splits = list(facts.classes[0].by_split)
    for name in ("config type", *(split or "frames" for split in splits), "groups", "atoms", "Å³/atom", "K"):
        table.add_column(name, justify="left" if name == "config type" else "right")
    for name in ("energy (eV/atom)", "largest force (eV/Å)"):
        table.add_column(name, justify="right")
    for item in facts.classes:
        table.add_row(
            item.name or "–",
            *(str(item.by_split[split]) for split in splits),
            str(item.n_groups),
            _range(item.atoms, 0),
            _range(item.volume_ang3_per_atom, 1),
            _range(item.temperature_k, 0),
            _range(item.energy_ev_per_atom, 3),
            "–" if item.largest_force_ev_per_ang is None else f"{item.largest_force_ev_per_ang:.2f}",
        )
    console.print(table)


def _range(values: Range | None, decimals: int) -> str:
    if values is None:
        return "–"
    low, high = (f"{value:.{decimals}f}" for value in values)
    return low if low == high else f"{low} to {high}"


@dataset.command("diff", context_settings=HELP)
@profile_option
@click.argument("old", metavar="PK|UUID")
@click.argument("new", metavar="PK|UUID")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def diff(profile: str | None, old: str, new: str, as_json: bool) -> None:
    """Tell what changed from one dataset to another: frames added, removed, moved between splits, labelled again."""
    load(profile)
    from aiida_seireact.cli.dataset_facts import difference, in_words

    change = difference(_load_dataset(old), _load_dataset(new))
    if as_json:
        click.echo(json.dumps(asdict(change), indent=2))
        return
    for name in ("added", "removed", "moved"):
        counts = getattr(change, name)
        click.echo(f"{name:<10} {sum(counts.values()):>6}  {in_words(counts) if counts else ''}".rstrip())
    click.echo(f"unchanged  {change.unchanged:>6}")
    if change.relabelled:
        click.echo(f"{change.relabelled} of the structures that were removed are there with other labels.")
    if not change.same_level:
        click.echo("The labels are of another level of theory.")


def _load_dataset(identifier: str) -> DatasetData:
    from aiida_seireact.data.dataset import DatasetData

    node = load_node(identifier)
    if not isinstance(node, DatasetData):
        raise click.ClickException(f"Node {node.pk} is a {type(node).__name__}: give a DatasetData.")
    return node


@dataset.command("plot", context_settings=HELP)
@profile_option
@click.argument("node", metavar="PK|UUID")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("."), show_default=True,
    help="Folder for pictures and tables; made if it is not there.",
)  # fmt: skip
@click.option("--format", "image", type=click.Choice(["png", "svg"]), default="png", show_default=True)
def plot(profile: str | None, node: str, output: Path, image: str) -> None:
    """Draw what a dataset or shard covers, and write the numbers as CSV.

    Classes, compositions and temperatures by split, energies, forces and volumes by class. A temperature is known where
    the graph leads to the MD that a frame is of.
    """
    load(profile)
    from aiida_seireact.cli.dataset_facts import DatasetError, facts_of, table_of
    from aiida_seireact.cli.dataset_plot import write_plots

    found = load_node(node)
    try:
        table = table_of(found)
    except DatasetError as error:
        raise click.ClickException(str(error)) from None
    for path in write_plots(table, facts_of(found, table), output, image=image):
        click.echo(path)


# ------------------------------------------------------------------------------------ out
@dataset.command("export", context_settings=HELP)
@profile_option
@click.argument("node", metavar="PK|UUID")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="File to write; .extxyz or .npz tells the format.",
)  # fmt: skip
@click.option("--split", type=click.Choice(["train", "val", "test"]), help="Only this part of a dataset.")
@click.option("--format", "kind", type=click.Choice(["extxyz", "npz"]), help="Default: what the name of the file says.")
def export(profile: str | None, node: str, output: Path, split: str | None, kind: str | None) -> None:
    """Write the frames of a dataset or shard to a file, to the last bit.

    An extxyz holds frame ids, origin, splits, level of theory and units in its headers; nequip and ASE read it as it
    is, and `dataset import` makes the same dataset of it. An npz holds the columns of one part: give --split.
    """
    load(profile)
    from aiida_seireact.data.dataset import DatasetData
    from aiida_seireact.data.frames import FramesData
    from aiida_seireact.formats.frames import FramesError

    found = load_node(node)
    kind = kind or output.suffix[1:]
    if kind not in ("extxyz", "npz"):
        raise click.ClickException(f"{output} ends neither in .extxyz nor in .npz: say which with --format.")
    is_dataset = isinstance(found, DatasetData)
    if not is_dataset and not isinstance(found, FramesData):
        raise click.ClickException(f"Node {found.pk} is a {type(found).__name__}: give a DatasetData or a FramesData.")
    if split and not is_dataset:
        raise click.ClickException(f"Node {found.pk} is a shard and has no splits: leave --split out.")
    if kind == "npz" and is_dataset and not split:
        raise click.ClickException("An npz holds frames without their split: export each part with --split.")
    try:
        frames = found.frames(split) if is_dataset else found.frames
    except FramesError as error:
        raise click.ClickException(str(error)) from None
    if kind == "npz":
        frames.save(output)
    else:
        parts = found.split_of() if is_dataset else {}
        frames.to_extxyz(output, [parts[name] for name in frames.frame_ids] if parts else None)
    click.echo(f"{len(frames)} frames in {output}")


# ------------------------------------------------------------------------------------ in
@dataset.command("import", context_settings=HELP)
@profile_option
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(IMPORTED), help="Default: by the name, or what the folder holds.")
@click.option("--level", metavar="NAME", help="Name of the level of theory of the labels, e.g. PBE-520eV.")
@click.option(
    "--level-settings", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="FILE.json",
    help="What else decides the labels; enters the hash of the level.",
)  # fmt: skip
@click.option("--config-type", default="imported", show_default=True, help="Config type of frames that tell none.")
@click.option(
    "--group", "grouping", type=click.Choice(["run", "frame", "blocks"]), default="run", show_default=True,
    help="What is never split between training and test: a run, a frame (independent draws), or time blocks.",
)  # fmt: skip
@click.option("--blocks", "n_blocks", default=6, show_default=True, help="Time blocks a run.")
@click.option("--gap", "gap_frames", default=2, show_default=True, help="Frames left out between two time blocks.")
@click.option("--species", metavar="Li,P,S,Cl", help="Refuse frames with another species.")
@click.option("--no-stress", is_flag=True, help="Take labels without a stress, and drop it where there is one.")
@click.option("--max-force", default=50.0, show_default=True, help="Refuse frames with a larger force, eV/Å.")
@click.option("--by-hash", is_flag=True, help="Keep sha256 and size of each file, not the files: for large sources.")
@click.option("--dry-run", is_flag=True, help="Read and tell, store nothing.")
def import_(
    profile: str | None,
    source: Path,
    kind: str | None,
    level: str | None,
    level_settings: Path | None,
    config_type: str,
    grouping: str,
    n_blocks: int,
    gap_frames: int,
    species: str | None,
    no_stress: bool,
    max_force: float,
    by_hash: bool,
    dry_run: bool,
) -> None:
    """Bring frames with labels in: extxyz, an ASE database, folders of VASP runs, or DeePMD npy sets.

    The import is a process: the source, or its hash, is its input. A frame that is not sound stays out with its reason
    and costs no other. Labels of one --level may meet in a dataset, of two never.

    \b
    Examples:
      aiida-seireact dataset import runs/ --level PBE-520eV --dry-run
      aiida-seireact dataset import aimd.extxyz --level PBE-520eV --group blocks --config-type Li6PS5Cl
      aiida-seireact dataset import exported.extxyz        of ours: level and splits are in it
    """
    from pydantic import ValidationError

    from aiida_seireact.formats.jobs.base import readable
    from aiida_seireact.formats.jobs.imports import ImportSettings

    try:
        settings = ImportSettings.model_validate(
            {
                "format": kind or _guess(source),
                "level": _level(level, level_settings),
                "config_type": config_type,
                "grouping": grouping,
                "n_blocks": n_blocks,
                "gap_frames": gap_frames,
                "species": [name.strip() for name in species.split(",")] if species else None,
                "acceptance": {"stress": not no_stress, "max_force_ev_per_ang": max_force},
            }
        )
    except ValidationError as error:
        raise click.ClickException(f"This import is not possible: {readable(error)}.") from None
    try:
        if dry_run:
            _try_import(source, settings)
        else:
            load(profile)
            _import(source, settings, by_hash)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _guess(source: Path) -> str:
    if source.is_dir():
        return "deepmd" if next(source.rglob("type.raw"), None) else "vasp"
    return "ase-db" if source.suffix in (".db", ".json") else "extxyz"


def _level(name: str | None, settings: Path | None) -> dict[str, Any] | None:
    if name is None:
        if settings is not None:
            raise click.ClickException("--level-settings belong to a level: give its name too, --level NAME.")
        return None
    if settings is None:
        return {"name": name}
    try:
        return {"name": name, "settings": json.loads(settings.read_text(encoding="utf-8"))}
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{settings} is not JSON: {error}.") from None


def _try_import(source: Path, settings: ImportSettings) -> None:
    from collections import Counter

    from aiida_seireact.formats.importing import files_of, read_source

    files = files_of(source, settings.format)
    found = read_source(source, settings)
    click.echo(f"{len(files)} files of {source} would be read as {settings.format}, {len(found.frames)} frames taken.")
    for name, count in sorted(Counter(found.frames.config_type.tolist()).items()):
        click.echo(f"  {count} frames of {name}")
    click.echo(f"{len(set(found.frames.group.tolist()))} groups, level of theory {found.frames.settings_hash[:12]}")
    _tell_failures(found.failures, len(found.failures))
    click.echo("Nothing was stored (--dry-run).")


def _import(source: Path, settings: ImportSettings, by_hash: bool) -> None:
    from aiida import orm

    from aiida_seireact.calculations.functions.imports import import_frames, source_by_hash, source_kept

    kept = (source_by_hash if by_hash else source_kept)(source, settings.format)
    with without_tracebacks():
        made, process = import_frames.run_get_node(kept, orm.Dict(settings.model_dump(mode="json")))
    report = made["report"].get_dict()
    click.echo(f"import_frames <{process.pk}>: {report['n_frames']} frames in FramesData <{made['frames'].pk}>")
    if "dataset" in made:
        click.echo(f"DatasetData <{made['dataset'].pk}> {made['dataset'].content_hash[:12]}: with the splits it had")
    click.echo(f"level of theory {report['settings_hash'][:12]}; convergence: {report['convergence']}")
    _tell_failures(report["failures"], report["n_failures"])


def _tell_failures(failures: list[dict[str, Any]], count: int) -> None:
    if count:
        click.echo(f"{count} frames are not taken:")
    for failure in failures[:10]:
        click.echo(f"  frame {failure['frame']} of {failure['run']}: {failure['reason']}")
    if count > 10:
        click.echo(f"  and {count - 10} more")
