"""A bundle, written whole or not at all: archive, data, models, manifests, figures, report, and what tells of them."""

from __future__ import annotations

import logging
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.tools.archive import create_archive

from aiida_seireact import __version__
from aiida_seireact.formats.atomic import write_json
from aiida_seireact.formats.checksums import write_checksums
from aiida_seireact.formats.whole_folder import partial_folder, put
from aiida_seireact.publishing import bundle, datasets, models, pictures, texts, trajectories
from aiida_seireact.publishing.bundle import BundleError, Progress
from aiida_seireact.publishing.citations import bibtex_of, identifiers_of, without_entry, works_of
from aiida_seireact.publishing.environment import write_environment
from aiida_seireact.publishing.metadata import SOURCE, Metadata, datacite_of
from aiida_seireact.publishing.plan import Plan
from aiida_seireact.publishing.what_ran import Ran

ReportWriter = Callable[[Sequence[orm.ProcessNode], Path], None]
"""Writes the report of processes into a folder; it is of the floor above."""
SUBJECTS = (
    "solid electrolyte",
    "lithium metal",
    "interphase",
    "machine-learning potential",
    "molecular dynamics",
    "AiiDA",
)
PACKED = (".aiida", ".zip", ".png", ".pdf")


def publish(
    plan: Plan,
    out: Path,
    metadata: Metadata,
    write_report: ReportWriter,
    progress: Progress,
    *,
    force: bool = False,
    as_zip: bool = False,
) -> Path:
    """Write the bundle of a plan; return its path.

    :param out: the folder; of a zip the file.
    :param force: let it take the place of a bundle that is there.
    :raises BundleError: ``out`` is there, a model is not whole, there is no room.
    :raises OSError: the disk is full or the folder not writable; nothing is left of it.
    """
    out = out.absolute()
    refuse_place(out, force=force)
    room = shutil.disk_usage(out.parent).free
    if room < plan.n_bytes:
        raise BundleError(
            f"The bundle takes up to {plan.n_bytes / 1e9:.1f} GB, and {out.parent} has {room / 1e9:.1f} GB left: make "
            "room or choose another place. Nothing was written."
        )
    with partial_folder(out) as work:
        folder = work / (out.stem if as_zip else out.name)
        folder.mkdir()
        _write(plan, folder, metadata, write_report, progress)
        if as_zip:
            progress("zip: packing")
            folder = _packed(folder, work / out.name)
        put(folder, out, replace=force)
    return out


def refuse_place(out: Path, *, force: bool) -> None:
    """Refuse a place that is taken, or that there is no folder for.

    :raises BundleError: with ``force`` too where what is there is no bundle of ours.
    """
    if not out.parent.is_dir():
        raise BundleError(f"There is no folder {out.parent} to write {out.name} into: make it first.")
    if not out.exists() and not out.is_symlink():
        return
    if not force:
        raise BundleError(f"{out} is there already: choose another name, or give --force to replace the bundle there.")
    is_bundle = (out / bundle.INDEX).is_file() if out.is_dir() else zipfile.is_zipfile(out)
    if out.is_symlink() or not (is_bundle or (out.is_dir() and not any(out.iterdir()))):
        raise BundleError(
            f"{out} is no bundle, so --force does not replace it: remove it yourself or choose another name."
        )


