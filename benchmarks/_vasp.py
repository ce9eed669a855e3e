"""Labels through the jobs, parsers and handlers of aiida-vasp, with its mock in place of VASP: for `labelling.py`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from aiida import orm
from aiida.engine import submit
from ase.build import bulk

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.label_vasp import VaspLabelWorkChain
from aiida_seireact.workchains.protocol import merge
from tools.mock_vasp import mock_code, upload_potcars

FAMILY = "benchmark"


def cpu_seconds_a_label(
    computer: orm.Computer, folder: Path, daemon_seconds: Callable[[], float], *, count: int = 64
) -> float:
    """Return the CPU seconds that the daemon spends on a label of ``count`` frames of 4 atoms of Cu, a job each.

    The programs themselves are not counted. The profile is loaded, its daemon runs.

    :param daemon_seconds: tells the CPU seconds so far of the workers.
    :raises RuntimeError: a frame has no label.
    """
    upload_potcars(folder / "potcars", FAMILY, {"Cu": "Cu"})
    images = []
    for seed in range(count):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.05, seed=seed)
        images.append(atoms)
    paper = LabelWorkChain.get_protocol_inputs("paper")["parameters"]
    del paper["potential_mapping"]
    changes = {"potential_family": FAMILY, "potential_mapping": {"Cu": "Cu"}, "kmesh": [{"length_ang": 1.0}]}
    frames = FramesData.from_ase(images)
    code = mock_code(computer, folder / "vasp", label="mock-vasp")
    before = daemon_seconds()
    node = submit(
        LabelWorkChain,
        engine=orm.Str("seireact.label.vasp"),
        batch_size=orm.Int(VaspLabelWorkChain.MAX_FRAMES),
        reuse=False,
        code=code,
        frames=frames,
        parameters=orm.Dict(merge(paper, changes)),
        options={"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}, "withmpi": False},
    )
    while not node.is_terminated:
        time.sleep(0.5)
    if not node.is_finished_ok or len(node.outputs.frames) != count:
        raise RuntimeError(f"The labels failed: {node.exit_message or node.process_state}")
    return (daemon_seconds() - before) / count
