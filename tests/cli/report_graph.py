"""A finished study in small, linked by hand: what the report shows without computing anything."""

from __future__ import annotations

import gzip
import io
import json

import numpy as np
from aiida import orm
from aiida.common.links import LinkType

from aiida_seireact.cli.render.gather import gather
from aiida_seireact.data.trajectory import TrajectoryData

from .conftest import Study, add_job, call, created, finish, workchain

ERRORS = {
    "n_frames": 2,
    "energy_rmse_mev_per_atom": 12.5,
    "force_rmse_ev_per_ang": 0.12,
    "force_rms_ev_per_ang": 0.40,
    "stress_rmse_gpa": 0.31,
}
FRACTIONS = {
    "of": "Li environments of all Li",
    "first": {"Li": 0.5, "Li2S": 0.5, "unknown": 0.0},
    "last": {"Li": 0.25, "Li2S": 0.5, "unknown": 0.25},
    "all": {"Li": 0.375, "Li2S": 0.5, "unknown": 0.125},
}


def dump_text() -> str:
    """Two frames of three atoms; an atom has left the cell in the second."""
    frames = []
    for step, shift in ((50, 0.0), (100, 9.0)):
        atoms = [(1, "Li", 1.0, 1.0, 1.0 + shift), (2, "Li", 2.0, 2.0, 6.0), (3, "S", 3.0, 3.0, 3.0)]
        rows = "\n".join(f"{number} {symbol} {x} {y} {z}" for number, symbol, x, y, z in atoms)
        frames.append(
            f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n3\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 8\n"
            f"ITEM: ATOMS id element xu yu zu\n{rows}\n"
        )
    return "".join(frames)


def passed_on(top: orm.WorkChainNode, **outputs: orm.Data) -> None:
    for name, node in outputs.items():
        node.base.links.add_incoming(top, LinkType.RETURN, name)


