"""Analyses of a run, by seireact-analyse on runs whose answer is known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.programs import analyse

from ..conftest import call, write_dump

OFF: dict[str, Any] = dict.fromkeys(["thickness", "health", "composition", "rdf", "msd"])
LOG = """thermo output
---
keywords: ['Step', 'Temp', 'PotEng', 'Volume', ]
data:
"""


def analysed(folder: Path, images: list[Atoms], **sections: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Analyse a run by the sections given and no others."""
    write_dump(folder / "run.dump", images)
    job = {"trajectory": {"files": ["run.dump"]}, "timestep_fs": 2.0, **OFF, **sections}
    status, result, _ = call(analyse.main, folder, job)
    assert status == 0, result
    with np.load(folder / "analysis.npz") as archive:
        return result["outputs"], dict(archive)


def refused(folder: Path, images: list[Atoms], status: int = 2, **sections: Any) -> str:
    write_dump(folder / "run.dump", images)
    found, result, _ = call(analyse.main, folder, {"trajectory": {"files": ["run.dump"]}, **OFF, **sections})
    assert found == status, result
    return str(result["error"]["message"])


def test_metal_that_grows_into_a_wire_percolates_from_that_frame_on(tmp_path: Path) -> None:
    images = []
    for length in range(1, 5):
        atoms = Atoms("Cl4", [[6, 6, z] for z in range(0, 12, 3)], cell=[12, 12, 12], pbc=True)
        wire = [
            [1, 1, 3.0 * place] if place < length else [8, 1 + 3.4 * (place % 2), 3.0 * place] for place in range(4)
        ]
        images.append(atoms + Atoms("In4", wire))
    outputs, arrays = analysed(tmp_path, images, clusters={"species": ["In"], "cutoff_ang": 3.2})
    assert arrays["clusters_percolate"].tolist() == [[False] * 3] * 3 + [[False, False, True]]
    assert arrays["clusters_largest"].tolist() == [1, 2, 3, 4]
    assert arrays["clusters_dimension"].tolist() == [0, 0, 0, 1]
    assert outputs["clusters"]["first_step_that_percolates_along"] == {"a": None, "b": None, "c": 150}
    assert outputs["clusters"]["share_of_frames_that_percolate_along"]["c"] == 0.25
    message = refused(tmp_path, images, clusters={"species": ["Bi"], "cutoff_ang": 3.2})
    assert message.startswith("clusters: the trajectory holds no Bi")


def test_void_that_opens(tmp_path: Path) -> None:
    crystal = bulk("Li", "fcc", a=4.0, cubic=True) * (4, 4, 4)
    opened = crystal.copy()
    middle = crystal.get_distances(0, slice(None), mic=True) < 3.9
    opened.positions[middle] = opened.positions[100] + np.random.default_rng(0).normal(size=(int(middle.sum()), 3))
    outputs, arrays = analysed(tmp_path, [crystal, opened], voids={"probe_radius_ang": 2.5, "every": 1})
    assert arrays["void_volume_ang3"][0] == 0.0
    # 13 atoms gone: of what is left the nearest are at 4 Å (200), along other directions at 5.66 Å (220).
    assert 4 / 3 * np.pi * 4.0**3 < arrays["void_volume_ang3"][1] < 4 / 3 * np.pi * 5.66**3
    assert outputs["voids"]["step_of_largest"] == 50


def test_half_amorphous_sublattice_and_where_it_is(tmp_path: Path) -> None:
    crystal = bulk("S", "fcc", a=4.3, cubic=True) * (3, 3, 8)
    molten = crystal.copy()
    upper = molten.positions[:, 2] > 17.0
    molten.positions[upper] += np.random.default_rng(1).normal(scale=1.0, size=(int(upper.sum()), 3))
    outputs, arrays = analysed(tmp_path, [crystal, molten], order={"species": ["S"], "cutoff_ang": 3.7})
    assert arrays["crystalline_fraction"][0] == 1.0
    assert arrays["crystalline_fraction"][1] == pytest.approx(0.5, abs=0.15)
    amorphous, crystalline = arrays["crystalline_profile"][1]
    assert crystalline[3:6].sum() > 10 * amorphous[3:6].sum()
    assert amorphous[11:14].sum() > 5 * crystalline[11:14].sum()
    assert outputs["crystalline"]["start"] == 1.0


