"""A whole loop with exploration and augmentation, linked by hand; its sums are made by our own calcfunctions."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.links import LinkType
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from plumpy.process_states import ProcessState

from aiida_seireact.calculations.functions.augment import summarise_augmentation, summarise_rounds
from aiida_seireact.calculations.functions.campaign_course import OF_A_LEG
from aiida_seireact.calculations.functions.campaigns import gather_campaigns, join_arrays, join_conditions
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.frames import Frames
from tests.courses import told_of
from tests.verdicts import verdict_on

from .conftest import add_job, call, created, finish, workchain

LEG = {"temperature_k": 300.0, "steps": 300, "timestep_fs": 2.0, "ensemble": "npt"}
CONDITIONS = {
    "interface_300": {"system": "interface", "leg": LEG, "ends": [46, 90, 146], "status": "unsure"},
    "interface_600": {"system": "interface", "leg": {**LEG, "temperature_k": 600.0}, "ends": [20, 41, 66, 90]},
    "Li6PS5Cl_300": {"system": "Li6PS5Cl", "leg": {**LEG, "ensemble": "nvt"}, "ends": [300], "status": "done"},
}
RUNS = {"production": (24, 432), "training": (36, 58)}
RNG = np.random.default_rng(7)


def arraydata(arrays: dict[str, Any]) -> orm.ArrayData:
    node = orm.ArrayData()
    for name, values in arrays.items():
        node.set_array(name, np.asarray(values))
    return node


def study(**inputs: orm.Data) -> orm.WorkChainNode:
    """Return a running study that was asked to explore and to augment."""
    top = orm.WorkChainNode()
    top.set_process_label("ReactWorkChain")
    top.set_process_state(ProcessState.WAITING)
    asked = {f"conditions__{name}": orm.Dict({"leg": one["leg"]}) for name, one in CONDITIONS.items()}
    asked |= {"augment__select": orm.Dict({}), "label": orm.Dict({"calculator": {"name": "chgnet"}}), **inputs}
    for label, node in asked.items():
        top.base.links.add_incoming(node if node.is_stored else node.store(), LinkType.INPUT_WORK, label)
    return top.store()


# ------------------------------------------------------------------ exploration
def explored() -> tuple[orm.Dict, orm.ArrayData]:
    """Return `campaigns` and `campaign_arrays` as an exploration of `CONDITIONS` gives them."""
    told, arrays = {}, {}
    for name, one in CONDITIONS.items():
        parts = campaign_parts(one["ends"], done=one.get("status") == "done")
        told[f"condition_{name}"] = orm.Dict(
            {"system": one["system"], "seeds": {"types": ["interface"]}, "leg": one["leg"]}
        )
        told[f"campaign_{name}"] = told_of(orm.Dict({"max_legs": len(one["ends"])}), orm.Dict(one["leg"]), **parts)
        arrays[name] = join_arrays(**{key: node for key, node in parts.items() if key.startswith(("trace", "canary"))})
    return gather_campaigns(**told), join_conditions(**arrays)


def campaign_parts(ends: list[int], *, done: bool) -> dict[str, orm.Data]:
    """Return the nodes of each leg, ended at these steps; each but a last one that is done asks for its frame."""
    parts: dict[str, orm.Data] = {}
    start, asked = 0, []
    for number, end in enumerate(ends, 1):
        rows, canary = canary_of(asked)
        is_done = done and number == len(ends)
        steps = np.arange(start, end + 1)
        asked = [*range(start + 10, end, 10), *([] if is_done else [end])]
        parts[f"leg_{number:03d}"] = orm.Dict(
            {
                **dict.fromkeys(OF_A_LEG, 0),
                "status": "done" if is_done else "unsure",
                "first_step": start,
                "step": end,
                "leg_steps": end - start,
                "asked_step": None if is_done else end,
                "n_asked": len(asked),
                "n_sparse": 40 * number,
                "threshold": "works",
                "threshold_message": "",
                "canary": rows,
            }
        )
        # The uncertainty grows until it calls, and drops when the label is learned.
        growth = np.linspace(0, 1, len(steps)) ** 2
        largest = 0.06 + 0.02 * RNG.random(len(steps)) + (0.02 if is_done else 0.08) * growth
        largest[-1] = largest[-1] if is_done else 0.155
        parts[f"trace_{number:03d}"] = arraydata(
            {"step": steps, "max_std": largest, "mean_std": largest / 3, "max_std_atom": steps * 0}
        )
        parts[f"canary_{number:03d}"] = arraydata(canary)
        parts[f"failures_{number:03d}"] = orm.Dict({"failures": []})
        start = end
    return parts


def canary_of(steps: list[int], n_atoms: int = 58) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return rows and per-atom arrays of new labels at these steps; uncertain atoms err more."""
    rows, columns = [], {name: [np.empty(0)] for name in ("frame", "md_step", "std", "force_error", "force_norm")}
    for index, step in enumerate(steps):
        std = 10 ** RNG.uniform(-2.3, -0.8, n_atoms)
        error = 1.8 * std * np.exp(RNG.normal(0, 0.7, n_atoms))
        norm = 0.4 * np.exp(RNG.normal(0, 0.5, n_atoms))
        rows.append(
            {
                "md_step": step,
                "n_atoms": n_atoms,
                "energy_error_mev_per_atom": 5.0,
                "force_rmse_ev_per_ang": float(np.sqrt(np.mean(error**2) / 3)),
                "force_rms_ev_per_ang": float(np.sqrt(np.mean(norm**2) / 3)),
                "stress_rmse_gpa": 0.3,
                "max_std": float(std.max()),
            }
        )
        for name, values in (
            ("frame", np.full(n_atoms, index)), ("md_step", np.full(n_atoms, step)),
            ("std", std), ("force_error", error), ("force_norm", norm),
        ):  # fmt: skip
            columns[name].append(values)
    return rows, {name: np.concatenate(values) for name, values in columns.items()}


