"""``aiida-seireact adhesion``: what it takes to part two slabs, of labelled frames in files or in the profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_node, profile_option

if TYPE_CHECKING:
    from aiida_seireact.data.frames import FramesData
    from aiida_seireact.formats.frames import Frames


@click.command("adhesion", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("frames", metavar="FILE[@N]…|PK[@N]…", nargs=-1, required=True)
@click.option("--cut", type=click.FloatRange(0, 1), nargs=2, metavar="LOW HIGH", help="Cut the slabs out of a joined "
              "cell: what lies between these heights, fractions of the cell, and the rest.")  # fmt: skip
@click.option("--vacuum", type=click.FloatRange(min=0, min_open=True), default=15.0, show_default=True, metavar="Å",
              help="With --cut: around each slab.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.extxyz",
              help="With --cut of a file: write the three cells there.")  # fmt: skip
@click.option("--interfaces", type=click.IntRange(1, 2), help="Of the joined cell, that the energy is divided by. "
              "Default: 1 with a vacuum of 6 Å in it, else 2.")  # fmt: skip
def adhesion(
    profile: str | None,
    frames: tuple[str, ...],
    cut: tuple[float, float] | None,
    vacuum: float,
    output: Path | None,
    interfaces: int | None,
) -> None:
    """Tell the work of separation: W = (E of the one slab + E of the other − E joined) / (n · area).

    FRAMES are three labelled cells: the joined one, which has most atoms, and each slab alone, with vacuum around it
    and the same area; of one file or shard, or of several, `@N` the N-th frame from 0. All are labelled by the same
    engine and settings. Without vacuum the slabs of the joined cell touch twice: n is 2.

    Slabs frozen as they are in the joined cell (--cut) give the rigid work of separation; slabs relaxed alone the
    relaxed one, which is smaller and often called work of adhesion. With PKs the result is a node whose links lead to
    the labels.

    \b
    Examples:
      aiida-seireact adhesion cell.extxyz --cut 0.31 0.72 -o three.extxyz
      aiida-seireact label three.extxyz --wait -o labelled.extxyz
      aiida-seireact adhesion labelled.extxyz
      aiida-seireact adhesion 1234@0 --cut 0.31 0.72      a cell of the profile: then label, then adhesion of its PK
      aiida-seireact adhesion 1301 1305@2 1305@3          three labelled frames of the profile
    """
    if cut is None and output is not None:
        raise click.UsageError("--output is for --cut.")
    named = [_parted(word) for word in frames]
    in_files = [Path(name).is_file() for name, _ in named]
    if any(in_files) and not all(in_files):
        lost = named[in_files.index(False)][0]
        raise click.ClickException(
            f"There is no file {lost}: give files, or PKs of the profile, not both; `aiida-seireact dataset import` "
            "brings a file in."
        )
    if cut is not None and len(named) > 1:
        raise click.UsageError("--cut takes one joined cell.")
    try:
        if all(in_files):
            _of_files(named, cut, vacuum, output, interfaces)
        else:
            _of_nodes(profile, named, cut, vacuum, output, interfaces)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _parted(word: str) -> tuple[str, int | None]:
    """Return a name and which of its frames."""
    name, at, row = word.rpartition("@")
    return (name, int(row)) if at and row.isdigit() else (word, None)


def _of_files(
    named: list[tuple[str, int | None]],
    cut: tuple[float, float] | None,
    vacuum: float,
    output: Path | None,
    interfaces: int | None,
) -> None:
    from aiida_seireact.programs._adhesion import adhesion_of, joined_and_slabs, three_of

    parts = [(_read(Path(name)), row) for name, row in named]
    if cut is None:
        _tell(adhesion_of(three_of(parts), interfaces))
        return
    if output is None:
        raise click.UsageError("--cut of a file writes three cells: name their file by --output.")
    found = joined_and_slabs(parts[0][0], _one_of(parts[0][0], named[0]), *cut, vacuum)
    found.to_extxyz(output)
    _tell_cells(found)
    click.echo(f"{output}: label it, `aiida-seireact label {output} --wait -o labelled.extxyz`.")


def _of_nodes(
    profile: str | None,
    named: list[tuple[str, int | None]],
    cut: tuple[float, float] | None,
    vacuum: float,
    output: Path | None,
    interfaces: int | None,
) -> None:
    if lost := [name for name, _ in named if not name.replace("-", "").isalnum()]:
        raise click.ClickException(f"There is no file {lost[0]}.")
    if output is not None:
        raise click.UsageError("--output is for files: the cells of a PK become a node.")
    load(profile)
    from aiida import orm

    from aiida_seireact.calculations.functions.adhesion import cut_slabs, work_of_adhesion
    from aiida_seireact.programs._adhesion import adhesion_of, joined_and_slabs, three_of

    nodes = [_shard(name) for name, _ in named]
    # Refused before anything is stored.
    if cut is not None:
        row = _one_of(nodes[0].frames, named[0])
        _tell_cells(joined_and_slabs(nodes[0].frames, row, *cut, vacuum))
        cuts = {"frame": row, "low": cut[0], "high": cut[1], "vacuum_ang": vacuum}
        cells = cut_slabs(nodes[0], orm.Dict(cuts))
        click.echo(f"FramesData <{cells.pk}>: label it, `aiida-seireact label {cells.pk} --wait`.")
        return
    adhesion_of(three_of([(node.frames, row) for node, (_, row) in zip(nodes, named, strict=True)]), interfaces)
    rows = {f"shard_{number}": row for number, (_, row) in enumerate(named)}
    shards = {f"shard_{number}": node for number, node in enumerate(nodes)}
    found = work_of_adhesion(orm.Dict({"rows": rows, "n_interfaces": interfaces}), **shards)
    _tell(found.get_dict())
    click.echo(f"Dict <{found.pk}>  aiida-seireact trace {found.pk}")


def _read(path: Path) -> Frames:
    from aiida_seireact.formats.frames import Frames

    if path.suffix == ".npz":
        return Frames.load(path)
    if path.suffix in (".extxyz", ".xyz"):
        return Frames.from_extxyz(path)
    from ase.io import read

    try:
        return Frames.from_atoms(read(path, index=":"))
    except Exception as error:  # whatever a reader of ASE met
        raise click.ClickException(f"{path} can't be read by ASE ({' '.join(str(error).split())}).") from None


def _shard(identifier: str) -> FramesData:
    from aiida import orm

    from aiida_seireact.data.frames import FramesData

    node = load_node(identifier)
    if isinstance(node, orm.WorkChainNode) and node.is_finished_ok and "frames" in node.outputs:
        node = node.outputs.frames  # a labelling
    if not isinstance(node, FramesData):
        raise click.ClickException(
            f"{identifier} is {type(node).__name__}, no frames and no finished labelling: `aiida-seireact label` makes "
            "labelled frames."
        )
    return node


def _one_of(frames: Frames, named: tuple[str, int | None]) -> int:
    name, row = named
    if row is None and len(frames) > 1:
        raise click.ClickException(f"{name} holds {len(frames)} frames: say which one is the joined cell, {name}@0.")
    if row is not None and row >= len(frames):
        raise click.ClickException(f"There is no frame {row} among the {len(frames)} of {name}: they count from 0.")
    return row or 0


def _tell_cells(frames: Frames) -> None:
    for number, atoms in enumerate(frames.iter_atoms()):
        click.echo(f"{number} {atoms.info['config_type']}: {atoms.get_chemical_formula('metal')}")


def _tell(found: dict[str, Any]) -> None:
    click.echo(f"work = {found['work_j_per_m2']:.4f} J/m²  ({found['work_ev_per_ang2']:.6f} eV/Å²)")
    click.echo(f"over {found['n_interfaces']} interface(s) of {found['area_ang2']:.3f} Å²; energies {found['energy']}")
    for name, energy in found["energies_ev"].items():
        click.echo(f"  {name}: {energy:.6f} eV")
    if not found["settings_hash"]:
        click.echo("The frames do not say how they were labelled: that all three were labelled alike is your word.")
