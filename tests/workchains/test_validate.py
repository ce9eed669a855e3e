"""The gate with real potentials: fits to CHGNet labels, one right, and one good on average but wrong on Li3P."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from ase import Atoms

from aiida_seireact.calculations.functions.validate import judge
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.verdict import read_verdict
from aiida_seireact.science.structures.phase_cells import phase_cells
from aiida_seireact.workchains.produce_chain import validate_verdict
from aiida_seireact.workchains.stages import refusal_of
from aiida_seireact.workchains.validate import ValidateWorkChain
from tests.gate import LABEL, PHASES, dataset_of, fitted, labelled_frames

WRONG_EV_PER_ATOM = 0.1
SCORECARD: dict[str, Any] = {
    "name": "gate",
    "lines": {
        # On average both models are good: a fifth of the frames, 100 meV/atom off, are 45 in the root mean square.
        "energies": {"test": "errors", "of": "energy", "target": {"max": 60.0}},
        "forces": {"test": "errors", "of": "force", "of_rms": True, "target": {"max": 0.6}},
        "products": {"test": "energies", "phases": ["Li2S", "Li3P", "LiCl"], "rattled": 1, "target": {"max": 40.0}},
    },
}


@pytest.fixture(scope="module")
def frames() -> Frames:
    return labelled_frames()


@pytest.fixture(scope="module")
def dataset(frames: Frames, aiida_profile: Any) -> DatasetData:
    return dataset_of(frames)


@pytest.fixture(scope="module")
def model(frames: Frames, dataset: DatasetData, tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Any]:
    """Return a factory of processes whose Li3P was shifted by so much an atom."""
    return lambda li3p_ev_per_atom: fitted(frames, dataset, tmp_path_factory.mktemp("gp"), li3p_ev_per_atom)


@pytest.fixture(scope="module")
def inputs(program_code: Callable[..., orm.Code], dataset: DatasetData) -> dict[str, Any]:
    cells: list[Atoms] = phase_cells(PHASES)
    return {
        "codes": {"validate": program_code("validate"), "label": program_code("label")},
        "dataset": dataset,
        "scorecard": orm.Dict(SCORECARD).store(),
        "phases": FramesData.from_ase(cells).store(),
        "label": orm.Dict(LABEL).store(),
    }


@pytest.fixture(scope="module")
def right(model: Callable[[float], PotentialData], inputs: dict[str, Any]) -> orm.WorkChainNode:
    _, node = run_get_node(ValidateWorkChain, potential=model(0.0), **inputs)
    return node


@pytest.fixture(scope="module")
def wrong(right: orm.WorkChainNode, model: Callable[[float], Any], inputs: dict[str, Any]) -> orm.WorkChainNode:
    _, node = run_get_node(ValidateWorkChain, potential=model(WRONG_EV_PER_ATOM), **inputs)
    return node


def test_a_model_that_is_right_is_for_production(right: orm.WorkChainNode) -> None:
    assert right.is_finished_ok, right.exit_message
    potential = right.inputs.potential
    verdict = read_verdict(right.outputs.verdict.get_dict(), potential.model_hash)
    assert verdict.decision == "production", [line.message for line in verdict.failed]
    assert verdict.dataset_hash == right.inputs.dataset.content_hash
    assert verdict.settings_hash == right.inputs.dataset.settings_hash
    assert validate_verdict({"verdict": right.outputs.verdict, "potential": potential}) is None


def test_a_model_good_on_average_and_wrong_on_li3p_is_rejected_for_li3p(wrong: orm.WorkChainNode) -> None:
    assert wrong.is_finished_ok, wrong.exit_message
    potential = wrong.inputs.potential
    verdict = read_verdict(wrong.outputs.verdict.get_dict(), potential.model_hash)
    assert verdict.decision == "rejected"
    passed = {line.name for line in verdict.lines if line.passed and line.subject == "all"}
    assert passed == {"energies", "forces"}  # good on average
    (line,) = verdict.failed
    assert (line.name, line.subject, line.bounds) == ("products", "Li3P", {"max": 40.0})
    assert line.value == pytest.approx(1000 * WRONG_EV_PER_ATOM, abs=25)
    assert line.message.startswith("Li3P: the energy RMSE is ")
    labelled = wrong.outputs.frames.frames
    of_li3p = {
        frame_id for frame_id, name in zip(labelled.frame_ids, labelled.config_type, strict=True) if name == "Li3P"
    }
    assert set(line.frames) == of_li3p
    refusal = str(validate_verdict({"verdict": wrong.outputs.verdict, "potential": potential}))
    assert refusal.startswith("This model was rejected by the scorecard gate: Li3P: the energy RMSE is ")


def test_the_cells_are_labelled_once_for_all_models(right: orm.WorkChainNode, wrong: orm.WorkChainNode) -> None:
    def jobs(node: orm.WorkChainNode) -> list[str]:
        return sorted(child.process_label for child in node.called_descendants if isinstance(child, orm.CalcJobNode))

    assert jobs(right) == ["AseCalculation", "ValidateCalculation"]
    assert jobs(wrong) == ["ValidateCalculation"]
    assert right.outputs.frames.content_hash == wrong.outputs.frames.content_hash


def test_no_clock_is_in_an_output_and_a_replay_runs_nothing(right: orm.WorkChainNode, inputs: dict[str, Any]) -> None:
    assert "timing" not in right.outputs.scores.get_dict()
    with enable_caching():
        _, again = run_get_node(ValidateWorkChain, potential=right.inputs.potential, **inputs)
    assert again.outputs.verdict.get_dict() == right.outputs.verdict.get_dict()
    made = [child for child in again.called_descendants if not isinstance(child, orm.WorkChainNode)]
    assert made
    assert all(child.base.caching.is_created_from_cache for child in made)


def test_the_labeller_is_that_of_the_dataset(
    right: orm.WorkChainNode, inputs: dict[str, Any], dataset: DatasetData
) -> None:
    potential, codes = right.inputs.potential, inputs["codes"]
    make = ValidateWorkChain.get_builder_from_protocol
    builder = make(potential, dataset=dataset, codes=codes)
    assert builder.label.uuid == inputs["label"].uuid
    other = make(
        potential, dataset=dataset, codes=codes, overrides={"label": {"task": "label", "calculator": {"name": "lj"}}}
    )
    assert other.label["calculator"]["name"] == "lj"
    assert make(potential, codes=codes).label["calculator"]["name"] == "chgnet"


def test_scores_of_another_model_are_not_judged(right: orm.WorkChainNode, wrong: orm.WorkChainNode) -> None:
    with pytest.raises(ValueError, match="These scores are of model"):
        judge(right.inputs.scorecard, right.outputs.scores, wrong.inputs.potential, right.inputs.dataset)


def test_labels_of_another_level_are_refused(right: orm.WorkChainNode, inputs: dict[str, Any]) -> None:
    other = orm.Dict({"task": "label", "calculator": {"name": "lj", "kwargs": {"rc": 5.0, "sigma": 2.2}}})
    _, node = run_get_node(ValidateWorkChain, potential=right.inputs.potential, **{**inputs, "label": other})
    assert node.exit_status == 251
    assert f"the dataset is of {node.inputs.dataset.settings_hash[:12]}" in node.exit_message


RUN = {"test": "energies", "phases": ["NaCl"], "target": {"max": 1.0}}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dataset": None}, "Line energies looks at held-out frames: give `dataset`"),
        ({"label": None}, "Line products compares with the labeller: give `codes.label` and `label`"),
        ({"scorecard": {"lines": {"salt": RUN}}}, "Line salt: there is no cell of NaCl"),
        ({"scorecard": {"lines": {}}}, "none of the lines is left"),
        ({"label": {"task": "label"}}, "label: "),
        ({"runs": True}, "runs.Li is a run that no line asks for; they ask for none at all"),
    ],
)
def test_what_lacks_an_input_is_refused_before_anything_runs(
    changes: dict[str, Any], says: str, right: orm.WorkChainNode, inputs: dict[str, Any], dataset: DatasetData
) -> None:
    given = {"potential": right.inputs.potential, **inputs}
    for name, value in changes.items():
        given[name] = orm.Dict(value) if isinstance(value, dict) else value
    if changes.get("runs"):
        given["runs"] = {"Li": inputs["phases"]}
    given = {name: value for name, value in given.items() if value is not None}
    assert says in refusal_of(ValidateWorkChain, given)


def test_a_model_that_lacks_a_species_is_refused(inputs: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "sgp.npz").write_bytes(b"gp")
    card = {"kind": "sgp", "species": ["Li", "S"], "cutoff_ang": 5.0, "model_hash": "m", "dataset_hash": "d"}
    lithium = PotentialData(tmp_path / "sgp.npz", card={**card, "versions": {}, "metrics": {}})
    foreign = PotentialData(tmp_path / "sgp.npz", card={**lithium.card, "kind": "deepmd"})
    assert "A potential of kind deepmd can't be asked" in refusal_of(
        ValidateWorkChain, {"potential": foreign, **inputs}
    )
    message = refusal_of(ValidateWorkChain, {"potential": lithium, **inputs})
    assert "The dataset holds P, Cl, but the model knows Li, S only" in message
