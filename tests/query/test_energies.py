"""Tables of verdicts, curves of energy against volume, hulls, products and gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_seireact import query
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.products import PhaseEnergy, predict
from aiida_seireact.science.validation.eos import strained
from tests.verdicts import verdict_on

from .graph import arrays, chain, ends, function, job, potential

RATIOS = (1.1, 0.9, 1.0)


def strained_cells() -> Frames:
    """Return labelled cells of Li at three volumes, not in their order."""
    images = strained(bulk("Li", "bcc", a=3.4, cubic=True), RATIOS)
    for ratio, atoms in zip(RATIOS, images, strict=True):
        atoms.calc = SinglePointCalculator(atoms, energy=-4.0 + ratio, forces=np.zeros((2, 3)), stress=np.zeros(6))
    return Frames.from_atoms(images, settings_hash="a" * 64)


@pytest.fixture(scope="module")
def study(aiida_profile: Any) -> orm.WorkChainNode:
    top = chain("ValidateWorkChain")
    frames = strained_cells()
    asked = {"volume": [{"subject": "Li", "structure_id": name} for name in frames.structure_ids]}
    scorecard = {"lines": {"volume": {"test": "eos"}, "forces": {"test": "errors"}}}
    parameters = orm.Dict({"scorecard": scorecard, "asked": {**asked, "forces": asked["volume"]}})
    evaluate = job("seireact.validate", top, "evaluate", labelled=FramesData(frames), parameters=parameters,
                   potential=potential("m"))  # fmt: skip
    predictions = arrays(
        part=["held_out", *["static"] * 3], n_atoms=[5, 2, 2, 2], frame_ids=["h", *frames.frame_ids],
        energy_reference=[0.0, *frames.energy], energy_predicted=[0.0, *(frames.energy + 0.2)],
    )  # fmt: skip
    ends(evaluate, predictions=predictions)
    ends(function("judge", top), result=orm.Dict(verdict_on("m" * 64, 7.0)))
    ends(function("judge", top, "judge_again"), 1, result=orm.Dict(verdict_on("x" * 64, 7.0)))
    energies = [PhaseEnergy(name, composition, energy, "toy") for name, composition, energy in (
        ("Li", {"Li": 1}, 0.0), ("S", {"S": 1}, 0.0), ("Li2S", {"Li": 2, "S": 1}, -3.0),
        ("LiS", {"Li": 1, "S": 1}, -1.0),
    )]  # fmt: skip
    ends(function("predict_products", top), result=orm.Dict(predict("Li", "S", energies).to_dict()))
    row = {"name": "a", "formula": "LiS", "energy_ev_per_atom": -0.5, "above_hull_mev_per_atom": 12.0, "degeneracy": 4}
    estimates = {"above_hull_mev_per_atom": 5.0, "ts_mev_per_atom": 7.0}
    placed = {"orderings": [row], "hull": [], "level": "toy"}
    placed["temperatures"] = [
        {"temperature_k": 300.0, "ideal": estimates, "ensemble": {**estimates, "ts_mev_per_atom": 1.0}}
    ]
    ends(function("place_on_hull", top), result=orm.Dict(placed))
    gaps = [{"name": "a", "gap_ev": 3.2, "direct_ev": 3.3, "metallic": False, "remark": ""}]
    gaps.append({"name": "b", "gap_ev": None, "metallic": None, "remark": "it did not converge"})
    ends(function("collect_pw_gaps", top), result=orm.Dict({"program": "pw.x", "method": "mesh", "gaps": gaps}))
    return top


def test_scores_are_those_of_the_verdict(study: orm.WorkChainNode) -> None:
    found = query.scores(study)
    assert found[["model_hash", "decision", "line", "subject", "value", "passed"]].to_numpy().tolist() == [
        ["m" * 64, "rejected", "products", "Li3P", 7.0, False]
    ]
    assert query.elastic(study).empty


def test_energies_against_volume_come_in_its_order(study: orm.WorkChainNode) -> None:
    found = query.eos(study)
    cell = 3.4**3 / 2
    assert found["volume_ang3_per_atom"].tolist() == pytest.approx([0.9 * cell, cell, 1.1 * cell])
    assert found["reference_ev_per_atom"].tolist() == pytest.approx([-1.55, -1.5, -1.45])
    assert found["predicted_ev_per_atom"].tolist() == pytest.approx([-1.45, -1.4, -1.35])
    assert set(found["line"]) == {"volume"}
    assert set(found["phase"]) == {"Li"}
    assert set(found["model_hash"]) == {"m" * 64}


def test_shards_of_many_scorecards_are_not_loaded_one_by_one(
    study: orm.WorkChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Any] = []
    monkeypatch.setattr(orm, "load_node", lambda *args, **kwargs: loaded.append(args))
    monkeypatch.setattr(FramesData, "frames", property(lambda self: loaded.append(self)))
    assert len(query.eos(study)) == 3
    assert not loaded


def test_the_hull_has_phases_and_orderings(study: orm.WorkChainNode) -> None:
    found = query.hull(study).set_index("phase")
    assert found.loc["Li2S", "above_hull_mev_per_atom"] == 0.0
    # LiS can become half Li2S and half S: -0.75 eV an atom against -0.5.
    assert found.loc["LiS", "above_hull_mev_per_atom"] == pytest.approx(250.0)
    assert found.loc["a", ["kind", "degeneracy", "above_hull_mev_per_atom"]].tolist() == ["ordering", 4, 12.0]
    assert query.entropy(study).set_index("estimate")["ts_mev_per_atom"].to_dict() == {"ideal": 7.0, "ensemble": 1.0}


def test_products_tell_the_strongest_reaction(study: orm.WorkChainNode) -> None:
    found = query.products(study)
    strongest = found[found["is_strongest"]].iloc[0]
    assert strongest["mixing_fraction"] == pytest.approx(2 / 3)
    assert strongest["products"] == "1 Li2S"
    assert strongest["energy_ev_per_atom"] == pytest.approx(-1.0)
    assert strongest["is_lithiation_end"]


def test_a_gap_that_is_not_known_says_why(study: orm.WorkChainNode) -> None:
    found = query.gaps(study).set_index("name")
    assert found.loc["a", "gap_ev"] == 3.2
    assert np.isnan(found.loc["b", "gap_ev"])
    assert found.loc["b", "remark"] == "it did not converge"
