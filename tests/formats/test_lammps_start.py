"""The script of a start in LAMMPS itself, with a pair style of its own: nothing in it is for our engine only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from pydantic import ValidationError

from aiida_seireact.formats.jobs.start import GapSettings, StartLimitSettings, StartSettings
from aiida_seireact.formats.lammps_input import write_data
from aiida_seireact.formats.lammps_script import read_allegro_script
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.formats.lammps_start import height_of, stages_of, start_input, tried_shifts
from aiida_seireact.formats.start_record import last_frame, read_record, snapshot
from aiida_seireact.programs._lammps_run import open_lammps
from aiida_seireact.science.start import judge, opened
from aiida_seireact.workchains.start import StartWorkChain

SIGMA, EPSILON, CUTOFF = 2.45, 0.2, 5.0
MODEL = "model.nequip.pt2"
# One for each stage, short; argon's lattice with other radii, so limits of distances as of Li and S.
QUICK: dict[str, Any] = {
    "height": {"iterations": 20, "strain_max": 0.005},
    "minimise": {"iterations": 100, "force_ev_per_ang": 0.01},
    "limited": {"steps": 100, "move_max_ang": 0.03},
    "ramp_steps": 600,
    "hold_steps": 600,
}
MD = MdSettings(ensemble="npt", temperature_k=200.0, timestep_fs=1.0, tau_t_ps=0.05, tau_p_ps=0.5)


def crystal(a: float = 3.75, repeat: tuple[int, int, int] = (3, 3, 4)) -> Atoms:
    """An fcc crystal of two species that Lennard-Jones treats alike; the minimum is near a = 3.75 Å."""
    atoms = bulk("Ar", "fcc", a=a, cubic=True) * repeat
    atoms.symbols = ["Li" if index % 2 else "S" for index in range(len(atoms))]
    return atoms


def run(folder: Path, atoms: Atoms, *, md: MdSettings = MD, **changes: Any) -> dict[str, Any]:
    """Run the script with `pair_style lj/cut` in its place; return the record."""
    settings = StartSettings.model_validate({**QUICK, **changes})
    shifts = tried_shifts(atoms, settings)
    write_data(folder / "structure.data", atoms, ["Li", "S"])
    text = start_input(settings, md, species=["Li", "S"], model=MODEL, height_ang=height_of(atoms), shifts=shifts)
    read_allegro_script(text)  # our engine takes it
    native = text.replace("pair_style      allegro", f"pair_style      lj/cut {CUTOFF}")
    native = native.replace(f"* * {MODEL} Li S", f"* * {EPSILON} {SIGMA}")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lmp = open_lammps("log.lammps")
        try:
            lmp.commands_string(native)
        finally:
            lmp.close()
    record, thermo = read_record(folder, "log.lammps", settings, md, n_atoms=len(atoms), shifts=shifts)
    assert len(set(map(len, thermo.values()))) == 1
    return record


def verdict(folder: Path, record: dict[str, Any], **limits: Any) -> dict[str, Any]:
    atoms = last_frame(folder, record)
    settings = StartLimitSettings.model_validate(limits)
    return judge(
        record, atoms.positions, atoms.numbers, atoms.cell.array, settings.limits(), settings.contacts.limits()
    )


def stage(record: dict[str, Any], name: str) -> dict[str, Any]:
    return next(stage for stage in record["stages"] if stage["name"] == name)


# ---------------------------------------------------------------- the whole start
def test_a_strained_cell_with_two_atoms_at_1_4_ang_comes_out_sane(tmp_path):
    atoms = crystal()
    atoms.rattle(0.15, seed=1)
    atoms.positions[1] = atoms.positions[0] + (0.0, 0.99, 0.99)  # 1.4 Å
    record = run(tmp_path, atoms, contacts={"factor": 0.0})
    assert record["given"]["force_max_ev_per_ang"] > 100
    assert record["relaxed"]["force_max_ev_per_ang"] < 0.2
    assert stage(record, "limited")["largest_move_ang"] <= 100 * 0.03
    told = verdict(tmp_path, record)
    assert told["passed"], told["sentences"]
    # Lennard-Jones at 200 K comes no nearer than 0.85 of its neighbours' distance.
    assert min(pair["distance_ang"] for pair in told["closest_pairs"].values()) > 0.85 * 3.75 / 2**0.5


def test_the_ramp_reaches_the_temperature_within_its_fluctuation(tmp_path):
    record = run(tmp_path, crystal())
    spread = 200 * np.sqrt(2 / (3 * 144))
    assert record["hold"]["temperature_k"] == pytest.approx(200, abs=3 * spread / 2)
    assert stage(record, "ramp")["temperature_k"][0] < 60
    # Zero pressure: the mean of the barostat is there within its fluctuation in so small a cell.
    assert np.abs(record["hold"]["pressure_tensor_gpa"]).max() < 0.5


def test_no_atom_moves_farther_than_the_limit_times_the_steps(tmp_path):
    atoms = crystal()
    atoms.positions[1] = atoms.positions[0] + (0.0, 0.99, 0.99)
    bare = {"height": None, "minimise": None, "contacts": {"factor": 0.0}}
    record = run(tmp_path, atoms, **bare, limited={"steps": 300, "move_max_ang": 0.005, "damping_ps": 0.02})
    # Without a limit the force of hundreds of eV/Å would throw a Li atom 3 Å far in its first step.
    assert record["given"]["force_max_ev_per_ang"] * 1e-6 / 6.94 * 9648.5 / 2 > 0.05
    assert 0.2 < stage(record, "limited")["largest_move_ang"] <= 300 * 0.005
    assert stage(record, "limited")["force_max_ev_per_ang"][1] < 5
    assert record["hold"]["temperature_k"] == pytest.approx(200, rel=0.2)


@pytest.mark.parametrize("ensemble", ["nvt", "npt"])
def test_half_the_density_is_no_start(tmp_path, ensemble):
    record = run(tmp_path, crystal(3.75 * 2 ** (1 / 3)), md=MD.model_copy(update={"ensemble": ensemble}))
    told = verdict(tmp_path, record)
    assert not told["passed"]
    words = {"npt": "mean volume is", "nvt": "largest hole is"}[ensemble]
    assert any(sentence.startswith(words) for sentence in told["sentences"]), told["sentences"]
    # Half of 4 atoms of mean mass 19.5 in a cube of 3.75 Å.
    assert told["density_g_per_cm3"]["given"] == pytest.approx(0.5 * 4 * 19.5 / 0.602214 / 3.75**3, rel=1e-3)
    told = verdict(tmp_path, record, density_min_g_per_cm3=2.0, volume_ratio_min=0.1)
    assert any(text.startswith("density is") for text in told["sentences"]) == (ensemble == "nvt")


def test_slabs_that_do_not_meet_are_a_hole(tmp_path):
    atoms = crystal(repeat=(3, 3, 2))
    atoms.cell[2, 2] += 12
    record = run(tmp_path, atoms, md=MD.model_copy(update={"ensemble": "nvt"}), height=None)
    (sentence,) = [text for text in verdict(tmp_path, record)["sentences"] if "hole" in text]
    assert "lower the gap" in sentence


def test_the_same_start_again_is_the_same_to_the_last_bit(tmp_path):
    frames = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        record = run(tmp_path / name, crystal(), ramp_steps=50, hold_steps=50)
        frames.append(last_frame(tmp_path / name, record))
    assert (frames[0].positions == frames[1].positions).all()


@pytest.mark.parametrize("barostat", ["iso", "tri"])
def test_the_ensemble_is_that_of_production(tmp_path, barostat):
    record = run(tmp_path, crystal(), md=MD.model_copy(update={"barostat": barostat}), ramp_steps=50, hold_steps=50)
    cell = last_frame(tmp_path, record).cell.array
    ratios = np.diag(cell) / np.diag(snapshot(tmp_path, "limited").cell)
    assert (np.ptp(ratios) < 1e-9) == (barostat == "iso")
    assert (np.abs(cell[1:, 0]).max() > 1e-4) == (barostat == "tri")


# ---------------------------------------------------------------- the gap
def two_slabs(gap: float) -> Atoms:
    """Two slabs of two layers each, one through the cell's boundary, their layers `gap` Å too far apart."""
    atoms = crystal(repeat=(2, 2, 2))
    height = atoms.positions[:, 2].copy()
    atoms.positions[height > 1, 2] += gap  # between the layers at 0 and 1.875
    atoms.positions[height > 5, 2] += gap  # between those at 3.75 and 5.625
    atoms.cell[2, 2] += 2 * gap
    return atoms


