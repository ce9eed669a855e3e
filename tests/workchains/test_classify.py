"""One job and jobs side by side: the same labels, all of them nodes made by processes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import engine, orm
from aiida.manage.caching import enable_caching
from ase.build import bulk

from aiida_seireact.calculations.base import Links
from aiida_seireact.calculations.classify import write_classify_files
from aiida_seireact.calculations.trajectories import count_frames
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.phases import PhasesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.classify import SETTLED, ClassifyJob
from aiida_seireact.programs import classify as program
from aiida_seireact.programs._classify_known import require_settled
from aiida_seireact.workchains.analyse import AnalyseWorkChain
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.classify_parts import ClassifyPartsWorkChain
from tests.programs.conftest import call
from tests.programs.test_classify import rattled


@pytest.fixture(scope="module")
def run() -> Frames:
    frames = Frames.from_atoms([*rattled("LiCl", 3, 1), *rattled("ZB", 3, 2)])
    return frames


@pytest.fixture
def builder(aiida_profile_clean: Any, aiida_localhost: orm.Computer, run: Frames) -> Any:
    aiida_localhost.set_minimum_job_poll_interval(0)
    code = orm.InstalledCode(
        label="seireact-classify-test",
        computer=aiida_localhost,
        filepath_executable=str(Path(sys.executable).parent / "seireact-classify"),
        prepend_text="export OMP_NUM_THREADS=1",
    ).store()
    overrides = {
        "parameters": {
            "trajectory": {"skip_first": 0},
            "references": {"skip_first": 0},
            "n_landmarks": 400,
            "maxk": 40,
            "sensitivity": [2.0, 4.0],
            "discover": None,
            "metal": ["LiCl"],
        }
    }
    return ClassifyWorkChain.get_builder_from_protocol(
        FramesData(run), {"LiCl": FramesData(Frames.from_atoms(rattled("LiCl", 2, 3)))}, code=code, overrides=overrides
    )


@pytest.mark.slow
def test_jobs_side_by_side_give_the_labels_of_one(builder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, node = engine.run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    builder.parallel = orm.Int(3)
    monkeypatch.setattr(ClassifyPartsWorkChain, "TOGETHER", 2)
    together, node = engine.run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    for name in alone["labels"].get_arraynames():
        assert np.array_equal(alone["labels"].get_array(name), together["labels"].get_array(name)), name
    assert alone["phases"].base.attributes.get("content_hash") == together["phases"].base.attributes.get("content_hash")
    one, other = alone["classification"].get_dict(), together["classification"].get_dict()
    assert one == other
    assert one["phase_fractions"]["first_tenth"]["LiCl"] > 0.9
    assert one["interphase"]["phase_fractions"]["last_tenth"] == {"unknown": 1.0}
    assert [row["z"] for row in one["sensitivity"]] == [2.0, 3.0, 4.0]
    # Labels of three shares in groups of two: a tree of three mergings.
    (parts,) = node.called
    made = [child.process_label for child in parts.called]
    assert made.count("merge_labels") == 3
    assert made.count("GatherWorkChain") == 2
    assert made.count("AssignWorkChain") == 3
    assert together["labels"].creator.process_label == "merge_labels"


def phases_along_z(computer: orm.Computer, run: FramesData, labels: orm.ArrayData) -> dict[str, Any]:
    """Return what an analysis tells of the phases in a run."""
    code = orm.InstalledCode(
        label="seireact-analyse-test",
        computer=computer,
        filepath_executable=str(Path(sys.executable).parent / "seireact-analyse"),
    )
    settings = {
        **dict.fromkeys(("thickness", "health", "composition", "rdf", "msd")),
        "phases": {"metal": "LiCl", "electrolyte": "unknown"},
    }
    outputs, node = engine.run_get_node(
        AnalyseWorkChain, code=code.store(), trajectory=run, labels=labels, parameters=orm.Dict(settings)
    )
    assert node.is_finished_ok, node.exit_message
    found = outputs["analysis_arrays"]
    return {name: found.get_array(name) for name in found.get_arraynames()}


CUT = {"most_in_one_file": 300, "chunk_environments": 100}


@pytest.mark.slow
def test_labels_in_chunks_find_their_way_and_another_z_draws_nothing_anew(
    builder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six frames of 108 centres are too many for one file, so each of three shares has chunks of one frame."""
    monkeypatch.setattr(ClassifyPartsWorkChain, "TOGETHER", 2)
    settings = {**builder.parameters.get_dict(), "discover": {"n_frames": 4}}
    builder.parameters = orm.Dict(settings)
    alone, node = engine.run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    builder.parameters, builder.parallel = orm.Dict({**settings, **CUT}), orm.Int(3)
    together, node = engine.run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    chunks = together["labels"].base.attributes.get("chunks")
    assert [chunk["n_frames"] for chunk in chunks] == [1] * 6
    assert "labels" not in together["labels"].get_arraynames()
    one, other = alone["classification"].get_dict(), together["classification"].get_dict()
    assert other["labels"]["content_hash"] == one["labels"]["content_hash"]
    assert other["phase_fractions"] == one["phase_fractions"]
    # Clusters are looked at by a job of its own, which reads the chunks from where the shares left them.
    assert together["discovery"].get_dict() == alone["discovery"].get_dict()
    assert together["discovery"]["groups"]
    assert len(together["examples"]) == len(alone["examples"])
    # An analysis by phase reads them too.
    given = (builder.code.computer, builder.trajectory)
    np.testing.assert_equal(phases_along_z(*given, together["labels"]), phases_along_z(*given, alone["labels"]))

    builder.parameters = orm.Dict({**settings, **CUT, "z": 2.5})
    with enable_caching():
        _, node = engine.run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    jobs = [child for child in node.called_descendants if isinstance(child, orm.CalcJobNode)]
    cached = {job.process_label for job in jobs if job.base.caching.is_created_from_cache}
    assert cached == {"DrawCalculation", "GatherCalculation"}
    assert {job.process_label for job in jobs} - cached == {
        "ClusterCalculation",
        "AssignCalculation",
        "DiscoverCalculation",
    }


