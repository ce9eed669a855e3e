"""A finished study in small, linked by hand: labelled, trained, run; nothing was computed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.links import LinkType

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.model import package_hash
from tests.cli.conftest import add_job, call, created, finish, workchain
from tests.formats.test_model import package

DUMP = (
    b"ITEM: TIMESTEP\n50\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 8\n"
    b"ITEM: ATOMS id element\n1 Li\n"
)


@dataclass
class Finished:
    """The nodes of the study."""

    top: orm.WorkChainNode
    label_job: orm.CalcJobNode
    train_job: orm.CalcJobNode
    md_job: orm.CalcJobNode
    dataset: DatasetData
    potential: PotentialData
    run: TrajectoryData


def folder(**files: bytes) -> orm.FolderData:
    """Return a folder of files; `__` in a name stands for a dot."""
    node = orm.FolderData()
    for name, content in files.items():
        node.base.repository.put_object_from_filelike(io.BytesIO(content), name.replace("__", "."))
    return node


def result(program: str, **versions: str) -> bytes:
    """Return the result file of a program."""
    return json.dumps({"program": f"seireact-{program}", "versions": versions, "outputs": {}, "status": "ok"}).encode()


def finished_study(
    frames: Frames, tmp_path: Path, *, label: str = "", seal: bool = True, retrieved: dict[str, bytes] | None = None
) -> Finished:
    """Link a study of these labelled frames.

    :param seal: whether the top process is sealed.
    :param retrieved: further files that the labelling job brought home.
    """
    top = workchain("ReactWorkChain")
    top.label = label
    labelling = workchain("LabelWorkChain", top, "label")
    parameters = orm.Dict({"calculator": {"name": "chgnet"}, "task": "label"})
    start = FramesData(frames.select([0]).without_labels())
    label_job = add_job("label", "seireact.ase", labelling, "batch_000", frames=start, parameters=parameters)
    shard = created(FramesData(frames), label_job, "frames")
    files = {"result__json": result("label", chgnet="0.4.2", sevenn="0.12.0", ase="3.26.0"), **(retrieved or {})}
    created(folder(**files), label_job, "retrieved")

    make = orm.CalcFunctionNode()
    make.set_process_label("make_dataset")
    make.base.links.add_incoming(shard, LinkType.INPUT_CALC, "label")
    call(top, make, "dataset")
    make.store()
    split = [*["train"] * (len(frames) - 2), "val", "test"]
    dataset = created(DatasetData([frames], [split]), make, "result")

    training = workchain("TrainWorkChain", top, "train")
    train_job = add_job("train", "seireact.allegro", training, "iteration_01", dataset=dataset)
    path = package(tmp_path / "model.nequip.zip")
    card = {
        "kind": "allegro-package",
        "species": ["Li", "S"],
        "cutoff_ang": 4.5,
        "model_hash": package_hash(path),
        "dataset_hash": dataset.content_hash,
        "versions": {"nequip": "0.19.1"},
        "metrics": {},
    }
    potential = created(PotentialData(path, card=card), train_job, "potential")
    created(folder(result__json=result("train", nequip="0.19.1", torch="2.11.0")), train_job, "retrieved")
    metrics = created(
        orm.Dict({"all": {"force_rmse_ev_per_ang": 0.12, "force_rms_ev_per_ang": 0.4}}), train_job, "metrics"
    )

    production = workchain("ProduceWorkChain", top, "produce")
    md_job = add_job("lmp", "seireact.lammps", production, "iteration_01", potential=potential)
    dump = gzip.compress(DUMP, mtime=0)
    created(folder(traj__dump__gz=dump, result__json=result("lmp", lammps="2025.7.22")), md_job, "retrieved")
    chunk = {"file": "traj.dump.gz", "sha256": hashlib.sha256(dump).hexdigest(), "bytes": len(dump)}
    chunk |= {"first_step": 50, "last_step": 100}
    facts = {"n_atoms": 1, "species": ["Li"], "timestep_fs": 2.0, "dump_every": 50, "first_step": 0, "last_step": 100}
    facts |= {"steps": 100, "steps_asked": 100, "done": True, "stopped_by": None}
    thermo = {"step": np.array([0.0, 50, 100]), "temp": np.array([300.0, 310, 290])}
    run = created(TrajectoryData(thermo, manifest=[chunk], facts=facts), md_job, "trajectory")

    summary = orm.Dict({"labeller": "chgnet", "n_label_calls": len(frames), "n_frames": len(frames), "md_steps": 100})
    end = orm.CalcFunctionNode()
    end.set_process_label("summarise")
    call(top, end, "summary")
    end.store()
    created(summary, end, "result")
    results = {"dataset": dataset, "potential": potential, "trajectory": run, "metrics": metrics, "summary": summary}
    for name, node in results.items():
        node.base.links.add_incoming(top, LinkType.RETURN, name)
    # It came from the cache, and cost nothing.
    train_job.base.extras.set("_aiida_cached_from", str(label_job.uuid))
    for process in (label_job, labelling, make, train_job, training, md_job, production, end):
        finish(process)
        process.seal()
    finish(top)
    if seal:
        top.seal()
    return Finished(top, label_job, train_job, md_job, dataset, potential, run)


def quiet(_: str) -> None:
    """Take a line of progress."""


ASKED: dict[str, Any] = {
    "title": "Li2S in small",
    "creators": ["Doe, Jane; 0000-0002-1825-0097; University of X", "Roe, Richard"],
    "licence": "CC-BY-4.0",
}
