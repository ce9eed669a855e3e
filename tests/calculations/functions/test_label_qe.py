"""Labels are taken from what pw.x left only on positive evidence, frame by frame."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.plugins import DataFactory
from ase import Atoms
from ase.build import bulk
from ase.units import GPa

from aiida_seireact.calculations.functions.label_qe import collect_pw, prepare_pw
from aiida_seireact.calculations.pw_run import stress_from_gpa
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.label_qe import QeSettings

SETTINGS: dict[str, Any] = {"pseudo_family": "mine", "species": ["Li"], "kmesh": [{"length_ang": 10.0}]}
# Compressed along z: aiida-quantumespresso gives it in GPa, positive.
STRESS_GPA = np.diag([0.0, 0.0, 2.0])


def upf(z_valence: int = 3) -> orm.Data:
    """Return a pseudopotential of Li that nobody could compute with."""
    text = f'<UPF version="2.0.1"><PP_HEADER element="Li" z_valence="{z_valence}.0"/></UPF>'
    return DataFactory("pseudo.upf")(io.BytesIO(text.encode()), filename="Li.upf")


@pytest.fixture
def lithium(aiida_profile) -> FramesData:
    atoms = bulk("Li", cubic=True)
    atoms.info.update(config_type="Li", group="a", md_step=7)
    return FramesData.from_ase([atoms]).store()


@pytest.fixture
def left_by(aiida_profile, aiida_localhost):
    """Return a factory of the output that a made-up job of pw.x leaves, with all that it is found by."""

    def make(
        frames: FramesData,
        *,
        exit_status: int = 0,
        converged: bool | None = True,
        version: str = "6.7MaX",
        z_valence: int = 3,
        namelists: dict[str, Any] | None = None,
        without: tuple[str, ...] = (),
        stdout: str = "",
        stderr: str = "",
        **arrays: Any,
    ) -> orm.Data:
        atoms = frames.to_ase(0)
        asked = QeSettings.model_validate(SETTINGS).parameters(atoms.get_chemical_symbols())
        for name, content in (namelists or {}).items():
            asked[name] |= content
        workchain = orm.WorkChainNode().store()
        job = orm.CalcJobNode(computer=aiida_localhost)
        job.base.links.add_incoming(workchain, LinkType.CALL_CALC, "iteration_01")
        job.base.links.add_incoming(orm.Dict(asked).store(), LinkType.INPUT_CALC, "parameters")
        job.base.links.add_incoming(upf(z_valence).store(), LinkType.INPUT_CALC, "pseudos__Li")
        job.store()
        for node in (job, workchain):
            node.set_exit_status(exit_status)
            node.set_exit_message("It failed." if exit_status else None)
            node.set_process_state("finished")

        retrieved = orm.FolderData()
        for name, text in (("aiida.out", stdout), ("_scheduler-stderr.txt", stderr)):
            retrieved.base.repository.put_object_from_bytes(text.encode(), name)
        given = {
            "energy": np.array([-387.6]),
            "forces": np.array([[[0.5, 0, 0], [-0.5, 0, 0]]]),
            "stress": STRESS_GPA[None],
            **arrays,
        }
        trajectory = orm.TrajectoryData()
        trajectory.set_trajectory(
            symbols=atoms.get_chemical_symbols(),
            positions=given.pop("positions", atoms.positions)[None],
            cells=atoms.cell.array[None],
            pbc=(True, True, True),
        )
        for name, array in given.items():
            if name not in without:
                trajectory.set_array(name, array)
        found = {"creator_version": version}
        if converged is not None:
            found["convergence_info"] = {"scf_conv": {"convergence_achieved": converged, "n_scf_steps": 9}}
        outputs = {"retrieved": retrieved, "output_trajectory": trajectory, "output_parameters": orm.Dict(found)}
        for label, node in outputs.items():
            if label not in without:
                node.base.links.add_incoming(job, LinkType.CREATE, label)
                node.store()
        return outputs["retrieved" if "output_parameters" in without else "output_parameters"]

    return make


def collected(frames: FramesData, output: orm.Data | None, **changes: Any) -> dict[str, Any]:
    linked = {} if output is None else {"frame_000": output}
    return collect_pw(frames, orm.Dict({**SETTINGS, **changes}), potential_Li=upf(), **linked)


def test_a_whole_label_is_taken_in_the_units_and_the_sign_of_ase(left_by, lithium):
    outputs = collected(lithium, left_by(lithium))
    assert outputs["failures"].get_dict() == {"failures": [], "reports": []}
    frames = outputs["frames"].frames
    assert frames.energy.tolist() == [-387.6]
    assert frames.forces[:, 0].tolist() == [0.5, -0.5]
    # 2 GPa of compression: -2/160.21766208 eV/Å³.
    assert frames.stress[0] == pytest.approx([0, 0, -2 / 160.21766208, 0, 0, 0])
    assert frames.md_step.tolist() == [7]


def test_components_of_the_stress_keep_their_places():
    matrix = np.array([[1, 6, 5], [6, 2, 4], [5, 4, 3]])
    assert stress_from_gpa(matrix) / GPa == pytest.approx([-1, -2, -3, -4, -5, -6])


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"converged": False}, "its electronic structure is not converged"),
        # No word of convergence is no convergence.
        ({"converged": None}, "its electronic structure is not converged"),
        (
            {"converged": False, "exit_status": 410},
            "its electronic structure is not converged after 9 steps (exit 410 of aiida-quantumespresso, run 1)",
        ),
        ({"without": ("stress",)}, "it has no stress"),
        ({"without": ("forces",)}, "aiida-quantumespresso found no forces in its output"),
        ({"without": ("output_trajectory",)}, "aiida-quantumespresso found no energy, forces, positions, cells in"),
        ({"forces": np.full((1, 2, 3), np.nan)}, "its forces is not a number"),
        ({"forces": np.full((1, 2, 3), 40.0)}, "the force on an atom is 69.3 eV/Å, allowed up to 50 eV/Å"),
        ({"positions": np.array([[0, 0, 0], [1.8, 1.745, 1.745]])}, "its atoms came back moved by"),
        ({"version": ""}, "aiida-quantumespresso found no version of pw.x"),
        (
            {"namelists": {"SYSTEM": {"ecutwfc": 30.0}}},
            "it ran with other settings than asked for: SYSTEM.ecutwfc",
        ),
        ({"z_valence": 1}, "it ran with another pseudopotential of Li than the one of these settings"),
        (
            {
                "without": ("output_parameters", "output_trajectory"),
                "exit_status": 305,
                "stdout": " %%%\n     Error in routine cdiaghg (3):\n     S matrix not positive definite\n %%%\n",
            },
            "pw.x stopped in cdiaghg (3): S matrix not positive definite (exit 305 of aiida-quantumespresso, run 1)",
        ),
        (
            {
                "without": ("output_parameters", "output_trajectory"),
                "exit_status": 305,
                "stderr": "\nmpirun has detected an attempt to run as root.\n",
            },
            "pw.x left no whole output; the last words of the job: mpirun has detected an attempt to run as root (exit",
        ),
        # A note of the Fortran run-time is no reason where there is an output.
        (
            {"exit_status": 330, "stderr": "Note: IEEE_DENORMAL\n"},
            "It failed (exit 330 of aiida-quantumespresso, run 1)",
        ),
        (
            {"without": ("output_parameters", "output_trajectory"), "exit_status": 303},
            "It failed (exit 303 of aiida-quantumespresso, run 1)",
        ),
    ],
)
def test_a_label_without_positive_evidence_is_refused(left_by, lithium, what, reason):
    outputs = collected(lithium, left_by(lithium, **what))
    (failure,) = outputs["failures"]["failures"]
    assert failure["reason"].startswith(reason)
    assert failure["structure_id"] == lithium.frames.structure_ids[0]
    assert "frames" not in outputs


def test_a_frame_without_a_job_is_told(aiida_profile, lithium):
    (failure,) = collected(lithium, None)["failures"]["failures"]
    assert failure["reason"].startswith("no job of pw.x was started for it")


def test_a_label_without_a_stress_is_taken_where_none_is_asked_for(left_by, lithium):
    outputs = collected(lithium, left_by(lithium), acceptance={"stress": False})
    assert outputs["frames"].frames.stress is None


def test_what_a_handler_may_change_is_reported(left_by, lithium):
    outputs = collected(lithium, left_by(lithium, namelists={"SYSTEM": {"nbnd": 11}}))
    (report,) = outputs["failures"]["reports"]
    assert report["report"] == "SYSTEM.nbnd = 11 (asked: none)"
    assert len(outputs["frames"]) == 1


def test_inputs_that_frames_share_are_one_node(aiida_profile):
    lone = Atoms("Li", cell=[9, 9, 9], pbc=True, info={"config_type": "isolated_atom"})
    frames = FramesData.from_ase([bulk("Li", cubic=True), bulk("Li", a=3.5, cubic=True), bulk("Li"), lone])
    assert sorted(prepare_pw(frames, orm.Dict(SETTINGS))) == [
        "kpoints_1x1x1",
        "kpoints_3x3x3",
        "kpoints_4x4x4",
        "max_iterations",
        "parameters_atom_Li",
        "parameters_smearing_1",
        "parameters_smearing_2",
        "settings",
        "settings_gamma",
    ]