# ------------------------------------------------------------------ augmentation
def labelled(kinds: dict[str, int], seed: int) -> Frames:
    """Return labelled frames of two lithium atoms, so many of each kind."""
    rng = np.random.default_rng(seed)
    images: list[Atoms] = []
    for kind, count in kinds.items():
        for index in range(count):
            atoms = bulk("Li", "bcc", a=3.41, cubic=True)
            atoms.positions += rng.normal(scale=0.05, size=(2, 3))
            atoms.info.update(config_type=kind, group=f"{kind}-{index}")
            labels = {"energy": rng.normal(), "forces": rng.normal(size=(2, 3)), "stress": rng.normal(size=6)}
            atoms.calc = SinglePointCalculator(atoms, **labels)
            images.append(atoms)
    return Frames.from_atoms(images, settings_hash="a" * 64)


def predictions_of(frames: Frames, error: dict[str, float]) -> orm.ArrayData:
    """Return predictions that are off by so much for each kind."""
    rng = np.random.default_rng(1)
    scale = np.array([error[kind] for kind in frames.config_type.tolist()])
    atoms = np.repeat(scale, 2)[:, None]
    energy = np.asarray(frames.energy) / 2
    return arraydata(
        {
            "frame_ids": frames.frame_ids,
            "config_type": frames.config_type,
            "n_atoms": frames.n_atoms,
            "energy_reference": energy,
            "energy_predicted": energy + 0.05 * scale * rng.normal(size=len(frames)),
            "forces_reference": frames.forces,
            "forces_predicted": np.asarray(frames.forces) + atoms * rng.normal(size=(2 * len(frames), 3)),
            "stress_reference": frames.stress,
            "stress_predicted": np.asarray(frames.stress) + 0.01 * scale[:, None] * rng.normal(size=(len(frames), 6)),
        }
    )


def trajectory(steps: int, n_atoms: int, stopped_by: dict[str, str] | None = None) -> TrajectoryData:
    times = np.arange(0, steps + 1, 50)
    thermo = {"step": times, "temp": 300 + RNG.normal(0, 5, len(times)), "pe": -3.0 * n_atoms + 0.0 * times}
    thermo["vol"] = 20.0 * n_atoms + times / 50.0
    facts = {"n_atoms": n_atoms, "species": ["Li"], "timestep_fs": 2.0, "steps": steps, "steps_asked": steps}
    return TrajectoryData(
        thermo, manifest=[{"file": "a", "sha256": "c" * 64, "bytes": 1, "first_step": 0, "last_step": steps}],
        facts={**facts, "done": stopped_by is None, "stopped_by": stopped_by},
    )  # fmt: skip


