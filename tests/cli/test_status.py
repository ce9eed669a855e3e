from __future__ import annotations

import json

import pytest
from aiida.manage import get_manager
from click.testing import CliRunner

from aiida_seireact.cli.main import cli
from aiida_seireact.cli.status import duration, errors_text

from . import loop_graph
from .conftest import finish, workchain


def run(*arguments):
    profile = get_manager().get_profile().name
    return CliRunner().invoke(cli, ["-p", profile, *map(str, arguments)])


def test_status_shows_stages_labels_and_errors(study):
    result = run("status", study.top.pk)
    assert result.exit_code == 0, result.output
    assert f"ReactWorkChain <{study.top.pk}> is running" in result.output
    assert "4 frames labelled" in result.output
    assert "force error 0.120 eV/Å, of rms 0.400" in result.output


def test_status_of_a_failed_study_says_why_and_what_to_do(running):
    produce = workchain("ProduceWorkChain", running, "produce")
    finish(produce, 430, "it can't go on [really]")
    finish(running, 460, "Stage produce failed")
    result = run("status", running.pk)
    assert result.exit_code == 0, result.output
    assert f"ProduceWorkChain <{produce.pk}> failed [430]: it can't go on [really]" in result.output
    assert f"verdi process report {running.pk}" in result.output


def test_status_as_json(running):
    finish(running)
    content = json.loads(run("status", running.uuid[:13], "--json").output)
    assert content["uuid"] == running.uuid
    assert content["state"] == "done"
    assert [stage["name"] for stage in content["stages"]][:2] == ["structures", "sample"]
    assert content["signs_of_trouble"] == []


def test_status_says_how_far_each_condition_is(aiida_profile):
    top = loop_graph.study()
    loop_graph.campaign(workchain("ExploreWorkChain", top, "explore"), "interface_300", [46, 90])
    result = run("status", top.pk)
    assert result.exit_code == 0, result.output
    words = "learning interface_300: running, step 90 of 300 after 2 legs, 2 ended by a call"
    assert words in " ".join(result.output.split())


def test_data_is_not_a_process(study):
    result = run("status", study.dataset.pk)
    assert result.exit_code == 1
    assert f"`aiida-seireact trace {study.dataset.pk}`" in result.output


def test_an_unknown_pk_is_one_sentence(study):
    result = run("status", 987654)
    assert result.exit_code == 1
    assert "No single node '987654'" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("seconds", "text"), [(41.6, "42 s"), (185, "3 min 05 s"), (7620, "2 h 07 min"), (59.7, "1 min 00 s")]
)
def test_durations_as_said(seconds, text):
    assert duration(seconds) == text


def test_errors_that_are_not_there_are_left_out():
    assert errors_text({"energy_rmse_mev_per_atom": 4.0, "stress_rmse_gpa": None}) == "energy 4.0 meV/atom"
