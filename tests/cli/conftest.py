"""A study in small: the graph of a finished labelling and training, linked by hand, for what only reads."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from plumpy.process_states import ProcessState

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.frames import Frames

VERSIONS = {"aiida-seireact": "0.1.0", "chgnet": "0.4.2"}


def call(caller: orm.WorkflowNode | None, child: orm.ProcessNode, label: str) -> None:
    """Link a process to its caller."""
    if caller is not None:
        kind = LinkType.CALL_WORK if isinstance(child, orm.WorkflowNode) else LinkType.CALL_CALC
        child.base.links.add_incoming(caller, kind, label)


def workchain(name: str, caller: orm.WorkflowNode | None = None, label: str = "") -> orm.WorkChainNode:
    """Return a stored, running workchain."""
    node = orm.WorkChainNode()
    node.set_process_label(name)
    node.set_process_state(ProcessState.WAITING)
    call(caller, node, label)
    return node.store()


def finish(node: orm.ProcessNode, exit_status: int = 0, message: str = "") -> None:
    """End a process."""
    node.set_process_state(ProcessState.FINISHED)
    node.set_exit_status(exit_status)
    if message:
        node.set_exit_message(message)


def created(data: orm.Data, creator: orm.ProcessNode, label: str) -> Any:
    """Return ``data``, stored as an output."""
    data.base.links.add_incoming(creator, LinkType.CREATE, label)
    return data.store()


@dataclass
class Study:
    """The nodes of the study."""

    top: orm.WorkChainNode
    starts: FramesData
    label_job: orm.CalcJobNode
    shard: FramesData
    merged: FramesData
    dataset: DatasetData
    train_job: orm.CalcJobNode
    potential: PotentialData


def localhost() -> orm.Computer:
    """Return a computer of this module's own."""
    _, computer = orm.Computer.collection.get_or_create(
        label="toy", hostname="localhost", transport_type="core.local", scheduler_type="core.direct"
    )
    return computer.store()


def add_job(
    program: str, plugin: str, caller: orm.WorkflowNode | None, label: str, **inputs: orm.Data
) -> orm.CalcJobNode:
    """Return a stored, running job with a code and other inputs."""
    computer = localhost()
    code = orm.InstalledCode(label=f"seireact-{program}-0.1.0", computer=computer, filepath_executable="/bin/true")
    node = orm.CalcJobNode(computer=computer, process_type=f"aiida.calculations:{plugin}")
    node.set_process_label(f"{program.capitalize()}Calculation")
    node.set_process_state(ProcessState.WAITING)
    node.set_options({"scheduler_stderr": "_scheduler-stderr.txt"})
    for name, data in {"code": code, **inputs}.items():
        node.base.links.add_incoming(data if data.is_stored else data.store(), LinkType.INPUT_CALC, name)
    call(caller, node, label)
    return node.store()


@pytest.fixture
def running(aiida_profile: Any) -> orm.WorkChainNode:
    """Return a study that has labelled and goes on, without data."""
    top = workchain("ReactWorkChain")
    finish(workchain("LabelWorkChain", top, "label"))
    return top


@pytest.fixture(scope="module")
def study(aiida_profile: Any) -> Study:
    """Four frames of MD, labelled in one job, merged, made a dataset, trained; the top still runs. Only read it."""
    rng = np.random.default_rng(0)
    images = []
    for index in range(4):
        atoms = bulk("Li", "bcc", a=3.41, cubic=True)
        atoms.positions += rng.normal(scale=0.05, size=(2, 3))
        atoms.info.update(config_type="Li", group=f"Li-{index}")
        labels = {"energy": rng.normal(), "forces": rng.normal(size=(2, 3)), "stress": rng.normal(size=6)}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        images.append(atoms)
    frames = Frames.from_atoms(images, settings_hash="a" * 64)
    start = FramesData(frames.select([0]).without_labels()).store()
    origins = {
        "parent_id": np.array([start.frames.frame_ids[0]] * 4),
        "md_step": np.array([0, 10, 20, 30]),
    }
    frames = Frames(**{**frames.__dict__, **origins})

    top = workchain("ReactWorkChain")
    label = workchain("LabelWorkChain", top, "label")
    parameters = orm.Dict({"calculator": {"name": "chgnet"}, "task": "label"})
    job = add_job("label", "seireact.ase", label, "batch_000", frames=start, parameters=parameters)
    shard = created(FramesData(frames), job, "frames")
    retrieved = orm.FolderData()
    retrieved.base.repository.put_object_from_filelike(
        io.BytesIO(json.dumps({"versions": VERSIONS}).encode()), "result.json"
    )
    created(retrieved, job, "retrieved")
    finish(job)

    merge = orm.CalcFunctionNode()
    merge.set_process_label("merge_frames")
    merge.base.links.add_incoming(shard, LinkType.INPUT_CALC, "shard")
    call(label, merge, "merge_frames")
    merge.store()
    merged = created(FramesData(frames), merge, "result")
    finish(merge)
    finish(label)

    make = orm.CalcFunctionNode()
    make.set_process_label("make_dataset")
    make.base.links.add_incoming(merged, LinkType.INPUT_CALC, "label")
    call(top, make, "dataset")
    make.store()
    dataset = created(DatasetData([frames], [["train", "train", "val", "test"]]), make, "result")
    finish(make)

    train = workchain("TrainWorkChain", top, "train")
    train_job = add_job("train", "seireact.allegro", train, "iteration_01", dataset=dataset)
    card = {
        "kind": "allegro-package",
        "species": ["Li"],
        "cutoff_ang": 4.5,
        "model_hash": "b" * 64,
        "dataset_hash": dataset.content_hash,
        "versions": {},
        "metrics": {},
    }
    potential = created(PotentialData(io.BytesIO(b"model"), card=card), train_job, "potential")
    metrics = {"all": {"force_rmse_ev_per_ang": 0.12, "force_rms_ev_per_ang": 0.4}}
    created(orm.Dict(metrics), train_job, "metrics")
    finish(train_job)
    for node in (job, merge, label, make, train_job):
        node.seal()
    return Study(top, start, job, shard, merged, dataset, train_job, potential)