def selection() -> tuple[orm.ArrayData, dict[str, Any]]:
    """Return a row for every frame of `RUNS`, four of each block of six chosen, and the numbers of the choice."""
    columns: dict[str, list[Any]] = {name: [] for name in ("run", "md_step", "n_atoms", "max_std", "mean_std")}
    columns |= {name: [] for name in ("block", "part", "too_close", "chosen")}
    choice: dict[str, Any] = {"runs": {}, "gps": {"interface_300": {}}, "n_chosen": 0}
    choice["criterion"] = "largest uncertainty of an atom; unlike each other"
    choice["block_rule"] = "Of every 3 blocks the middle one is held out."
    for name, (n_frames, n_atoms) in RUNS.items():
        blocks, counts = [], {"learned": 0, "held_out": 0}
        for index in range(n_frames):
            block, place = divmod(index, n_frames // 6)
            is_gap = place == n_frames // 6 - 1
            part = "" if is_gap else ("held_out" if block % 3 == 2 else "learned")
            chosen = part != "" and place % 2 == 0
            uncertainty = 0.1 + 0.08 * np.sin(index / 4) ** 2
            for key, value in (
                ("run", name), ("md_step", 50 * (index + 1)), ("n_atoms", n_atoms), ("max_std", uncertainty),
                ("mean_std", uncertainty / 2), ("block", -1 if is_gap else block), ("part", part),
                ("too_close", False), ("chosen", chosen),
            ):  # fmt: skip
                columns[key].append(value)
            if chosen:
                counts[part] += 1
            if place == 0:
                blocks.append({"block": block, "group": f"{name}-{block}", "part": part, "n_chosen": 2})
        choice["runs"][name] = {
            "n_frames": n_frames, "n_atoms": n_atoms, "asked": counts, "chosen": counts, "max_std": None,
            "blocks": blocks,
        }  # fmt: skip
        choice["n_chosen"] += sum(counts.values())
    return arraydata(columns), choice


def potential(letter: str) -> PotentialData:
    card = {"kind": "allegro-package", "species": ["Li"], "cutoff_ang": 4.5, "model_hash": letter * 64}
    card |= {"dataset_hash": "d" * 64, "versions": {}, "metrics": {}}
    return PotentialData(io.BytesIO(letter.encode()), card=card)


def metrics_of(error: float) -> orm.Dict:
    row = {"n_frames": 6, "energy_rmse_mev_per_atom": 90 * error, "force_rmse_ev_per_ang": error}
    row |= {"force_rms_ev_per_ang": 0.4, "stress_rmse_gpa": error}
    return orm.Dict({"all": row, "by_type": {"Li2S": row}, "best_epoch": 3, "n_epochs": 4})


def curve() -> orm.ArrayData:
    return arraydata({"epoch": np.arange(1.0, 5.0), "val_forces_rmse_ev_ang": [0.4, 0.3, 0.2, 0.21]})


def phases(first: float, last: float) -> tuple[orm.Dict, orm.ArrayData]:
    """Return classification and labels of two lithium atoms in four frames."""
    labels = np.array([[1, 2], [1, 2], [1, 0], [0, 0]], dtype=np.int8)
    arrays = {
        "steps": np.array([50, 100, 150, 200]), "atom_ids": np.array([1, 2]), "labels": labels,
        "clusters": np.zeros((4, 2), dtype=np.int16), "core": np.ones((4, 2), dtype=bool),
        "ratio": np.zeros((4, 2), dtype=np.float32), "z_fraction": np.full((4, 2), 0.3, dtype=np.float32),
        "heights_ang": np.full(4, 8.0), "label_names": np.array(["unknown", "Li", "Li6PS5Cl"]),
        "profile": np.zeros((3, 4), dtype=np.int64),
    }  # fmt: skip
    tenths = {"first_tenth": {"Li": first, "unknown": 1 - first}, "last_tenth": {"Li": last, "unknown": 1 - last}}
    fractions = {"whole_run": {"Li": 0.4, "unknown": 0.6}, **tenths}
    return orm.Dict({"of": "Li environments", "phase_fractions": fractions}), arraydata(arrays)


def analysis(last: int) -> tuple[orm.Dict, orm.ArrayData]:
    arrays = {"steps": [0, 100, 200], "n_intact_ps4": [16, 5, last]}
    arrays |= {"thickness_lower_ang": [3.0, 4.0, 6.0], "thickness_upper_ang": [np.nan] * 3}
    return orm.Dict({"n_p": 16, "ps4_intact_start": 16, "ps4_intact_end": last}), arraydata(arrays)


def of_model(letter: str, error: float, last_ps4: int, fractions: tuple[float, float]) -> dict[str, orm.Data]:
    """Return the outputs of a model and of its run."""
    classification, labels = phases(*fractions)
    numbers, arrays = analysis(last_ps4)
    return {
        "metrics": metrics_of(error), "curve": curve(), "potential": potential(letter),
        "trajectory": trajectory(200, 432), "classification": classification, "labels": labels,
        "analysis": numbers, "analysis_arrays": arrays,
    }  # fmt: skip


ROUND_METRICS = {"n_frames": {"train": 12}, "n_epochs": 18}


def whole_loop() -> orm.WorkChainNode:
    """Return a finished study: three conditions, two models, two runs."""
    top = study()
    for label in ("label", "explore", "train", "augment", "produce", "classify", "classify_first", "analyse"):
        finish(workchain(f"{label.split('_')[0].capitalize()}WorkChain", top, label))
    campaigns, arrays = explored()
    old, new = labelled({"Li2S": 6}, 1), labelled({"augment-production": 8, "augment-training": 12}, 2)
    tested = labelled({"Li2S": 3}, 1)
    first_dataset = DatasetData([old], [["test"] * 3 + ["train", "train", "val"]]).store()
    split = [["test"] * 3 + ["train", "train", "val"], ["train", "train", "val", "test"] * 5]
    dataset = DatasetData([old, new], split).store()
    test = Frames.concatenate([tested, new.select(range(3, 20, 4))])
    kinds = ("Li2S", "augment-production", "augment-training")
    before = predictions_of(test, dict(zip(kinds, (0.10, 0.45, 0.6), strict=True))).store()
    after = predictions_of(test, dict(zip(kinds, (0.14, 0.3, 0.25), strict=True))).store()
    rows, choice = selection()
    stop = {"rule": "hole", "message": "the largest hole has a radius of 4.8 Å (limit 4.5)"}
    runs = {"production": trajectory(1200, 432, stop).store(), "training": trajectory(1500, 58).store()}
    augmentation = summarise_augmentation(
        first_dataset, dataset, FramesData(new).store(), orm.Dict(choice), after, before,
        **{f"run_{name}": run for name, run in runs.items()},
    )  # fmt: skip
    rounds = summarise_rounds(
        orm.Dict({"max_rounds": 1}), augmentation_01=augmentation, metrics_01=orm.Dict(ROUND_METRICS),
        verdict_01=orm.Dict(verdict_on("c" * 64, 3.0)),
    )  # fmt: skip
    augment = next(node for node in top.called if node.process_label == "AugmentWorkChain")
    for name, run in runs.items():
        run.base.links.add_incoming(augment, LinkType.RETURN, f"trajectories__{name}")
    first = {**of_model("b", 0.12, 4, (0.5, 0.3)), "dataset": first_dataset, "trajectory": runs["production"]}
    outputs = {
        **of_model("c", 0.15, 1, (0.5, 0.2)), "predictions": after, "parent_predictions": before, "dataset": dataset,
        "campaigns": campaigns, "campaign_arrays": arrays, "augmentation": augmentation, "selection": rows,
        "rounds": rounds,
        "verdict": orm.Dict(verdict_on("c" * 64, 3.0)), "first__verdict": orm.Dict(verdict_on("b" * 64, 331.0)),
        "label_failures": orm.Dict({"failures": []}), **{f"first__{name}": node for name, node in first.items()},
    }  # fmt: skip
    for label, node in outputs.items():
        (node if node.is_stored else node.store()).base.links.add_incoming(top, LinkType.RETURN, label)
    finish(top)
    for node in (*top.called, top):
        if not node.is_sealed:
            node.seal()
    return top


def campaign(caller: orm.WorkChainNode | None, name: str, ends: list[int]) -> orm.WorkChainNode:
    """Return a running campaign with so many legs, each ended by a call."""
    node = orm.WorkChainNode()
    node.set_process_label("CampaignWorkChain")
    node.set_process_state(ProcessState.WAITING)
    node.base.links.add_incoming(orm.Dict(LEG).store(), LinkType.INPUT_WORK, "parameters")
    call(caller, node, f"campaign_{name}")
    node.store()
    for number, end in enumerate(ends, 1):
        leg = workchain("LegWorkChain", node, f"leg_{number:03d}")
        job = add_job("flare", "seireact.flare", leg, "iteration_01")
        created(orm.Dict({"status": "unsure", "step": end}), job, "leg")
        for one in (job, leg):
            finish(one)
            one.seal()
    return node
