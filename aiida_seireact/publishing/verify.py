"""The checks of a bundle that need its graph: in a profile that is loaded, empty, and nobody's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.manage import get_manager
from aiida.manage.configuration import create_profile, get_config, load_profile

from aiida_seireact import __version__
from aiida_seireact.publishing import bundle, datasets, models, pictures, trajectories
from aiida_seireact.publishing.bundle import BundleError, Progress, is_full, read_index, read_json, read_part
from aiida_seireact.publishing.importing import import_whole, pks_of
from aiida_seireact.publishing.metadata import complaints
from aiida_seireact.publishing.numbers import by_uuid, differences, n_numbers
from aiida_seireact.publishing.page import page_differences
from aiida_seireact.publishing.write import ReportWriter, without_reports

PROFILE = "bundle"


@dataclass(frozen=True)
class Check:
    """What was looked at, and what is wrong with it; ``said`` tells a person what it means that all is well."""

    name: str
    wrong: tuple[str, ...]
    said: str = ""


def make_profile() -> None:
    """Make an empty profile under AIIDA_PATH, without broker, and load it.

    :raises RuntimeError: there is a profile already: this is not the folder that was made for it.
    """
    config = get_config(create=True)
    if config.profile_names:
        raise RuntimeError(f"{config.dirpath} has profiles already: a bundle is looked at in an empty folder only.")
    create_profile(config, name=PROFILE, email="verify@localhost", storage_backend="core.sqlite_dos", storage_config={})
    config.set_default_profile(PROFILE)
    config.store()
    load_profile(PROFILE)
    # Its storage once opened, AiiDA leaves the levels of its loggers alone.
    get_manager().get_profile_storage()


def verify_graph(folder: Path, work: Path, write_report: ReportWriter, progress: Progress) -> Iterator[Check]:
    """Yield the checks of a bundle one by one, those of files before those of the graph.

    :param work: an empty folder, to make figures and report in.
    :param write_report: as it was when the bundle was written.
    """
    yield _looked("metadata", lambda: (complaints(read_json(folder / bundle.DATACITE)), "valid by DataCite 4.5"))
    # Neither needs the graph: an archive that can't be read leaves them looked at.
    of_datasets = _looked("datasets", lambda: (datasets.check_files(folder), "readable and as their hashes tell"))
    of_models = _looked("models", lambda: (models.check_files(folder), "as their hashes tell"))
    progress(f"archive: importing {(folder / bundle.ARCHIVE).stat().st_size / 1e6:.1f} MB")
    imported = _looked("archive", lambda: _import(folder))
    yield imported
    if imported.wrong:
        yield of_datasets
        yield of_models
        return
    yield of_datasets if of_datasets.wrong else _looked("datasets", lambda: _datasets(folder))
    yield of_models if of_models.wrong else _looked("models", lambda: _models(folder))
    yield _looked(
        "trajectories", lambda: (trajectories.check_against_graph(folder), "manifests equal to the archive's")
    )
    (work / "figures").mkdir()
    yield _looked("figures", lambda: pictures.check_figures(folder, work / "figures", progress))
    progress("report: writing it anew")
    yield _looked("report", lambda: _report(folder, work / "report", write_report))


def _looked(name: str, look: Callable[[], tuple[list[str], str]]) -> Check:
    """Return a check; it has failed where a file of the bundle is not of its form, whoever made it so."""
    try:
        wrong, said = look()
    except BundleError as error:
        return Check(name, (str(error),))
    except (OSError, KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        if is_full(error):
            raise
        return Check(name, (f"a file of it is not as `publish` writes it ({type(error).__name__}: {error})",))
    return Check(name, tuple(wrong), said)


def _datasets(folder: Path) -> tuple[list[str], str]:
    n_frames = sum(entry["n_frames"] for entry in read_part(folder, bundle.DATASETS))
    said = f"{n_frames} frames equal to those of the archive: labels, ids and splits"
    return datasets.check_against_graph(folder), said


def _models(folder: Path) -> tuple[list[str], str]:
    n_models = len(read_part(folder, bundle.MODELS))
    said = f"{n_models} packages equal to those of the archive; hashes are of their weights"
    return models.check_against_graph(folder), said


def _import(folder: Path) -> tuple[list[str], str]:
    """Import the archive, and look for the processes that the index tells."""
    index = read_index(folder)
    try:
        with without_reports():
            import_whole(folder / bundle.ARCHIVE)
    except Exception as error:  # whatever a file that is no archive leads to
        if is_full(error):
            raise
        return [f"{bundle.ARCHIVE} can't be imported: {type(error).__name__}: {error}"], ""
    wrong = []
    n_nodes = orm.QueryBuilder().append(orm.Node).count()
    if n_nodes != index["counts"]["nodes"]:
        wrong.append(f"{bundle.ARCHIVE} holds {n_nodes} nodes, the index tells {index['counts']['nodes']}")
    for told in index["processes"]:
        try:
            node = orm.load_node(told["uuid"])
        except NotExistent:
            wrong.append(f"{told['process']} {told['uuid']} is not in {bundle.ARCHIVE}")
            continue
        if (node.process_label, node.exit_status) != (told["process"], told["exit_status"]):
            wrong.append(
                f"{told['uuid']} is {node.process_label} with exit status {node.exit_status}, the index differs"
            )
    return wrong, f"imported into an empty profile, {n_nodes} nodes"


def _report(folder: Path, work: Path, write_report: ReportWriter) -> tuple[list[str], str]:
    """Write the report anew, and compare every number, and the page that people read."""
    tops = [orm.load_node(told["uuid"]) for told in read_index(folder)["processes"]]
    try:
        write_report(tops, work)
    except Exception as error:  # whatever an archive that was altered leads to
        if is_full(error):
            raise
        return [f"the report can't be written from the archive: {type(error).__name__}: {error}"], ""
    wrong: list[str] = []
    total, shipped = 0, folder / bundle.REPORT
    names = {path.relative_to(root) for root in (shipped, work) for path in root.rglob("summary.json")}
    for name in sorted(names):
        if not ((shipped / name).is_file() and (work / name).is_file()):
            wrong.append(f"{bundle.REPORT}/{name} is there on one side only")
            continue
        told = by_uuid(read_json(shipped / name))
        total += n_numbers(told)
        found = by_uuid(json.loads((work / name).read_text(encoding="utf-8")))
        wrong += [f"{bundle.REPORT}/{name}: {what}" for what in differences(told, found)]
    said = f"{total} numbers equal to what the archive gives"
    if (there := read_index(folder)["aiida_seireact"]) != __version__:
        return wrong, f"{said}; the page is not compared (aiida-seireact {there} there, {__version__} here)"
    pks = pks_of(folder / bundle.ARCHIVE)
    pages = {path.relative_to(root) for root in (shipped, work) for path in root.rglob("*.html")}
    for name in sorted(pages):
        if not ((shipped / name).is_file() and (work / name).is_file()):
            wrong.append(f"{bundle.REPORT}/{name} is there on one side only")
            continue
        theirs, ours = ((root / name).read_text(encoding="utf-8") for root in (shipped, work))
        wrong += [f"{bundle.REPORT}/{name}: {what}" for what in page_differences(theirs, ours, pks)]
    return wrong, f"{said}, and so is the page"