def finished_study(study: Study) -> orm.WorkChainNode:
    """Return a finished run: a production run of two dumped frames, ended by the stop rule, and its phases."""
    top = workchain("ReactWorkChain")
    label = workchain("LabelWorkChain", top, "label")
    label_job = add_job("label", "seireact.ase", label, "batch_000", frames=study.starts)
    created(folder("result.json", json.dumps({"versions": {"chgnet": "0.4.2"}}).encode()), label_job, "retrieved")
    train = workchain("TrainWorkChain", top, "train")
    train_job = add_job("train", "seireact.allegro", train, "iteration_01", dataset=study.dataset)
    metrics = orm.Dict({"all": ERRORS, "by_type": {"Li2S": ERRORS}, "best_epoch": 3, "n_epochs": 4})
    metrics = created(metrics, train_job, "metrics")
    curve = orm.ArrayData()
    for name in ("epoch", "train_loss", "val_forces_rmse_ev_ang", "val_energy_rmse_ev_atom"):
        curve.set_array(name, np.array([4.0, 3.0, 2.0, np.nan]) if name != "epoch" else np.arange(1.0, 5.0))
    curve = created(curve, train_job, "curve")
    predictions = orm.ArrayData()
    predictions.set_array("n_atoms", np.array([3, 3]))
    predictions.set_array("frame_ids", np.array(["1" * 64, "2" * 64]))
    predictions.set_array("config_type", np.array(["Li2S", "<b>odd</b>"]))
    for name, shape in (("energy", (2,)), ("forces", (6, 3)), ("stress", (2, 6))):
        predictions.set_array(f"{name}_reference", np.linspace(-1, 1, int(np.prod(shape))).reshape(shape))
        predictions.set_array(f"{name}_predicted", np.linspace(-1, 1, int(np.prod(shape))).reshape(shape) + 0.1)
    predictions = created(predictions, train_job, "predictions")
    for node in (label_job, label, train_job, train):
        finish(node)

    plan = orm.Dict({"phases": {"Li2S": {"source": "labeller", "force_error_of_rms": 0.41, "limit": 0.3}}})
    add_calcfunction(top, "plan_references", "references", plan)
    produce = workchain("ProduceWorkChain", top, "produce")
    md_job = add_job("lmp", "seireact.lammps", produce, "iteration_01", potential=study.potential)
    created(folder("traj.dump.gz", gzip.compress(dump_text().encode())), md_job, "retrieved")
    thermo = {"step": np.array([0, 50, 100]), "temp": np.array([300.0, 310, 290])}
    thermo |= {"pe": np.array([-9.0, -10, -11]), "vol": np.array([128.0, 130, 140])}
    chunk = {"file": "traj.dump.gz", "sha256": "c" * 64, "bytes": 1, "first_step": 50, "last_step": 100}
    facts = {"n_atoms": 3, "species": ["Li", "S"], "timestep_fs": 2.0, "steps": 100, "steps_asked": 200, "done": False}
    facts["stopped_by"] = {"rule": "volume", "message": "the volume is 1.40 times that of the start (limit 1.35)"}
    trajectory = created(TrajectoryData(thermo, manifest=[chunk], facts=facts), md_job, "trajectory")
    finish(md_job)
    finish(produce)

    classify = add_job(
        "classify", "seireact.classify", workchain("ClassifyWorkChain", top, "classify"), "iteration_01",
        trajectory=trajectory,
    )  # fmt: skip
    shape = (2, 2)
    arrays = {
        "steps": np.array([50, 100]),
        "atom_ids": np.array([1, 2]),
        "labels": np.array([[1, 2], [1, 0]], dtype=np.int8),
        "clusters": np.zeros(shape, dtype=np.int16),
        "core": np.ones(shape, dtype=bool),
        "ratio": np.zeros(shape, dtype=np.float32),
        "z_fraction": np.array([[0.125, 0.75], [0.25, 0.75]], dtype=np.float32),
        "heights_ang": np.array([8.0, 8.0]),
        "label_names": np.array(["unknown", "Li", "Li2S"]),
        "profile": np.zeros((3, 4), dtype=np.int64),
    }
    labels = created(arraydata(arrays), classify, "labels")
    fractions = {"whole_run": FRACTIONS["all"], "first_tenth": FRACTIONS["first"], "last_tenth": FRACTIONS["last"]}
    classification = created(
        orm.Dict({"of": FRACTIONS["of"], "phase_fractions": fractions}), classify, "classification"
    )
    analyse = add_job(
        "analyse", "seireact.analyse", workchain("AnalyseWorkChain", top, "analyse"), "iteration_01",
        trajectory=trajectory,
    )  # fmt: skip
    arrays = {
        "steps": np.array([0, 50, 100]),
        "n_intact_ps4": np.array([16, 4, 1]),
        "thickness_lower_ang": np.array([3.0, 4.0, np.nan]),
        "thickness_upper_ang": np.full(3, np.nan),
        "thickness_profile_steps": np.array([50, 100]),
        "thickness_profile_ang": np.array([4.0, 6.0]),
        "rdf_pairs": np.array(["Li-S"]),
        "rdf_r_ang": np.array([1.0, 2.0, 3.0]),
        "rdf_g": np.array([[0.0, 2.0, 1.0]]),
        "msd_species": np.array(["Li"]),
        "msd_lag_steps": np.arange(6) * 50,
        "msd_ang2": np.ones((1, 6, 3)),
    }
    analysis_arrays = created(arraydata(arrays), analyse, "analysis_arrays")
    analysis = {"n_p": 16, "ps4_intact_start": 16, "ps4_intact_end": 1, "rdf_frames": 2}
    analysis = created(orm.Dict(analysis), analyse, "analysis")
    for job in (classify, analyse):
        finish(job)
        finish(job.caller)

    summary = orm.Dict(
        {
            "labeller": "chgnet",
            "n_label_calls": 1248,
            "n_frames": 1231,
            "frames_by_type": {"Li2S": 1231},
            "frames_by_split": {"train": 1000, "val": 131, "test": 100},
            "dataset_hash": "d" * 64,
            "model_hash": "b" * 64,
            **{key: value for key, value in ERRORS.items() if key != "n_frames"},
            "errors_by_type": {"Li2S": ERRORS},
            "md_steps": 100,
            "md_atoms": 3,
            "md_timestep_fs": 2.0,
            "production_stopped_by": facts["stopped_by"],
            "ps4_intact_start": 16,
            "ps4_intact_end": 1,
            "phase_fractions": FRACTIONS,
        }
    )
    add_calcfunction(top, "summarise", "summary", summary)
    failures = orm.Dict({"failures": [{"index": 7, "id": "f" * 64, "reason": "the SCF did not converge"}]}).store()
    passed_on(
        top,
        summary=summary,
        metrics=metrics,
        curve=curve,
        predictions=predictions,
        reference_plan=plan,
        trajectory=trajectory,
        label_failures=failures,
        classification=classification,
        labels=labels,
        analysis=analysis,
        analysis_arrays=analysis_arrays,
        dataset=study.dataset,
        potential=study.potential,
    )
    finish(top)
    seal(*(orm.load_node(process.pk) for process in gather(top).processes))
    return top


def folder(name: str, content: bytes) -> orm.FolderData:
    node = orm.FolderData()
    node.base.repository.put_object_from_filelike(io.BytesIO(content), name)
    return node


def seal(*nodes: orm.ProcessNode) -> None:
    for node in nodes:
        if not node.is_sealed:
            node.seal()


def arraydata(arrays: dict[str, np.ndarray]) -> orm.ArrayData:
    node = orm.ArrayData()
    for name, values in arrays.items():
        node.set_array(name, values)
    return node


def add_calcfunction(top: orm.WorkChainNode, name: str, label: str, result: orm.Data) -> None:
    node = orm.CalcFunctionNode()
    node.set_process_label(name)
    call(top, node, label)
    node.store()
    created(result, node, "result")
    finish(node)
