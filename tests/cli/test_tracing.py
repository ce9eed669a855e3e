from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_seireact.cli.trace_frames import frame_origin, shards_above
from aiida_seireact.cli.tracing import TraceError, trace
from aiida_seireact.data.frames import FramesData

from .conftest import VERSIONS, add_job, created, finish, workchain
from .loop_graph import potential


def texts(step):
    return [step.text, *(text for under in step.under for text in texts(under))]


def test_a_model_is_walked_back_to_its_labels(study):
    way = trace(study.potential)
    kinds = [text.split(" <")[0] for text in texts(way.root)]
    assert kinds == [
        "PotentialData",
        "TrainCalculation",
        "DatasetData",
        "make_dataset",
        "FramesData",
        "merge_frames",
        "FramesData",
        "LabelCalculation",
    ]
    (labelling,) = way.labellings
    assert labelling.pk == study.label_job.pk
    assert labelling.uuid == study.label_job.uuid
    assert labelling.code == "seireact-label-0.1.0@toy"
    assert labelling.versions == VERSIONS
    assert labelling.settings["calculator"] == {"name": "chgnet"}
    assert labelling.n_frames == 4


def test_a_gaussian_process_is_walked_back_through_its_legs_to_the_labels(study):
    leg = {"start": study.starts, "labels__round_000": study.shard}
    first = created(potential("e"), add_job("flare", "seireact.flare", None, "", **leg), "gp")
    last = created(potential("f"), add_job("flare", "seireact.flare", None, "", gp=first, **leg), "gp")
    way = trace(last)
    assert [labelling.pk for labelling in way.labellings] == [study.label_job.pk]
    assert [text.split(" <")[0] for text in texts(way.root)].count("FlareCalculation") == 2


@pytest.fixture
def returning(study):
    """Return a workchain with dataset and potential as outputs."""
    top = workchain("ReactWorkChain")
    study.dataset.base.links.add_incoming(top, LinkType.RETURN, "dataset")
    study.potential.base.links.add_incoming(top, LinkType.RETURN, "potential")
    return top


def test_a_workchain_is_walked_from_its_outputs(study, returning):
    way = trace(returning)
    assert {step.link for step in way.root.under} == {"potential", "dataset"}
    assert [labelling.pk for labelling in way.labellings] == [study.label_job.pk]


def test_a_node_met_twice_is_spread_out_once(returning):
    first, second = trace(returning).root.under
    dataset_again = second.under[0].under[0] if second.link == "potential" else second
    assert dataset_again.again
    assert dataset_again.under == []
    assert not first.again


def test_other_engines_count_as_labelling(aiida_profile, labelled):
    job = add_job("vasp", "vasp.vasp", None, "")
    shard = FramesData(labelled(2, seed=7))
    shard.base.links.add_incoming(job, LinkType.CREATE, "frames")
    shard.store()
    finish(job)
    assert [labelling.pk for labelling in trace(shard).labellings] == [job.pk]


def test_bare_frames_have_no_labelling(study):
    assert trace(study.starts).labellings == ()


def test_a_frame_of_a_dataset_is_traced_to_shard_job_and_parent(study):
    for index, frame_id in enumerate(study.dataset.frame_ids()):
        origin = frame_origin(study.dataset, index)
        position = study.shard.frames.frame_ids.index(frame_id)
        assert origin.frame_id == frame_id
        assert origin.split == study.dataset.column("split")[index]
        assert (origin.shard_pk, origin.index_in_shard) == (study.shard.pk, position)
        assert origin.labelling is not None
        assert origin.labelling.pk == study.label_job.pk
        assert origin.md_step == 10 * position
        assert (origin.parent_shard_pk, origin.parent_index) == (study.starts.pk, 0)


def test_a_merged_shard_is_not_taken_for_the_first(study):
    assert frame_origin(study.merged, 2).shard_pk == study.shard.pk


def test_an_unlabelled_frame_has_no_labelling(study):
    origin = frame_origin(study.starts, 0)
    assert origin.labelling is None
    assert origin.frame_id == origin.structure_id
    assert origin.md_step is None


def test_shards_above_come_nearest_first(study):
    assert [shard.pk for shard in shards_above(study.dataset)] == [study.merged.pk, study.shard.pk, study.starts.pk]


def test_a_frame_that_is_not_there_is_refused(study):
    with pytest.raises(TraceError, match="has frames 0 to 3, not 9"):
        frame_origin(study.dataset, 9)


def test_a_model_has_no_frames(study):
    with pytest.raises(TraceError, match="PotentialData and has no frames"):
        frame_origin(study.potential, 0)


def test_with_one_job_a_frame_each_label_is_traced_to_its_job(aiida_profile, labelled):
    frames = labelled(3, seed=11)
    bare = FramesData(frames.without_labels()).store()
    jobs = [add_job("vasp", "vasp.vasp", None, "") for _ in range(4)]
    join = orm.CalcFunctionNode()
    join.set_process_label("collect_vasp")
    join.base.links.add_incoming(bare, LinkType.INPUT_CALC, "frames")
    for index, job in enumerate(jobs):
        join.base.links.add_incoming(created(orm.Dict({}), job, "misc"), LinkType.INPUT_CALC, f"frame_{index:03d}")
        finish(job)
    join.store()
    # Frame 1 of four was refused.
    created(orm.Dict({"failures": [{"index": 1, "reason": "NaN"}]}), join, "failures")
    shard = created(FramesData(frames), join, "frames")
    finish(join)

    assert [labelling.pk for labelling in trace(shard).labellings] == [jobs[0].pk, jobs[2].pk, jobs[3].pk]
    origin = frame_origin(shard, 1)
    assert origin.labelling is not None
    assert origin.labelling.pk == jobs[2].pk
    assert origin.labelling.n_frames == 1


def test_a_job_of_several_frames_is_found_by_the_link_of_each(aiida_profile, labelled):
    frames = labelled(3, seed=12)
    jobs = [add_job("cp2k", "cp2k", None, "") for _ in range(2)]
    join = orm.CalcFunctionNode()
    join.set_process_label("collect_cp2k")
    for number, job in enumerate(jobs):
        join.base.links.add_incoming(
            created(orm.Dict({}), job, "told"), LinkType.INPUT_CALC, f"group_{number:03d}_run_1"
        )
        finish(job)
    join.store()
    links = {"0": "group_000_run_1", "1": "group_001_run_1", "2": "group_000_run_1"}
    created(orm.Dict({"failures": [], "links": links}), join, "failures")
    shard = created(FramesData(frames), join, "frames")
    finish(join)

    assert [(job.pk, job.n_frames) for job in trace(shard).labellings] == [(jobs[0].pk, 2), (jobs[1].pk, 1)]
    origin = frame_origin(shard, 2)
    assert origin.labelling is not None
    assert (origin.labelling.pk, origin.labelling.n_frames) == (jobs[0].pk, 2)
