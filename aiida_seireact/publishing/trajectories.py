"""Trajectories of a bundle: what they are and how to know them again. Their bulk is deposited apart, under a DOI."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiida import orm

from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.atomic import write_json
from aiida_seireact.publishing.bundle import PART, TRAJECTORIES, read_json, read_part
from aiida_seireact.publishing.subgraph import SubGraph

FACTS = ("n_atoms", "species", "timestep_fs", "dump_every", "first_step", "last_step", "steps", "done")


def trajectories_of(graph: SubGraph) -> list[TrajectoryData]:
    """Return the runs of the sub-graph, each content once; the segments of a run are told by the run."""
    runs = graph.well_made(TrajectoryData)
    segments = {segment.pk for run in runs for segment in run._segments() if segment.pk != run.pk}
    whole = [run for run in runs if run.pk not in segments]
    return list({run.content_hash: run for run in whole}.values())


def write_trajectories(runs: Iterable[TrajectoryData], folder: Path, doi: str | None) -> dict[str, Any]:
    """Write a manifest of each run, and their index; return the index.

    :param doi: of the deposit that holds the dumps; None: a field to be filled.
    """
    (folder / TRAJECTORIES).mkdir()
    entries = []
    for run in runs:
        told = manifest_of(run)
        file = f"{TRAJECTORIES}/{told['content_hash'][:16]}.json"
        write_json(folder / file, told)
        chunks = [chunk for dump in told["dumps"].values() for chunk in dump]
        entries.append(
            {
                "file": file,
                "uuid": run.uuid,
                "content_hash": told["content_hash"],
                "bytes": sum(int(chunk["bytes"]) for chunk in chunks),
                "n_chunks": len(chunks),
                "n_deposited_apart": sum(not chunk["in_archive"] for chunk in chunks),
            }
        )
    index = {"doi": doi, "runs": entries}
    write_json(folder / TRAJECTORIES / PART, index)
    return index


def manifest_of(run: TrajectoryData) -> dict[str, Any]:
    """Return what a run is, and the chunks of its dumps: file, sha256, bytes, steps, and whether the archive has it."""
    attributes, held = run.base.attributes, _retrieved(run)
    dumps = {"main": run.manifest, **run.dumps}
    told = {
        "uuid": run.uuid,
        "content_hash": run.content_hash,
        **{name: attributes.get(name, None) for name in FACTS},
        "dumps": {
            name: [{**chunk, "in_archive": chunk["file"] in held} for chunk in dump]
            for name, dump in dumps.items()
            if dump
        },
    }
    plain: dict[str, Any] = json.loads(json.dumps(told, default=str))
    return plain


def check_against_graph(folder: Path) -> list[str]:
    """Return which manifests are not those of the loaded profile."""
    wrong = []
    for entry in read_part(folder, TRAJECTORIES)["runs"]:
        try:
            told = manifest_of(orm.load_node(entry["uuid"]))
        except Exception as error:  # whatever an archive that was altered leads to
            wrong.append(f"{entry['file']}: the run {entry['uuid']} of the archive is not readable: {error}")
            continue
        if told != read_json(folder / entry["file"]):
            wrong.append(f"{entry['file']} is not the manifest of the run {entry['uuid']} of the archive")
    return wrong


def _retrieved(run: TrajectoryData) -> set[str]:
    """Return the files that the jobs of a run brought home: they are in the archive. No connection is opened."""
    jobs = [segment.creator for segment in run._segments() if isinstance(segment.creator, orm.CalcJobNode)]
    folders = [job.outputs.retrieved for job in jobs if "retrieved" in job.outputs]
    return {name for folder in folders for name in folder.base.repository.list_object_names()}
