"""A run as a node, its labels and thermo table: analysed by the program, and told as nodes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import engine, orm
from aiida.manage.caching import enable_caching

from aiida_seireact.calculations.base import Links
from aiida_seireact.calculations.placed_labels import place_labels
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files
from aiida_seireact.formats.environments import Course
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.label_chunks import read_manifest
from aiida_seireact.workchains.analyse import AnalyseWorkChain
from tests.cli.conftest import created
from tests.programs.conftest import write_dump
from tests.programs.test_analyse import sandwich, write_labels


@pytest.fixture
def code(aiida_profile_clean: Any, aiida_localhost: orm.Computer) -> orm.InstalledCode:
    aiida_localhost.set_minimum_job_poll_interval(0)
    return orm.InstalledCode(
        label="seireact-analyse-test",
        computer=aiida_localhost,
        filepath_executable=str(Path(sys.executable).parent / "seireact-analyse"),
        prepend_text="export OMP_NUM_THREADS=1",
    ).store()


def made_by_job(code: orm.InstalledCode, files_of_job: dict[str, bytes]) -> orm.CalcJobNode:
    """Return a job that has retrieved files."""
    job = orm.CalcJobNode(computer=code.computer, process_type="aiida.calculations:seireact.lammps").store()
    retrieved = orm.FolderData()
    for name, content in files_of_job.items():
        retrieved.base.repository.put_object_from_bytes(content, name)
    created(retrieved, job, "retrieved")
    return job


def test_a_trajectory_with_labels_and_thermo_table(code: orm.InstalledCode, tmp_path: Path) -> None:
    write_dump(tmp_path / "traj.dump", [sandwich(frame) for frame in range(8)])
    write_labels(tmp_path / "labels.npz", ["unknown", "Li", "Li6PS5Cl"])
    job = made_by_job(code, {"traj.dump": (tmp_path / "traj.dump").read_bytes()})
    chunk = {"file": "traj.dump", "sha256": "c" * 64, "bytes": 1, "first_step": 0, "last_step": 350}
    facts = {"n_atoms": 53, "species": ["Li", "P", "S", "Cl"], "timestep_fs": 2.0, "steps": 350}
    thermo = {"step": np.arange(0, 400, 50.0), "pe": -100.0 - np.arange(8.0), "temp": np.full(8, 300.0)}
    run = created(TrajectoryData(thermo, manifest=[chunk], facts=facts), job, "trajectory")
    labels = orm.ArrayData()
    with np.load(tmp_path / "labels.npz") as archive:
        for name in archive.files:
            labels.set_array(name, archive[name])
    builder = AnalyseWorkChain.get_builder_from_protocol(run, labels.store(), code=code)
    outputs, node = engine.run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    numbers, arrays = outputs["analysis"].get_dict(), outputs["analysis_arrays"]
    assert numbers["ps4_intact_end"] == 0
    assert arrays.get_array("thickness_profile_steps").tolist() == [0, 250]
    assert arrays.get_array("times_ps")[-1] == pytest.approx(0.7)
    # −1 eV a frame of 0.1 ps, 53 atoms
    assert numbers["thermo"]["potential_energy"]["drift_ev_per_atom_per_ps"] == pytest.approx(-10 / 53)


def test_frames_of_a_node_have_no_displacements(code: orm.InstalledCode) -> None:
    frames = FramesData(Frames.from_atoms([sandwich(frame) for frame in range(3)]))
    builder = AnalyseWorkChain.get_builder_from_protocol(frames, code=code, overrides={"parameters": {"msd": None}})
    outputs, node = engine.run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert outputs["analysis_arrays"].get_array("n_intact_ps4").tolist() == [3, 3, 2]


def test_more_workers_find_the_analysis_of_fewer_in_the_cache(code: orm.InstalledCode) -> None:
    frames = FramesData(Frames.from_atoms([sandwich(frame) for frame in range(3)])).store()

    def is_cached(workers: int | None, **parameters: Any) -> bool:
        cores = {} if workers is None else {"num_cores_per_mpiproc": workers}
        builder = AnalyseWorkChain.get_builder_from_protocol(
            frames,
            code=code,
            overrides={"parameters": {"msd": None, **parameters}},
            options={"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1, **cores}},
        )
        if workers is not None:
            builder.workers = orm.Int(workers)
        with enable_caching():
            _, node = engine.run_get_node(builder)
        assert node.is_finished_ok, node.exit_message
        (job,) = node.called
        return bool(job.base.caching.is_created_from_cache)

    assert not is_cached(2)
    assert is_cached(None)
    assert is_cached(3)
    assert not is_cached(3, rdf=None)
    with pytest.raises(ValueError, match="workers is filled in by the calculation"):
        AnalyseWorkChain.get_builder_from_protocol(frames, code=code, overrides={"parameters": {"workers": 2}})


def test_chunks_of_labels_are_brought_from_the_job_that_made_them(code: orm.InstalledCode, tmp_path: Path) -> None:
    job = made_by_job(code, {"labels_0.npz": b"chunk"})
    course = Course(
        steps=np.array([0]),
        heights_ang=np.array([40.0]),
        label_names=np.array(["unknown", "Li"]),
        counts=np.ones((1, 2, 3), dtype=np.int64),
        slabs=np.zeros((1, 2, 4), dtype=np.int32),
        digests=np.zeros((1, 32), dtype=np.uint8),
        cores=np.zeros((1, 2), dtype=np.int32),
    )
    labels = orm.ArrayData()
    for name, array in course.arrays().items():
        labels.set_array(name, array)
    labels.base.attributes.set("chunks", [{"file": "labels_0.npz", "sha256": "a", "first_step": 0, "last_step": 0}])
    created(labels, job, "labels")
    links = Links()
    assert place_labels(labels, code.computer, tmp_path, links) == files.LABELS_MANIFEST
    assert [name for _, name, _ in links.local_copy] == ["labels_0.npz"]
    assert read_manifest(tmp_path / files.LABELS_MANIFEST)[0]["file"] == "labels_0.npz"
    alone = orm.ArrayData()
    for name, array in course.arrays().items():
        alone.set_array(name, array)
    alone.base.attributes.set("chunks", [{"file": "labels_0.npz", "sha256": "a", "first_step": 0, "last_step": 0}])
    with pytest.raises(ValueError, match=r"labels_0.npz of the labels \d+ is gone.*classify the run again"):
        place_labels(alone.store(), code.computer, tmp_path, links)
