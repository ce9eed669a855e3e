"""The embedded engine against ASE and the same package, and what it refuses."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io.lammpsdata import read_lammps_data
from click.testing import CliRunner
from numpy.typing import NDArray

from aiida_seireact.formats.cell_files import write_cell
from aiida_seireact.formats.dump import read_dump
from aiida_seireact.formats.jobs.base import InvalidInput, ProgramFailed
from aiida_seireact.formats.jobs.lmp import LmpJob
from aiida_seireact.formats.lammps_input import lammps_input, write_data
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.formats.manifest import read_manifest, verify
from aiida_seireact.formats.thermo import read_thermo
from aiida_seireact.programs import lmp
from aiida_seireact.programs.potentials import calculator_of

from .conftest import SPECIES, Trained, crystal, read_result

MODEL = "model.nequip.pt2"
SINGLE = f"""
units metal
atom_style atomic
newton on
box tilt large
read_data structure.data
pair_style allegro
pair_coeff * * {MODEL} Li P S Cl
thermo_style custom step temp pe etotal press pxx pyy pzz pxy pxz pyz vol
thermo_modify line yaml format float %.12g
"""


def quiet(line: str) -> None:
    """Say nothing."""


@pytest.fixture
def folder(trained: Trained, compiled: dict[str, Any], tmp_path: Path) -> Path:
    """A folder with the session's compiled model."""
    (tmp_path / MODEL).symlink_to(trained.compiled)
    return tmp_path


def run(folder: Path, text: str, **job: Any) -> dict[str, Any]:
    """Run an input text in ``folder``."""
    (folder / "in.lammps").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # LAMMPS reads and writes relative to where it runs
        return lmp.run(folder / "in.lammps", "log.lammps", LmpJob.model_validate(job), folder, quiet)


def segment(**settings: Any) -> str:
    """An input of ours."""
    defaults = {"steps": 20, "timestep_fs": 1.0, "dump_every": 10, "thermo_every": 5}
    return lammps_input(MdSettings(**{**defaults, **settings}), species=SPECIES, model=MODEL)


def triclinic(repeat: tuple[int, int, int] = (2, 2, 2)) -> Atoms:
    """A strained, rattled cell with three tilts."""
    atoms = crystal(repeat)
    strain = np.array([[1.02, 0.05, -0.03], [0.02, 0.98, 0.06], [0.01, -0.04, 1.03]])
    atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    atoms.rattle(0.08, seed=1)
    return atoms


def in_ase(trained: Trained, atoms: Atoms) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Energy, forces and stress of the package, eager, by nequip's own calculator and neighbour list."""
    copy = atoms.copy()
    copy.calc = calculator_of(trained.package, "allegro-package")
    return copy.get_potential_energy(), copy.get_forces(), copy.get_stress()


