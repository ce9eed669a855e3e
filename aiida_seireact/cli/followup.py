"""``aiida-seireact follow-up``: is a composition that was found stable, does it conduct, is it an insulator?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_process, profile_option
from aiida_seireact.cli._submission import checked, list_protocols, submit, tell_trouble

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
IMAGES = (".svg", ".png", ".pdf")
FS_PER_NS = 1e6


@click.command("follow-up", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("composition", metavar="FORMULA|PK")
@click.option("--parent", metavar="NAME|FILE.cif", help="Phase of the library, or CIF, whose sites it has, as Li2S.")
@click.option("--site", metavar="LABEL", help="Sites that the ions share; default: those that the new elements fit on.")
@click.option("--charge", "charges", multiple=True, metavar="El=Q", help="Nominal charge of a new element, e; default: "
              "its common one.")  # fmt: skip
@click.option("--repeat", type=click.IntRange(1), nargs=3, metavar="N N N", help="Of the parent's cell, in which "
              "orderings are counted; default: 1 1 2.")  # fmt: skip
@click.option("--primitive", is_flag=True, help="Repeat the primitive cell instead of the conventional one.")
@click.option("--exact", is_flag=True, help="Refuse a cell that does not hold the composition, and name one that does; "
              "default: the nearest, and it is said.")  # fmt: skip
@click.option("--max-orderings", type=click.IntRange(1), help="Of more, those of lowest electrostatic energy.")
@click.option("--temperature", "temperatures", type=click.FloatRange(0), multiple=True, metavar="K",
              help="Of entropies; default: 300.")  # fmt: skip
@click.option("--phase", "phases", multiple=True, metavar="NAME", help="Phases of the library that make the hull; "
              "default: all of its elements.")  # fmt: skip
@click.option("--cif", "cifs", type=FILE, multiple=True, metavar="FILE.cif", help="A further phase of the hull.")
@click.option("--protocol", metavar="NAME", help="Who relaxes and labels; `--protocols` tells. Default: fast (CHGNet).")
@click.option("--protocols", is_flag=True, is_eager=True, callback=lambda *args: _list(*args), expose_value=False,
              help="List the protocols and leave.")  # fmt: skip
@click.option("--overrides", type=FILE, metavar="FILE.yaml", help="Other values than those of the protocol.")
@click.option("--code", metavar="LABEL@COMPUTER", help="Program of the engine of labels.")
@click.option("--potential", metavar="MODEL_PK", help="Compiled model that runs MD of a large cell; without it: none.")
@click.option("--verdict", metavar="PK", help="Verdict on the model; default: the one of the profile that decides.")
@click.option("--unjudged", is_flag=True, help="Run a model on which there is no verdict.")
@click.option("--accept-rejected", is_flag=True, help="Run a model that was rejected.")
@click.option("--ns", type=click.FloatRange(min=0, min_open=True), help="Length of the MD, ns.")
@click.option("--md-temperature", type=click.FloatRange(min=0, min_open=True), metavar="K", help="Of the MD.")
@click.option("--atoms", type=click.IntRange(1), help="Atoms of the MD's cell, about; default: 1536.")
@click.option("--drawn", is_flag=True, help="MD begins with ions drawn over the large cell, not with copies of the "
              "lowest ordering.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be computed, and check it; submit nothing.")
@click.option("--plot", type=NEW_FILE, metavar="FILE.svg", help="With PK: draw orderings and free energy.")
@click.option("-o", "--output", type=NEW_FILE, metavar="FILE.extxyz", help="With PK: write the labelled orderings.")
@click.option("--json", "as_json", is_flag=True, help="With PK: print the result as JSON.")
def followup(
    profile: str | None,
    composition: str,
    plot: Path | None,
    output: Path | None,
    as_json: bool,
    dry_run: bool,
    **asked: Any,
) -> None:
    """Follow up a composition that was found, FORMULA, on the sites of its parent; or tell what came of it, PK.

    All orderings that symmetry tells apart are relaxed and labelled, beside the phases they could become: how far above
    their hull is it, with the entropy of its disorder? With a potential, MD of a large cell tells whether Li moves, and
    with a DFT engine there are band gaps.

    \b
    Examples:
      aiida-seireact follow-up Li2S0.72P0.14Cl0.14 --parent Li2S --dry-run
      aiida-seireact follow-up Li2S0.75P0.125Cl0.125 --parent Li2S --temperature 300 --temperature 600
      aiida-seireact follow-up Li2S0.75P0.125Cl0.125 --parent Li2S --primitive --repeat 2 2 2 --protocol qe
      aiida-seireact follow-up Li2S0.75P0.125Cl0.125 --parent Li2S --potential 1234 --ns 10 --md-temperature 600
      aiida-seireact follow-up 1300 --plot hull.svg                  what came of it
    """
    if composition.isdigit():
        load(profile)
        _tell_result(composition, plot, output, as_json)
        return
    if plot or output or as_json:
        raise click.UsageError(
            "--plot, --output and --json are of a result: give the PK of a follow-up that has ended."
        )
    if not asked["parent"]:
        raise click.UsageError("Give the --parent whose sites the composition has: a phase of the library, or a CIF.")
    load(profile)
    builder = build(composition, asked)
    tell_plan(builder)
    if dry_run:
        click.echo("Nothing was submitted (--dry-run).")
        return
    submit(builder, "status")
    tell_trouble()


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from aiida_seireact.workchains.followup import FollowUpWorkChain

        list_protocols(context, FollowUpWorkChain)


def build(composition: str, asked: Mapping[str, Any]) -> ProcessBuilder:
    """Return the builder.

    :param asked: the options of the command.
    :raises click.ClickException: the first thing that does not fit.
    """
    from aiida.common.exceptions import NotExistent

    from aiida_seireact.cli.cif_files import texts_of
    from aiida_seireact.cli.demo_overrides import read_overrides
    from aiida_seireact.cli.label import find
    from aiida_seireact.cli.produce import model_of
    from aiida_seireact.cli.verdicts import verdict_on
    from aiida_seireact.workchains.followup import FollowUpWorkChain
    from aiida_seireact.workchains.protocol import merge

    potential = model_of(asked["potential"]) if asked["potential"] else None
    code = find(asked["code"])
    parent = Path(asked["parent"])
    is_file = parent.suffix.lower() == ".cif"
    try:
        overrides = merge(read_overrides(asked["overrides"]), _changes(asked))
        builder = FollowUpWorkChain.get_builder_from_protocol(
            composition,
            None if is_file else asked["parent"],
            cif=parent.read_text(encoding="utf-8", errors="replace") if is_file else None,
            phases=asked["phases"] or None,
            cifs=texts_of(asked["cifs"], in_graph=True),
            potential=potential,
            codes={} if code is None else {"label": code},
            protocol=asked["protocol"],
            overrides=overrides,
        )
    except (ValueError, NotExistent, OSError) as error:
        raise click.ClickException(" ".join(str(error).split())) from None
    if potential is not None:
        _give_verdict(builder, asked, verdict_on(potential))
    return checked(builder)


def _give_verdict(builder: ProcessBuilder, asked: Mapping[str, Any], known: Any) -> None:
    from aiida import orm

    from aiida_seireact.cli._profile import load_node

    node = load_node(asked["verdict"]) if asked["verdict"] else known
    if node is None:
        builder.md.unjudged = asked["unjudged"]
        return
    builder.md.verdict = node
    if asked["accept_rejected"]:
        builder.md.accept_rejected = orm.Bool(True)


def _changes(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the options say as overrides of the protocol.

    :raises ValueError: a charge that can't be read.
    """
    parameters: dict[str, Any] = {"charges": {}}
    for told in asked["charges"]:
        symbol, _, charge = told.partition("=")
        try:
            parameters["charges"][symbol] = float(charge)
        except ValueError:
            raise ValueError(f"--charge is El=Q, as P=-3, not {told}.") from None
    named = {"site": asked["site"], "max_orderings": asked["max_orderings"], "repeat": list(asked["repeat"] or ())}
    parameters |= {name: value for name, value in named.items() if value}
    if asked["temperatures"]:
        parameters["temperatures_k"] = list(asked["temperatures"])
    parameters |= {name: value for name, value in (("primitive", asked["primitive"]),) if value}
    if asked["exact"]:
        parameters["nearest"] = False
    cell: dict[str, Any] = {"arrangement": "drawn"} if asked["drawn"] else {}
    if asked["atoms"]:
        cell["n_atoms"] = asked["atoms"]
    if cell:
        parameters["md"] = cell
    md: dict[str, Any] = {}
    if asked["md_temperature"]:
        md["temperature_k"] = asked["md_temperature"]
    if asked["ns"]:
        from aiida_seireact.workchains.produce import ProduceWorkChain

        timestep = ProduceWorkChain.get_protocol_inputs("long")["parameters"]["md"]["timestep_fs"]
        md["steps"] = max(1, round(asked["ns"] * FS_PER_NS / timestep))
    return {"parameters": parameters, **({"md": {"parameters": {"md": md}}} if md else {})}


