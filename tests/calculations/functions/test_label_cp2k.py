"""Labels are taken from what CP2K left frame by frame, through the real parser on real outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.plugins import CalculationFactory
from ase import Atoms
from ase.units import Bohr, GPa, Hartree

from aiida_seireact.calculations.functions.label_cp2k import collect_cp2k, prepare_cp2k
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.cp2k_output import read_cells, read_positions
from aiida_seireact.parsers.cp2k import Cp2kParser, stress_from_gpa
from aiida_seireact.workchains.label import LabelWorkChain

pytest.importorskip("aiida_cp2k", reason="pip install 'aiida-seireact[cp2k]'")

OUTPUTS = Path(__file__).parents[2] / "formats" / "cp2k"
FILES = {"aiida.out": "two_frames.out", "aiida-pos-1.xyz": "two_frames-pos-1.xyz", "aiida-1.cell": "two_frames-1.cell"}


def text(name: str) -> str:
    return (OUTPUTS / name).read_text(encoding="utf-8")


def parameters(**changes: Any) -> orm.Dict:
    return orm.Dict({**LabelWorkChain.get_protocol_inputs("cp2k")["parameters"], **changes})


@pytest.fixture
def frames(aiida_profile_clean) -> FramesData:
    """Return the two frames that were sent."""
    symbols, positions = read_positions(text("two_frames-pos-1.xyz"))
    cells = read_cells(text("two_frames-1.cell"))
    info = {"config_type": "Li2S", "group": "a"}
    return FramesData.from_ase(
        [Atoms(symbols, place, cell=cell, pbc=True, info=info) for place, cell in zip(positions, cells, strict=True)]
    ).store()


@pytest.fixture
def left_by(aiida_profile_clean, aiida_localhost) -> Callable[..., orm.Dict]:
    """Return a factory of what a job leaves: real files, cut or changed by the test, through the real parser."""

    def make(*, exit_status: int | None = None, exit_message: str | None = None, **files: str) -> orm.Dict:
        job = orm.CalcJobNode(computer=aiida_localhost, process_type="aiida.calculations:cp2k")
        job.set_option("output_filename", "aiida.out")
        job.store()
        retrieved = orm.FolderData()
        content = {name: text(source) for name, source in FILES.items()}
        content |= {name.replace("__", "-").replace("_", "."): given for name, given in files.items()}
        for name, given in content.items():
            retrieved.base.repository.put_object_from_bytes(given.encode(), name)
        retrieved.base.links.add_incoming(job, LinkType.CREATE, "retrieved")
        retrieved.store()
        if exit_status is not None:
            job.set_exit_status(exit_status)
            job.set_exit_message(exit_message)
        parser = Cp2kParser(job)
        code = parser.parse()
        job.set_exit_status(code.status if code else 0)
        job.set_exit_message(code.message if code else None)
        job.set_process_state("finished")
        for label, node in parser.outputs.items():
            node.base.links.add_incoming(job, LinkType.CREATE, label)
            node.store()
        return parser.outputs["output_parameters"]

    return make


def test_whole_labels_are_taken_in_the_units_and_the_sign_of_ase(left_by, frames):
    outputs = collect_cp2k(frames, parameters(), group_000_run_1=left_by())
    told = outputs["failures"].get_dict()
    assert (told["failures"], told["reports"], sorted(told["kinds_sha256"])) == ([], [], ["Li", "S"])
    labelled = outputs["frames"].frames
    assert labelled.energy.tolist() == [-25.001114519705258 * Hartree, -24.980375309277246 * Hartree]
    assert labelled.forces[0, 0] == pytest.approx(0.014912864476 * Hartree / Bohr)
    # 29 GPa of compression: negative in ASE.
    assert labelled.stress[0, 0] / GPa == pytest.approx(-29.4723502997)
    assert labelled.config_type.tolist() == ["Li2S"] * 2


def test_components_of_the_stress_keep_their_places():
    matrix = np.array([[1, 6, 5], [6, 2, 4], [5, 4, 3]])
    assert stress_from_gpa(matrix) / GPa == pytest.approx([-1, -2, -3, -4, -5, -6])


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            {
                "aiida_out": text("two_frames.out").replace(
                    "*** SCF run converged in    14", "*** WARNING SCF run NOT 14"
                )
            },
            "its electronic structure is not converged",
        ),
        ({"aiida_out": text("two_frames.out").replace("0.014912864476", "***")}, "its forces is not a number"),
        ({"aiida_out": text("two_frames.out").replace("0.014912864476", "2.0")}, "the force on an atom is 102.8 eV/Å"),
        (
            {"aiida_out": text("two_frames.out").replace("STRESS| Analytical", "STRESS| Numerical", 1)},
            "it has no stress",
        ),
        (
            {"aiida__pos__1_xyz": text("two_frames-pos-1.xyz").replace("1.3232474215", "1.3332474215")},
            "its atoms came back moved by 1.0e-02 Å",
        ),
        ({"aiida__1_cell": text("two_frames-1.cell").replace("2.8550000000", "2.8560000000")}, "its cell came back"),
    ],
)
def test_one_frame_without_evidence_is_refused_and_the_other_kept(left_by, frames, files, reason):
    outputs = collect_cp2k(frames, parameters(), group_000_run_1=left_by(**files))
    (failure,) = outputs["failures"]["failures"]
    assert (failure["index"], failure["reason"][: len(reason)]) == (0, reason)
    assert outputs["frames"].frames.structure_ids == frames.frames.structure_ids[1:]


def killed(at: str) -> str:
    """Return the output of a job that was killed before the last ``at``."""
    whole = text("two_frames.out")
    return whole[: whole.rindex(at)]


def test_frames_of_a_killed_job_are_kept_and_the_rest_goes_to_another(left_by, frames):
    first = left_by(aiida_out=killed("SUM OF ATOMIC FORCES"))
    assert first.creator.exit_status == 303
    inputs = prepare_cp2k(frames, parameters(), group_000_run_1=first)
    assert sorted(inputs) == ["group_000_parameters", "group_000_structure", "group_000_trajectory"]
    assert inputs["group_000_trajectory"].get_array("cells").tolist() == [frames.frames.cells[1].tolist()]
    assert inputs["group_000_parameters"]["MOTION"]["MD"]["STEPS"] == 1

    outputs = collect_cp2k(frames, parameters(), group_000_run_1=first)
    (failure,) = outputs["failures"]["failures"]
    assert failure["index"] == 1
    assert failure["reason"].startswith("CP2K was killed at its frame 2; it left no word why (exit 303")


def test_what_the_scheduler_says_is_the_reason(left_by, frames):
    first = left_by(exit_status=120, exit_message="The job ran out of walltime.", aiida_out=killed("ENERGY|"))
    (failure,) = collect_cp2k(frames, parameters(), group_000_run_1=first)["failures"]["failures"]
    assert failure["reason"] == "The job ran out of walltime (exit 120 of its job)"
    assert "group_000_structure" in prepare_cp2k(frames, parameters(), group_000_run_1=first)


def test_the_zero_that_a_killed_worker_leaves_is_no_verdict(left_by):
    assert left_by(exit_status=0, aiida_out=killed("SUM OF ATOMIC FORCES")).creator.exit_status == 303


BOX = "\n * [ABORT] *\n *  \\___/     Cholesky decompose failed: matrix is not positive definite *\n *******\n"


def test_the_frame_at_which_cp2k_stops_is_not_sent_again(left_by, frames):
    second = left_by(aiida_out=killed("ENERGY|") + BOX)
    assert second.creator.exit_status == 304
    assert prepare_cp2k(frames, parameters(), group_000_run_1=second) == {}
    (failure,) = collect_cp2k(frames, parameters(), group_000_run_1=second)["failures"]["failures"]
    assert failure["index"] == 1
    assert "Cholesky decompose failed" in failure["reason"]


def test_what_stops_before_the_first_frame_would_stop_again(left_by, frames):
    nothing = left_by(aiida_out=BOX, aiida__pos__1_xyz="", aiida__1_cell="")
    assert prepare_cp2k(frames, parameters(), group_000_run_1=nothing) == {}
    outputs = collect_cp2k(frames, parameters(), group_000_run_1=nothing)
    assert "frames" not in outputs
    assert len(outputs["failures"]["failures"]) == 2


def test_labels_of_two_versions_never_meet(left_by, frames):
    two = FramesData.from_ase([frames.to_ase(0), frames.to_ase(1), frames.to_ase(0)[[1, 2, 0]]]).store()
    other = left_by(aiida_out=text("two_frames.out").replace("version 2023.1", "version 2024.2"))
    outputs = collect_cp2k(two, parameters(), group_000_run_1=left_by(), group_001_run_1=other)
    (failure,) = outputs["failures"]["failures"]
    assert failure["reason"].startswith("CP2K 2024.2 computed it, the others CP2K 2023.1")


def test_frames_of_unlike_order_of_atoms_are_two_jobs(frames):
    images = [frames.to_ase(0), frames.to_ase(0)[[1, 2, 0]], frames.to_ase(1)]
    inputs = prepare_cp2k(FramesData.from_ase(images).store(), parameters())
    assert [len(inputs[f"group_00{number}_trajectory"].get_stepids()) for number in (0, 1)] == [2, 1]
    assert inputs["group_001_trajectory"].symbols == ["Li", "Li", "S"]
    assert (
        (inputs["group_000_parameters"]["MOTION"]["MD"]["REFTRAJ"]["TRAJ_FILE_NAME"])
        == CalculationFactory("cp2k")._DEFAULT_INPUT_TRAJECT_XYZ_FILE_NAME
    )
