"""Where a model is from: its package or compiled file, its dataset, its parent, and what judged it."""

from __future__ import annotations

from aiida import orm

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.potential import PotentialData


def compiled_of(potential: PotentialData) -> PotentialData | None:
    """Return the newest file of the same model for LAMMPS, itself if it is one; None if there is none."""
    filters = {
        "attributes.kind": "allegro-compiled",
        "attributes.target": "pair_allegro",
        "attributes.model_hash": potential.model_hash,
    }
    return _newest(PotentialData, filters)


def dataset_of(potential: PotentialData) -> DatasetData | None:
    """Return the dataset that a model has learned from, by its hash; None if it is not in this profile."""
    known = str(potential.base.attributes.get("dataset_hash", "") or "")
    return _newest(DatasetData, {"attributes.content_hash": known}) if known else None


def training_of(potential: PotentialData) -> orm.ProcessNode | None:
    """Return the process that trained a model: of a compiled file, that of its package; None if nobody knows."""
    creator = potential.creator
    if creator is not None and "package" in creator.inputs:
        return training_of(creator.inputs.package)
    return creator


def parent_of(potential: PotentialData) -> PotentialData | None:
    """Return the model that the training started from; None if it began anew."""
    training = training_of(potential)
    if training is None or "parent" not in training.inputs:
        return None
    parent: PotentialData = training.inputs.parent
    return parent


def learned_from(potential: PotentialData) -> list[DatasetData]:
    """Return the datasets that a model and its parents have learned from, those that are in this profile."""
    found: dict[str, DatasetData] = {}
    model: PotentialData | None = potential
    while model is not None:
        if (dataset := dataset_of(model)) is not None:
            found[dataset.content_hash] = dataset
        model = parent_of(model)
    return list(found.values())


def _newest(kind: type, filters: dict[str, str]):  # type: ignore[no-untyped-def]
    query = orm.QueryBuilder()
    query.append(kind, filters=filters, project="*", tag="node")
    query.order_by({"node": {"ctime": "desc"}})
    return query.first(flat=True)
