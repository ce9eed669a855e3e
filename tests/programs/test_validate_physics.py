"""``seireact-validate`` by lines of physics: a Gaussian process that has really learned the copper of EMT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.scorecard import read_scorecard
from aiida_seireact.formats.scores import scores_from_dict
from aiida_seireact.formats.sgp import save_gp
from aiida_seireact.formats.thermo import save_thermo
from aiida_seireact.formats.verdict import judged
from aiida_seireact.programs import validate
from aiida_seireact.science.sparse_gp import SparseGP, SparseGPCalculator
from aiida_seireact.science.validation.elastic import deformed
from aiida_seireact.science.validation.eos import strained
from tests.programs.conftest import call, write_dump

CU = bulk("Cu", a=3.59, cubic=True)
LINES: dict[str, Any] = {
    "volume": {"test": "eos", "target": {"relative": 0.01}},
    "modulus": {"test": "eos", "quantity": "bulk_modulus", "target": {"relative": 0.05}},
    "curve": {"test": "eos", "quantity": "curve", "target": {"max": 2.0}},
    "constants": {"test": "elastic", "phases": ["Cu"], "target": {"relative": 0.15}},
    "stable": {"test": "elastic", "phases": ["Cu"], "quantity": "stability", "target": {"min": 0.0}},
}
STRESS_WEIGHT = 100.0
DIMERS: dict[str, Any] = {"nuclei": {"test": "dimers", "quantity": "zbl", "target": {"min": 0.5}}}


def labelled(atoms: Atoms, scale: float = 1.0) -> Atoms:
    """Return a copy with EMT's labels; ``scale`` stretches its lengths, so that its copper is as much smaller."""
    other = atoms.copy()
    other.set_cell(atoms.cell * scale, scale_atoms=True)
    other.calc = EMT()
    copy = atoms.copy()
    answers = {"energy": other.get_potential_energy(), "forces": other.get_forces() * scale}
    copy.calc = SinglePointCalculator(copy, **answers, stress=other.get_stress() * scale**3)
    return copy


def answers(gp: SparseGP, images: list[Atoms]) -> np.ndarray:
    """Return energies and stresses of all images in one column."""
    calculator, found = SparseGPCalculator(gp), []
    for image in images:
        atoms = image.copy()
        atoms.calc = calculator
        found += [[atoms.get_potential_energy()], STRESS_WEIGHT * atoms.get_stress()]
    return np.concatenate(found)


@pytest.fixture(scope="module")
def copper(gp_that_knows: Callable[..., SparseGP]) -> SparseGP:
    """Return a process whose weights are fitted to EMT, a strained cell an environment: it is linear in them."""
    images = [*strained(CU, np.linspace(0.88, 1.12, 9)), *deformed(CU, (-0.06, -0.03, 0.03, 0.06))]
    shape = gp_that_knows(images, ("Cu",))
    # One environment an image: the atoms of each are alike.
    rows = shape.descriptors[0][:: len(CU)]
    kernel = (rows @ rows.T) ** shape.power + shape.jitter * np.eye(len(rows))
    inverse = np.linalg.inv(np.linalg.cholesky(kernel))
    count = len(rows)
    gp = replace(
        shape,
        descriptors=(rows,),
        alpha=(np.zeros(count),),
        inverse_cholesky=(inverse,),
        sparse_atoms=(tuple(range(count)),),
    )
    train = [*strained(CU, np.linspace(0.88, 1.12, 17)), *deformed(CU, (-0.04, -0.02, -0.01, 0.01, 0.02, 0.04))]
    design = np.stack([answers(replace(gp, alpha=(one,)), train) for one in np.eye(count)], axis=1)
    wanted = np.concatenate(
        [np.append(image.get_potential_energy(), STRESS_WEIGHT * image.get_stress()) for image in map(labelled, train)]
    )
    return replace(gp, alpha=(np.linalg.lstsq(design, wanted, rcond=1e-10)[0],))