def _write(plan: Plan, folder: Path, metadata: Metadata, write_report: ReportWriter, progress: Progress) -> None:
    graph, ran = plan.graph, Ran.of(plan.graph)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    # First what can fail by a node, then what takes long.
    figure_index = pictures.write_figures(graph.tops, folder, progress)
    _write_report(graph.tops, folder, write_report, progress)
    _write_archive(plan, folder, progress)
    dataset_index = datasets.write_datasets(plan.datasets, folder, progress)
    model_index = models.write_models(plan.models, folder, progress)
    run_index = trajectories.write_trajectories(plan.runs, folder, metadata.trajectory_doi)
    write_environment(ran, folder)

    tokens = ran.tokens()
    works, uncited = works_of(tokens), without_entry(tokens)
    (folder / bundle.CITATIONS).write_text(bibtex_of(works), encoding="utf-8")
    (folder / bundle.LICENCES).write_text(texts.licences(metadata.licence, works), encoding="utf-8")
    tops = [top_of(node) for node in graph.tops]
    counts = {
        "nodes": len(graph.pks),
        "datasets": len(dataset_index),
        "models": len(model_index),
        "trajectories": len(run_index["runs"]),
        "figures": len(figure_index["made"]),
    }
    what = texts.description_of(tops, counts, sorted(ran.labellers))
    told = datacite_of(
        metadata,
        date=created[:10],
        subjects=SUBJECTS,
        description=what,
        cited=identifiers_of(works),
        sizes=[f"{sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())} bytes"],
    )
    write_json(folder / bundle.DATACITE, told)
    (folder / bundle.README).write_text(
        texts.readme(
            title=metadata.title,
            authors="; ".join(
                creator.name + (f" ({creator.affiliation})" if creator.affiliation else "")
                for creator in metadata.creators
            ),
            description=metadata.description,
            what=what,
            tops=tops,
            labellers=", ".join(sorted(ran.labellers)) or ", ".join(sorted(ran.outside)) or "not told",
            created=created,
            version=__version__,
            source=SOURCE,
            licence=metadata.licence,
            n_nodes=len(graph.pks),
            datasets=dataset_index,
            models=model_index,
            trajectories=run_index,
            n_apart=sum(run["n_deposited_apart"] for run in run_index["runs"]),
            figures=figure_index,
            works=works,
            uncited=uncited,
            untold=ran.untold(),
            stand_in=texts.stand_in_note(sorted(ran.labellers)),
        ),
        encoding="utf-8",
    )
    index: dict[str, Any] = {
        "schema": bundle.SCHEMA,
        "created": created,
        "aiida_seireact": __version__,
        "title": metadata.title,
        "licence": metadata.licence,
        "processes": tops,
        "counts": counts,
        "citations": [work.key for work in works],
        "without_citation": uncited,
    }
    write_json(folder / bundle.INDEX, index)
    n_files = write_checksums(folder)
    progress(f"checksums: {n_files} files")


def top_of(node: orm.ProcessNode) -> dict[str, Any]:
    """Return what is told of a top process: by UUID, since its PK means nothing elsewhere."""
    return {
        "uuid": node.uuid,
        "process": node.process_label,
        "label": node.label,
        "exit_status": node.exit_status,
        "exit_message": node.exit_message or "",
    }


def _write_report(
    tops: Sequence[orm.ProcessNode], folder: Path, write_report: ReportWriter, progress: Progress
) -> None:
    progress("report: writing")
    try:
        write_report(tops, folder / bundle.REPORT)
    except (OSError, BundleError):
        raise
    except Exception as error:
        of = ", ".join(f"{top.process_label} <{top.pk}> ({top.uuid})" for top in tops)
        raise BundleError(
            f"The report of {of} can't be written ({type(error).__name__}: {error}): `aiida-seireact report` shows it "
            "alone. Nothing was written."
        ) from error


def _write_archive(plan: Plan, folder: Path, progress: Progress) -> None:
    progress(f"archive: {len(plan.graph.pks)} nodes, {plan.archive_bytes / 1e6:.1f} MB of files to pack")
    with without_reports(), _temporary_in(folder):
        create_archive(plan.graph.tops, filename=folder / bundle.ARCHIVE)
    progress(f"archive: {(folder / bundle.ARCHIVE).stat().st_size / 1e6:.1f} MB")


@contextmanager
def without_reports() -> Iterator[None]:
    """Keep the tables of AiiDA's export, and of its import, to itself."""
    logger = logging.getLogger("aiida.export")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _temporary_in(folder: Path) -> Iterator[None]:
    """Let temporary files lie where the result will: a small /tmp must not fail, and a kill leaves nothing there."""
    before, place = tempfile.tempdir, folder / "tmp"
    place.mkdir()
    tempfile.tempdir = str(place)
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(place, ignore_errors=True)


def _packed(folder: Path, target: Path) -> Path:
    """Return a zip of a folder; what is packed already is stored."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            packing = zipfile.ZIP_STORED if path.suffix in PACKED else zipfile.ZIP_DEFLATED
            archive.write(path, name, compress_type=packing)
    return target
