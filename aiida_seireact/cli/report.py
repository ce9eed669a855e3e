"""``aiida-seireact report``: a page, its numbers and its figures about one or more processes, from the graph alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_seireact.cli._profile import load, load_process, profile_option

if TYPE_CHECKING:
    from aiida.orm import ProcessNode

    from aiida_seireact.cli.render.gather import ReportData
    from aiida_seireact.figures.files import Format

FORMATS: tuple[Format, ...] = ("pdf", "svg", "png")
REPORT_FILE = "report.html"
SUMMARY_FILE = "summary.json"


@click.command("report", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("processes", metavar="PK|UUID...", nargs=-1, required=True)
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("."), show_default=True,
    help="Folder for report.html, summary.json and figures/; made if it is not there.",
)  # fmt: skip
@click.option(
    "-f", "--format", "formats", type=click.Choice(["pdf", "svg", "png"]), multiple=True,
    help="Of the pictures in figures/, may be given several times; default: all three. Each has its CSV and sources.",
)  # fmt: skip
@click.option("--no-figures", is_flag=True, help="Write no figures/: the page alone, in a few seconds.")
@click.option("--open", "show", is_flag=True, help="Open the report in the browser.")
def report(
    profile: str | None,
    processes: tuple[str, ...],
    output: Path,
    formats: tuple[Format, ...],
    no_figures: bool,
    show: bool,
) -> None:
    """Write the report of a process: report.html for people, summary.json for programs, figures/ for a paper.

    report.html needs nothing beside it and no network. It works on finished, running and failed processes: what is
    there is shown, what is missing is told with its reason. Of several processes it shows the runs on one axis.

    \b
    Examples:
      aiida-seireact report 1234 -o report        the whole story of one study
      aiida-seireact report 1234 2345 -o both     two runs beside each other
      aiida-seireact report 1234 -f pdf           pictures in figures/ as PDF only
    """
    from aiida_seireact.cli.render.pictures import REFUSED

    load(profile)
    nodes = [load_process(process) for process in dict.fromkeys(processes)]
    try:
        runs, written = write_reports(nodes, output, () if no_figures else formats or FORMATS)
    except OSError as error:
        raise click.ClickException(
            f"The report can't be written to {error.filename or output}: {error.strerror or error}. "
            "Make room, or name another folder by --output."
        ) from error
    for data in runs:
        for line in key_numbers(data):
            click.echo(line)
    for name, why in runs[0].missing.items():
        if name.startswith(REFUSED):
            click.secho(f"The {name} can't be drawn: {why}", fg="yellow", err=True)
    for path in written:
        click.echo(path)
    if show:
        click.launch(str(written[0]))


def write_report(node: ProcessNode, folder: Path, formats: Sequence[Format] = FORMATS) -> tuple[ReportData, list[Path]]:
    """Write the report of one process into ``folder``; return what it shows and the paths, see `write_reports`."""
    (data,), written = write_reports([node], folder, formats)
    return data, written


def write_reports(
    nodes: Sequence[ProcessNode], folder: Path, formats: Sequence[Format] = FORMATS
) -> tuple[list[ReportData], list[Path]]:
    """Write ``report.html``, ``summary.json`` and ``figures/`` into ``folder``; return what they show and the paths.

    :param nodes: one process, or several to compare.
    :param formats: of the pictures in ``figures/``; without any there is no such folder.
    :raises OSError: the folder is not writable, or the disk is full.
    """
    from aiida_seireact.cli.render.comparison import moments_of, render_runs, summary_of_runs
    from aiida_seireact.cli.render.gather import gather
    from aiida_seireact.cli.render.html import render_html
    from aiida_seireact.cli.render.pictures import FOLDER, cell_of, pictures_of
    from aiida_seireact.cli.render.summary import summary_of
    from aiida_seireact.formats.atomic import write_atomically, write_json

    runs = [gather(node) for node in nodes]
    folder.mkdir(parents=True, exist_ok=True)
    pictures, refused = pictures_of(nodes, folder if formats else None, formats)
    for data in runs:
        data.missing |= refused
    if len(runs) == 1:
        pictures |= cell_of(runs[0].run.picture)
        page, summary = render_html(runs[0], pictures), summary_of(runs[0])
    else:
        pictures |= cell_of(moments_of(runs))
        page, summary = render_runs(runs, pictures), summary_of_runs(runs)
    with write_atomically(folder / REPORT_FILE) as path:
        path.write_text(page, encoding="utf-8")
    write_json(folder / SUMMARY_FILE, summary)
    written = [folder / REPORT_FILE, folder / SUMMARY_FILE]
    return runs, [*written, folder / FOLDER] if (folder / FOLDER).is_dir() and formats else written


def key_numbers(data: ReportData) -> list[str]:
    """Return the lines a person wants to see first in the terminal."""
    from aiida_seireact.cli.render.words import counted, duration, labeller_name, number, percent, stand_in
    from aiida_seireact.query.trajectories import stop_message

    content = data.content
    state = (
        f"finished in {duration(data.seconds)}" if data.ended_well else f"{data.state} after {duration(data.seconds)}"
    )
    lines = [f"{data.name} <{data.pk}> {state}"]
    if not data.ended_well and data.exit_message:
        lines.append(f"reason      {data.exit_message}")
    if content.get("n_label_calls") is not None:
        lines.append(
            f"labels      {number(content['n_label_calls'])} frames by {labeller_name(data.labeller) or 'the labeller'}"
            f", {number(content.get('n_frames'))} of them in the dataset"
        )
    if data.exploration is not None:
        lines.append(
            f"exploration {counted(content.get('n_flare_legs') or 0, 'leg')}, "
            f"{counted(data.exploration.n_calls, 'call')} for a label; force error on new labels before learning them "
            f"{number(content.get('canary_force_rmse'))} eV/Å"
        )
    error, rms = content.get("force_rmse_ev_per_ang"), content.get("force_rms_ev_per_ang")
    if error is not None and rms:
        lines.append(
            f"model       force error {number(error)} eV/Å, {percent(error / rms)} of the rms force; "
            f"energy {number(content.get('energy_rmse_mev_per_atom'))} meV/atom; stress "
            f"{number(content.get('stress_rmse_gpa'))} GPa (held-out frames)"
        )
    if content.get("augmented_force_rmse_before") is not None:
        lines.append(
            f"augmented   {number(content.get('n_augmented_frames'))} frames of its own runs; force error on those "
            f"held out {number(content['augmented_force_rmse_before'])} → "
            f"{number(content['augmented_force_rmse_after'])} eV/Å"
        )
    if data.judged:
        lines.append(f"verdict     {data.judged.sentence()}")
    if content.get("md_steps"):
        lines.append(f"production  {number(content.get('md_atoms'))} atoms, {number(content['md_steps'])} steps")
    stopped = stop_message(content.get("production_stopped_by"))
    if stopped:
        lines.append(f"            ENDED BY THE STOP RULE: {stopped}")
    if content.get("ps4_intact_start") is not None:
        lines.append(
            f"reaction    intact PS4 {number(content['ps4_intact_start'])} → {number(content.get('ps4_intact_end'))}"
        )
    fractions = content.get("phase_fractions") or {}
    if fractions.get("first") and fractions.get("last"):
        names = sorted(fractions["last"], key=lambda name: -fractions["last"][name])
        changes = (
            f"{name} {percent(fractions['first'].get(name))} → {percent(fractions['last'][name])}" for name in names
        )
        lines.append(f"phases      {', '.join(changes)}")
        lines.append(f"            of {fractions.get('of')}")
    if stand_in(data.labeller):
        lines.append(f"note        {stand_in(data.labeller)}")
    return lines