def read_forces(path: Path) -> NDArray[np.float64]:
    """Forces of the last frame of a dump ``id fx fy fz`` sorted by id."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    last = max(index for index, line in enumerate(lines) if line.startswith("ITEM: ATOMS"))
    return np.array([[float(word) for word in line.split()[1:4]] for line in lines[last + 1 :]])


@pytest.mark.parametrize("case", ["orthogonal", "triclinic", "thinner than the cutoff"])
def test_energy_forces_and_virial_are_those_of_ase(trained: Trained, folder: Path, case: str) -> None:
    atoms = crystal((2, 2, 2)) if case == "orthogonal" else triclinic()
    if case == "thinner than the cutoff":
        atoms = triclinic((1, 1, 2))
    atoms.rattle(0.05, seed=3)
    write_data(folder / "structure.data", atoms, SPECIES)
    outputs = run(
        folder,
        SINGLE + "dump d all custom 1 forces.dump id fx fy fz\n"
        "dump_modify d sort id format float %.12g\ncompute e all pe/atom\ncompute s all reduce sum c_e\n"
        "thermo_style custom step temp pe etotal press pxx pyy pzz pxy pxz pyz vol c_s\n"
        "thermo_modify line yaml format float %.12g\nrun 0\n",
    )
    # The reference is computed in LAMMPS's orientation, which write_data turned.
    turned = read_lammps_data(folder / "structure.data", atom_style="atomic", units="metal")
    turned.pbc = True
    energy, forces, stress = in_ase(trained, turned)
    thermo = read_thermo(folder / "log.lammps")
    assert outputs["n_atoms"] == len(atoms)
    assert thermo["PotEng"][0] == pytest.approx(energy, abs=2e-6 * len(atoms))
    assert thermo["c_s"][0] == pytest.approx(energy, abs=2e-6 * len(atoms))
    np.testing.assert_allclose(read_forces(folder / "forces.dump.gz"), forces, atol=1e-5)
    pressure = np.array([thermo[name][0] for name in ("Pxx", "Pyy", "Pzz", "Pyz", "Pxz", "Pxy")])
    bar_per_ev_ang3 = 1602176.634
    np.testing.assert_allclose(-pressure / bar_per_ev_ang3, stress, atol=2e-7)  # 0.3 bar


def test_moving_atoms_keep_the_forces_of_ase(trained: Trained, folder: Path) -> None:
    """Neighbours are cached between rebuilds; a hot run with a thin skin would show a stale list."""
    write_data(folder / "structure.data", triclinic(), SPECIES)
    run(
        folder,
        SINGLE + "neighbor 0.3 bin\nvelocity all create 900 7\nfix md all nve\ntimestep 0.001\n"
        "dump d all custom 40 forces.dump id fx fy fz\ndump_modify d sort id format float %.12g\n"
        "run 20\nrun 20\nwrite_data final.data nocoeff\n",
    )
    final = read_lammps_data(folder / "final.data", atom_style="atomic", units="metal", sort_by_id=True)
    final.pbc = True
    np.testing.assert_allclose(read_forces(folder / "forces.dump.gz"), in_ase(trained, final)[1], atol=1e-5)


def test_energy_is_conserved(folder: Path) -> None:
    write_data(folder / "structure.data", triclinic(), SPECIES)
    run(folder, segment(ensemble="nve", steps=100, timestep_fs=0.5))
    energy = read_thermo(folder / "log.lammps")["TotEng"]
    assert np.ptp(energy) / 32 < 1e-3  # eV per atom, while the kinetic energy is 0.04


@pytest.mark.parametrize("barostat", ["iso", "aniso", "tri"])
def test_barostat_moves_the_cell_towards_the_pressure(folder: Path, barostat: str) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    outputs = run(folder, segment(ensemble="npt", barostat=barostat, pressure_gpa=50.0, steps=40, tau_p_ps=0.1))
    volume = read_thermo(folder / "log.lammps")["Volume"]
    assert volume[-1] < volume[0]
    assert outputs["done"]
    assert outputs["steps_done"] == outputs["steps_asked"] == 40


def test_thermostat_heats_to_the_end_of_the_ramp(folder: Path) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    outputs = run(folder, segment(temperature_k=50, temperature_end_k=300, steps=100, tau_t_ps=0.02))
    assert outputs["thermo_last"]["temperature_k"] > 150


def test_held_atoms_feel_no_force_of_the_model(folder: Path) -> None:
    """The model's forces come by a fix, which must be there before the one that takes them away."""
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    held = {"groups": {"held": {"ids": [[1, 8]]}}, "fixed": "held"}
    dump = {"forces": {"every": 20, "columns": ["id", "element", "x", "y", "z", "fx", "fy", "fz"]}}
    outputs = run(
        folder, segment(ensemble="nvt", dumps=dump, **held), compress="none", further={"forces": "forces.lammpstrj"}
    )
    assert [chunk["n_frames"] for chunk in outputs["dumps"]["forces"]] == [2]
    assert outputs["manifest"][0]["file"] == "traj.dump"
    lines = (folder / "forces.lammpstrj").read_text().splitlines()[-32:]
    table = np.array([[float(word) for word in line.split()[2:]] for line in lines])
    assert not table[:8, 3:].any()
    assert table[8:, 3:].any(axis=1).all()
    start = read_lammps_data(folder / "structure.data", atom_style="atomic", units="metal").positions
    np.testing.assert_allclose(table[:8, :3], start[:8], atol=1e-6)


def test_segment_leaves_a_manifest_a_restart_and_a_data_file(folder: Path) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    outputs = run(folder, segment())
    (entry,) = outputs["manifest"]
    assert (entry["file"], entry["n_frames"], entry["n_atoms"]) == ("traj.dump.gz", 3, 32)
    assert (entry["first_step"], entry["last_step"]) == (0, 20)
    assert entry["columns"] == ["id", "element", "xu", "yu", "zu"]
    verify(folder, read_manifest(folder / "manifest.json"))
    assert not (folder / "traj.dump").exists()
    again = folder / "again"
    again.mkdir()
    for name in (MODEL, "final.restart"):
        shutil.copyfile(folder / name, again / name)
    settings = MdSettings(steps=30, timestep_fs=1.0, dump_every=10)
    text = lammps_input(settings, species=SPECIES, model=MODEL, start="restart", start_file="final.restart")
    assert run(again, text)["last_step"] == 30


