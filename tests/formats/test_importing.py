"""Frames that others labelled: units, signs and convergence are those of the source, and a bad frame costs no other."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointDFTCalculator
from ase.db import connect
from ase.io import write

from aiida_seireact.formats.extxyz import write_extxyz
from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.formats.importing import files_of, read_source
from aiida_seireact.formats.jobs.imports import ImportSettings, LevelOfTheory

# Outputs of real VASP runs that ASE tests its parsers with.
VASP = Path(ase.__file__).parent / "test" / "testdata" / "vasp"


def settings(kind: str, **changes: Any) -> ImportSettings:
    return ImportSettings.model_validate({"format": kind, "level": {"name": "PBE"}, **changes})


def copper(count: int = 3) -> list[Atoms]:
    """Return rattled copper labelled by EMT."""
    images = []
    for index in range(count):
        atoms = bulk("Cu", a=3.6 + 0.02 * index, cubic=True)
        atoms.rattle(0.05, seed=index)
        atoms.calc = EMT()
        atoms.get_stress()
        images.append(atoms)
    return images


# ---------------------------------------------------------------- levels of theory
def test_one_name_is_one_level_and_settings_tell_it_from_others() -> None:
    one = LevelOfTheory(name="PBE")
    assert one.settings_hash == LevelOfTheory(name="PBE").settings_hash
    assert one.settings_hash != LevelOfTheory(name="PBE", settings={"encut_ev": 520}).settings_hash


def test_labels_without_a_level_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.extxyz", copper())
    with pytest.raises(FramesError, match="a.extxyz have no level of theory: name it"):
        read_source(tmp_path / "a.extxyz", settings("extxyz", level=None))


# ---------------------------------------------------------------- extxyz
def test_an_export_of_ours_comes_back_with_level_and_splits(labelled: Callable[..., Frames], tmp_path: Path) -> None:
    frames = labelled(3)
    write_extxyz(tmp_path / "a.extxyz", frames, ["train", "val", "test"])
    found = read_source(tmp_path / "a.extxyz", settings("extxyz", level=None))
    assert found.frames.content_hash == frames.content_hash
    assert found.split == ["train", "val", "test"]


def test_foreign_extxyz_gets_level_type_and_group(tmp_path: Path) -> None:
    write(tmp_path / "a.extxyz", copper())
    found = read_source(tmp_path / "a.extxyz", settings("extxyz", config_type="Cu"))
    assert found.frames.settings_hash == LevelOfTheory(name="PBE").settings_hash
    assert set(found.frames.config_type.tolist()) == {"Cu"}
    assert len(set(found.frames.group.tolist())) == 1
    independent = read_source(tmp_path / "a.extxyz", settings("extxyz", grouping="frame"))
    assert len(set(independent.frames.group.tolist())) == 3


def test_the_name_of_the_file_is_no_content(tmp_path: Path) -> None:
    for name in ("a.extxyz", "b.extxyz"):
        write(tmp_path / name, copper())
    one, two = (read_source(tmp_path / name, settings("extxyz")).frames for name in ("a.extxyz", "b.extxyz"))
    assert one.content_hash == two.content_hash


def test_time_blocks_leave_gaps_that_are_told(tmp_path: Path) -> None:
    write(tmp_path / "a.extxyz", copper(10))
    found = read_source(tmp_path / "a.extxyz", settings("extxyz", grouping="blocks", n_blocks=3, gap_frames=2))
    assert len(found.frames) == 6
    assert len(set(found.frames.group.tolist())) == 3
    assert [failure["reason"] for failure in found.failures] == ["it lies in the gap between two time blocks"] * 4


def test_runs_in_one_file_are_told_apart_by_their_atoms(tmp_path: Path) -> None:
    aluminium = copper(4)
    for atoms in aluminium:
        atoms.symbols[:] = "Al"
    write(tmp_path / "a.extxyz", [*copper(4), *aluminium])
    frames = read_source(tmp_path / "a.extxyz", settings("extxyz")).frames
    assert len(set(frames.group[:4].tolist())) == len(set(frames.group[4:].tolist())) == 1
    assert len(set(frames.group.tolist())) == 2


def test_bad_frames_are_told_and_cost_no_other(tmp_path: Path) -> None:
    images = copper(6)
    images[1].calc = None
    images[2].calc.results["forces"] = np.full((4, 3), 80.0)
    images[3].calc.results.update(energy=np.nan, free_energy=np.nan)
    images[4].symbols[0] = "In"
    del images[5].calc.results["stress"]
    write(tmp_path / "a.extxyz", images)
    found = read_source(tmp_path / "a.extxyz", settings("extxyz", species=["Cu"]))
    assert len(found.frames) == 1
    reasons = {failure["frame"]: failure["reason"] for failure in found.failures}
    assert reasons[1] == "it has no energy and no forces: label it first"
    assert reasons[2].startswith("the force on an atom is 138.6 eV/Å")
    assert reasons[3] == "its energy is not a number"
    assert "holds In, but only Cu are known" in reasons[4]
    assert reasons[5] == "it has no stress"


def test_nothing_that_can_be_taken_is_one_sentence(tmp_path: Path) -> None:
    write(tmp_path / "a.extxyz", [bulk("Cu")])
    with pytest.raises(FramesError, match="None of 1 frames is taken; the first is frame 0 of a.extxyz: it has no en"):
        read_source(tmp_path / "a.extxyz", settings("extxyz"))


def test_the_energy_is_the_one_the_forces_belong_to(tmp_path: Path) -> None:
    atoms = copper(1)[0]
    results = atoms.calc.results
    atoms.calc = SinglePointDFTCalculator(
        atoms, energy=-3.0, free_energy=-3.25, forces=results["forces"], stress=results["stress"]
    )
    write(tmp_path / "a.extxyz", atoms)
    frames = read_source(tmp_path / "a.extxyz", settings("extxyz")).frames
    assert (frames.energy[0], frames.energy_e0[0]) == (-3.25, -3.0)


# ---------------------------------------------------------------- ASE databases
@pytest.mark.parametrize("name", ["a.db", "a.json"])
def test_rows_of_a_database_keep_labels_and_keys(tmp_path: Path, name: str) -> None:
    images = copper()
    with connect(tmp_path / name) as database:
        for index, atoms in enumerate(images):
            database.write(atoms, config_type="metal", group=f"run-{index}")
    frames = read_source(tmp_path / name, settings("ase-db")).frames
    assert frames.group.tolist() == ["run-0", "run-1", "run-2"]
    assert set(frames.config_type.tolist()) == {"metal"}
    assert np.array_equal(frames.forces, np.concatenate([atoms.get_forces() for atoms in images]))
    assert np.array_equal(frames.stress, [atoms.get_stress() for atoms in images])


def test_another_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("not a database at all")
    with pytest.raises(FramesError, match="a.db is not readable as an ASE database"):
        read_source(tmp_path / "a.db", settings("ase-db"))


# ---------------------------------------------------------------- VASP
def vasp_runs(folder: Path, **files: str) -> Path:
    """Copy outputs of real runs: run -> file of ASE's tests; its kind is in its name."""
    for run, name in files.items():
        (folder / run).mkdir(parents=True)
        shutil.copy(VASP / name, folder / run / ("vasprun.xml" if name.endswith(".xml") else "OUTCAR"))
    return folder


