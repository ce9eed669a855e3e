"""What a training will cost, and how that is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiida import orm
from pydantic import ValidationError

from aiida_seireact.formats import files
from aiida_seireact.formats.train_settings import TrainSettings
from aiida_seireact.query.family import came_from_cache
from aiida_seireact.workchains.train import TrainWorkChain

if TYPE_CHECKING:
    from aiida_seireact.data.dataset import DatasetData

# CPU ms an atom and epoch on one core of an AMD EPYC server: 22 frames of 52 atoms at the density of Li6PS5Cl,
# nequip 0.19.1, torch 2.13.0, three epochs each, 28 November 2026.
MEASURED_MS = {"fast": 0.220, "balanced": 0.288, "paper": 2.635}
START_S = 10.0
"""Of a job, beside its epochs: start, package, test."""


@dataclass(frozen=True)
class Cost:
    """An estimate.

    :param hours: of one core; None where nothing is known.
    :param basis: how it is known, or why not.
    """

    hours: float | None
    basis: str


def n_atoms(dataset: DatasetData) -> int:
    """Return the atoms that an epoch passes: those of the frames to learn from and to choose by."""
    return sum(int(dataset.frames(split).n_atoms.sum()) for split in ("train", "val"))


def cost_of(settings: TrainSettings, dataset: DatasetData) -> Cost:
    """Return the cost of all epochs, by an earlier training of this network in the profile, or as measured by us."""
    if settings.device == "gpu":
        return Cost(None, "on a GPU not known before it runs: look at the progress of the first epochs")
    found = _by_earlier(settings)
    if found is None:
        for protocol, measured in MEASURED_MS.items():
            inputs = TrainWorkChain.get_protocol_inputs(protocol)["parameters"]["settings"]
            if TrainSettings.model_validate(inputs).network == settings.network:
                found = measured, "measured at the density of Li6PS5Cl"
    if found is None:
        return Cost(None, "no training of this network is known here: run a few epochs first (--epochs 3)")
    milliseconds, basis = found
    seconds = START_S + settings.max_epochs * n_atoms(dataset) * milliseconds / 1000
    return Cost(seconds / 3600, f"{milliseconds:.2g} ms an atom and epoch, {basis}")


def _by_earlier(settings: TrainSettings) -> tuple[float, str] | None:
    """Return ms an atom and epoch of the newest training of the same network on a processor, and its name."""
    query = orm.QueryBuilder()
    query.append(
        orm.CalcJobNode,
        filters={"process_type": "aiida.calculations:seireact.allegro", "attributes.exit_status": 0},
        project="*",
        tag="job",
    )
    query.order_by({"job": {"ctime": "desc"}}).limit(20)
    for job in query.all(flat=True):
        if came_from_cache(job) or "parent" in job.inputs or "checkpoint" in job.inputs:
            continue
        # What is left of it after an import or a deletion may tell nothing.
        if "parameters" not in job.inputs or not {"retrieved", "metrics"} <= set(job.outputs):
            continue
        try:
            before = TrainSettings.model_validate(job.inputs.parameters.get_dict().get("settings", {}))
            result = json.loads(job.outputs.retrieved.base.repository.get_object_content(files.RESULT))
        except (ValidationError, OSError, ValueError):
            continue
        epochs = job.outputs.metrics["n_epochs"]
        # Of a few quick epochs most is start.
        if before.network != settings.network or before.device != "cpu" or result["seconds"] < 3 * START_S:
            continue
        seconds = (result["seconds"] - START_S) * before.devices
        return 1000 * seconds / (epochs * n_atoms(job.inputs.dataset)), f"of training <{job.pk}>"
    return None
