"""MD by VASP through aiida-vasp; its mock runs a toy potential, whose single points are the known answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase import Atoms, units
from ase.calculators.emt import EMT

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.aimd import VaspMdSettings
from aiida_seireact.formats.jobs.label_vasp import VaspSettings
from aiida_seireact.formats.labels import level_hash
from aiida_seireact.workchains.aimd import AimdWorkChain
from tests.workchains.conftest import alloy
from tests.workchains.test_label_vasp import FAMILY, MAPPING, OPTIONS, key, settings
from tools.mock_vasp import mock_code, upload_potcars

MD = {
    "steps": 40,
    "temperature_k": 400.0,
    "timestep_fs": 2.0,
    "thermostat": "nose-hoover",
    "damping_fs": 50.0,
    "label_every": 1,
    "block_steps": 10,
    "gap_steps": 5,
    "seed": 7,
}
STARTS = (1.0, 1.05)


@pytest.fixture(scope="module")
def vasp(this_machine: orm.Computer, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., orm.InstalledCode]:
    """Return a factory of codes, each with a registry of its own; the POTCARs are there."""
    upload_potcars(tmp_path_factory.mktemp("potcars"), FAMILY, MAPPING)

    def make(**ways: str) -> orm.InstalledCode:
        return mock_code(this_machine, tmp_path_factory.mktemp("vasp"), ways)

    return make


def starts() -> list[Atoms]:
    """Return two cells of the alloy."""
    return [alloy(ratio, seed=seed) for seed, ratio in enumerate(STARTS)]


def run_md(code: orm.AbstractCode, images: list[Atoms], **md: Any) -> orm.WorkChainNode:
    """Return the process after it ran MD from ``images``."""
    _, node = run_get_node(
        AimdWorkChain,
        code=code,
        engine=orm.Str("seireact.aimd.vasp"),
        frames=FramesData.from_ase(images, labels="ignore"),
        parameters=orm.Dict({**settings(), "md": {**MD, **md}}),
        options=OPTIONS,
    )
    return node


@pytest.fixture(scope="module")
def finished(vasp: Callable[..., orm.InstalledCode]) -> orm.WorkChainNode:
    """Return two runs."""
    node = run_md(vasp(), starts())
    assert node.is_finished_ok, node.exit_message
    return node


def test_each_run_gives_its_blocks(finished):
    frames = finished.outputs.frames.frames
    # Steps 1 to 9, 15 to 24 and 30 to 39 of each run; the start and the gaps are left out.
    steps = [*range(1, 10), *range(15, 25), *range(30, 40)]
    assert frames.md_step.tolist() == 2 * steps
    assert len(set(frames.group.tolist())) == 6
    assert frames.parent_id.tolist() == [i for i in finished.inputs.frames.frames.frame_ids for _ in steps]
    assert finished.outputs.failures["failures"] == []
    jobs = [node for node in finished.called_descendants if isinstance(node, orm.CalcJobNode)]
    assert [job.exit_status for job in jobs] == [0, 0]


def test_steps_are_labelled_as_by_the_calculator(finished):
    frames = finished.outputs.frames.frames
    for index in (0, 20, 57):
        labelled = frames.to_atoms(index)
        start = finished.inputs.frames.to_ase(index // 29)
        assert labelled.get_chemical_symbols() == start.get_chemical_symbols()
        assert labelled.cell.array == pytest.approx(start.cell.array)
        atoms = Atoms(labelled.symbols, positions=labelled.positions, cell=labelled.cell, pbc=True)
        atoms.calc = EMT()
        # Positions have eight decimals of a cell: 4e-8 Å.
        assert labelled.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
        assert labelled.get_forces() == pytest.approx(atoms.get_forces(), abs=2e-6)
        assert labelled.get_stress() == pytest.approx(atoms.get_stress(), abs=2e-7)


def test_a_step_has_the_level_of_theory_of_a_single_point(finished):
    label = VaspSettings.model_validate(settings())
    sha512 = {node.element: node.sha512 for node in orm.load_group(FAMILY).nodes}
    assert finished.outputs.frames.frames.settings_hash == level_hash(label.identity("6.4.2", sha512))


def test_the_run_is_told_to_vasp_and_its_temperature_to_us(finished):
    job = next(node for node in finished.called_descendants if isinstance(node, orm.CalcJobNode))
    incar = job.inputs.parameters.get_dict()
    assert {tag: incar[tag] for tag in ("ibrion", "mdalgo", "nsw", "potim", "tebeg", "teend")} == {
        "ibrion": 0, "mdalgo": 2, "nsw": 41, "potim": 2.0, "tebeg": 400.0, "teend": 400.0,
    }  # fmt: skip
    first, second = (report["mean_temperature_k"] for report in finished.outputs.failures["reports"])
    # 80 fs of 21 degrees of freedom from a start that is nearly at rest: half of it goes into potential energy.
    assert 100 < first < 700
    assert 100 < second < 700


def test_smass_is_the_mass_of_a_thermostat_of_that_period():
    # SMASS = 0 takes a period of 40 steps (`main.F`): SMASS = (40 POTIM / 2π a)² 2 k T g, in u and Å.
    model = VaspMdSettings.model_validate({**settings(), "md": MD})
    period_fs = 2 * np.pi * MD["damping_fs"] / np.sqrt(2)
    joule_per_u_ang2_fs2 = units._amu * 1e-20 / 1e-30
    expected = (period_fs / (2 * np.pi * 7.4)) ** 2 * 2 * units._k * 400.0 * 21 / joule_per_u_ang2_fs2
    tags = model.md_tags(np.diag([7.4, 3.7, 3.7]), 8, "ab" * 32)
    assert tags["smass"] == pytest.approx(expected, rel=1e-6)


def test_seeds_and_structures_decide_the_velocities():
    model = VaspMdSettings.model_validate({**settings(), "md": MD})
    other = VaspMdSettings.model_validate({**settings(), "md": {**MD, "seed": 8}})
    cell = np.eye(3) * 7
    seeds = [m.md_tags(cell, 8, name * 32)["random_seed"] for m in (model, other) for name in ("ab", "cd")]
    assert len(set(seeds)) == 4
    assert all(0 <= int(seed.split()[0]) < 900_000_000 and seed.endswith(" 0 0") for seed in seeds)


def test_what_is_lost_of_a_run_is_told_and_the_rest_kept(vasp):
    images = starts()
    ways = {key(images[0]): "third_unconverged", key(images[1]): "cut"}
    node = run_md(vasp(**ways), images, steps=8, block_steps=9, gap_steps=0)
    assert node.is_finished_ok, node.exit_message
    frames, ids = node.outputs.frames.frames, node.inputs.frames.frames.structure_ids
    # An unconverged step loses that frame only; of half a file, four of nine steps are whole, the start among them.
    assert frames.md_step.tolist() == [1, 2, 4, 5, 6, 7, 8, 1, 2, 3]
    unconverged, missing = node.outputs.failures["failures"]
    assert unconverged == {
        "index": 0,
        "structure_id": ids[0],
        "md_step": 3,
        "reason": "its electronic structure is not converged",
    }
    assert (missing["index"], missing["structure_id"], missing["md_step"]) == (1, ids[1], 4)
    assert missing["reason"].startswith("its run ended before MD step 4 of 8, 5 frames are missing: ")
    assert "exit 700 of aiida-vasp" in missing["reason"]
    jobs = [child for child in node.called_descendants if isinstance(child, orm.CalcJobNode)]
    assert len(jobs) == 2, "a second run would begin with other velocities"
