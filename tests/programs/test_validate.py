"""``seireact-validate`` with real Gaussian processes: known errors, one wrong phase, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.scorecard import read_scorecard
from aiida_seireact.formats.scores import scores_from_dict
from aiida_seireact.formats.sgp import load_gp, save_gp
from aiida_seireact.formats.verdict import judged
from aiida_seireact.programs import validate
from aiida_seireact.programs.potentials import calculator_of
from aiida_seireact.science.sparse_gp import SparseGP, SparseGPCalculator
from aiida_seireact.science.structures.phase_cells import phase_cells
from aiida_seireact.science.validation.targets import Measured
from tests.programs.conftest import call, write_dump

LINES: dict[str, Any] = {
    "forces": {"test": "errors", "of": "force", "of_rms": True, "target": {"max": 0.1}},
    "energies": {"test": "errors", "of": "energy", "per": "config_type", "target": {"max": 5.0}},
    "products": {"test": "energies", "phases": ["Li2S", "Li3P", "LiCl"], "rattled": 1, "target": {"max": 5.0}},
    "reaction": {
        "test": "reaction",
        "reactants": {"Li6PS5Cl": 1, "Li": 8},
        "products": {"Li2S": 5, "Li3P": 1, "LiCl": 1},
        "target": {"relative": 0.1},
    },
}
PHASES = ("Li", "Li2S", "Li3P", "Li6PS5Cl", "LiCl")


def self_labelled(calculator: Any, images: list[Atoms], li3p_ev_per_atom: float = 0.0) -> Frames:
    """Label frames by the model itself, but Li3P by so much less an atom: exactly that is then its error."""
    frames = Frames.from_atoms([answered(calculator, atoms) for atoms in images], settings_hash="a" * 64)
    shift = np.where(_is_li3p(frames), li3p_ev_per_atom * frames.n_atoms, 0.0)
    assert frames.energy is not None
    return replace(frames, energy=frames.energy - shift)


def _is_li3p(frames: Frames) -> np.ndarray:
    return np.array([set(atoms.symbols) == {"Li", "P"} for atoms in frames.iter_atoms()])


def answered(calculator: Any, atoms: Atoms) -> Atoms:
    """Return a copy with the answers of a calculator, which goes on to the next frame."""
    copy = atoms.copy()
    copy.calc = calculator
    energy, forces, stress = copy.get_potential_energy(), copy.get_forces(), copy.get_stress()
    copy.calc = SinglePointCalculator(copy, energy=energy, forces=forces, stress=stress)
    return copy


@pytest.fixture(scope="module")
def crystals() -> list[Atoms]:
    return phase_cells(PHASES)


@pytest.fixture
def case(tmp_path: Path, crystals: list[Atoms], sparse_gp: Callable[..., SparseGP]) -> Callable[..., dict[str, Any]]:
    """Return a factory of a job in ``tmp_path`` whose labels are those of its model, but for Li3P."""

    def make(li3p_ev_per_atom: float = 0.0, **changes: Any) -> dict[str, Any]:
        cells = [atoms.copy() for atoms in crystals]
        known = next(atoms for atoms in cells if atoms.info["config_type"] == "Li6PS5Cl")
        save_gp(tmp_path / "sgp.npz", sparse_gp(known))
        calculator = calculator_of(tmp_path / "sgp.npz", "sgp")
        Frames.from_atoms(cells).save(tmp_path / "phases.npz")
        card = read_scorecard({"lines": LINES})
        phases = {str(atoms.info["config_type"]): atoms for atoms in cells}
        asked = [cell.atoms for found in card.static(phases).values() for cell in found]
        labelled = self_labelled(calculator, asked, li3p_ev_per_atom)
        labelled.select(sorted({name: i for i, name in enumerate(labelled.structure_ids)}.values())).save(
            tmp_path / "labelled.npz"
        )
        held_out = [phases[name].copy() for name in ("Li2S", "Li3P", "LiCl")]
        for number, atoms in enumerate(held_out):
            atoms.rattle(0.1, seed=number)
        self_labelled(calculator, held_out, li3p_ev_per_atom).save(tmp_path / "test.npz")
        job = {
            "model": "sgp.npz",
            "kind": "sgp",
            "species": ["Li", "P", "S", "Cl"],
            "scorecard": {"name": "toy", "lines": LINES},
            "phases": "phases.npz",
            "labelled": "labelled.npz",
            "held_out": "test.npz",
        }
        return {**job, **changes}

    return make


def scores(result: dict[str, Any]) -> dict[str, list[Measured]]:
    return scores_from_dict(result["outputs"]["scores"])


def test_a_model_that_is_right_has_no_errors_and_passes(case: Any, tmp_path: Path) -> None:
    status, result, _ = call(validate.main, tmp_path, case())
    assert status == 0, result["error"]
    found = scores(result)
    assert found["forces"][0].value == pytest.approx(0.0, abs=1e-9)
    assert [one.value for one in found["products"]] == pytest.approx([0.0] * 3, abs=1e-6)
    reaction = found["reaction"][0]
    assert reaction.value == pytest.approx(reaction.reference)
    verdict = judged(read_scorecard({"lines": LINES}), found, model_hash="m")
    assert verdict.decision == "production"
    table = result["outputs"]["errors"]
    assert table["all"]["n_frames"] == 3
    assert table["Li3P"]["energy_rmse_mev_per_atom"] == pytest.approx(0.0, abs=1e-6)
    assert result["outputs"]["timing"]["n_structures"] == result["outputs"]["n_static"] + 3
    with np.load(tmp_path / "validation.npz") as file:
        assert sorted(set(file["part"])) == ["held_out", "static"]
        assert file["energy_predicted"] == pytest.approx(file["energy_reference"])
        assert len(file["forces_predicted"]) == file["n_atoms"].sum()


def test_a_model_that_is_wrong_on_one_product_is_rejected_by_its_name(case: Any, tmp_path: Path) -> None:
    job = case(li3p_ev_per_atom=0.331)
    status, result, _ = call(validate.main, tmp_path, job)
    assert status == 0, result["error"]
    verdict = judged(read_scorecard({"lines": LINES}), scores(result), model_hash="m")
    assert verdict.decision == "rejected"
    failed = {(line.name, line.subject): line for line in verdict.failed}
    assert set(failed) >= {("products", "Li3P"), ("energies", "Li3P")}
    assert not {("products", "Li2S"), ("products", "LiCl"), ("forces", "all")} & set(failed)
    line = failed["products", "Li3P"]
    assert line.message == "Li3P: the energy RMSE is 331 meV/atom, allowed: at most 5 meV/atom."
    labelled = Frames.load(tmp_path / "labelled.npz")
    assert set(line.frames) == {labelled.frame_ids[index] for index in np.flatnonzero(_is_li3p(labelled))}


def test_a_frame_without_an_answer_fails_its_line_and_is_told(
    case: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = case()

    class Moody(SparseGPCalculator):
        """The model, but without a number, or with an error, for two of the products."""

        def calculate(self, atoms: Any = None, *args: Any, **more: Any) -> None:
            if set(atoms.symbols) == {"Li", "S"}:
                raise RuntimeError("out of its mind\nsecond line")
            super().calculate(atoms, *args, **more)
            if set(atoms.symbols) == {"Li", "Cl"}:
                self.results["energy"] *= np.nan

    monkeypatch.setattr(validate, "calculator_of", lambda path, kind, **more: Moody(load_gp(path)))
    status, result, output = call(validate.main, tmp_path, job)
    assert status == 0, result["error"]
    values = {one.subject: one.value for one in scores(result)["products"]}
    assert np.isnan(values["Li2S"])
    assert np.isnan(values["LiCl"])
    assert values["Li3P"] == pytest.approx(0.0, abs=1e-6)
    assert result["outputs"]["errors"]["LiCl"]["energy_rmse_mev_per_atom"] is None
    reasons = {item["reason"] for item in result["outputs"]["not_predicted"]}
    assert reasons == {"RuntimeError: out of its mind", "energy, forces or stress are no numbers"}
    assert "no answer for a frame of" in output
    verdict = judged(read_scorecard({"lines": LINES}), scores(result), model_hash="m")
    assert {line.name for line in verdict.failed} == set(LINES)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"species": ["Li", "S", "Cl"]}, "The model knows Li, S, Cl, but labelled holds P"),
        ({"labelled": "test.npz"}, "asks for a cell of Li2S that is not in `labelled`"),
        ({"labelled": "phases.npz"}, "labelled: the frames carry no labels"),
        ({"held_out": None}, "the line forces looks at held-out frames"),
        ({"phases": None}, "there is no cell of Li2S"),
        ({"kind": "pace"}, "no calculator for a potential of kind 'pace'"),
        ({"model": "nothing.npz"}, "nothing.npz"),
        ({"scorecard": {"lines": {"forces": {**LINES["forces"], "target": {}}}}}, "a target needs"),
    ],
)
def test_what_can_not_be_used_is_refused_in_a_sentence(
    changes: dict[str, Any], says: str, case: Any, tmp_path: Path
) -> None:
    status, result, _ = call(validate.main, tmp_path, {**case(), **changes})
    assert status == 2
    assert says in result["error"]["message"]


def test_labels_of_two_levels_are_refused(case: Any, tmp_path: Path) -> None:
    job = case()
    replace(Frames.load(tmp_path / "test.npz"), settings_hash="b" * 64).save(tmp_path / "test.npz")
    status, result, _ = call(validate.main, tmp_path, job)
    assert status == 2
    assert "at level aaaaaaaaaaaa, the dataset at bbbbbbbbbbbb" in result["error"]["message"]


def test_a_plan_made_elsewhere_is_taken_bit_by_bit(case: Any, tmp_path: Path) -> None:
    job = case()
    labelled = Frames.load(tmp_path / "labelled.npz")
    names = [str(name) for name in labelled.config_type]
    job["scorecard"] = {"lines": {"products": LINES["products"]}}
    job["held_out"] = None
    job["asked"] = {"products": [{"subject": "Li3P", "structure_id": labelled.structure_ids[0]}]}
    status, result, _ = call(validate.main, tmp_path, job)
    assert status == 0, (result["error"], names)
    assert [one.subject for one in scores(result)["products"]] == ["Li3P"]


def test_runs_are_read_with_their_frames_and_tables(tmp_path: Path) -> None:
    from aiida_seireact.formats.jobs.validate import RunFiles
    from aiida_seireact.programs._runs_seen import read_run

    (cell,) = phase_cells(["Li"])
    cell = cell.repeat(3)
    later = cell.copy()
    later.positions += 4.0  # out of the cell: followed, not wrapped
    write_dump(tmp_path / "run.dump", [cell, later])
    np.savez(tmp_path / "thermo.npz", step=np.arange(3), temp=np.full(3, 300.0))
    files = RunFiles(files=("run.dump",), thermo="thermo.npz", timestep_fs=2.0, temperature_k=300.0)
    seen = read_run("Li_300", files, tmp_path)
    assert seen.unwrapped
    assert seen.positions[1] - seen.positions[0] == pytest.approx(np.full((len(cell), 3), 4.0))
    assert seen.times_ps == pytest.approx([0.0, 0.1])
    assert seen.thermo["temp"].tolist() == [300.0] * 3
    assert len(set(seen.frame_ids)) == 2
    gone = RunFiles(timestep_fs=2.0, temperature_k=300.0, stopped_by={"reason": "lost", "message": "flew apart"})
    assert len(read_run("Li_300", gone, tmp_path).positions) == 0