def test_layers_that_are_stretched_with_the_cell(tmp_path: Path) -> None:
    images = []
    for stretch in (1.0, 1.02):
        crystal = bulk("Li", "bcc", a=3.42, cubic=True) * (3, 3, 12)
        crystal.set_cell(crystal.cell.array * [1, 1, stretch], scale_atoms=True)
        crystal.rattle(0.1, seed=2)
        images.append(crystal)
    outputs, arrays = analysed(tmp_path, images, layers={"species": "Li", "n_times": 2})
    assert arrays["layer_spacing_ang"] == pytest.approx([1.71, 1.71 * 1.02], abs=0.01)
    assert outputs["layers"]["strength"] > 0.5
    message = refused(tmp_path, images, layers={"from_fraction": 0.4, "to_fraction": 0.6})
    assert "hold no three periods of 6 Å" in message


def test_templates_with_time_and_along_z(tmp_path: Path) -> None:
    pytest.importorskip("ovito", reason="OVITO with its Qt, 1 GB, is the extra `ovito`")
    bcc = bulk("Li", "bcc", a=3.42, cubic=True) * (4, 4, 8)
    molten = bcc.copy()
    upper = molten.positions[:, 2] > 13.6
    molten.positions[upper] += np.random.default_rng(1).normal(scale=0.8, size=(int(upper.sum()), 3))
    outputs, arrays = analysed(tmp_path, [bcc, molten], ptm={"bin_width_ang": 6.84})
    assert arrays["ptm_structures"].tolist() == ["other", "fcc", "hcp", "bcc"]
    assert arrays["ptm_fractions"][0].tolist() == [0, 0, 0, 1]
    assert outputs["ptm"]["bcc"]["end"] < 0.5
    assert arrays["ptm_profile"][1, 3, 3] < 0.2 * arrays["ptm_profile"][0, 3, 3]
    assert "ptm: the trajectory holds no Na" in refused(tmp_path, [bcc], ptm={"species": "Na"})


def test_without_ovito_the_job_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.util import find_spec

    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "ovito" else find_spec(name))
    message = refused(tmp_path, [bulk("Li", "bcc", a=3.42, cubic=True)], status=3, ptm={})
    assert re.search(r'pip install "aiida-seireact\[ovito\]"', message)


def test_thermo_table_and_its_drift(tmp_path: Path) -> None:
    crystal = bulk("Li", "bcc", a=3.42, cubic=True)
    rows = [f"  - [{step}, 300.0, {-4.0 + 1e-4 * step}, 40.0, ]\n" for step in range(0, 200, 10)]
    (tmp_path / "log.lammps").write_text(LOG + "".join(rows) + "...\n")
    outputs, arrays = analysed(tmp_path, [crystal] * 3, thermo_log="log.lammps")
    assert arrays["thermo_potential_energy_ev_per_atom"][0] == pytest.approx(-2.0)
    assert arrays["thermo_steps"].tolist() == list(range(0, 200, 10))
    # 1e-4 eV a step of 2 fs, two atoms
    assert outputs["thermo"]["potential_energy"]["drift_ev_per_atom_per_ps"] == pytest.approx(0.025)
    assert outputs["thermo"]["volume"]["mean_ang3_per_atom"] == pytest.approx(20.0)
    assert "thermo_log: There is no LAMMPS log" in refused(tmp_path, [crystal], thermo_log="none.lammps")
    assert "there is no thermo table" in refused(tmp_path, [crystal], thermo={})
    np.savez(tmp_path / "stepless.npz", temp=np.ones(3))
    assert "stepless.npz has no column of steps" in refused(tmp_path, [crystal], thermo_log="stepless.npz")
    (tmp_path / "log.lammps").write_text(LOG + "".join(rows[:2]) + "...\n")
    outputs, _ = analysed(tmp_path, [crystal] * 3, thermo_log="log.lammps")
    assert outputs["thermo"]["temperature"]["drift_k_per_ps"] is None


def test_diffraction_of_a_crystal_and_of_one_of_its_phases(tmp_path: Path) -> None:
    lithium = bulk("Li", "bcc", a=3.42, cubic=True) * (3, 3, 6)
    sulfide = bulk("Li2S", "fluorite", a=5.71, cubic=True)
    sulfide.symbols[:] = ["Li" if symbol == "Li" else "S" for symbol in sulfide.symbols]
    outputs, arrays = analysed(tmp_path, [lithium] * 2, xrd={"fwhm_deg": 0.3})
    # bcc (110): d = 3.42 / √2 Å
    assert outputs["xrd"]["highest_two_theta_deg"] == pytest.approx(37.18, abs=0.1)
    assert outputs["xrd"]["frames"] == 1
    assert arrays["xrd_intensity"].max() == pytest.approx(100.0)
    message = refused(tmp_path, [sulfide], xrd={"label": "Li2S"})
    assert message.startswith("xrd: needs labels")
