"""The canary measures what was predicted before the label was learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_seireact.programs._canary import PER_ATOM, measure, save_arrays


class Guess(EMT):
    """EMT that knows how sure it is."""

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        self.results["stds"] = np.arange(len(atoms)) / 10


def test_errors_are_prediction_minus_label_in_the_units_of_their_names() -> None:
    images = []
    for number in range(2):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.1, seed=number)
        atoms.calc = EMT()
        forces = atoms.get_forces()
        forces[1] += [0.3, 0.0, -0.4]
        label = {
            "energy": atoms.get_potential_energy() - 0.04,
            "forces": forces,
            "stress": atoms.get_stress() + 0.01 * units.GPa * np.eye(6)[0],
        }
        atoms.info["md_step"] = 10 * number
        atoms.calc = SinglePointCalculator(atoms, **label)
        images.append(atoms)
    rows, arrays = measure(Guess(), images)
    assert [row["md_step"] for row in rows] == [0, 10]
    for row, image in zip(rows, images, strict=True):
        assert row["n_atoms"] == 4
        assert row["energy_error_mev_per_atom"] == pytest.approx(10.0)
        assert row["force_rmse_ev_per_ang"] == pytest.approx(0.5 / np.sqrt(12))
        assert row["force_rms_ev_per_ang"] == pytest.approx(np.sqrt((image.get_forces() ** 2).mean()))
        assert row["stress_rmse_gpa"] == pytest.approx(0.01 / np.sqrt(6))
        assert row["max_std"] == pytest.approx(0.3)
    assert arrays["frame"].tolist() == [0] * 4 + [1] * 4
    assert arrays["md_step"].tolist() == [0] * 4 + [10] * 4
    assert arrays["std"] == pytest.approx([0, 0.1, 0.2, 0.3] * 2)
    assert arrays["force_error"] == pytest.approx([0, 0.5, 0, 0] * 2, abs=1e-10)
    assert arrays["force_norm"][4:] == pytest.approx(np.linalg.norm(images[1].get_forces(), axis=1))


def test_without_labels_there_are_empty_arrays(tmp_path) -> None:
    rows, arrays = measure(None, [])
    save_arrays(tmp_path / "canary.npz", arrays)
    with np.load(tmp_path / "canary.npz", allow_pickle=False) as archive:
        assert rows == []
        assert {name: archive[name].shape for name in archive.files} == dict.fromkeys(PER_ATOM, (0,))
        assert archive["frame"].dtype == np.int64