@pytest.fixture
def judge(tmp_path: Path, copper: SparseGP) -> Callable[..., Any]:
    """Return a factory of verdicts on the copper that was learned, by a labeller."""

    def make(lines: dict[str, Any], labels: Callable[[Atoms], Atoms] = labelled) -> Any:
        save_gp(tmp_path / "sgp.npz", copper)
        phase = CU.copy()
        phase.info["config_type"] = "Cu"
        Frames.from_atoms([phase]).save(tmp_path / "phases.npz")
        card = read_scorecard({"lines": lines})
        asked = [cell.atoms for cells in card.static({"Cu": CU}).values() for cell in cells]
        job = {
            "model": "sgp.npz",
            "kind": "sgp",
            "species": ["Cu"],
            "scorecard": {"lines": lines},
            "phases": "phases.npz",
        }
        if asked:
            frames = Frames.from_atoms([labels(atoms) for atoms in asked], settings_hash="a" * 64)
            once = {name: index for index, name in enumerate(frames.structure_ids)}
            frames.select(sorted(once.values())).save(tmp_path / "labelled.npz")
            job["labelled"] = "labelled.npz"
        status, result, _ = call(validate.main, tmp_path, job)
        assert status == 0, result["error"]
        return judged(card, scores_from_dict(result["outputs"]["scores"]), model_hash="m")

    return make


def test_a_model_that_has_learned_the_crystal_passes_all_static_lines(judge: Any) -> None:
    verdict = judge(LINES)
    assert [line.message for line in verdict.failed] == []
    assert verdict.decision == "production"


def test_the_same_model_fails_against_a_labeller_of_smaller_copper(judge: Any) -> None:
    verdict = judge(LINES, lambda atoms: labelled(atoms, 1.02))
    assert {line.name for line in verdict.failed} >= {"volume", "curve"}
    assert "stable" not in {line.name for line in verdict.failed}


def test_a_model_of_the_crystal_alone_fails_where_nuclei_repel(judge: Any) -> None:
    verdict = judge(DIMERS)
    (line,) = verdict.failed
    assert line.subject == "Cu-Cu"
    assert "energy over ZBL" in line.message


def test_a_run_of_seireact_lmp_is_screened_by_its_frames_and_its_table(tmp_path: Path, copper: SparseGP) -> None:
    settings = {"test": "stability", "phases": ["Cu"], "crystal": ["Cu"], "steps": 500, "frames_every": 50}
    card = read_scorecard({"lines": {"md": settings}})
    (asked,) = card.runs({"Cu": CU})["md"]
    rng = np.random.default_rng(3)
    frames = [asked.atoms.copy() for _ in range(11)]
    for frame in frames[1:]:
        frame.positions += rng.normal(scale=0.1, size=frame.positions.shape)
    frames[8].positions[0, 0] += 3 * frames[8].cell[0, 0]  # to an image of its own place, within 100 fs
    write_dump(tmp_path / "traj.dump", frames)
    # The names that LAMMPS heads its tables with; hot from step 300 on.
    steps = np.arange(0.0, 501, 10)
    table = {"Step": steps, "Temp": np.where(steps < 300, 300.0, 900.0), "Econserve": 0 * steps}
    save_thermo(tmp_path / "thermo.npz", table)
    save_gp(tmp_path / "sgp.npz", copper)
    phase = CU.copy()
    phase.info["config_type"] = "Cu"
    Frames.from_atoms([phase]).save(tmp_path / "phases.npz")
    run = {"files": ["traj.dump"], "thermo": "thermo.npz", "timestep_fs": 2.0, "temperature_k": 300.0}
    job = {
        "model": "sgp.npz",
        "kind": "sgp",
        "species": ["Cu"],
        "scorecard": {"lines": {"md": settings}},
        "phases": "phases.npz",
        "runs": {asked.name: run},
    }
    status, result, _ = call(validate.main, tmp_path, job)
    assert status == 0, result["error"]
    verdict = judged(card, scores_from_dict(result["outputs"]["scores"]), model_hash="m")
    assert {line.quantity for line in verdict.failed} == {"fastest atom over its limit", "temperature over its limit"}
    notes = {line.quantity: line.message for line in verdict.failed}
    assert "first at step 400" in notes["fastest atom over its limit"]
    assert "900 K, limit 450, first at step 350" in notes["temperature over its limit"]