def test_two_segments_by_restart_are_one_long_segment(folder: Path) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    run(folder, segment(steps=20))
    whole = read_thermo(folder / "log.lammps")["TotEng"][-1]
    run(folder, segment(steps=10))
    settings = MdSettings(steps=20, timestep_fs=1.0, thermo_every=5)
    text = lammps_input(settings, species=SPECIES, model=MODEL, start="restart", start_file="final.restart")
    run(folder, text)
    # float32 forces, and sums in another order after the restart
    assert read_thermo(folder / "log.lammps")["TotEng"][-1] == pytest.approx(whole, abs=1e-4)


def test_same_input_gives_the_same_dump(folder: Path) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    first, second = (run(folder, segment())["manifest"][0]["sha256"] for _ in range(2))
    assert first == second


def test_minimise_lowers_the_energy(folder: Path) -> None:
    write_data(folder / "structure.data", triclinic(), SPECIES)
    run(folder, SINGLE + "thermo 1\nminimize 0 0.05 20 100\n")
    energy = read_thermo(folder / "log.lammps")["PotEng"]
    assert energy[-1] < energy[0] - 0.1


def test_stop_rule_ends_a_shrinking_box_cleanly(folder: Path) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    text = segment(steps=2000, dump_every=5).replace(
        "run             2000 upto start 0 stop 2000", "fix squeeze all deform 1 x scale 0.5 y scale 0.5\nrun 2000"
    )
    outputs = run(folder, text, stop={"volume_ratio_min": 0.9}, check_every=5)
    stop = outputs["stopped_by"]
    assert stop["reason"] == "volume"
    # volume ratio (1 - step/4000)^2 < 0.9 from step 206 on; the next check is at 210
    assert stop["step"] == outputs["last_step"] == 210
    assert not outputs["done"]
    assert outputs["steps_asked"] == 2000
    assert outputs["manifest"][0]["last_step"] == 210
    assert (folder / "final.restart").is_file()
    assert (folder / "final.data").is_file()


def test_commands_after_a_stopped_run_do_no_step(folder: Path) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    outputs = run(folder, segment() + "run 50\n", stop={"distance_min_ang": 2.9}, check_every=1)
    assert outputs["stopped_by"]["reason"] == "distance"
    assert outputs["last_step"] == 0
    assert outputs["steps_asked"] == 70


def test_exploding_run_is_told_with_its_step(folder: Path) -> None:
    write_data(folder / "structure.data", triclinic(), SPECIES)
    with pytest.raises(ProgramFailed, match=r"step \d+"):
        run(folder, segment(ensemble="nve", steps=500, timestep_fs=100.0, temperature_k=1e6, tau_t_ps=1.0))


def test_a_blow_up_between_two_checks_counts_as_stopped(folder: Path) -> None:
    write_data(folder / "structure.data", triclinic(), SPECIES)
    text = segment(ensemble="nve", steps=500, timestep_fs=100.0, temperature_k=1e6, tau_t_ps=1.0, dump_every=1)
    outputs = run(folder, text, stop={}, check_every=400)
    stop = outputs["stopped_by"]
    assert stop["reason"] == "blow-up"
    assert outputs["steps_done"] == stop["step"] < 400
    assert not outputs["done"]
    assert outputs["manifest"][0]["n_frames"] >= 1


def test_the_frames_before_a_blow_up_are_kept_for_labelling(folder: Path) -> None:
    write_data(folder / "structure.data", triclinic(), SPECIES)
    text = segment(ensemble="nve", steps=500, timestep_fs=10.0, dump_every=1)
    text = text.replace("run  ", "fix heat all langevin 1e4 1e7 0.05 1\nrun  ")
    outputs = run(folder, text, stop={}, check_every=400)
    assert "Lost atoms" in outputs["stopped_by"]["message"]
    frames = list(read_dump(folder / outputs["manifest"][0]["file"]))
    assert len(frames) > 1
    assert [frame.step for frame in frames] == list(range(len(frames)))
    assert all(len(frame.ids) == len(triclinic()) for frame in frames)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("Li P S Cl", "Li P S Br", "pair_coeff names Br, but the model .* knows Li, P, S, Cl only"),
        ("Li P S Cl", "Li P S", "names 3 species for 4 atom types"),
        ("Li P S Cl", "Li S P Cl", "names S for atom type 2, whose mass 30.97.* in the cell is that of P"),
        (MODEL, "absent.nequip.pt2", "There is no compiled model .*absent.nequip.pt2"),
        (MODEL, "cut.nequip.pt2", "cut.nequip.pt2 is not a whole compiled model"),
        (MODEL, "foreign.nequip.pt2", "was compiled with torch 1.0, here is torch"),
        ("read_data structure.data", "read_data absent.data", "LAMMPS refuses line 6 of the input"),
        ("newton on", "nonsense on", "LAMMPS refuses line 4 of the input .*Unknown command: nonsense"),
        ("newton on", "newton off", "Line 4 of the input has newton off"),
    ],
)
def test_inputs_it_cannot_run_faithfully_are_refused(
    trained: Trained, folder: Path, old: str, new: str, sentence: str
) -> None:
    from aiida_seireact.formats.model import write_card_into_compiled

    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    content = trained.compiled.read_bytes()
    (folder / "cut.nequip.pt2").write_bytes(content[:1000])
    if "foreign" in new:
        import zipfile

        with zipfile.ZipFile(trained.compiled) as source, zipfile.ZipFile(folder / new, "w") as target:
            for name in source.namelist():
                if not name.endswith("seireact_card.json"):
                    target.writestr(name, source.read(name))
        write_card_into_compiled(folder / new, {"torch_version": "1.0"})
    with pytest.raises(InvalidInput, match=sentence):
        run(folder, SINGLE.replace(old, new) + "run 0\n")


