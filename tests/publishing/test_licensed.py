"""A POTCAR planted in every way it could come along is refused by name, before anything is written."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common import timezone
from aiida.common.datastructures import StashMode
from aiida.common.links import LinkType
from aiida.manage import get_manager
from aiida.plugins import DataFactory

from aiida_seireact.publishing.bundle import BundleError
from aiida_seireact.publishing.licensed import find_licensed, refuse_licensed
from aiida_seireact.publishing.subgraph import SubGraph
from tests.cli.conftest import add_job, finish, workchain
from tools.mock_vasp import POTCAR

from .graphs import folder, quiet

FULL = POTCAR.format(element="Li", symbol="Li_sv").encode()
ICSD = b"data_1\n_chemical_formula_sum 'Li2 S1'\n_database_code_ICSD 54396\n"
OUTCAR = (
    b" vasp.6.4.2 20Jul23 complex\n POTCAR:    PAW_PBE Li_sv 10Sep2004\n   VRHFIN =Li: 1s\n   TITEL  = PAW_PBE Li_sv\n"
)


def study_with(tmp_path: Path, *, inputs: dict[str, orm.Data] | None = None, **outputs: orm.Data) -> SubGraph:
    """A study whose labelling job had these inputs and left these outputs."""
    top = workchain("ReactWorkChain")
    label = workchain("LabelWorkChain", top, "label")
    job = add_job("vasp", "vasp.vasp", label, "frame_000", **(inputs or {}))
    for name, node in outputs.items():
        node.base.links.add_incoming(job, LinkType.CREATE, name)
        node.store()
    for process in (job, label, top):
        finish(process)
        process.seal()
    return SubGraph.of([top])


def potcar_file(tmp_path: Path) -> orm.Data:
    path = tmp_path / "POTCAR"
    path.write_bytes(FULL)
    node, _ = DataFactory("vasp.potcar_file").get_or_create(path)
    return node


def potcar_data(tmp_path: Path) -> orm.Data:
    path = tmp_path / "POTCAR"
    path.write_bytes(FULL)
    node, _ = DataFactory("vasp.potcar").get_or_create_from_file(path)
    return node


def deep() -> orm.FolderData:
    node = orm.FolderData()
    node.base.repository.put_object_from_filelike(io.BytesIO(b"cut"), "calc/raw/POTCAR_Li")
    return node


def stash() -> orm.Data:
    listed = ["CHGCAR", "POTCAR"]
    return orm.RemoteStashFolderData(stash_mode=StashMode.COPY, target_basepath="/store", source_list=listed)


WAYS: dict[str, tuple[Callable[[], orm.Data], str, str]] = {
    "by its name, deep in a retrieved folder": (deep, "calc/raw/POTCAR_Li", "named as one"),
    "under another name": (lambda: folder(notes__txt=FULL), "notes.txt", "begins as one"),
    "packed": (lambda: folder(out__gz=gzip.compress(FULL)), "out.gz", "inside gzip"),
    "in the midst of a log": (lambda: folder(log=b"line\n" * 9 + FULL), "log", "what follows the head"),
    "as a single file": (lambda: orm.SinglefileData(io.BytesIO(FULL), filename="x"), "x", "begins as one"),
    "as a text": (lambda: orm.Str(FULL.decode()), "its attributes", "head"),
    "in a dictionary": (lambda: orm.Dict({"a": {"b": [FULL.decode()]}}), "its attributes", "head"),
    "an entry of the ICSD": (lambda: folder(li2s__cif=ICSD), "li2s.cif", "an entry of the ICSD"),
    "on the list of a stash": (stash, "", "its list names POTCAR"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_potcar_is_refused_with_node_and_file(way: str, tmp_path: Path, aiida_profile: Any) -> None:
    make, file, why = WAYS[way]
    node = make()
    graph = study_with(tmp_path, retrieved=node)
    (found,), _ = find_licensed(graph, quiet)
    assert (found.pk, found.file) == (node.pk, file)
    assert why in found.why
    message = rf"(?s)1 of its places hold what nobody may pass on.*<{node.pk}> \({node.uuid}\)"
    with pytest.raises(BundleError, match=message):
        refuse_licensed(graph, quiet)


def test_the_node_of_aiida_vasp_that_holds_a_potcar_is_refused(tmp_path: Path, aiida_profile: Any) -> None:
    node = potcar_file(tmp_path)
    graph = study_with(tmp_path, inputs={"settings": node})
    (found,), _ = find_licensed(graph, quiet)
    assert found.pk == node.pk
    assert "POTCAR of aiida-vasp" in found.sentence()


def test_the_node_that_holds_its_hash_only_may_go_and_outcar_too(tmp_path: Path, aiida_profile: Any) -> None:
    node = potcar_data(tmp_path)
    outputs = folder(OUTCAR=OUTCAR, vasprun__xml=b"<?xml?><modeling><c>PAW_PBE Li_sv 10Sep2004</c></modeling>")
    found, n_bytes = find_licensed(study_with(tmp_path, inputs={"potential": node}, retrieved=outputs), quiet)
    assert found == []
    assert n_bytes >= len(OUTCAR)


def test_a_file_that_two_nodes_hold_is_told_of_both(tmp_path: Path, aiida_profile: Any) -> None:
    graph = study_with(tmp_path, retrieved=folder(a=FULL), copy=folder(b=FULL))
    found, _ = find_licensed(graph, quiet)
    assert [place.file for place in found] == ["a", "b"]


def test_a_file_that_is_not_what_was_stored_is_named(tmp_path: Path, aiida_profile: Any) -> None:
    outputs = folder(log=b"as it was")
    graph = study_with(tmp_path, retrieved=outputs)
    key = outputs.base.repository.metadata["o"]["log"]["k"]
    container = Path(get_manager().get_profile_storage().get_repository()._container.get_folder())
    (path,) = container.rglob(key[2:])
    path.chmod(0o644)
    path.write_bytes(b"otherwise")
    with pytest.raises(BundleError, match=rf"The file log of FolderData <{outputs.pk}> .* is not what was stored"):
        find_licensed(graph, quiet)
    path.write_bytes(b"as it was")


def commented(node: orm.Data) -> None:
    node.base.comments.add("as I used it:\n" + FULL.decode(), orm.User.collection.get_default())


def logged(node: orm.Data) -> None:
    orm.Log(timezone.now(), "vasp", "REPORT", node.pk, message="the input was\n" + FULL.decode())


def logged_beside(node: orm.Data) -> None:
    orm.Log(timezone.now(), "vasp", "REPORT", node.pk, message="see there", metadata={"input": FULL.decode()})


def labelled(node: orm.Data) -> None:
    node.label = FULL.decode()[:200] + "END of PSCTR-controll parameters"


def described(node: orm.Data) -> None:
    node.description = FULL.decode()


def extra(node: orm.Data) -> None:
    node.base.extras.set("notes", ["so:", FULL.decode()])


@pytest.mark.parametrize(
    ("tell", "place"),
    [
        (commented, "a comment"),
        (logged, "its log"),
        (logged_beside, "its log"),
        (labelled, "its label"),
        (described, "its description"),
        (extra, "its extras"),
    ],
)
def test_a_potcar_that_a_person_or_a_program_told_is_refused(
    tell: Callable[[orm.Data], None], place: str, tmp_path: Path, aiida_profile: Any
) -> None:
    node = folder(log=b"nothing")
    graph = study_with(tmp_path, retrieved=node)
    node.base.comments.add("a comment with VRHFIN and TITEL as words", orm.User.collection.get_default())
    assert find_licensed(graph, quiet)[0] == []
    tell(node)
    (found,), _ = find_licensed(graph, quiet)
    assert (found.pk, found.what, found.file) == (node.pk, "FolderData", place)


def test_what_cannot_be_looked_into_is_refused_until_a_person_did(tmp_path: Path, aiida_profile: Any) -> None:
    node = folder(scratch__7z=b"7z\xbc\xaf\x27\x1c and more", dump__gz=gzip.compress(b"cut short" * 99)[:-9])
    graph = study_with(tmp_path, retrieved=node)
    place = f"{node.pk}:scratch.7z"
    with pytest.raises(BundleError, match=rf"(?s)1 of its places can't be looked into.*--looked-at '{place}'"):
        refuse_licensed(graph, quiet)
    assert refuse_licensed(graph, quiet, [place]) > 0
    with pytest.raises(BundleError, match="There is no file 1:other among those"):
        refuse_licensed(graph, quiet, [place, "1:other"])
    # Nobody's word lets a POTCAR pass.
    held = study_with(tmp_path, retrieved=folder(POTCAR=b"cut out"))
    with pytest.raises(BundleError, match="hold what nobody may pass on"):
        refuse_licensed(held, quiet, [f"{held.pks[0]}:POTCAR"])
