"""MD by the real CP2K: steps that are single points of the same level of theory, and what a killed run leaves."""

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
from ase.units import GPa

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.aimd import AimdWorkChain
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.label_cp2k import Cp2kLabelWorkChain
from tests.cp2k_psmp import need_cp2k
from tests.workchains.test_label_cp2k import KILLER

MD = {
    "steps": 4,
    "temperature_k": 600.0,
    "timestep_fs": 2.0,
    "thermostat": "nose-hoover",
    "damping_fs": 100.0,
    "label_every": 1,
    "block_steps": 10,
    "gap_steps": 0,
    "seed": 3,
}


def level(**changes: Any) -> dict[str, Any]:
    """Return a poor level of theory that is quick: its numbers mean nothing, but are those of a single point."""
    kinds = {
        "Li": {"basis_set": "SZV-MOLOPT-SR-GTH", "potential": "GTH-PBE-q3", "multiplicity": 2},
        "Cl": {"basis_set": "SZV-MOLOPT-SR-GTH", "potential": "GTH-PBE-q7", "multiplicity": 2},
    }
    paper = LabelWorkChain.get_protocol_inputs("cp2k")["parameters"]
    return {**paper, "kinds": kinds, "cutoff_ry": 120.0, "min_added_mos": 1, "added_mos_per_atom": 0.5, **changes}


def chloride() -> Atoms:
    """Return the cubic cell of LiCl, rattled."""
    atoms = bulk("LiCl", "rocksalt", a=5.15, cubic=True)
    atoms.rattle(0.05, seed=2)
    atoms.info.update(config_type="LiCl", group="LiCl")
    return atoms


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


def run_md(code: orm.AbstractCode, images: list[Atoms], **changes: Any) -> orm.WorkChainNode:
    """Run MD in this process."""
    _, node = run_get_node(
        AimdWorkChain,
        code=code,
        engine=orm.Str("seireact.aimd.cp2k"),
        frames=FramesData.from_ase(images),
        parameters=orm.Dict({**level(), "md": MD, **changes}),
    )
    return node


@pytest.fixture(scope="module")
def finished(make_code: Callable[..., orm.InstalledCode]) -> orm.WorkChainNode:
    """Return a run of four steps."""
    node = run_md(make_code(need_cp2k()), [chloride()])
    assert node.is_finished_ok, node.exit_message
    return node


@pytest.mark.slow
def test_a_step_has_the_label_of_a_single_point(finished):
    md = finished.outputs.frames.frames
    assert md.md_step.tolist() == [1, 2, 3, 4]
    assert finished.outputs.failures["failures"] == []
    (report,) = finished.outputs.failures["reports"]
    # 21 degrees of freedom at 600 K scatter by a third.
    assert 200 < report["mean_temperature_k"] < 1200
    _, node = run_get_node(
        Cp2kLabelWorkChain,
        code=finished.inputs.code,
        frames=FramesData(md.select([0, 3])),
        parameters=orm.Dict(level()),
    )
    single = node.outputs.frames.frames
    assert single.settings_hash == md.settings_hash
    # Each step begins with the densities of its atoms, as a single point does.
    assert md.energy[[0, 3]] == pytest.approx(single.energy, abs=1e-5)
    assert abs(md.energy[0] - md.energy[1]) > 1e-3
    forces = md.forces.reshape(4, 8, 3)[[0, 3]]
    assert np.abs(forces - single.forces.reshape(2, 8, 3)).max() < 1e-4
    assert np.abs(md.stress[[0, 3]] - single.stress).max() / GPa < 1e-3


@pytest.mark.slow
def test_what_a_killed_run_came_to_is_kept(finished, make_code):
    # Killed when the forces of the start and of the first step are there.
    node = run_md(make_code(need_cp2k(), KILLER), [chloride()])
    assert node.is_finished_ok, node.exit_message
    kept, whole = node.outputs.frames.frames, finished.outputs.frames.frames
    assert kept.md_step.tolist() == [1]
    # The same seed, the same run.
    assert kept.positions == pytest.approx(whole.positions[:8], abs=1e-8)
    (failure,) = node.outputs.failures["failures"]
    assert "its run ended before MD step 2 of 4, 3 frames are missing: CP2K was killed" in failure["reason"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"md": {**MD, "thermostat": "langevin"}}, "CP2K runs with the thermostat nose-hoover here, not langevin"),
        ({"md": {**MD, "damping_fs": 5.0}}, "damping_fs 5.0 is shorter than 5 time steps of 2.0 fs"),
        ({"kinds": {"Li": level()["kinds"]["Li"]}}, "frames hold Cl: add it there"),
    ],
)
def test_what_would_fail_is_refused_before_it_is_queued(make_code, changes, words):
    with pytest.raises(ValueError, match=words):
        run_md(make_code("/bin/true"), [chloride()], **changes)
