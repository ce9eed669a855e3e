"""MD by the real pw.x: steps that are single points of the same level of theory, seeded, told where one is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from ase import Atoms
from ase.build import bulk
from ase.units import GPa

from aiida_seireact.cli import quantum_espresso
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.aimd import AimdWorkChain
from aiida_seireact.workchains.codes import find_plugin_code
from aiida_seireact.workchains.label_qe import QeLabelWorkChain
from tests.pw_x import need_pw

# Two atoms of Li at a low cut-off: their numbers mean nothing, but are those of a single point.
LEVEL = {
    "pseudo_family": "SG15/1.2/PBE/SR",
    "species": ["Li"],
    "ecutwfc_ry": 30.0,
    "ecutrho_ry": 120.0,
    "kmesh": [{"length_ang": 7.0}],
}
MD = {
    "steps": 8,
    "temperature_k": 600.0,
    "timestep_fs": 2.0,
    "thermostat": "andersen",
    "damping_fs": 100.0,
    "label_every": 1,
    "block_steps": 4,
    "gap_steps": 2,
    "seed": 3,
}


@pytest.fixture(scope="module")
def pw(this_machine: orm.Computer) -> orm.AbstractCode:
    """Return the code of pw.x as `aiida-seireact setup --with-qe` makes it, with its pseudopotentials."""
    need_pw()
    quantum_espresso.look_after(this_machine, dry_run=False, tell=lambda *step: None)
    return find_plugin_code("quantumespresso.pw", this_machine.label)


def lithium() -> Atoms:
    """Return the cubic cell of bcc Li, one atom displaced."""
    atoms = bulk("Li", "bcc", a=3.43, cubic=True)
    atoms.positions[1, 0] += 0.15
    atoms.info.update(config_type="Li", group="Li")
    return atoms


def run_md(code: orm.AbstractCode, md: dict[str, Any] | None = None, **level: Any) -> orm.WorkChainNode:
    """Run MD in this process; what was computed before comes from the cache."""
    with enable_caching():
        _, node = run_get_node(
            AimdWorkChain,
            code=code,
            engine=orm.Str("seireact.aimd.qe"),
            frames=FramesData.from_ase([lithium()]),
            parameters=orm.Dict({**LEVEL, **level, "md": {**MD, **(md or {})}}),
        )
    return node


@pytest.fixture(scope="module")
def finished(pw: orm.AbstractCode) -> orm.WorkChainNode:
    """Return a run of eight steps."""
    node = run_md(pw)
    assert node.is_finished_ok, node.exit_message
    return node


def test_steps_fall_into_blocks_and_know_where_they_come_from(finished):
    frames, start = finished.outputs.frames.frames, finished.inputs.frames.frames
    # Blocks of 4 steps with gaps of 2; the start is left out.
    assert frames.md_step.tolist() == [1, 2, 3, 6, 7, 8]
    assert set(frames.parent_id.tolist()) == set(start.frame_ids)
    name = f"md-{start.frame_ids[0][:12]}-600K-s3"
    assert frames.group.tolist() == [f"{name}-b000"] * 3 + [f"{name}-b001"] * 3
    assert set(frames.config_type.tolist()) == {"Li"}
    assert finished.outputs.failures["failures"] == []
    (report,) = finished.outputs.failures["reports"]
    assert (report["n_frames"], report["steps"]) == (6, 8)
    # Drawn from 600 K; three degrees of freedom, so anything from a fifth of it to thrice is likely.
    assert 100 < report["mean_temperature_k"] < 2000


def test_a_step_has_the_label_of_a_single_point(finished, pw):
    md = finished.outputs.frames.frames
    sent = FramesData(md.select([0, 5]))
    with enable_caching():
        _, node = run_get_node(QeLabelWorkChain, code=pw, frames=sent, parameters=orm.Dict(LEVEL))
    single = node.outputs.frames.frames
    # One level of theory: they may share a dataset.
    assert single.settings_hash == md.settings_hash
    assert single.structure_ids == [md.structure_ids[0], md.structure_ids[5]]
    # SCF to 2e-8 Ry: 1e-5 eV; a step that is one off differs by 1 meV.
    assert md.energy[[0, 5]] == pytest.approx(single.energy, abs=2e-5)
    assert abs(md.energy[0] - md.energy[1]) > 1e-3
    forces = md.forces.reshape(6, 2, 3)[[0, 5]]
    assert np.abs(forces - single.forces.reshape(2, 2, 3)).max() < 1e-3
    assert np.abs(md.stress[[0, 5]] - single.stress).max() / GPa < 0.01


def test_another_seed_is_another_run_and_the_same_seed_the_same(finished, pw):
    (job,) = [node for node in finished.called_descendants if isinstance(node, orm.CalcJobNode)]
    card = job.base.repository.get_object_content("aiida.in").partition("ATOMIC_VELOCITIES\n")[2].splitlines()
    velocities = np.array([row.split()[1:] for row in card[:2]], dtype=float)
    # The centre of mass is at rest.
    assert np.abs(velocities.sum(axis=0)).max() < 1e-9
    assert np.abs(velocities).min() > 1e-6
    again = run_md(pw)
    assert again.outputs.frames.content_hash == finished.outputs.frames.content_hash
    other = run_md(pw, {"seed": 4, "steps": 2, "block_steps": 2, "gap_steps": 0})
    assert other.outputs.frames.frames.positions[:6] != pytest.approx(finished.outputs.frames.frames.positions[:6])


def test_a_step_that_does_not_converge_ends_the_run_and_those_before_are_kept(pw):
    # The start needs 5 steps, what follows 4.
    node = run_md(pw, electron_maxstep=4)
    assert node.exit_status == 443
    assert "its run ended before MD step 1 of 8, 6 frames are missing" in node.exit_message


# Kills pw.x, a child of the shell of the job, when the start and two steps are done.
KILLER = """(while kill -0 $$ 2> /dev/null; do
  if [ "$(grep -c 'Linear momentum' aiida.out 2> /dev/null)" -ge 3 ] 2> /dev/null; then pkill -P $$ pw.x; fi
  sleep 0.05
done) > /dev/null 2>&1 &"""


def test_what_a_killed_run_came_to_is_kept(finished, pw):
    code = orm.InstalledCode(
        label="pw-killed",
        computer=pw.computer,
        filepath_executable=str(pw.filepath_executable),
        default_calc_job_plugin="quantumespresso.pw",
        prepend_text=f"export OMP_NUM_THREADS=1\n{KILLER}",
    ).store()
    node = run_md(code, {"steps": 60})
    assert node.is_finished_ok, node.exit_message
    kept, whole = node.outputs.frames.frames, finished.outputs.frames.frames
    assert kept.md_step.tolist()[:2] == [1, 2]
    assert len(kept) < 20, "it was killed"
    # The same seed, the same run.
    assert kept.positions[:4] == pytest.approx(whole.positions[:4], abs=1e-9)
    (failure,) = node.outputs.failures["failures"]
    assert "its run ended before MD step" in failure["reason"]
    assert "of aiida-quantumespresso, run 1" in failure["reason"]


@pytest.mark.parametrize(
    ("images", "changes", "words"),
    [
        ([lithium()], {"md": {**MD, "thermostat": "nose-hoover"}}, "pw.x runs with the thermostat andersen here"),
        ([bulk("Li")], {}, "Frame 0 is one atom, whose centre of mass is at rest: repeat its cell"),
        ([lithium()] * 17, {}, "17 frames are too many .* at most 16: start MD from 16 at a time"),
        ([lithium()], {"task": "md"}, "task: Extra inputs are not permitted"),
    ],
)
def test_what_would_fail_is_refused_before_it_is_queued(pw, images, changes, words):
    with pytest.raises(ValueError, match=words):
        run_get_node(
            AimdWorkChain,
            code=pw,
            engine=orm.Str("seireact.aimd.qe"),
            frames=FramesData.from_ase(images),
            parameters=orm.Dict({**LEVEL, "md": MD, **changes}),
        )
