"""Small graphs linked by hand: processes that are sealed or not, with what they were given and have made."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.links import LinkType
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from plumpy.process_states import ProcessState

from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.frames import Frames

MD = {"ensemble": "npt", "temperature_k": 300.0, "pressure_gpa": 0.0, "steps": 100, "velocity_seed": 7}


def chain(name: str, caller: orm.WorkflowNode | None = None, label: str = "", **inputs: orm.Data) -> orm.WorkChainNode:
    """Return a running WorkChain."""
    return _begun(orm.WorkChainNode(), name, caller, label, inputs)


def job(
    plugin: str,
    caller: orm.WorkflowNode | None = None,
    label: str = "",
    *,
    name: str = "",
    attributes: dict[str, Any] | None = None,
    **inputs: orm.Data,
) -> orm.CalcJobNode:
    """Return a running job of an entry point."""
    node = orm.CalcJobNode(computer=here(), process_type=f"aiida.calculations:{plugin}")
    node.set_option("resources", {"num_machines": 1, "num_mpiprocs_per_machine": 2})
    node.base.attributes.set_many(attributes or {})
    return _begun(node, name or f"{plugin.rpartition('.')[2].capitalize()}Calculation", caller, label, inputs)


def here() -> orm.Computer:
    """Return the computer of all jobs."""
    _, computer = orm.Computer.collection.get_or_create(
        label="here", hostname="localhost", transport_type="core.local", scheduler_type="core.direct"
    )
    return computer.store()


def function(
    name: str, caller: orm.WorkflowNode | None = None, label: str = "", **inputs: orm.Data
) -> orm.CalcFunctionNode:
    """Return a running calcfunction."""
    return _begun(orm.CalcFunctionNode(), name, caller, label or name, inputs)


def _begun(node: Any, name: str, caller: Any, label: str, inputs: dict[str, orm.Data]) -> Any:
    node.set_process_label(name)
    node.set_process_state(ProcessState.WAITING)
    for link, data in inputs.items():
        kind = LinkType.INPUT_WORK if isinstance(node, orm.WorkflowNode) else LinkType.INPUT_CALC
        node.base.links.add_incoming(data if data.is_stored else data.store(), kind, link)
    if caller is not None:
        kind = LinkType.CALL_WORK if isinstance(node, orm.WorkflowNode) else LinkType.CALL_CALC
        node.base.links.add_incoming(caller, kind, label or "CALL")
    return node.store()


def ends(node: orm.ProcessNode, exit_status: int = 0, *, message: str = "", seal: bool = True, **made: orm.Data) -> Any:
    """End a process after it has made these outputs; give the only one, or all by name."""
    for link, data in made.items():
        data.base.links.add_incoming(node, LinkType.CREATE, link)
        data.store()
    node.set_process_state(ProcessState.FINISHED)
    node.set_exit_status(exit_status)
    if message:
        node.set_exit_message(message)
    if seal:
        node.seal()
    return next(iter(made.values())) if len(made) == 1 else made


def arrays(**held: Any) -> orm.ArrayData:
    """Return an ArrayData."""
    node = orm.ArrayData()
    for name, values in held.items():
        node.set_array(name, np.asarray(values))
    return node


def potential(letter: str, **card: Any) -> PotentialData:
    """Return a model whose hash is one letter, many times."""
    told = {"kind": "allegro-package", "species": ["Li", "S"], "cutoff_ang": 4.5, "model_hash": letter * 64}
    told |= {"dataset_hash": "d" * 64, "versions": {}, "metrics": {}}
    return PotentialData(io.BytesIO(letter.encode()), card={**told, **card})


def trajectory(steps: list[int], n_atoms: int = 10, **facts: Any) -> TrajectoryData:
    """Return a run with a row of thermo at each of these steps."""
    at = np.asarray(steps, dtype=float)
    thermo = {
        "step": at,
        "temp": 300 + at / 100,
        "pe": -2.0 * n_atoms - at * 0,
        "press": 1e4 + 0 * at,
        "vol": 20.0 * n_atoms + 0 * at,
    }
    told = {"n_atoms": n_atoms, "species": ["Li", "S"], "timestep_fs": 2.0, "dump_every": 10, "done": True}
    told |= {"first_step": steps[0], "last_step": steps[-1], "steps": steps[-1] - steps[0], "steps_asked": steps[-1]}
    told |= {"stopped_by": None, **facts}
    chunk = {"file": "a", "sha256": f"{steps[-1]:064d}", "bytes": 1, "first_step": steps[0], "last_step": steps[-1]}
    return TrajectoryData(thermo, manifest=[chunk], facts=told)


def labelled(count: int, *, seed: int, config_type: str = "Li2S") -> Frames:
    """Return rattled cells of three atoms with made-up labels."""
    rng = np.random.default_rng(seed)
    images = []
    for index in range(count):
        atoms = bulk("Li2S", "fluorite", a=5.71)
        atoms.symbols = ["S", "Li", "Li"]
        atoms.positions += rng.normal(scale=0.05, size=(3, 3))
        atoms.info.update(config_type=config_type, group=f"{config_type}-{seed}-{index}")
        made_up = {"energy": rng.normal(), "forces": rng.normal(size=(3, 3)), "stress": rng.normal(scale=0.01, size=6)}
        atoms.calc = SinglePointCalculator(atoms, **made_up)
        images.append(atoms)
    return Frames.from_atoms(images, settings_hash="a" * 64)


def retrieved(result: dict[str, Any]) -> orm.FolderData:
    """Return the retrieved folder of one of our programs."""
    folder = orm.FolderData()
    folder.base.repository.put_object_from_filelike(io.BytesIO(json.dumps(result).encode()), "result.json")
    return folder