def test_several_ranks_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")
    with pytest.raises(InvalidInput, match="one MPI rank, not on 2"):
        run(folder, SINGLE)


def test_command_line_writes_the_result(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    (folder / "in.lammps").write_text(segment(steps=5))
    (folder / "job.json").write_text(json.dumps({"compress": "none", "check_every": 5}))
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(lmp.main, ["-in", "in.lammps", "-log", "my.log", "-job", "job.json"])
    assert done.exit_code == 0
    assert read_result(folder)["outputs"]["steps_done"] == 5
    assert (folder / "my.log").is_file()
    assert (folder / "traj.dump").is_file()
    (folder / "in.lammps").write_text("pair_style lj/cut 5\n")
    refused = CliRunner().invoke(lmp.main, ["-in", "in.lammps"])
    assert refused.exit_code == 2
    assert read_result(folder)["error"]["kind"] == "invalid_input"


class Built:
    """A crystal as a plan: its atoms are there already, in one block."""

    def __init__(self, atoms: Atoms) -> None:
        self.cell, self.numbers, self.positions = atoms.cell.array, atoms.numbers, atoms.positions
        self.counts = {symbol: int((atoms.symbols == symbol).sum()) for symbol in set(atoms.symbols)}

    def blocks(self) -> list[Built]:
        return [self]


def test_md_starts_from_a_streamed_cell_that_is_what_it_should_be(folder: Path) -> None:
    facts = write_cell(Built(crystal((2, 2, 2))), folder, ["lammps"], name="structure", species=SPECIES)
    told = facts["files"]["lammps"]
    assert run(folder, segment(steps=2), start_file=told)["steps_done"] == 2
    with (folder / "structure.data").open("r+b") as stream:
        stream.seek(-2, 2)
        stream.write(b"7")
    with pytest.raises(InvalidInput, match="sha256 differs.* the same recipe gives the same bytes"):
        run(folder, segment(steps=2), start_file=told)


def test_a_start_that_is_gone_is_told_before_lammps_begins(tmp_path: Path) -> None:
    (tmp_path / "structure.data").symlink_to(tmp_path / "cleaned" / "cell.data")
    told = {"file": "structure.data", "sha256": "0" * 64, "bytes": 9}
    with pytest.raises(InvalidInput, match="structure.data of the manifest is not in .* build it again"):
        run(tmp_path, SINGLE, start_file=told)


def test_a_disk_that_fills_ends_the_run_before_it_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    # More than any disk has free, asked of the real one by LAMMPS.
    monkeypatch.setattr("aiida_seireact.formats.halt.DISK_FREE_MIN_MB", 10**9)
    outputs = run(folder, segment(steps=100))
    assert outputs["stopped_by"]["reason"] == "disk"
    assert outputs["stopped_by"]["step"] == outputs["last_step"] == outputs["restart"]["step"] == 10
    assert not outputs["done"]
    assert outputs["manifest"][0]["last_step"] == 10


def test_a_wish_that_comes_with_the_last_step_changes_nothing(folder: Path) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    (folder / "STOP").write_text("asked: enough")
    outputs = run(folder, segment(steps=10))
    assert outputs["done"]
    assert outputs["stopped_by"] is None


def test_a_file_ends_the_run_softly(folder: Path) -> None:
    write_data(folder / "structure.data", crystal((2, 2, 2)), SPECIES)
    (folder / "STOP").write_text("asked: enough")
    outputs = run(folder, segment(steps=100))
    assert outputs["stopped_by"] == {"reason": "asked", "step": 10, "message": "asked: enough"}
    assert outputs["restart"]["step"] == 10
