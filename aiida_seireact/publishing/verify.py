"""The checks of a bundle that need its graph: in a profile that is loaded, empty, and nobody's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.manage import get_manager
from aiida.manage.configuration import create_profile, get_config, load_profile

from aiida_seireact.publishing import bundle, datasets, models, pictures, trajectories
from aiida_seireact.publishing.bundle import Progress, is_full, read_index, read_json
from aiida_seireact.publishing.importing import import_whole
from aiida_seireact.publishing.metadata import complaints
from aiida_seireact.publishing.numbers import by_uuid, differences, n_numbers
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
    yield Check("metadata", tuple(complaints(read_json(folder / bundle.DATACITE))), "valid by DataCite 4.5")
    # Neither needs the graph: an archive that can't be read leaves them looked at.
    of_files = [datasets.check_files(folder), models.check_files(folder)]
    progress(f"archive: importing {(folder / bundle.ARCHIVE).stat().st_size / 1e6:.1f} MB")
    imported = _import(folder)
    yield imported
    if imported.wrong:
        yield Check("datasets", tuple(of_files[0]), "readable and as their hashes tell")
        yield Check("models", tuple(of_files[1]), "as their hashes tell")
        return
    n_frames = sum(entry["n_frames"] for entry in read_json(folder / bundle.DATASETS / bundle.PART))
    wrong = of_files[0] or datasets.check_against_graph(folder)
    yield Check("datasets", tuple(wrong), f"{n_frames} frames equal to those of the archive: labels, ids and splits")
    n_models = len(read_json(folder / bundle.MODELS / bundle.PART))
    wrong = of_files[1] or models.check_against_graph(folder)
    yield Check(
        "models", tuple(wrong), f"{n_models} packages equal to those of the archive; hashes are of their weights"
    )
    yield Check("trajectories", tuple(trajectories.check_against_graph(folder)), "manifests equal to the archive's")
    (work / "figures").mkdir()
    wrong, said = pictures.check_figures(folder, work / "figures", progress)
    yield Check("figures", tuple(wrong), said)
    progress("report: writing it anew")
    yield _report(folder, work / "report", write_report)


def _import(folder: Path) -> Check:
    """Import the archive, and look for the processes that the index tells."""
    index = read_index(folder)
    try:
        with without_reports():
            import_whole(folder / bundle.ARCHIVE)
    except Exception as error:  # whatever a file that is no archive leads to
        if is_full(error):
            raise
        return Check("archive", (f"{bundle.ARCHIVE} can't be imported: {type(error).__name__}: {error}",))
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
    return Check("archive", tuple(wrong), f"imported into an empty profile, {n_nodes} nodes")


def _report(folder: Path, work: Path, write_report: ReportWriter) -> Check:
    """Write the report anew, and compare every number."""
    tops = [orm.load_node(told["uuid"]) for told in read_index(folder)["processes"]]
    try:
        write_report(tops, work)
    except Exception as error:  # whatever an archive that was altered leads to
        if is_full(error):
            raise
        return Check("report", (f"the report can't be written from the archive: {type(error).__name__}: {error}",))
    wrong, total = [], 0
    shipped = folder / bundle.REPORT
    names = {path.relative_to(root) for root in (shipped, work) for path in root.rglob("summary.json")}
    for name in sorted(names):
        if not ((shipped / name).is_file() and (work / name).is_file()):
            wrong.append(f"{bundle.REPORT}/{name} is there on one side only")
            continue
        told = by_uuid(read_json(shipped / name))
        total += n_numbers(told)
        found = by_uuid(json.loads((work / name).read_text(encoding="utf-8")))
        wrong += [f"{bundle.REPORT}/{name}: {what}" for what in differences(told, found)]
    return Check("report", tuple(wrong), f"{total} numbers equal to what the archive gives")