def test_real_runs_give_free_energy_stress_and_e0(tmp_path: Path) -> None:
    folder = vasp_runs(tmp_path, diamond="vasprun_pstress.xml", nickel="OUTCAR_example_1")
    found = read_source(folder, settings("vasp"))
    assert not found.failures
    assert len(found.frames) == 2
    diamond, nickel = found.frames.to_atoms(0), found.frames.to_atoms(1)
    assert (diamond.symbols.get_chemical_formula(), nickel.symbols.get_chemical_formula()) == ("C2", "Ni18")
    # OUTCAR: "free  energy   TOTEN  = -68.22868532 eV" and "energy(sigma->0) = -68.23102426".
    assert (found.frames.energy[1], found.frames.energy_e0[1]) == (-68.22868532, -68.23102426)
    # OUTCAR, in kB: XX -4.29436, positive for pressure; 1602.1766 kB are 1 eV/Å³.
    assert found.frames.stress[1, 0] == pytest.approx(4.29436 / 1602.1766, rel=1e-4)
    assert len(set(found.frames.group.tolist())) == 2


def test_packed_runs_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "vasprun.xml.gz").write_bytes(gzip.compress((VASP / "vasprun_pstress.xml").read_bytes()))
    assert len(read_source(tmp_path, settings("vasp")).frames) == 1


def test_a_loop_that_ended_at_nelm_is_not_converged(tmp_path: Path) -> None:
    folder = vasp_runs(tmp_path, good="OUTCAR_example_1", bad="vasprun_pstress.xml")
    path = folder / "bad" / "vasprun.xml"
    text = path.read_text()
    n_steps = text.count("<scstep>")
    assert "60</i>" in text.split('name="NELM"')[1][:12]
    path.write_text(
        text.replace(
            text.split('name="NELM"')[1][:12], text.split('name="NELM"')[1][:12].replace("60", f"{n_steps:2d}")
        )
    )
    found = read_source(folder, settings("vasp"))
    assert len(found.frames) == 1
    assert found.failures == [
        {"run": "bad/vasprun.xml", "frame": 0, "reason": "its electronic structure is not converged"}
    ]


