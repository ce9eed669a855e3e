"""``aiida-seireact report``: one HTML file and one JSON file about a process, both from the graph alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_seireact.cli._profile import load, load_process, profile_option

if TYPE_CHECKING:
    from aiida.orm import ProcessNode

    from aiida_seireact.cli.render.gather import ReportData

REPORT_FILE = "report.html"
SUMMARY_FILE = "summary.json"


@click.command("report", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("process", metavar="PK|UUID")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("."), show_default=True,
    help="Folder for report.html and summary.json; made if it is not there.",
)  # fmt: skip
@click.option("--open", "show", is_flag=True, help="Open the report in the browser.")
def report(profile: str | None, process: str, output: Path, show: bool) -> None:
    """Write the report of a process: report.html for people, summary.json for programs.

    Works on finished, running and failed processes: what is there is shown, what is missing is told with its reason.
    """
    load(profile)
    data, written = write_report(load_process(process), output)
    for line in key_numbers(data):
        click.echo(line)
    for path in written:
        click.echo(path)
    if show:
        click.launch(str(written[0]))


def write_report(node: ProcessNode, folder: Path) -> tuple[ReportData, list[Path]]:
    """Write ``report.html`` and ``summary.json`` into ``folder``; return what they show and their paths."""
    from aiida_seireact.cli.render.gather import gather
    from aiida_seireact.cli.render.html import render_html
    from aiida_seireact.cli.render.summary import summary_of
    from aiida_seireact.formats.atomic import write_atomically, write_json

    data = gather(node)
    folder.mkdir(parents=True, exist_ok=True)
    page = render_html(data)
    with write_atomically(folder / REPORT_FILE) as path:
        path.write_text(page, encoding="utf-8")
    write_json(folder / SUMMARY_FILE, summary_of(data))
    return data, [folder / REPORT_FILE, folder / SUMMARY_FILE]


def key_numbers(data: ReportData) -> list[str]:
    """Return the lines a person wants to see first in the terminal."""
    from aiida_seireact.cli.render.runs import stop_message
    from aiida_seireact.cli.render.words import counted, duration, labeller_name, number, percent, stand_in

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
