"""``aiida-seireact publish``: a bundle of processes that a stranger can check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_seireact.cli._profile import load, profile_option

if TYPE_CHECKING:
    from aiida_seireact.publishing.plan import Plan


@click.command("publish", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("processes", metavar="PK|UUID|GROUP...", nargs=-1, required=True)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--title", help="What the data are, in a line.")
@click.option(
    "--creator", "creators", multiple=True, metavar="PERSON",
    help="Who made them, as 'Family, Given; ORCID; affiliation'; once a person, in order. ORCID and affiliation may be "
    "left out.",
)  # fmt: skip
@click.option("--license", "licence", metavar="SPDX", help="What others may do with them, as CC-BY-4.0.")
@click.option("--description", help="What they are for, in a paragraph.")
@click.option("--trajectory-doi", metavar="DOI", help="Where the dumps that are not in the archive are deposited.")
@click.option(
    "--looked-at", multiple=True, metavar="PK:FILE",
    help="A file that can't be unpacked here, and holds no POTCAR by your word; repeatable.",
)  # fmt: skip
@click.option("--zip", "as_zip", is_flag=True, help="Write one zip file; OUT is given the ending .zip.")
@click.option("--force", is_flag=True, help="Replace the bundle that is at OUT.")
@click.option(
    "--dry-run", is_flag=True, help="Tell what would be written, how large, and what is missing; write nothing."
)
def publish(
    profile: str | None,
    processes: tuple[str, ...],
    out: Path,
    title: str | None,
    creators: tuple[str, ...],
    licence: str | None,
    description: str | None,
    trajectory_doi: str | None,
    looked_at: tuple[str, ...],
    as_zip: bool,
    force: bool,
    dry_run: bool,
) -> None:
    """Write all that stands behind processes into the folder OUT: what a paper deposits, and anyone can check.

    In it: the AiiDA archive, datasets (extended XYZ with frame ids and splits), models with cards, figures with their
    tables and sources, the report, manifests of trajectories, BibTeX of what really ran, licences, versions, metadata
    for Materials Cloud or Zenodo (DataCite), checksums, README. A POTCAR anywhere in it is refused by name. OUT is
    whole or not there.

    \b
    Examples:
      aiida-seireact publish 1042 bundle --dry-run
      aiida-seireact publish 1042 bundle --title "Li|Li6PS5Cl in small" --license CC-BY-4.0 \\
          --creator "Doe, Jane; 0000-0002-1825-0097; University of X" --creator "Roe, Richard"
      aiida-seireact publish 1042 2077 study.zip --zip ...
      aiida-seireact publish my-runs bundle ...             all processes of a group
      aiida-seireact verify bundle
    """
    load(profile)
    from aiida_seireact.cli.interrupts import interruptible
    from aiida_seireact.cli.verifying import write_reports
    from aiida_seireact.publishing import write
    from aiida_seireact.publishing.bundle import BundleError, is_full
    from aiida_seireact.publishing.metadata import Metadata, missing
    from aiida_seireact.publishing.plan import Plan
    from aiida_seireact.query.sources import QueryError, tops_of

    try:
        tops = tops_of([int(word) if word.isdigit() else word for word in processes])
    except QueryError as error:
        raise click.ClickException(str(error)) from None
    if as_zip and out.suffix != ".zip":
        out = out.with_name(f"{out.name}.zip")
    try:
        with interruptible():
            if dry_run:
                _tell(Plan.of(tops, _say, looked_at), out, missing(title, creators, licence))
                return
            # What a person has to mend comes before what takes long.
            metadata = Metadata.of(title, creators, licence, description, trajectory_doi)
            write.refuse_place(out, force=force)
            plan = Plan.of(tops, _say, looked_at)
            for sentence in _remarks(plan):
                _say(sentence)
            path = write.publish(plan, out, metadata, write_reports, _say, force=force, as_zip=as_zip)
    except BundleError as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.ClickException("Interrupted: nothing was written.") from None
    except OSError as error:
        if is_full(error):
            raise click.ClickException(
                f"The disk of {out.absolute().parent} is full: make room, or choose another place. Nothing was written."
            ) from None
        raise click.ClickException(f"{out} can't be written ({error}). Nothing was written.") from error
    click.echo(f"{path}, {_size(path) / 1e6:.1f} MB")
    click.echo(f"Check it, best on another machine: aiida-seireact verify {path.name}")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _remarks(plan: Plan) -> list[str]:
    """Return what a person should know before the bundle goes out."""
    from aiida_seireact.publishing.scripts import with_scripts

    failed = [top for top in plan.graph.tops if not top.is_finished_ok]
    scripts = ", ".join(with_scripts(plan.graph))
    return [
        f"note: {top.process_label} <{top.pk}> did not end well (exit status {top.exit_status}: {top.exit_message}); "
        "the bundle holds what there is and says so."
        for top in failed
    ] + [
        *([] if plan.models else ["note: there is no trained model behind it (a package); none is in the bundle."]),
        *([f"note: the shell texts (prepend, append) of {scripts} go along: look for tokens."] if scripts else []),
    ]


def _tell(plan: Plan, out: Path, missing: Sequence[str]) -> None:
    """Print what would be written."""
    from aiida_seireact.publishing.citations import without_entry, works_of
    from aiida_seireact.publishing.what_ran import Ran

    ran = Ran.of(plan.graph)
    tokens = ran.tokens()
    n_frames = sum(len(node) for node in plan.datasets)
    rows = [
        ("archive.aiida", f"{len(plan.graph.pks)} nodes", plan.archive_bytes),
        ("datasets/", f"{len(plan.datasets)} datasets, {n_frames} frames", plan.dataset_bytes),
        ("models/", f"{len(plan.models)} packages", plan.model_bytes),
        ("trajectories/", f"manifests of {len(plan.runs)} runs", None),
        ("figures/, report/", "pictures, tables, sources", None),
        ("CITATIONS.bib", f"{len(works_of(tokens))} works", None),
    ]
    click.echo(f"{out} would hold")
    for name, what, size in rows:
        click.echo(f"  {name:<18} {what:<32} {'' if size is None else f'up to {size / 1e6:.1f} MB'}")
    uncited = [f"note: there is no citation of {what}, which ran: name it yourself." for what in without_entry(tokens)]
    uncited += [f"note: what ran is not known of {what}: name it yourself." for what in ran.untold()]
    for sentence in (*_remarks(plan), *uncited, *missing):
        click.echo(sentence)
    if not missing:
        click.echo("Nothing is missing. Nothing was written.")


def _size(path: Path) -> int:
    return sum(item.stat().st_size for item in (path.rglob("*") if path.is_dir() else [path]) if item.is_file())