def test_no_job_and_more_jobs_than_frames_are_refused(builder: Any) -> None:
    with pytest.raises(ValueError, match="at least one job"):
        builder.parallel = orm.Int(0)
    check = ClassifyWorkChain.spec().inputs.validate
    builder.parallel = orm.Int(6)
    assert check(builder._inputs(prune=True)) is None
    builder.parallel = orm.Int(7)
    assert "7 jobs can't share 6 frames: ask for at most 6" in check(builder._inputs(prune=True)).message
    builder.parameters = orm.Dict({**builder.parameters.get_dict(), "trajectory": {"skip_first": 1, "stride": 2}})
    assert "7 jobs can't share 3 frames" in check(builder._inputs(prune=True)).message


def test_frames_are_counted_by_the_manifest(aiida_profile_clean: Any) -> None:
    """As LAMMPS goes on from a restart, the second chunk begins with the frame that the first ended with."""
    facts = {"n_atoms": 2, "species": ["Li"], "timestep_fs": 1.0, "steps": 50}
    ends = [(0, 20, 3), (20, 40, 3), (50, 50, 1)]
    chunks = [
        {"file": f"{first}", "sha256": "", "bytes": 1, "first_step": first, "last_step": last, "n_frames": n_frames}
        for first, last, n_frames in ends
    ]
    run = TrajectoryData(manifest=chunks, facts=facts)
    assert count_frames(run) == 6
    assert count_frames(run, skip_first=1, stride=2) == 3
    assert count_frames(run, skip_first=9) == 0
    without = [{name: value for name, value in chunk.items() if name != "n_frames"} for chunk in chunks]
    assert count_frames(TrajectoryData(manifest=without, facts=facts)) is None


