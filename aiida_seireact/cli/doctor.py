"""``aiida-seireact doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aiida_seireact.cli._profile import load, profile_option, terminal

if TYPE_CHECKING:
    from aiida_seireact.cli.examination import Finding

MARKS = {"ok": "[green]✓[/]", "care": "[yellow]![/]", "broken": "[red]✗[/]"}


@click.command("doctor")
@profile_option
@click.option("--computer", default="localhost", show_default=True, help="Label of the computer with the programs.")
@click.option("--quick", is_flag=True, help="Ask the programs for their version only: ten seconds, not two minutes.")
@click.option("--mend", is_flag=True, help="Stop, repair and start the daemon first; nothing is lost by it.")
def doctor(profile: str | None, computer: str, quick: bool, mend: bool) -> None:
    """Look after AiiDA, and run every program once on a toy; say what is broken and how to fix it.

    The toys are a few argon atoms: two labels, a one-epoch training, its compilation, two MD steps. On another
    computer they run where one logs in. The exit status is 1 if something is broken.
    """
    load(profile)
    from rich.table import Table

    from aiida_seireact.cli import mending
    from aiida_seireact.cli.examination import examine_aiida, examine_programs

    if mend:
        try:
            mending.mend(click.echo)
        except RuntimeError as error:
            raise click.ClickException(str(error)) from None

    console = terminal()
    with console.status("AiiDA") as running:
        findings = examine_aiida()

        def next_one(finding: Finding) -> None:
            running.update(f"{finding.thing} looked at")

        findings += examine_programs(computer, quick=quick or mend, say=next_one)
    table = Table(box=None, pad_edge=False)
    for title in ("", "what", "version", "found", "how to fix"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        row = (finding.thing, finding.version, finding.detail, finding.fix)
        table.add_row(MARKS[finding.state], *(text.replace("[", r"\[") for text in row))
    console.print(table)
    broken = [finding.thing for finding in findings if finding.state == "broken"]
    if broken:
        raise click.ClickException(f"Broken: {', '.join(broken)}.")
    console.print("Everything works." if not quick else "Everything answers; without --quick each program is tried.")
