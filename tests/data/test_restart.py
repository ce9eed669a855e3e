from __future__ import annotations

import io

import pytest
from aiida import orm
from aiida.common.datastructures import StashMode
from aiida.common.exceptions import NotExistent, ValidationError
from aiida.common.links import LinkType

from aiida_seireact.calculations.base import Links
from aiida_seireact.calculations.restarts import place_restart
from aiida_seireact.data.restart import RestartData

FACTS = {
    "file": "final.restart",
    "sha256": "d" * 64,
    "bytes": 9,
    "step": 400,
    "n_atoms": 2,
    "species": ["Li", "S"],
    "reference_volume_ang3": 80.0,
}


@pytest.fixture
def made_by_job(aiida_localhost, tmp_path):
    """Return a factory of restarts as a job leaves them."""

    def make(*, retrieved=True, stash=None, computer=aiida_localhost, **facts):
        job = orm.CalcJobNode(computer=computer, process_type="aiida.calculations:seireact.lammps").store()
        restart = RestartData({**FACTS, **facts})
        restart.base.links.add_incoming(job, LinkType.CREATE, "restart")
        restart.store()
        folder = orm.FolderData()
        if retrieved:
            folder.base.repository.put_object_from_filelike(io.BytesIO(b"LammpS RestartT"), "final.restart")
        folder.base.links.add_incoming(job, LinkType.CREATE, "retrieved")
        folder.store()
        if stash is not None:
            stashed = orm.RemoteStashFolderData(StashMode.COPY, str(stash), ["final.*"])
            stashed.computer = computer
            stashed.base.links.add_incoming(job, LinkType.CREATE, "remote_stash")
            stashed.store()
        return restart

    return make


def test_a_retrieved_restart_is_copied_from_the_repository(made_by_job, aiida_localhost):
    restart, links = made_by_job(), Links()
    told = place_restart(restart, aiida_localhost, "start.restart", links)
    assert told == {"file": "start.restart", "sha256": "d" * 64, "bytes": 9}
    assert links.local_copy == [(restart.creator.outputs.retrieved.uuid, "final.restart", "start.restart")]


def test_a_stashed_one_is_linked_though_scratch_was_purged(made_by_job, aiida_localhost, tmp_path):
    restart, links = made_by_job(retrieved=False, stash=tmp_path, sha256="c" * 64), Links()
    place_restart(restart, aiida_localhost, "start.restart", links)
    assert links.remote_symlink == [(aiida_localhost.uuid, str(tmp_path / "final.restart"), "start.restart")]


def test_a_copy_on_another_computer_does_not_hide_one_on_this(made_by_job, aiida_localhost, aiida_computer, tmp_path):
    far = aiida_computer(label="far", hostname="localhost", transport_type="core.local")
    there = made_by_job(retrieved=False, stash=tmp_path / "far", computer=far, sha256="9" * 64)
    with pytest.raises(ValueError, match="lies on far"):
        place_restart(there, aiida_localhost, "start.restart", Links())
    made_by_job(retrieved=False, stash=tmp_path, sha256="9" * 64)
    links = Links()
    place_restart(there, aiida_localhost, "start.restart", links)
    assert links.remote_symlink == [(aiida_localhost.uuid, str(tmp_path / "final.restart"), "start.restart")]


def test_a_folder_that_was_purged_file_by_file_is_no_copy(made_by_job, aiida_localhost, tmp_path):
    restart = made_by_job(retrieved=False, sha256="b" * 64)
    folder = orm.RemoteData(remote_path=str(tmp_path), computer=aiida_localhost)
    folder.base.links.add_incoming(restart.creator, LinkType.CREATE, "remote_folder")
    folder.store()
    (tmp_path / "in.lammps").write_text("left")
    assert list(restart.live_copies()) == []
    (tmp_path / "final.restart").write_text("left too")
    assert restart.live_copy().path == str(tmp_path / "final.restart")


def test_a_run_of_the_same_content_lends_its_copy(made_by_job):
    first = made_by_job(sha256="e" * 64)
    replayed = made_by_job(sha256="e" * 64, retrieved=False)
    assert replayed.live_copy().node.pk == first.creator.outputs.retrieved.pk


def test_when_no_copy_is_left_it_says_what_to_do(made_by_job):
    with pytest.raises(NotExistent, match=r"restart file of step 400 .* is left: .*`retrieve_restart`"):
        made_by_job(sha256="f" * 64, retrieved=False).live_copy()


def test_where_a_run_went_on_is_content(aiida_profile):
    facts = (FACTS, FACTS, {**FACTS, "step": 500})
    one, same, other = (RestartData(given).store().base.caching.compute_hash() for given in facts)
    assert one == same != other


def test_a_restart_without_its_step_is_none(aiida_profile):
    with pytest.raises(ValidationError, match="needs step"):
        RestartData({name: value for name, value in FACTS.items() if name != "step"}).store()