def tell_plan(builder: ProcessBuilder) -> None:
    """Say what would be computed: orderings, labels, atoms, steps of MD.

    :raises click.ClickException: the orderings can't be listed.
    """
    from aiida_seireact.cli.build_frames import composition as told
    from aiida_seireact.formats.disorder import read_settings
    from aiida_seireact.formats.followup import FollowUpSettings, make_orderings, md_cell
    from aiida_seireact.formats.jobs.lmp import SegmentSettings
    from aiida_seireact.science.structures.phase_cells import phase_cells, read_cifs

    settings = read_settings(FollowUpSettings, builder.parameters.get_dict())
    try:
        made = make_orderings(settings)
        cifs = {name: node.get_content() for name, node in dict(builder.cifs).items()}
        phases = phase_cells(builder.phases.get_list(), read_cifs(cifs))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    report = made.report
    click.echo(f"{report['composition']} on the sites {report['site']} of {report['parent']}; {told(report['counts'])}")
    for remark in report["remarks"]:
        click.echo(remark)
    number = f"{report['n_orderings']} orderings of {report['n_arrangements']} arrangements"
    click.echo(f"{number}; degeneracies {', '.join(str(row['degeneracy']) for row in report['rows'])}")
    atoms = len(made.frames) * report["n_atoms"] + sum(map(len, phases))
    relaxed = "relaxed first, then " if builder.relax.get("code") is not None else ""
    click.echo(
        f"{len(made.frames) + len(phases)} cells with {atoms} atoms together {relaxed}labelled by "
        f"{builder.label.engine.value}: {len(made.frames)} orderings and "
        f"{', '.join(str(cell.info['config_type']) for cell in phases)}"
    )
    if builder.gap.get("engine") is not None:
        click.echo(f"{min(settings.gap_orderings, len(made.frames))} band gaps by {builder.gap.engine.value}")
    else:
        click.echo("no band gap: this engine computes no levels")
    if builder.md.get("potential") is not None:
        md = SegmentSettings.model_validate(builder.md.parameters.get_dict()).md
        cell = md_cell(settings, made.frames, 0)
        steps = f"{md.steps:,} steps of {md.timestep_fs:g} fs ({md.steps * md.timestep_fs / FS_PER_NS:g} ns)"
        click.echo(f"MD of {cell.n_atoms[0]:,} atoms: {steps} at {md.temperature_k:g} K")
    else:
        click.echo("no MD: there is no --potential")


