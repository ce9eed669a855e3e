"""Labels by the real CP2K: many frames a job, energies, forces and stresses that belong together, frames that fail."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase import Atoms
from ase.build import bulk
from ase.units import GPa, Hartree

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.label_cp2k import Cp2kSettings
from aiida_seireact.formats.labels import level_hash
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.label_cp2k import Cp2kLabelWorkChain
from tests.cp2k_psmp import need_cp2k

STRAIN, STEP_ANG = 0.005, 0.01


def lithium_sulfide(strain: float = 0.0, moved_ang: float = 0.0, symbols: str = "SLiLi") -> Atoms:
    """Return the primitive cell of Li2S, rattled, all lengths changed by ``strain``, an atom moved along x."""
    atoms = bulk("Li2S", "fluorite", a=5.71)
    atoms.symbols = ["S", "Li", "Li"]
    atoms.rattle(0.08, seed=1)
    atoms.set_cell(atoms.cell * (1 + strain), scale_atoms=True)
    atoms.positions[1, 0] += moved_ang
    atoms = atoms[{"SLiLi": [0, 1, 2], "LiLiS": [1, 2, 0]}[symbols]]
    atoms.info.update(config_type="Li2S", group="Li2S")
    return atoms


def atom(symbol: str, sides_ang: tuple[float, float, float]) -> Atoms:
    """Return an isolated atom in a box."""
    return Atoms(symbol, cell=sides_ang, pbc=True, info={"config_type": "isolated_atom", "group": symbol})


@pytest.fixture(scope="module")
def make_code(this_machine: orm.Computer) -> Callable[..., orm.InstalledCode]:
    """Return a factory of codes of CP2K."""

    def make(path: str, prepend_text: str = "") -> orm.InstalledCode:
        return orm.InstalledCode(
            label=f"cp2k-{secrets.token_hex(4)}",
            computer=this_machine,
            filepath_executable=path,
            default_calc_job_plugin="cp2k",
            prepend_text=f"export OMP_NUM_THREADS=1\n{prepend_text}",
        ).store()

    return make


def settings(**changes: Any) -> dict[str, Any]:
    """Return the parameters of protocol `cp2k`."""
    return {**LabelWorkChain.get_protocol_inputs("cp2k")["parameters"], **changes}


def label(code: orm.AbstractCode, images: list[Atoms], **changes: Any) -> orm.WorkChainNode:
    """Run the engine in this process."""
    frames = FramesData.from_ase(images)
    return run_get_node(Cp2kLabelWorkChain, code=code, frames=frames, parameters=orm.Dict(settings(**changes)))[1]


def jobs(node: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    """Return the jobs of a process in their order."""
    return sorted((child for child in node.called if isinstance(child, orm.CalcJobNode)), key=lambda job: job.pk)


@pytest.fixture(scope="module")
def cp2k(make_code: Callable[..., orm.InstalledCode]) -> orm.InstalledCode:
    """Return the code of CP2K."""
    return make_code(need_cp2k())


@pytest.fixture(scope="module")
def series(cp2k: orm.InstalledCode) -> orm.WorkChainNode:
    """Return five frames of varying cells by one job, and between them one of another order of atoms, by another."""
    images = [
        lithium_sulfide(-STRAIN),
        lithium_sulfide(moved_ang=-STEP_ANG),
        lithium_sulfide(symbols="LiLiS"),
        lithium_sulfide(),
        lithium_sulfide(moved_ang=STEP_ANG),
        lithium_sulfide(STRAIN),
    ]
    node = label(cp2k, images)
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.failures["failures"] == []
    assert [len(job.inputs.trajectory.get_stepids()) for job in jobs(node)] == [5, 1]
    return node


@pytest.mark.slow
def test_forces_are_the_slope_of_the_free_energy(series):
    frames = series.outputs.frames.frames
    force = frames.forces[frames.offsets[3] + 1, 0]
    # SCF to 1e-6 and the grid that no atom moves with leave 2 meV/Å at 280 Ry.
    assert force == pytest.approx(-(frames.energy[4] - frames.energy[1]) / (2 * STEP_ANG), abs=2e-3)
    assert abs(force) > 0.1


@pytest.mark.slow
def test_stress_is_the_slope_of_the_energy_with_the_sign_of_ase(series):
    frames = series.outputs.frames.frames
    volume = abs(np.linalg.det(frames.cells[3]))
    slope = (frames.energy[5] - frames.energy[0]) / (2 * STRAIN) / volume
    # Basis functions move with the atoms, so only the grid is cut anew: 2 per cent.
    assert frames.stress[3, :3].sum() == pytest.approx(slope, rel=0.02)
    # At Γ alone this small cell is compressed.
    assert frames.stress[3, :3].mean() / GPa < -10


@pytest.mark.slow
def test_a_frame_has_the_label_it_has_alone(series, cp2k):
    alone = label(cp2k, [lithium_sulfide()]).outputs.frames.frames
    frames = series.outputs.frames.frames
    # Each frame begins with the densities of its atoms, so a job of many frames changes no label.
    assert frames.energy[3] == pytest.approx(alone.energy[0], abs=1e-5)
    assert np.abs(frames.forces[frames.offsets[3] : frames.offsets[4]] - alone.forces).max() < 1e-4
    assert np.abs(frames.stress[3] - alone.stress[0]).max() < 1e-5
    # Nor does the order of its atoms, which was kept.
    assert frames.energy[2] == pytest.approx(alone.energy[0], abs=1e-5)
    assert frames.numbers[frames.offsets[2] : frames.offsets[3]].tolist() == [3, 3, 16]
    assert frames.settings_hash == level_hash(Cp2kSettings.model_validate(settings()).identity("2023.1"))


@pytest.mark.slow
def test_an_unconverged_frame_is_refused_and_the_others_are_kept(series, cp2k):
    # The rattled cell needs 14 SCF steps, the ideal one 13.
    assert jobs(series)[0].outputs.labels.get_array("scf_steps").tolist() == [14] * 5
    ideal = bulk("Li2S", "fluorite", a=6.0)
    ideal.symbols = ["S", "Li", "Li"]
    node = label(cp2k, [lithium_sulfide(), ideal], max_scf=13)
    (failure,) = node.outputs.failures["failures"]
    assert failure["index"] == 0
    assert failure["reason"] == "its electronic structure is not converged"
    # Taken though it came after one that did not converge: it began anew. -25.0374066 Ha by CP2K without AiiDA.
    assert node.outputs.frames.frames.energy == pytest.approx([-25.037406578586 * Hartree], abs=1e-5)


# Kills CP2K, a child of the shell of the job, when two frames are done.
KILLER = """(while kill -0 $$ 2> /dev/null; do
  if [ "$(grep -c 'SUM OF ATOMIC FORCES' aiida.out 2> /dev/null)" -ge 2 ] 2> /dev/null; then pkill -P $$ cp2k; fi
  sleep 0.2
done) > /dev/null 2>&1 &"""


@pytest.mark.slow
def test_what_a_killed_job_left_is_computed_by_another(series, make_code):
    code = make_code(need_cp2k(), KILLER)
    node = label(code, [series.inputs.frames.to_ase(index) for index in (0, 1, 3)])
    assert [job.exit_status for job in jobs(node)] == [303, 0], [job.exit_message for job in jobs(node)]
    assert node.outputs.failures["failures"] == []
    assert {row["report"] for row in node.outputs.failures["reports"]} == {"by run 2"}
    expected = series.outputs.frames.frames.energy[[0, 1, 3]]
    assert node.outputs.frames.frames.energy == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_an_atom_is_computed_with_its_spin_and_has_no_stress(cp2k):
    node = label(cp2k, [atom("Li", (10.0, 10.1, 10.2))])
    assert node.is_finished_ok, node.exit_message
    frames = node.outputs.frames.frames
    assert frames.stress is None
    # -201.7330 eV by CP2K without AiiDA, in a box of this size.
    assert frames.energy[0] == pytest.approx(-201.733, abs=0.005)
    output = jobs(node)[0].outputs.retrieved.base.repository.get_object_content("aiida.out")
    assert "Spin 2" in output


@pytest.mark.slow
def test_cp2k_that_stops_by_itself_says_why(cp2k):
    node = label(cp2k, [lithium_sulfide()], basis_set_file="NO_SUCH_FILE")
    assert node.exit_status == 490
    assert "NO_SUCH_FILE" in node.exit_message
    # What stopped before the first frame would stop again.
    assert len(jobs(node)) == 1


OXIDE = Atoms("LiO", [(0, 0, 0), (0, 0, 2)], cell=[4, 4, 4], pbc=True)


@pytest.mark.parametrize(
    ("images", "changes", "words"),
    [
        ([lithium_sulfide(), atom("Li", (9.0, 9.1, 9.2))], {}, "1 of 2 frames are isolated atoms: label them apart"),
        ([OXIDE], {}, "frames hold O: add it there, as O: "),
        ([bulk("Li").repeat((n, 1, 1)) for n in range(1, 34)], {}, "33 compositions, .* at most 32 a batch"),
        ([lithium_sulfide()], {"cutoff": 60}, "cutoff: Extra inputs are not permitted"),
        ([lithium_sulfide()], {"kmesh": [{"length_ang": 20.0, "species": ["Li"]}]}, "the last rule must fit any cell"),
        ([Atoms("Li", cell=[9, 9, 9])], {}, "Frame 0 is not periodic in all directions"),
    ],
)
def test_what_would_fail_is_refused_before_it_is_queued(make_code, images, changes, words):
    with pytest.raises(ValueError, match=words):
        label(make_code("/bin/true"), images, **changes)
