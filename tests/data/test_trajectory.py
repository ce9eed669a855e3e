from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.common.exceptions import NotExistent, ValidationError

from aiida_seireact.calculations.base import Links
from aiida_seireact.calculations.trajectories import place_run
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import TrajectoryData

# The profile must be clean before the computer of a test is made.
pytestmark = pytest.mark.usefixtures("aiida_profile_clean")

FACTS = {"n_atoms": 2, "species": ["Li"], "timestep_fs": 2.0, "steps": 100, "steps_asked": 100, "stopped_by": None}
CHUNK = {"file": "traj.dump.gz", "sha256": "c" * 64, "bytes": 9, "first_step": 0, "last_step": 100}


def run_of(computer: orm.Computer, work_folder: Path, *, retrieve: bool) -> TrajectoryData:
    """Return a trajectory made by a job whose dump was retrieved, or stayed in its work folder."""
    job = orm.CalcJobNode(computer=computer, process_type="aiida.calculations:seireact.lammps")
    job.set_option("resources", {"num_machines": 1, "num_mpiprocs_per_machine": 1})
    job.store()
    retrieved = orm.FolderData()
    if retrieve:
        retrieved.base.repository.put_object_from_filelike(io.BytesIO(b"zip"), CHUNK["file"])
    remote = orm.RemoteData(computer=computer, remote_path=str(work_folder))
    run = TrajectoryData({"step": np.array([0.0, 100.0])}, manifest=[CHUNK], facts=FACTS)
    for label, node in {"retrieved": retrieved, "remote_folder": remote, "trajectory": run}.items():
        node.base.links.add_incoming(job, LinkType.CREATE, label)
        node.store()
    return run


@pytest.fixture
def work_folder(tmp_path):
    (tmp_path / CHUNK["file"]).write_bytes(b"zip")
    return tmp_path


def test_thermo_comes_back_by_keyword(aiida_localhost, work_folder):
    run = run_of(aiida_localhost, work_folder, retrieve=True)
    assert run.thermo["step"].tolist() == [0.0, 100.0]


def test_a_retrieved_chunk_is_copied_from_the_repository(aiida_localhost, work_folder, tmp_path):
    run, links = run_of(aiida_localhost, work_folder, retrieve=True), Links()
    assert place_run(run, "run", aiida_localhost, tmp_path, links) == ["run_0000.dump.gz"]
    assert links.local_copy == [(run.creator.outputs.retrieved.uuid, CHUNK["file"], "run_0000.dump.gz")]
    assert not links.remote_symlink


def test_a_chunk_that_stayed_on_the_computer_is_linked(aiida_localhost, work_folder, tmp_path):
    run, links = run_of(aiida_localhost, work_folder, retrieve=False), Links()
    place_run(run, "run", aiida_localhost, tmp_path, links)
    assert links.remote_symlink == [(aiida_localhost.uuid, str(work_folder / CHUNK["file"]), "run_0000.dump.gz")]


def test_a_run_of_the_same_content_lends_its_copy(aiida_localhost, work_folder):
    kept = run_of(aiida_localhost, work_folder, retrieve=True)
    bare = TrajectoryData({"step": np.array([0.0, 100.0])}, manifest=[CHUNK], facts=FACTS).store()
    assert bare.live_copy(CHUNK["sha256"]).node.uuid == kept.creator.outputs.retrieved.uuid


def test_equal_bytes_of_another_name_are_found_by_the_name_they_bear_there(aiida_localhost, work_folder):
    kept = run_of(aiida_localhost, work_folder, retrieve=True)
    resumed = {**CHUNK, "file": "past_00_traj.dump.gz"}
    bare = TrajectoryData({"step": np.array([0.0, 100.0])}, manifest=[resumed], facts=FACTS).store()
    copy = bare.live_copy(CHUNK["sha256"])
    assert (copy.node.uuid, copy.file) == (kept.creator.outputs.retrieved.uuid, CHUNK["file"])


def test_when_every_copy_is_gone_it_says_so(aiida_localhost, tmp_path):
    (tmp_path / "empty").mkdir()
    run = run_of(aiida_localhost, tmp_path / "empty", retrieve=False)
    with pytest.raises(NotExistent, match="neither retrieved nor on its computer"):
        run.live_copy(CHUNK["sha256"])


def test_frames_are_written_beside_the_job(labelled, aiida_localhost, tmp_path):
    node = FramesData(labelled(2))
    assert place_run(node, "reference_0", aiida_localhost, tmp_path, Links()) == ["reference_0.npz"]
    assert (tmp_path / "reference_0.npz").is_file()


@pytest.mark.parametrize(
    ("manifest", "facts", "words"),
    [([], FACTS, "needs the manifest"), ([{"file": "a"}], FACTS, "lacks its sha256"), ([CHUNK], {}, "lacks n_atoms")],
)
def test_an_incomplete_trajectory_is_not_stored(manifest, facts, words, aiida_profile):
    with pytest.raises(ValidationError, match=words):
        TrajectoryData({}, manifest=manifest, facts=facts).store()