# ---------------------------------------------------------------- what came of it
def _tell_result(name: str, plot: Path | None, output: Path | None, as_json: bool) -> None:
    node = load_process(name)
    if "followup" not in node.outputs:
        raise click.ClickException(
            f"Process <{node.pk}> has no output `followup`: `aiida-seireact status {node.pk}` tells how far it is."
        )
    found = node.outputs.followup.get_dict()
    if plot is not None:
        draw(found, plot)
    if output is not None:
        from aiida_seireact.formats.extxyz import write_extxyz

        write_extxyz(output, node.outputs.orderings.frames)
        click.echo(str(output), err=True)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    tell(found)
    if node.exit_status:
        click.echo(f"It ended with {node.exit_status}: {node.exit_message}")


def draw(found: Mapping[str, Any], path: Path) -> None:
    """Draw a result to a file.

    :raises click.UsageError: no kind of picture.
    """
    from aiida_seireact.cli.render.figures_followup import above_the_hull
    from aiida_seireact.figures.saving import save_picture

    if path.suffix not in IMAGES:
        raise click.UsageError(f"--plot draws {', '.join(IMAGES)}, by the end of the name: not {path.name}.")
    click.echo(str(save_picture(above_the_hull(found), path)), err=True)


def tell(found: Mapping[str, Any]) -> None:
    """Print a result: sentences, orderings, the hull, what there is to know."""
    from aiida_seireact.cli.build_frames import tell_rows

    for sentence in found["sentences"]:
        click.echo(sentence)
    rows = [
        {**row, "above": f"{row['above_hull_mev_per_atom']:.1f}", "formation": f"{row['formation_ev_per_atom']:.4f}"}
        for row in found["stability"]["orderings"]
    ]
    columns = {"name": "ordering", "degeneracy": "degeneracy", "above": "above hull (meV/atom)",
               "formation": "from elements (eV/atom)"}  # fmt: skip
    tell_rows(rows, columns)
    hull = [
        {
            **row,
            "above": f"{1000 * row['above_hull_ev_per_atom']:.1f}",
            "formation": f"{row['formation_ev_per_atom']:.4f}",
        }
        for row in found["stability"]["hull"]
    ]
    tell_rows(hull, {"name": "phase", "above": "above hull (meV/atom)", "formation": "from elements (eV/atom)"})
    for remark in found["remarks"]:
        click.echo(remark)
