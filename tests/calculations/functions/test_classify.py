"""New names for an old classification are new nodes; merging parts needs no program."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from aiida import orm
from click.testing import CliRunner

from aiida_seireact.calculations.functions.classify import arrays_of_node, merge_labels, relabel_run
from aiida_seireact.cli.main import cli
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.phases import PhasesData
from aiida_seireact.formats.environments import Labels, course_of
from aiida_seireact.formats.frames import Frames
from aiida_seireact.parsers.classify_parts import labels_of
from aiida_seireact.programs import classify
from tests.programs.conftest import call
from tests.programs.test_classify import rattled


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Rock salt, then zinc blende, of which only the first is known."""
    folder = tmp_path_factory.mktemp("classified")
    Frames.from_atoms([*rattled("LiCl", 4, 1), *rattled("ZB", 4, 2)]).save(folder / "run.npz")
    Frames.from_atoms(rattled("LiCl", 2, 3)).save(folder / "licl.npz")
    job = {
        "trajectory": {"files": ["run.npz"]},
        "references": {"LiCl": {"files": ["licl.npz"]}},
        "discover": None,
        "sensitivity": [2.0],
    }
    status, result, _ = call(classify.main, folder, job)
    assert status == 0, result
    return folder, result["outputs"]


def test_a_phase_added_and_one_adopted_name_what_was_unknown(
    classified: tuple[Path, dict[str, Any]], aiida_profile_clean: Any
) -> None:
    folder, outputs = classified
    inputs = {
        "phases": PhasesData(folder / "phases.npz"),
        "labels": labels_of(folder / "labels.npz", []),
        "classification": orm.Dict(outputs),
    }
    unknown = [number for number, cluster in enumerate(outputs["clusters"]) if cluster["label"] == "unknown"]
    region = {
        "like": "antifluorite",
        "step": 5,
        "sulfur": {"p_value": 0.2},
        "groups": ["cluster 1"],
        "unknown_share": 1,
    }
    region |= dict.fromkeys(("structure_type", "name", "formula", "composition", "n_environments", "share_of_all"))
    discovery = orm.Dict({"regions": [{**region, "crystallinity": {}}], "groups": []})
    adoption = orm.Dict({"adopt": {"clusters": unknown, "name": "ZB"}})
    given = relabel_run(**inputs, settings=orm.Dict({}), ZB=FramesData(Frames.from_atoms(rattled("ZB", 2, 5))))
    adopted = relabel_run(**inputs, settings=adoption, discovery=discovery)
    # Whether all-sulfur environments sit together does not depend on names; how much is unknown does.
    (kept,) = adopted["classification"]["regions_before"]
    assert kept["sulfur"] == {"p_value": 0.2}
    assert not {"groups", "unknown_share"} & set(kept)
    assert "regions_before" not in given["classification"].get_dict()
    again = relabel_run(
        phases=adopted["phases"],
        labels=adopted["labels"],
        classification=adopted["classification"],
        settings=orm.Dict({"remove": ["ZB"]}),
    )
    assert again["classification"]["regions_before"] == [kept]
    for found in (given, adopted):
        told = found["classification"].get_dict()
        assert told["phase_fractions"]["last_tenth"]["ZB"] > 0.95
        assert told["phase_fractions"]["first_tenth"]["LiCl"] == outputs["phase_fractions"]["first_tenth"]["LiCl"]
        assert told["clustered_anew"] is False
        assert [row["z"] for row in told["sensitivity"]] == [2.0, 3.0]
        assert found["phases"].sensitivity() == told["sensitivity"]
        assert found["phases"].label_names == ["unknown", "LiCl", "ZB"]
        labels = Labels.of_arrays(arrays_of_node(found["labels"]))
        assert course_of(labels).content_hash == told["labels"]["content_hash"]
        assert labels.profile.sum() == len(labels.atom_ids)
    assert found["phases"].creator.process_label == "relabel_run"


def test_commands_on_a_pk_tell_and_refuse(classified: tuple[Path, dict[str, Any]], aiida_profile_clean: Any) -> None:
    folder, outputs = classified
    phases = PhasesData(folder / "phases.npz").store()
    number = next(n for n, cluster in enumerate(outputs["clusters"]) if cluster["label"] == "LiCl")

    def said(*words: str) -> str:
        return CliRunner().invoke(cli, list(words)).output

    assert "these have a name" in said("adopt", str(phases.pk), str(number), "--name", "X")
    assert "LiCl -> unknown" in said("relabel", str(phases.pk), "--remove", "LiCl", "--dry-run")
    made = said("relabel", str(phases.pk), "--remove", "LiCl")
    assert "Give the PK of the process to have its labels follow" in made
    other = orm.Int(1).store()
    assert "without phases" in said("relabel", str(other.pk), "--remove", "LiCl")


def test_parts_are_merged_in_the_order_of_their_names(
    classified: tuple[Path, dict[str, Any]], aiida_profile_clean: Any
) -> None:
    node = labels_of(classified[0] / "labels.npz", [])
    whole = arrays_of_node(node)
    by_frame = {name: values for name, values in whole.items() if len(values) == 8 and name != "profile"}
    parts = {}
    for number, rows in enumerate((slice(0, 3), slice(3, 8))):
        part = orm.ArrayData()
        for name, values in whole.items():
            part.set_array(name, values[rows] if name in by_frame else values)
        if number == 0:
            part.set_array("profile", np.zeros_like(whole["profile"]))
        parts[f"part_{number:03d}"] = part
    merged = arrays_of_node(merge_labels(**parts))
    assert all(np.array_equal(merged[name], values) for name, values in whole.items())


def test_another_run_is_labelled_by_phases_of_the_profile(
    classified: tuple[Path, dict[str, Any]], aiida_profile_clean: Any, aiida_localhost: orm.Computer
) -> None:
    from aiida_seireact.cli.classify import build

    program = str(Path(sys.executable).parent / "seireact-classify")
    orm.InstalledCode(label="seireact-classify-1", computer=aiida_localhost, filepath_executable=program).store()
    phases = PhasesData(classified[0] / "phases.npz").store()
    run = FramesData(Frames.from_atoms(rattled("ZB", 3, 7))).store()
    given = dict.fromkeys(("references", "protocol", "parallel"), None) | {"references": (), "centre": "Li"}
    given |= {"skip_first": 1, "stride": 1, "reference_skip": 1}
    builder = build(str(run.pk), {}, {**given, "classifier": str(phases.pk)})
    assert builder.classifier.pk == phases.pk
    # The descriptors are those of the classifier.
    assert builder.parameters["spec"] == phases.classifier()[1].to_dict()
    with pytest.raises(click.ClickException, match="without phases"):
        build(str(run.pk), {}, {**given, "classifier": str(run.pk)})
    said = CliRunner().invoke(cli, ["classify", str(run.pk), "--classifier", "none.npz", "--dry-run"])
    assert "No single node 'none.npz'" in said.output
