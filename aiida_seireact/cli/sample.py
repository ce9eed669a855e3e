"""``aiida-seireact sample``: a first training set from a plan, in files or in the profile."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, profile_option, without_tracebacks
from aiida_seireact.cli._submission import checked

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from ase import Atoms

    from aiida_seireact.formats.frames import Frames

FILE = click.Path(dir_okay=False, path_type=Path)
GIVEN = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("sample", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("words", metavar="PLAN.yaml", nargs=-1, required=True)
@click.option("--write-plan", is_flag=True, help="Print a plan with comments for these phases and cells, and leave.")
@click.option("--cells", "cell_files", type=GIVEN, multiple=True, metavar="FILE",
              help="Cells to draw from (extxyz, CIF, POSCAR, …); the config_type of a frame, or else the name of the "
              "file, is the name of the cell. May be given again.")  # fmt: skip
@click.option("--budget", type=click.IntRange(1), help="Frames that may be labelled; default: that of the plan.")
@click.option("--seed", type=click.IntRange(0), help="Master seed; default: that of the plan.")
@click.option("--labeller", metavar="NAME", help="Calculator or engine that will label (chgnet, emt, vasp, …): one "
              "without isolated atoms gets no dimers either.")  # fmt: skip
@click.option("-o", "--out", type=FILE, metavar="FILE.extxyz", help="Write the frames chosen; isolated atoms go to "
              "FILE-atoms.extxyz.")  # fmt: skip
@click.option("--report", type=FILE, metavar="FILE", help="Write what is covered: .html, .svg, .png or .json.")
@click.option("--dry-run", is_flag=True, help="Draw and tell; write, store and submit nothing.")
@click.option("--store", is_flag=True, help="Run SampleWorkChain in this process: relax the cells, melt, draw, store.")
@click.option("--submit", is_flag=True, help="Give SampleWorkChain to the daemon.")
@click.option("--overrides", type=GIVEN, metavar="FILE.yaml", help="With --store or --submit: other values than those "
              "of its protocol, `{calculator: emt, relax: null}`.")  # fmt: skip
def sample(
    profile: str | None,
    words: tuple[str, ...],
    write_plan: bool,
    cell_files: tuple[Path, ...],
    budget: int | None,
    seed: int | None,
    labeller: str | None,
    out: Path | None,
    report: Path | None,
    dry_run: bool,
    store: bool,
    submit: bool,
    overrides: Path | None,
) -> None:
    """Draw a first training set: crystals, defects, surfaces, interfaces, amorphous cells, dimers, atoms.

    A plan names classes of frames, and phases by name or cells that are given. Without a profile everything but
    melting is done on files alone; with --store or --submit cells are relaxed and melts quenched first.

    \b
    Examples:
      aiida-seireact sample --write-plan Li Li2S > plan.yaml
      aiida-seireact sample plan.yaml --dry-run              what would it cover, what is missing?
      aiida-seireact sample plan.yaml --labeller chgnet --budget 60 -o pool.extxyz --report coverage.html
      aiida-seireact sample plan.yaml --cells interface.cif --submit
    """
    from aiida_seireact.cli.sample_plan import commented_plan, read_plan
    from aiida_seireact.cli.sample_report import form_of

    if write_plan:
        click.echo(commented_plan(words), nl=False)
        return
    if len(words) != 1:
        raise click.UsageError(f"Give one plan, not {len(words)}; names of phases go with --write-plan.")
    if not Path(words[0]).is_file():
        raise click.UsageError(f"There is no file {words[0]}: `--write-plan Li Li2S > plan.yaml` makes a first one.")
    if store and submit:
        raise click.UsageError("--store runs it here, --submit gives it to the daemon: choose one.")
    if overrides is not None and not (store or submit):
        raise click.UsageError("--overrides are of SampleWorkChain: give --store or --submit too.")
    if submit and (out or report):
        raise click.UsageError("--out and --report write what is there; with --submit nothing is yet: use --store.")
    if report is not None:
        form_of(report)
    plan = read_plan(Path(words[0]), seed=seed, budget=budget)
    cells = read_cells(cell_files)
    if (store or submit) and not dry_run:
        in_profile(profile, plan, cells, labeller, overrides, submit=submit, out=out, report=report)
        return
    on_files(plan, cells, labeller, out=None if dry_run else out, report=None if dry_run else report)
    if dry_run:
        click.echo("Nothing was written (--dry-run).")


def read_cells(paths: tuple[Path, ...]) -> Frames | None:
    """Return the cells of files, each with its name as config type.

    :raises click.ClickException: a file that ASE can't read, or a cell that must not be used.
    """
    from ase.io import read

    from aiida_seireact.formats.frames import Frames, FramesError

    images: list[Atoms] = []
    for path in paths:
        try:
            found = list(Frames.load(path).iter_atoms()) if path.suffix == ".npz" else read(path, index=":")
        except Exception as error:  # whatever a reader of ASE met
            reason = " ".join(str(error).split()) or type(error).__name__
            raise click.ClickException(f"{path} can't be read ({reason}): is it whole, and of a known form?") from None
        for atoms in found:
            atoms.info.setdefault("config_type", path.stem)
            atoms.info.setdefault("group", f"cell/{atoms.info['config_type']}")
        images += found
    if not images:
        return None
    try:
        frames = Frames.from_atoms(images, labels="ignore")
        frames.validate()
    except FramesError as error:
        raise click.ClickException(str(error)) from None
    return frames


def on_files(
    plan: dict[str, Any], cells: Frames | None, labeller: str | None, *, out: Path | None, report: Path | None
) -> None:
    """Draw here, by the very program that runs in a profile.

    :raises click.ClickException: what the program refuses.
    """
    from aiida_seireact.cli.sample_report import rows_of, tell, write_report
    from aiida_seireact.formats import files
    from aiida_seireact.formats.frames import Frames, FramesError
    from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
    from aiida_seireact.formats.jobs.sample import SampleJob
    from aiida_seireact.programs.sample import run

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job: dict[str, Any] = {"plan": plan, "labeller": labeller}
        if cells is not None:
            cells.save(folder / files.FRAMES)
            job["cells"] = files.FRAMES
        try:
            outputs = run(SampleJob.model_validate(job), folder, lambda line: click.echo(line, err=True))
        except (InvalidInput, MissingPackage, FramesError) as error:
            raise click.ClickException(str(error)) from None
        tell(outputs["coverage"], outputs["choice"])
        if report is not None:
            write_report(report, outputs["coverage"], rows_of(folder / files.SELECTION))
            click.echo(str(report))
        if out is not None:
            Frames.load(folder / files.SAMPLED).to_extxyz(folder / "sampled.extxyz")
            shutil.copyfile(folder / "sampled.extxyz", out)
            click.echo(str(out))
            if "atoms" in outputs["files"]:
                beside = out.with_name(f"{out.stem}-atoms{out.suffix}")
                Frames.load(folder / files.ISOLATED_ATOMS).to_extxyz(beside)
                click.echo(str(beside))


def in_profile(
    profile: str | None,
    plan: dict[str, Any],
    cells: Frames | None,
    labeller: str | None,
    overrides: Path | None,
    *,
    submit: bool,
    out: Path | None,
    report: Path | None,
) -> None:
    """Run SampleWorkChain here, or give it to the daemon.

    :raises click.ClickException: what does not fit, or how it failed.
    """
    from aiida_seireact.cli.demo_overrides import read_overrides

    values = read_overrides(overrides)
    load(profile)
    builder = build(plan, cells, labeller, values)
    from aiida import engine

    if submit:
        node = engine.submit(builder)
        click.echo(f"Submitted {node.process_label} <{node.pk}>.  aiida-seireact status {node.pk} --follow")
        return
    from aiida_seireact.cli.sample_report import tell, write_report

    with without_tracebacks():
        outputs, node = engine.run_get_node(builder)
    if not node.is_finished_ok:
        raise click.ClickException(node.exit_message or f"{node.process_label} <{node.pk}> did not finish.")
    coverage, choice = outputs["coverage"].get_dict(), outputs["choice"].get_dict()
    tell(coverage, choice)
    click.echo(f"FramesData <{outputs['frames'].pk}>  aiida-seireact label {outputs['frames'].pk}")
    if "atoms" in outputs:
        click.echo(f"Isolated atoms: FramesData <{outputs['atoms'].pk}>")
    if report is not None:
        rows = {name: outputs["selection"].get_array(name) for name in outputs["selection"].get_arraynames()}
        write_report(report, coverage, rows)
        click.echo(str(report))
    if out is not None:
        outputs["frames"].frames.to_extxyz(out)
        click.echo(str(out))


def build(
    plan: dict[str, Any], cells: Frames | None, labeller: str | None, overrides: dict[str, Any]
) -> ProcessBuilder:
    """Return the builder, checked.

    :raises click.ClickException: the first thing that does not fit.
    """
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    from aiida_seireact.data.frames import FramesData
    from aiida_seireact.workchains.sample import SampleWorkChain

    try:
        builder = SampleWorkChain.get_builder_from_protocol(
            None if cells is None else FramesData(cells), overrides={**overrides, "plan": plan}
        )
    except (ValueError, NotExistent) as error:
        raise click.ClickException(" ".join(str(error).split())) from None
    if labeller is not None:
        builder.label = orm.Dict({"calculator": {"name": labeller}})
    return checked(builder)
