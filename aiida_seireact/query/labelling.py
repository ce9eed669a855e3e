"""Labels and the datasets made of them: every labelled frame, who computed it, and what a training set covers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from aiida import orm

from aiida_seireact.data.dataset import SHARD_ARRAY, DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.manifest_rows import joined, text_of
from aiida_seireact.query.arrays import Array, arrays_of
from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph, Made
from aiida_seireact.query.sources import What
from aiida_seireact.query.training import EV_PER_ANG3_IN_GPA, TRAIN
from aiida_seireact.query.trajectories import computers_of

ASE = "aiida.calculations:seireact.ase"
COLLECT = ("collect_vasp", "collect_pw", "collect_cp2k", "collect_vasp_md", "collect_pw_md", "collect_cp2k_md")
"""Calcfunctions that join what the jobs of an engine have left to one shard."""
REUSE = "reuse_labels"
OF_FRAMES = ("offsets", "config_type", "group", "md_step", "cells", "energy", "forces", "stress")

LABEL_COLUMNS = {
    "labeller": "str",
    "index": "int",
    "config_type": "str",
    "group": "str",
    "md_step": "float",
    "n_atoms": "int",
    "energy_ev_per_atom": "float",
    "largest_force_ev_per_ang": "float",
    "force_rms_ev_per_ang": "float",
    "pressure_gpa": "float",
    "volume_ang3_per_atom": "float",
    "settings_hash": "str",
    "reused": "bool",
    "from_cache": "bool",
    "job_uuid": "str",
    "code": "str",
    "computer": "str",
}
DATASET_COLUMNS = {
    "dataset_hash": "str",
    "split": "str",
    "config_type": "str",
    "n_frames": "int",
    "n_groups": "int",
    "n_frames_of_all": "int",
    "species": "str",
    "settings_hash": "str",
    "is_given": "bool",
}
MEMBER_COLUMNS = {
    "dataset_hash": "str", "frame_id": "str", "split": "str", "group": "str", "config_type": "str",
}  # fmt: skip
COVERAGE_COLUMNS = {
    "by": "str", "value": "str", "species": "str", "n_frames": "float", "n_environments": "float",
}  # fmt: skip
COVERED = {
    "classes": "class", "phases": "phase", "config_types": "config_type", "temperatures_k": "temperature_k",
}  # fmt: skip
MISSING = "missing"


def labels(what: What) -> pd.DataFrame:
    """Return a row for each labelled frame that was computed, or taken over from labels that were there (``reused``).

    ``node_uuid`` is that of its shard, where it is frame ``index``; ``process_uuid`` that of what made the shard, and
    ``job_uuid`` of the calculation that computed the frame. ``pressure_gpa`` is minus the mean of the stress's
    diagonal. Frames that could not be labelled are in `failures`.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    found = label_shards(graph)
    arrays = arrays_of((one.pk for one in found), OF_FRAMES)
    jobs = _jobs_of_frames(found)
    codes = _codes({job for rows in jobs.values() for job, _ in rows.values()})
    computers = computers_of([one.process for one in found if one.process.member.is_job])
    blocks = []
    for one in found:
        held = arrays[one.pk]
        blocks.append(
            {
                **one.columns(),
                **_label_columns(held),
                **_made_by(one, len(held["config_type"]), jobs, codes),
                "labeller": labeller_of(one),
                "settings_hash": one.told["settings_hash"],
                "reused": one.process.member.name == REUSE,
                "from_cache": one.process.member.from_cache,
                "computer": computers.get(one.process.pk),
            }
        )
    return table(LABEL_COLUMNS, blocks)


