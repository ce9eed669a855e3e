"""Labels by the real pw.x: energies, forces and stresses that belong together, and frames that fail alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal
from ase.units import GPa

from aiida_seireact.cli import quantum_espresso
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.label_qe import QeSettings
from aiida_seireact.formats.labels import level_hash
from aiida_seireact.workchains.codes import find_plugin_code
from aiida_seireact.workchains.label_qe import QeLabelWorkChain
from tests.pw_x import need_pw

# Small cells at the cut-off of the protocol: 4x4x4 for two atoms of Li, 3x3x3 for the primitive cell of Li2S.
SMALL = {
    "pseudo_family": "SG15/1.2/PBE/SR",
    "species": ["Li", "P", "S", "Cl"],
    "kmesh": [{"length_ang": 13.7, "species": ["Li"]}, {"length_ang": 10.0}],
    "insulators": ["Li2S", "Li6PS5Cl"],
}


@pytest.fixture(scope="module")
def pw(this_machine: orm.Computer) -> orm.AbstractCode:
    """Return the code of pw.x as `aiida-seireact setup --with-qe` makes it, with its pseudopotentials."""
    need_pw()
    told: list[tuple[str, ...]] = []
    quantum_espresso.look_after(this_machine, dry_run=False, tell=lambda *step: told.append(step))
    assert [outcome for _, outcome, _ in told if outcome == "missing"] == [], told
    return find_plugin_code("quantumespresso.pw", this_machine.label)


def lithium(displaced_ang: float = 0.15) -> Atoms:
    """Return the cubic cell of bcc Li, one atom displaced along x."""
    atoms = bulk("Li", "bcc", a=3.43, cubic=True)
    atoms.positions[1, 0] += displaced_ang
    atoms.info.update(config_type="Li", group="Li")
    return atoms


def lithium_sulfide(strain: float = 0.0) -> Atoms:
    """Return the primitive cell of Li2S, rattled, all lengths changed by ``strain``."""
    atoms = bulk("Li2S", "fluorite", a=5.71)
    atoms.symbols = ["S", "Li", "Li"]
    atoms.rattle(0.08, seed=1)
    atoms.set_cell(atoms.cell * (1 + strain), scale_atoms=True)
    atoms.info.update(config_type="Li2S", group="Li2S")
    return atoms


def argyrodite() -> Atoms:
    """Return the primitive cell of Li6PS5Cl in F-43m, Li on all of 24g (x = 0.022): 13 atoms."""
    sites = [(0.022, 0.25, 0.25), (0, 0, 0.5), (0.6185, 0.6185, 0.6185), (0.25, 0.25, 0.25), (0, 0, 0)]
    cellpar = [10.2, 10.2, 10.2, 90, 90, 90]
    atoms = crystal(["Li", "P", "S", "S", "Cl"], sites, spacegroup=216, cellpar=cellpar, primitive_cell=True)
    atoms.info.update(config_type="Li6PS5Cl", group="Li6PS5Cl")
    return atoms


def atom(symbol: str, sides_ang: tuple[float, float, float]) -> Atoms:
    """Return an isolated atom in a box."""
    return Atoms(symbol, cell=sides_ang, pbc=True, info={"config_type": "isolated_atom", "group": symbol})


@pytest.fixture(scope="module")
def label(pw: orm.AbstractCode) -> Callable[..., orm.WorkChainNode]:
    """Return a function that runs the engine in this process; what was computed before comes from the cache."""

    def run(images: list[Atoms], options: dict[str, Any] | None = None, **settings: Any) -> orm.WorkChainNode:
        frames, parameters = FramesData.from_ase(images), orm.Dict({**SMALL, **settings})
        with enable_caching():
            _, node = run_get_node(
                QeLabelWorkChain, code=pw, frames=frames, parameters=parameters, options=options or {}
            )
        return node

    return run


def jobs(node: orm.WorkChainNode) -> list[orm.CalcJobNode]:
    """Return the jobs of pw.x under a process, those from the cache too, in their order."""
    return [child for child in node.called_descendants if isinstance(child, orm.CalcJobNode)]


@pytest.fixture(scope="module")
def displaced(label):
    """Return three frames of Li, one atom at 0.14, 0.15 and 0.16 Å from its place."""
    node = label([lithium(0.14), lithium(0.15), lithium(0.16)])
    assert node.outputs.failures.get_dict() == {"failures": [], "reports": []}
    return node


def test_forces_are_the_slope_of_the_free_energy(displaced):
    frames = displaced.outputs.frames.frames
    force = frames.forces[3, 0]  # the displaced atom of the middle frame
    # SCF to 2e-8 Ry leaves 1e-5 eV/Å, the plane waves that move with no atom and the third order 2e-4.
    assert force == pytest.approx(-(frames.energy[2] - frames.energy[0]) / 0.02, abs=1e-3)
    assert force < -0.2

    # Without -TS the slope would be another one: what is stored is the energy that the forces belong to.
    minus_ts = [job.outputs.output_parameters["energy_smearing"] for job in jobs(displaced)]
    internal = frames.energy - minus_ts
    assert abs(force + (internal[2] - internal[0]) / 0.02) > 2e-3


def test_every_frame_knows_its_calculation(displaced):
    collect = next(child for child in displaced.called if child.process_label == "collect_pw")
    for index, run in enumerate(child for child in displaced.called if child.process_label == "PwBaseWorkChain"):
        linked = collect.inputs[f"frame_{index:03d}"]
        assert linked.creator.caller == run
        assert linked.creator.inputs.structure.get_ase().positions[1, 0] == pytest.approx(1.715 + 0.14 + 0.01 * index)
    assert sorted(name for name in collect.inputs if name.startswith("potential_")) == [
        *("potential_Cl", "potential_Li", "potential_P", "potential_S")
    ]
    assert displaced.outputs.frames.frames.group.tolist() == ["Li"] * 3


def test_frames_sent_again_are_not_computed_again(displaced, label):
    again = label([lithium(0.14), lithium(0.15), lithium(0.16)])
    assert [job.base.caching.is_created_from_cache for job in jobs(again)] == [True] * 3
    assert again.outputs.frames.content_hash == displaced.outputs.frames.content_hash


def test_stress_is_the_slope_of_the_energy_at_one_set_of_plane_waves(label):
    # Cut-off ~ 1/L², so that each cell has the same plane waves: at one cut-off the slope would hold the Pulay stress.
    runs = []
    for strain in (-0.005, 0.0, 0.005):
        cutoff = 60.0 / (1 + strain) ** 2
        atoms = lithium_sulfide(0.98 * (1 + strain) - 1)
        runs.append(label([atoms], ecutwfc_ry=cutoff, ecutrho_ry=4 * cutoff).outputs.frames.frames)
    (volume_0, _, volume_1), (energy_0, _, energy_1) = zip(
        *((abs(np.linalg.det(run.cells[0])), run.energy[0]) for run in runs), strict=True
    )
    pressure = -(energy_1 - energy_0) / (volume_1 - volume_0)
    stress = runs[1].stress[0]
    # 0.02 GPa of 3.8: the third order in a strain of half a per cent.
    assert -stress[:3].mean() / GPa == pytest.approx(pressure / GPa, abs=0.02)
    # Squeezed by 2 % in length: negative in the sign of ASE, and by far more than what the rattling brings.
    assert (stress[:3] / GPa < -3.5).all()


def test_argyrodite_at_gamma_has_forces_of_its_symmetry_and_no_stress(label):
    # A walltime becomes `max_seconds` in the input of pw.x, which is nothing to report.
    walltime = {"max_wallclock_seconds": 600}
    node = label([argyrodite()], walltime, kmesh=[{"length_ang": 5.0}], acceptance={"stress": False})
    assert node.outputs.failures.get_dict() == {"failures": [], "reports": []}
    frames = node.outputs.frames.frames
    # Its pressure at Γ alone would mean nothing, so none is kept.
    assert frames.stress is None
    (job,) = jobs(node)
    assert "K_POINTS gamma" in job.base.repository.get_object_content("aiida.in")
    # Nobody told pw.x of F-43m: P, S on 4c and Cl lie on sites of Td and feel nothing, S of PS4 is pulled along its
    # bond, Li along its axis; 2 meV/Å for the grid of the density, which does not have the symmetry.
    of_li, of_p, of_s, of_4 = np.split(frames.forces, [6, 7, 11])
    assert np.abs(np.concatenate([of_p, of_4])).max() < 2e-3
    assert np.abs(of_s) == pytest.approx(np.abs(of_s[0, 0]), abs=2e-3)
    assert np.sort(np.abs(of_li), axis=1)[:, :2].max() < 2e-3
    assert np.ptp(np.abs(of_li).max(axis=1)) < 2e-3
    assert np.abs(of_s[0, 0]) > 0.5


def test_an_unconverged_frame_costs_no_other_one(displaced, label):
    # Li needs 6 steps, Li2S 8.
    node = label([lithium(0.15), lithium_sulfide()], electron_maxstep=7, max_runs=1)
    (failure,) = node.outputs.failures["failures"]
    assert failure["index"] == 1
    assert failure["reason"].startswith("its electronic structure is not converged after 7 steps (exit 410")
    assert node.is_finished_ok
    frames = node.outputs.frames.frames
    # How long one tries is no part of the level of theory.
    assert frames.frame_ids == displaced.outputs.frames.frames.frame_ids[1:2]


def test_what_a_handler_changed_is_told_beside_the_label(label):
    node = label([lithium_sulfide()], electron_maxstep=7, max_runs=2)
    (report,) = node.outputs.failures["reports"]
    assert report["report"] == "ELECTRONS.mixing_beta = 0.32 (asked: 0.4)"
    first, second = jobs(node)
    assert (first.exit_status, second.exit_status) == (410, 0)
    assert second.inputs.parameters["ELECTRONS"]["mixing_beta"] == pytest.approx(0.32)
    # -669.82784635 eV in one go; SCF to 3e-8 Ry.
    assert node.outputs.frames.frames.energy[0] == pytest.approx(-669.82784635, abs=1e-5)


@pytest.mark.parametrize(
    ("make", "settings", "words"),
    [
        (lithium_sulfide, {"electron_maxstep": 7, "max_runs": 1}, "its electronic structure is not converged after 7"),
        # One atom of Li has three electrons: no insulator.
        (lambda: bulk("Li"), {"insulators": ["Li"]}, "pw.x stopped in electrons (1): charge is wrong: smearing is"),
    ],
)
def test_a_batch_without_one_label_fails_with_the_first_reason(label, make, settings, words):
    node = label([make()], **settings)
    assert node.exit_status == 490
    assert node.exit_message.startswith(f"Not one of 1 frames could be labelled; the first, because {words}")
    assert "frames" not in node.outputs


def test_an_atom_is_computed_with_its_spin_and_has_no_stress(label):
    # A small box at a low cut-off: its energy means nothing, its one unpaired electron does.
    low = {"ecutwfc_ry": 15.0, "ecutrho_ry": 60.0}
    node = label([atom("Li", (9.0, 9.1, 9.2))], **low)
    (report,) = node.outputs.failures["reports"]
    assert report["report"] == "total magnetisation 1.00 μB"
    frames = node.outputs.frames.frames
    assert frames.stress is None
    assert np.abs(frames.forces).max() < 1e-3
    # The rule of the atoms is part of the level of theory, so crystals and atoms share it.
    assert frames.settings_hash == level_hash(
        QeSettings.model_validate({**SMALL, **low}).identity("6.7MaX", md5_of(node))
    )


@pytest.mark.slow
def test_free_atoms_have_the_moments_of_hund(label):
    box = (12.0, 12.1, 12.2)
    node = label([atom(symbol, box) for symbol in ("Li", "P", "S", "Cl")])
    assert node.outputs.failures["failures"] == []
    moments = [report["report"] for report in node.outputs.failures["reports"]]
    assert moments == [f"total magnetisation {moment:.2f} μB" for moment in (1, 3, 2, 1)]


def md5_of(node: orm.WorkChainNode) -> dict[str, str]:
    """Return the md5 of the pseudopotential of each element that a process collected with."""
    collect = next(child for child in node.called if child.process_label == "collect_pw")
    return {
        name.removeprefix("potential_"): collect.inputs[name].md5
        for name in collect.inputs
        if name.startswith("potential_")
    }


OXIDE = Atoms("LiO", [(0, 0, 0), (0, 0, 2)], cell=[4, 4, 4], pbc=True)


@pytest.mark.parametrize(
    ("images", "settings", "words"),
    [
        ([lithium()] * 65, {}, "65 frames are too many for one batch of pw.x, at most 64"),
        ([lithium(), atom("Li", (9.0, 9.1, 9.2))], {}, "1 of 2 frames are isolated atoms: label them apart"),
        ([OXIDE], {}, "frames hold O: add it there, and have its UPF file in the family .`aiida-pseudo install family"),
        ([OXIDE], {"species": ["Li", "O"]}, "'SG15/1.2/PBE/SR' has none for O: put the UPF file"),
        ([lithium()], {"pseudo_family": "mine"}, "no pseudopotential family 'mine'.*`aiida-seireact setup --with-qe`"),
        ([lithium()], {"ecutrho_ry": 100}, "needs at least 240"),
        ([lithium()], {"ecut": 60}, "ecut: Extra inputs are not permitted"),
        ([Atoms("Li", cell=[9, 9, 9])], {}, "Frame 0 is not periodic in all directions"),
    ],
)
def test_what_would_fail_is_refused_before_it_is_queued(label, images, settings, words):
    with pytest.raises(ValueError, match=words):
        label(images, **settings)


def test_a_code_of_another_program_is_refused(pw):
    ours = orm.InstalledCode(
        label="seireact-label-x",
        computer=pw.computer,
        filepath_executable="/bin/true",
        default_calc_job_plugin="seireact.ase",
    )
    frames = FramesData.from_ase([lithium()])
    with pytest.raises(ValueError, match="runs seireact.ase, not pw.x: `aiida-seireact setup --with-qe` makes one"):
        run_get_node(QeLabelWorkChain, code=ours, frames=frames, parameters=orm.Dict(SMALL))
