"""Datasets of a bundle: extended XYZ that holds every bit, with frame ids and splits, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.formats.atomic import write_json
from aiida_seireact.formats.extxyz import read_extxyz, write_extxyz
from aiida_seireact.formats.frames import FramesError
from aiida_seireact.formats.manifest_rows import SPLITS, dataset_hash
from aiida_seireact.publishing.bundle import DATASETS, PART, Progress, read_part
from aiida_seireact.publishing.subgraph import SubGraph

BYTES_AN_ATOM = 120
"""Of a line of extended XYZ with forces, about."""


def datasets_of(graph: SubGraph, hashes: Iterable[str] = ()) -> list[DatasetData]:
    """Return the datasets to publish, each content once: results of the top processes, and those models learned from.

    Where there are none of either, all that the processes know.

    :param hashes: content hashes of datasets that models were trained on.
    """
    wanted = set(hashes)
    known = graph.well_made(DatasetData)
    results = graph.returned(DatasetData)
    chosen = [*results, *(node for node in known if node.content_hash in wanted)] or known
    return list({node.content_hash: node for node in reversed(chosen)}.values())[::-1]


def size_of(dataset: DatasetData) -> int:
    """Return about how many bytes its file takes."""
    return sum(int(shard.base.attributes.get("n_atoms")) for shard in dataset.shards()) * BYTES_AN_ATOM


def write_datasets(datasets: Iterable[DatasetData], folder: Path, progress: Progress) -> list[dict[str, Any]]:
    """Write a file a dataset and their index; return the index."""
    index = []
    (folder / DATASETS).mkdir()
    for node in datasets:
        file = f"{DATASETS}/{node.content_hash[:16]}.extxyz"
        frames = node.frames()
        write_extxyz(folder / file, frames, node.column("split").tolist())
        progress(f"datasets: {file}, {len(frames)} frames, {(folder / file).stat().st_size / 1e6:.1f} MB")
        attributes = node.base.attributes
        index.append(
            {
                "file": file,
                "uuid": node.uuid,
                "content_hash": node.content_hash,
                "settings_hash": node.settings_hash,
                "n_frames": len(node),
                "n_by_split": {name: attributes.get(f"n_{name}") for name in SPLITS},
                "config_types": attributes.get("config_types"),
                "species": node.species,
            }
        )
    write_json(folder / DATASETS / PART, index)
    return index


def check_files(folder: Path) -> list[str]:
    """Return what is wrong with the files: not readable, changed frames, another hash than the index tells."""
    wrong = []
    for entry in read_part(folder, DATASETS):
        try:
            frames, split = read_extxyz(folder / entry["file"])
        except FramesError as error:
            wrong.append(str(error))
            continue
        found = dataset_hash(np.array(frames.frame_ids), np.array(split)) if split else ""
        if found != entry["content_hash"]:
            wrong.append(f"{entry['file']} is not the dataset {entry['content_hash'][:12]} that the index tells")
    return wrong


def check_against_graph(folder: Path) -> list[str]:
    """Return where files and nodes of the loaded profile differ: in frames, labels, order or split."""
    wrong = []
    for entry in read_part(folder, DATASETS):
        try:
            node = orm.load_node(entry["uuid"])
            frames, split = node.frames(), node.column("split").tolist()
            there, told = read_extxyz(folder / entry["file"])
        except Exception as error:  # whatever an archive that was altered leads to
            wrong.append(f"{entry['file']}: the dataset {entry['uuid']} of the archive is not readable: {error}")
            continue
        # A frame id is the hash of all that a frame holds, its labels and their level too.
        if there.frame_ids != frames.frame_ids or there.settings_hash != frames.settings_hash:
            wrong.append(f"{entry['file']} holds other frames than the dataset {entry['uuid']} of the archive")
        elif told != split:
            wrong.append(f"{entry['file']} splits its frames otherwise than the dataset {entry['uuid']} of the archive")
    return wrong
