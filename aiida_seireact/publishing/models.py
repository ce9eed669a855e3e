"""Models of a bundle: packages, which travel, with their cards. None of their code is run, here or on the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiida import orm

from aiida_seireact.data.potential import PACKAGE_KINDS, PotentialData
from aiida_seireact.formats.atomic import write_json
from aiida_seireact.formats.model import PACKAGE_SUFFIX, ModelFileError, package_hash
from aiida_seireact.publishing.bundle import MODELS, PART, BundleError, Progress, read_json, read_part
from aiida_seireact.publishing.subgraph import SubGraph


def models_of(graph: SubGraph) -> list[PotentialData]:
    """Return the packages to publish, each model once: results of the top processes, else all they know.

    Compiled models stay in the archive: they belong to one kind of device and one version of PyTorch.
    """
    chosen = _packages(graph.returned(PotentialData)) or _packages(graph.well_made(PotentialData))
    return list({node.model_hash: node for node in reversed(chosen)}.values())[::-1]


def _packages(models: Iterable[PotentialData]) -> list[PotentialData]:
    return [node for node in models if node.kind in PACKAGE_KINDS]


def size_of(model: PotentialData) -> int:
    """Return the bytes of its file."""
    return int(model.base.repository.get_object_size(model.filename))


def write_models(models: Iterable[PotentialData], folder: Path, progress: Progress) -> list[dict[str, Any]]:
    """Write package and card of each model, and their index; return the index.

    :raises BundleError: a package that is not whole, or not the model that its node tells.
    """
    index = []
    (folder / MODELS).mkdir()
    for node in models:
        name = f"{MODELS}/{node.model_hash[:16]}"
        file, card = f"{name}{PACKAGE_SUFFIX}", f"{name}.card.json"
        with node.open(mode="rb") as source, (folder / file).open("wb") as target:
            shutil.copyfileobj(source, target)
        if (found := _hash_of(folder / file)) != node.model_hash:
            raise BundleError(f"Potential <{node.pk}> is not the model its card tells: {found}. It can't be published.")
        write_json(folder / card, json.loads(json.dumps(node.card, default=str)))
        progress(f"models: {file}, {(folder / file).stat().st_size / 1e6:.1f} MB")
        index.append(
            {
                "file": file,
                "card": card,
                "uuid": node.uuid,
                "kind": node.kind,
                "model_hash": node.model_hash,
                "dataset_hash": node.base.attributes.get("dataset_hash"),
                "species": node.species,
            }
        )
    write_json(folder / MODELS / PART, index)
    return index


def check_files(folder: Path) -> list[str]:
    """Return which packages are not the models that the index tells."""
    return [
        f"{entry['file']} is not the model {entry['model_hash'][:12]} that the index tells: {found}"
        for entry in read_part(folder, MODELS)
        if (found := _hash_of(folder / entry["file"])) != entry["model_hash"]
    ]


def check_against_graph(folder: Path) -> list[str]:
    """Return which packages, or cards, are not those of the loaded profile."""
    wrong = []
    for entry in read_part(folder, MODELS):
        try:
            node = orm.load_node(entry["uuid"])
            same = node.model_hash == entry["model_hash"]
            card = json.loads(json.dumps(node.card, default=str))
            with node.open(mode="rb") as source:
                same = same and source.read() == (folder / entry["file"]).read_bytes()
        except Exception as error:  # whatever an archive that was altered leads to
            wrong.append(f"{entry['file']}: the model {entry['uuid']} of the archive is not readable: {error}")
            continue
        if not same:
            wrong.append(f"{entry['file']} is not the model {entry['uuid']} of the archive")
        elif card != read_json(folder / entry["card"]):
            wrong.append(f"{entry['card']} tells otherwise than the model {entry['uuid']} of the archive")
    return wrong


def _hash_of(path: Path) -> str:
    try:
        return package_hash(path)
    except ModelFileError as error:
        return str(error)
