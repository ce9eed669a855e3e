"""A run of several segments under SLURM, one of which SLURM ends by a true TIMEOUT: every step is there once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import submit

from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.dump import read_dump
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.produce import ProduceWorkChain
from tests.models import SHORT_MD, compiled_card, rattled_cell
from tests.programs.conftest import SPECIES
from tests.workflow.conftest import describe, wait_for

pytestmark = pytest.mark.workflow

KILLER = Path(__file__).parents[1] / "workchains" / "killer.sh"
MD = {**SHORT_MD, "steps": 120}


@pytest.fixture(scope="session")
def chain(
    slurm_computer: orm.Computer, daemon: Any, trained: Any, compiled: dict[str, Any], services: Any
) -> orm.WorkChainNode:
    """Return a run of three segments; the second one hangs after its 65th step until SLURM's minute is over."""
    found = find_code("lmp", "slurm")
    code = orm.InstalledCode(
        label="lmp-that-hangs-once",
        computer=slurm_computer,
        filepath_executable=str(found.filepath_executable),
        default_calc_job_plugin="seireact.lammps",
        prepend_text=f"{found.prepend_text}\n{KILLER} $$ {services.folder}/hung 65 freeze 600 &",
    ).store()
    potential = PotentialData(trained.compiled, card=compiled_card(SPECIES))
    builder = ProduceWorkChain.get_builder_from_protocol(
        rattled_cell((3, 3, 3)),
        potential,
        code,
        "fast",
        {"parameters": {"engine": {"stop": None}}},
        {"max_wallclock_seconds": 60},
    )
    builder.parameters = orm.Dict({**builder.parameters.get_dict(), "md": MD, "segment_steps": 40})
    return submit(builder)


def test_out_of_time_a_chain_goes_on(chain):
    node = wait_for(chain, 600)
    assert node.is_finished_ok, describe(node)
    jobs = {link.link_label: link.node for link in node.base.links.get_outgoing(node_class=orm.CalcJobNode).all()}
    assert sorted(jobs) == ["segment_001", "segment_002", "segment_002_try_2", "segment_003"]  # a database has no order
    cut = jobs["segment_002"]
    assert cut.exit_status == 120, describe(node)
    assert "DUE TO TIME LIMIT" in cut.get_scheduler_stderr()
    assert jobs["segment_002_try_2"].inputs.resume.pk == cut.outputs.remote_folder.pk

    whole = node.outputs.trajectory
    steps: list[int] = []
    for chunk in whole.manifest:
        copy = whole.live_copy(chunk["sha256"])
        with copy.node.base.repository.as_path(copy.file) as path:
            steps += [frame.step for frame in read_dump(path)]
    assert steps == list(range(0, 121, 10))
    assert whole.base.attributes.get("done")
    for seam in node.outputs.seams["seams"]:
        assert abs(seam["energy_jump_ev_per_atom"]) < 1e-6
        assert abs(seam["volume_jump"]) < 1e-8
        assert seam["conserved_jump_ratio"] is None or seam["conserved_jump_ratio"] <= 5
