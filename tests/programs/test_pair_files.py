"""Files of other pair styles as their own programs write them."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.model import ModelFileError
from aiida_seireact.formats.pair_files import read_pair_file

from .conftest import SPECIES, Trained


def test_coefficients_of_flare_itself(tmp_path: Path) -> None:
    flare = pytest.importorskip("flare.bffs.sgp._C_flare")
    descriptor = flare.B2("chebyshev", "quadratic", [0.0, 5.0], [], [2, 3, 2])
    kernel = flare.NormalizedDotProduct(2.0, 2)  # FLARE keeps a pointer to it, no more
    process = flare.SparseGP([kernel], 0.1, 0.1, 0.1)
    places = np.random.default_rng(0).random((6, 3)) * 4
    structure = flare.Structure(np.eye(3) * 10.0, [0, 1, 0, 1, 0, 1], places, 5.0, [descriptor])
    structure.energy, structure.forces, structure.stresses = np.array([[1.0]]), np.zeros(18), np.zeros(6)
    process.add_training_structure(structure)
    process.add_all_environments(structure)
    process.update_matrices_QR()
    path = tmp_path / "model.flare"
    process.write_mapping_coefficients(str(path), "me", 0)
    assert read_pair_file(path, "flare-coefficients", ["Li", "S"]).species == ["Li", "S"]
    with pytest.raises(ModelFileError, match="is of 2 species, not of the 3"):
        read_pair_file(path, "flare-coefficients", ["Li", "S", "P"])


@pytest.mark.slow
def test_a_model_of_nequip_for_mliap(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "model.nequip.lmp.pt"
    program = Path(sysconfig.get_path("scripts")) / "nequip-prepare-lmp-mliap"
    subprocess.run([str(program), str(trained.package), str(path)], check=True, cwd=tmp_path, capture_output=True)
    assert read_pair_file(path, "nequip-mliap", SPECIES).species == SPECIES