def test_an_outcar_that_says_so_is_not_converged(tmp_path: Path) -> None:
    folder = vasp_runs(tmp_path, good="vasprun_pstress.xml", bad="OUTCAR_example_1")
    path = folder / "bad" / "OUTCAR"
    path.write_text(
        path.read_text().replace("aborting loop because EDIFF is reached", "aborting loop EDIFF was not reached")
    )
    found = read_source(folder, settings("vasp"))
    assert [failure["reason"] for failure in found.failures] == ["its electronic structure is not converged"]


def test_a_run_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    folder = vasp_runs(tmp_path, good="OUTCAR_example_1", bad="vasprun_pstress.xml", worse="OUTCAR_example_1")
    for path in (folder / "bad" / "vasprun.xml", folder / "worse" / "OUTCAR"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    found = read_source(folder, settings("vasp"))
    assert len(found.frames) == 1
    assert {failure["run"]: failure["reason"] for failure in found.failures} == {
        "bad/vasprun.xml": "vasprun.xml ends before its first ionic step does",
        "worse/OUTCAR": "OUTCAR ends before its first ionic step does",
    }


# ---------------------------------------------------------------- DeePMD
def deepmd(folder: Path, images: list[Atoms]) -> Path:
    """Write a system as DeePMD's tools do."""
    part = folder / "set.000"
    part.mkdir(parents=True)
    (folder / "type_map.raw").write_text("Al\nCu\n")
    (folder / "type.raw").write_text("\n".join("1" for _ in images[0]))
    np.save(part / "coord.npy", np.array([atoms.positions.ravel() for atoms in images]))
    np.save(part / "box.npy", np.array([atoms.cell.array.ravel() for atoms in images]))
    np.save(part / "energy.npy", np.array([atoms.get_potential_energy() for atoms in images]))
    np.save(part / "force.npy", np.array([atoms.get_forces().ravel() for atoms in images]))
    # DeePMD: virial = -volume * stress (as dpdata writes it from ASE).
    virial = [-atoms.get_volume() * atoms.get_stress(voigt=False).ravel() for atoms in images]
    np.save(part / "virial.npy", np.array(virial))
    return folder


def test_sets_of_deepmd_give_stress_with_the_sign_of_ase(tmp_path: Path) -> None:
    images = copper()
    frames = read_source(deepmd(tmp_path / "sys", images), settings("deepmd")).frames
    assert frames.species == ["Cu"]
    assert np.array_equal(frames.positions, np.concatenate([atoms.positions for atoms in images]))
    assert np.array_equal(frames.energy, [atoms.get_potential_energy() for atoms in images])
    np.testing.assert_allclose(frames.stress, [atoms.get_stress() for atoms in images], rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "type_map.raw").unlink(), "has no type_map.raw"),
        (lambda f: (f / "type_map.raw").write_text("Al\nQq"), "names 'Qq', which is no element"),
        (lambda f: (f / "type_map.raw").write_text("Al"), "types that type_map.raw does not name"),
        (lambda f: shutil.rmtree(f / "set.000"), "has no folder set"),
        (lambda f: (f / "set.000" / "box.npy").unlink(), "has no box.npy, though the system is periodic"),
        (lambda f: (f / "set.000" / "coord.npy").unlink(), "has no coord.npy"),
        (lambda f: np.save(f / "set.000" / "real_atom_types.npy", np.zeros(4)), "is of the mixed type"),
        (lambda f: np.save(f / "set.000" / "energy.npy", np.zeros(2)), "has 2 numbers, expected 3 × 1"),
        (lambda f: (f / "set.000" / "force.npy").write_bytes(b"\x93NUMPY\x01\x00"), "force.npy is not a whole array"),
    ],
)
def test_a_set_that_is_not_whole_is_one_sentence(tmp_path: Path, spoil: Callable[[Path], Any], message: str) -> None:
    folder = deepmd(tmp_path / "sys", copper())
    spoil(folder)
    with pytest.raises(FramesError, match=message):
        read_source(folder, settings("deepmd"))


def test_a_truncated_array_is_refused(tmp_path: Path) -> None:
    folder = deepmd(tmp_path / "sys", copper())
    path = folder / "set.000" / "coord.npy"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FramesError, match="set.000/coord.npy is not a whole array"):
        read_source(folder, settings("deepmd"))


def test_sets_without_labels_are_refused(tmp_path: Path) -> None:
    folder = deepmd(tmp_path / "sys", copper())
    (folder / "set.000" / "force.npy").unlink()
    with pytest.raises(FramesError, match="it has no forces: label it first"):
        read_source(folder, settings("deepmd"))


# ---------------------------------------------------------------- what is looked for
def test_a_source_that_is_not_there_or_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(FramesError, match="There is no"):
        files_of(tmp_path / "nothing", "extxyz")
    with pytest.raises(FramesError, match="is a folder; an import of extxyz reads one file"):
        files_of(tmp_path, "extxyz")
    with pytest.raises(FramesError, match="Nothing that vasp reads is under"):
        files_of(tmp_path, "vasp")
