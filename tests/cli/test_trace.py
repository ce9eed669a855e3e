from __future__ import annotations

import json

from .test_status import run


def test_trace_of_a_model(study):
    result = run("trace", study.potential.pk)
    assert result.exit_code == 0, result.output
    assert f"LabelCalculation <{study.label_job.pk}>" in result.output
    assert "1 labelling calculations, 4 labelled frames" in result.output
    assert "chgnet" in result.output


def test_trace_of_a_frame(study):
    result = run("trace", study.dataset.pk, "--frame", 0)
    assert result.exit_code == 0, result.output
    assert study.dataset.frame_ids()[0] in result.output
    assert f"FramesData <{study.starts.pk}>" in result.output


def test_trace_as_json(study):
    way = json.loads(run("trace", study.potential.uuid, "--json").output)
    assert way["labellings"][0]["pk"] == study.label_job.pk
    origin = json.loads(run("trace", study.merged.pk, "--frame", 1, "--json").output)
    assert origin["shard_pk"] == study.shard.pk
    assert origin["labelling"]["uuid"] == study.label_job.uuid


def test_a_question_that_does_not_fit_is_one_sentence(study):
    result = run("trace", study.potential.pk, "--frame", 0)
    assert result.exit_code == 1
    assert "give a FramesData or DatasetData" in result.output