def datasets(what: What) -> pd.DataFrame:
    """Return a row for each split and config type of each dataset that was made, or given to a training.

    ``n_frames_of_all`` is the size of the whole dataset; ``is_given`` tells those made elsewhere, whose
    ``process_uuid`` is that of the process they were given to.

    :raises QueryError: not a process.
    """
    blocks = []
    for one, is_given, rows in _manifests(Graph(what)):
        columns = {name: text_of(rows, name) for name in ("split", "config_type", "group")}
        counts = Counter(zip(columns["split"].tolist(), columns["config_type"].tolist(), strict=True))
        for (split, config_type), n_frames in sorted(counts.items()):
            mine = (columns["split"] == split) & (columns["config_type"] == config_type)
            blocks.append(
                {
                    **one.columns(),
                    "dataset_hash": one.told["content_hash"],
                    "split": split,
                    "config_type": config_type,
                    "n_frames": n_frames,
                    "n_groups": len(np.unique(columns["group"][mine])),
                    "n_frames_of_all": one.told["n_frames"],
                    "species": "-".join(one.told["species"] or ()),
                    "settings_hash": one.told["settings_hash"],
                    "is_given": is_given,
                }
            )
    return table(DATASET_COLUMNS, blocks)


def members(what: What) -> pd.DataFrame:
    """Return a row for each frame of each dataset that was made or given: its id, split, group and config type.

    :raises QueryError: not a process.
    """
    blocks = []
    for one, _, rows in _manifests(Graph(what)):
        columns = {name: text_of(rows, name) for name in ("frame_id", "split", "group", "config_type")}
        blocks.append({**one.columns(), "dataset_hash": one.told["content_hash"], **columns})
    return table(MEMBER_COLUMNS, blocks)


def coverage(what: What) -> pd.DataFrame:
    """Return a row for each thing that the drawn frames cover: frames and environments, of all and of each element.

    ``by`` is ``class``, ``phase``, ``config_type``, ``temperature_k`` or ``composition``; ``species`` is empty in the
    row of all elements together. Rows by ``missing`` are sentences about what the frames lack.

    :raises QueryError: not a process.
    """
    told = (*COVERED, "compositions", MISSING)
    blocks: list[dict[str, Any]] = []
    for one in Graph(what).made(orm.Dict, links=("coverage",), told=told):
        source = one.columns()
        for key, by in COVERED.items():
            for value, counts in (one.told[key] or {}).items():
                row = {**source, "by": by, "value": value, "n_frames": counts["frames"]}
                blocks.append({**row, "n_environments": counts["environments"]})
                blocks += [
                    {**row, "species": symbol, "n_environments": number}
                    for symbol, number in counts["environments_by_species"].items()
                ]
        for counts in one.told["compositions"] or []:
            blocks.append({**source, "by": "composition", "value": counts["formula"], "n_frames": counts["frames"]})
        blocks += [{**source, "by": MISSING, "value": sentence} for sentence in one.told[MISSING] or []]
    return table(COVERAGE_COLUMNS, blocks)


def label_shards(graph: Graph) -> list[Made]:
    """Return the shards of labels that were computed or reused below the tops."""
    is_labelled = {"attributes.is_labelled": True}
    told = ("settings_hash", "n_frames")
    return graph.made(FramesData, by=(ASE, *COLLECT, REUSE), links=("frames", "known"), told=told, filters=is_labelled)


def labeller_of(shard: Made) -> str:
    """Return the kind of engine that made a shard: ``ase``, ``vasp``, ``qe`` or ``cp2k``; empty of reused labels."""
    engine = {"vasp": "vasp", "pw": "qe", "cp2k": "cp2k"}
    words = shard.process.member.name.split("_")
    return "ase" if shard.process.member.process_type == ASE else engine.get(words[1], "")


def _label_columns(held: Mapping[str, Array]) -> dict[str, Array]:
    offsets = held["offsets"]
    n_atoms = np.diff(offsets)
    squares = (held["forces"] ** 2).sum(axis=1)
    steps = held["md_step"].astype(float)
    columns = {
        "index": np.arange(len(n_atoms)),
        "config_type": held["config_type"],
        "group": held["group"],
        "md_step": np.where(steps >= 0, steps, np.nan),
        "n_atoms": n_atoms,
        "energy_ev_per_atom": held["energy"] / n_atoms,
        "largest_force_ev_per_ang": np.sqrt(np.maximum.reduceat(squares, offsets[:-1])),
        "force_rms_ev_per_ang": np.sqrt(np.add.reduceat(squares, offsets[:-1]) / (3 * n_atoms)),
        "volume_ang3_per_atom": np.abs(np.linalg.det(held["cells"])) / n_atoms,
    }
    if "stress" in held:
        columns["pressure_gpa"] = -held["stress"][:, :3].mean(axis=1) * EV_PER_ANG3_IN_GPA
    return columns