def test_a_name_that_means_unknown_is_refused(builder: Any) -> None:
    (reference,) = builder.references.values()
    with pytest.raises(ValueError, match="can't be named 'unknown'"):
        builder.references = {"unknown": reference}


@pytest.fixture
def phases(aiida_profile_clean: Any, run: Frames, tmp_path: Path) -> PhasesData:
    """A classifier made with another z than the protocol's, and of fewer landmarks."""
    run.save(tmp_path / "run.npz")
    job = {"trajectory": {"files": ["run.npz"]}, "spec": {"species": ["Li", "Cl"]}, "n_landmarks": 400}
    status, result, _ = call(
        program.main, tmp_path, {**job, "z": 2.5, "maxk": 100, "sensitivity": [], "discover": None}
    )
    assert status == 0, result
    return PhasesData(tmp_path / "phases.npz")


def test_defaults_of_the_protocol_stand_beside_a_classifier_and_what_is_unlike_it_is_refused(
    builder: Any, phases: PhasesData, run: Frames, tmp_path: Path
) -> None:
    check = ClassifyWorkChain.spec().inputs.validate

    def made(classifier: PhasesData | None = phases, **parameters: Any) -> Any:
        return ClassifyWorkChain.get_builder_from_protocol(
            FramesData(run), {}, code=builder.code, overrides={"parameters": parameters}, classifier=classifier
        )

    own = made()
    assert own.classifier is phases
    assert not SETTLED & set(own.parameters.get_dict())
    assert own.parameters["spec"] == phases.classifier()[1].to_dict()
    assert check(own._inputs(prune=True)) is None
    assert made(z=2.5, gates={"point": 2.0}).parameters["gates"] == {"point": 2.0}
    with pytest.raises(ValueError, match=r"z: 3 was asked for, but the classifier was made with 2\.5"):
        made(z=3.0)
    with pytest.raises(ValueError, match=r"spec\.n_max: 9 was asked for"):
        made(spec={"n_max": 9})

    # The whole protocol, and then a classifier as an input: nobody asked for its z of 3, nor for 10,000 landmarks.
    later = made(None)
    later.classifier = phases
    assert later.parameters["z"] == 3.0
    assert check(later._inputs(prune=True)) is None
    inputs = {"parameters": later.parameters, "code": builder.code, "classifier": phases}
    job = write_classify_files(inputs, tmp_path, Links())
    require_settled(ClassifyJob.model_validate({**job, "trajectory": {"files": ["run.npz"]}}), phases.classifier()[0])
    later.parameters = orm.Dict({**later.parameters.get_dict(), "z": 9.0})
    assert (
        "parameters.z: 9 was asked for, but the classifier was made with 2.5"
        in check(later._inputs(prune=True)).message
    )
    later.parameters = orm.Dict({"spec": {"species": ["Li", "Cl"], "n_max": 3}})
    assert "parameters.spec: the classifier was made with other descriptors" in check(later._inputs(prune=True)).message


def test_descriptors_know_the_species_of_run_and_references(builder: Any, run: Frames) -> None:
    """The default names Li, P, S, Cl; what is not there would be zeros, and what is more was refused by the job."""
    assert builder.parameters["spec"]["species"] == ["Li", "Cl"]
    salt = FramesData.from_ase([bulk("NaCl", "rocksalt", a=5.6, cubic=True)])
    check = ClassifyWorkChain.spec().inputs.validate

    def made(references: dict[str, FramesData], **spec: Any) -> Any:
        return ClassifyWorkChain.get_builder_from_protocol(
            FramesData(run), references, code=builder.code, overrides={"parameters": {"spec": spec}}
        )

    assert made({"NaCl": salt}).parameters["spec"]["species"] == ["Li", "Cl", "Na"]
    refused = check(made({"NaCl": salt})._inputs(prune=True)).message
    assert "reference NaCl holds no Li, whose environments are asked for, but Na, Cl" in refused
    refused = check(made({}, species=["Li", "S"])._inputs(prune=True)).message
    assert "trajectory holds Cl, but the descriptors know only Li, S: name all species" in refused