@pytest.mark.parametrize(("gap", "shift"), [(0.6, -0.6), (-0.4, 0.4), (0.0, 0.0)])
def test_slabs_go_to_the_lowest_energy(tmp_path, gap, shift):
    atoms = two_slabs(gap)
    height = height_of(atoms)
    planes = [(0.94 + gap / 2) / height, (4.69 + 1.5 * gap) / height]
    record = run(tmp_path, atoms, gap={"planes": planes}, height=None, minimise=None, ramp_steps=0, hold_steps=50)
    assert record["gap"]["shift_ang"] == pytest.approx(shift)
    frame = snapshot(tmp_path, "gap")
    ideal = crystal(repeat=(2, 2, 2))
    assert frame.cell[2, 2] == pytest.approx(ideal.cell[2, 2], abs=1e-6)
    fractions = frame.positions @ np.linalg.inv(frame.cell) - ideal.get_scaled_positions()
    np.testing.assert_allclose((fractions - fractions.round()) @ frame.cell, 0, atol=1e-6)


def test_energies_of_the_gap_are_those_of_the_opened_cells(tmp_path):
    atoms = crystal(repeat=(2, 2, 2))
    atoms.set_cell(atoms.cell.array @ np.array([[1, 0, 0], [0.1, 1, 0], [0.2, -0.1, 1]]), scale_atoms=True)
    atoms.rattle(0.1, seed=2)
    gap = {"planes": [0.1, 0.6], "lowest_ang": -0.4, "highest_ang": 0.4}
    record = run(tmp_path, atoms, gap=gap, ramp_steps=0, hold_steps=50)
    for shift, energy in zip(record["gap"]["shifts_ang"], record["gap"]["energies_ev_per_atom"], strict=True):
        positions, cell = opened(atoms.positions, atoms.cell.array, gap["planes"], shift)
        moved = Atoms(atoms.numbers, positions, cell=cell, pbc=True)
        powers = (SIGMA / neighbor_list("d", moved, CUTOFF)) ** 6
        assert energy == pytest.approx(2 * EPSILON * (powers**2 - powers).sum() / len(atoms), abs=1e-6)