def _made_by(
    one: Made, n_frames: int, jobs: Mapping[int, Mapping[str, tuple[int, str]]], codes: Mapping[int, str]
) -> dict[str, Any]:
    """Return the calculation of each frame of a shard, and its code."""
    if one.process.member.is_job:
        return {"job_uuid": one.process.member.uuid, "code": codes.get(one.process.pk)}
    by_link = jobs.get(one.process.pk, {})
    links = one.told.get("links") or {}
    lost = one.told.get("lost") or set()
    places = [index for index in range(n_frames + len(lost)) if index not in lost]
    found = [by_link.get(links.get(str(index), f"frame_{index:03d}")) for index in places]
    return {
        "job_uuid": [job[1] if job else "" for job in found],
        "code": [codes.get(job[0], "") if job else "" for job in found],
    }


def _jobs_of_frames(found: list[Made]) -> dict[int, dict[str, tuple[int, str]]]:
    """Return by PK of a collecting calcfunction, by link label, PK and UUID of the job that left what it was given.

    The frames of a shard are told apart in its other output, ``failures``: which have no label, and where one of them
    was computed, unless that is ``frame_<number>``.
    """
    collectors = {one.process.pk: one for one in found if one.process.member.name in COLLECT}
    jobs: dict[int, dict[str, tuple[int, str]]] = {}
    for one in found:
        if one.process.member.is_job:
            jobs[one.process.pk] = {"": (one.process.pk, one.process.member.uuid)}
    if not collectors:
        return jobs
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={"id": {"in": list(collectors)}}, project="id", tag="collect")
    query.append(
        orm.Dict,
        with_incoming="collect",
        edge_filters={"type": "create", "label": "failures"},
        project=["attributes.failures", "attributes.links"],
    )
    for pk, failures, links in query.all():
        collectors[pk].told["lost"] = {failure["index"] for failure in failures or []}
        collectors[pk].told["links"] = links or {}
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={"id": {"in": list(collectors)}}, project="id", tag="collect")
    query.append(orm.Data, with_outgoing="collect", edge_project="label", tag="left")
    query.append(
        orm.CalcJobNode, with_outgoing="left", edge_filters={"type": "create"}, project=["id", "uuid"], tag="job"
    )
    for row in query.iterdict():
        link, job = row["collect--left"]["label"], row["job"]
        jobs.setdefault(row["collect"]["id"], {})[link] = (job["id"], job["uuid"])
    return jobs


def _codes(jobs: set[int]) -> dict[int, str]:
    """Return by PK of a job the full label of its code."""
    if not jobs:
        return {}
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={"id": {"in": sorted(jobs)}}, project="id", tag="job")
    query.append(orm.AbstractCode, with_outgoing="job", edge_filters={"label": "code"}, project="label", tag="code")
    query.append(orm.Computer, with_node="code", project="label", outerjoin=True)
    return {job: f"{code}@{computer}" if computer else code for job, code, computer in query.all()}


def _manifests(graph: Graph) -> list[tuple[Made, bool, Any]]:
    """Return each dataset with whether it was made elsewhere, and the records of its frames."""
    told = ("content_hash", "n_frames", "species", "settings_hash")
    found = [(one, False) for one in graph.made(DatasetData, told=told)]
    for run, run_uuid, processes in graph.trees:
        known = {one.uuid for one, _ in found if one.run_uuid == run_uuid}
        trainings = {one.pk: one for one in processes if one.counts and one.member.process_type == TRAIN}
        for pk, rows in graph.given(trainings.values(), DatasetData, "dataset", told).items():
            for given in rows:
                if given.uuid not in known:
                    known.add(given.uuid)
                    made = Made(given.pk, given.uuid, given.link, run, run_uuid, trainings[pk], given.told)
                    found.append((made, True))
    arrays = arrays_of(one.pk for one, _ in found)
    manifests = []
    for one, is_given in found:
        shards = [rows for name, rows in sorted(arrays[one.pk].items()) if name.startswith(SHARD_ARRAY)]
        manifests.append((one, is_given, joined(shards)))
    return manifests