def test_shifts_that_push_atoms_together_are_not_tried():
    gap = GapSettings(planes=[0.12, 0.62], lowest_ang=-3.0, highest_ang=0.4, step_ang=0.2)
    tried = tried_shifts(two_slabs(0.0), StartSettings(gap=gap, contacts={"factor": 0.9}))
    # Neighbours of two layers are 1.875 Å apart in plane, and as far in height; Li-Li is allowed from 2.304 Å.
    assert tried == [-0.4, -0.2, 0.0, 0.2, 0.4]
    with pytest.raises(ValueError, match="no shift keeps all atoms apart"):
        start_input(StartSettings(gap=gap), MD, species=["Li", "S"], model=MODEL, height_ang=15.0)


# ---------------------------------------------------------------- settings
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gap": {"planes": [0.6, 0.1]}}, "planes must rise"),
        ({"gap": {"planes": [0.1], "step_ang": 0.001}}, "more than 100 shifts"),
        ({"gap": {"planes": []}}, "at least 1"),
        ({"hold_steps": 10}, "fewer than 50 steps"),
        ({"ramp": 10}, "ramp"),
        ({"contacts": {"pairs": {"Li-Q": 1.0}}}, "'Li-Q' is not a pair"),
    ],
)
def test_each_mistake_is_told_by_name(changes, words):
    with pytest.raises(ValidationError, match=words):
        StartSettings.model_validate(changes)


def test_the_cell_as_it_is_is_always_tried():
    assert GapSettings(planes=[0.5], lowest_ang=-0.5, highest_ang=0.5, step_ang=0.2).shifts() == [
        -0.4,
        -0.2,
        0,
        0.2,
        0.4,
    ]


def test_stages_can_be_left_out():
    bare = StartSettings(height=None, minimise=None, limited={"steps": 0}, ramp_steps=0)
    assert stages_of(bare) == [("given", 1), ("hold", 1)]
    text = start_input(bare, MD, species=["Li"], model=MODEL, height_ang=1.0)
    assert text.count("velocity ") == 1
    assert "minimize" not in text


def test_there_is_no_dump_that_would_forbid_to_reset_the_step():
    text = start_input(StartSettings(), MD, species=["Li"], model=MODEL, height_ang=1.0)
    assert not [line for line in text.splitlines() if line.startswith("dump ")]


@pytest.mark.parametrize("protocol", ["balanced", "careful"])
def test_protocols_fit_their_schema_and_the_first_holds_the_defaults(protocol):
    inputs = StartWorkChain.get_protocol_inputs(protocol)
    settings = StartSettings.model_validate(inputs["parameters"])
    limits = StartLimitSettings.model_validate(inputs["limits"])
    if protocol == "balanced":
        assert settings == StartSettings()
        assert limits == StartLimitSettings()
