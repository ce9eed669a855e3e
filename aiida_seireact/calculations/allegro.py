"""``seireact.allegro``: nequip-train → nequip-package → test in one job (``seireact-train``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.checkpoint import CheckpointData
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.potential import PACKAGE_KINDS, PotentialData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.train import TrainJob


class AllegroCalculation(ProgramCalculation):
    """Dataset in, packaged model out, with its errors on the test frames told by config type.

    The frames are found through the dataset by their content hash, so the job has one link however many shards there
    are, and the links of the dataset reach each of them.
    """

    PARSER = "seireact.allegro"
    RETRIEVE = (files.NEQUIP_CONFIG, files.NEQUIP_LOG)
    RETRIEVE_TEMPORARY = (
        *(files.PACKAGE, files.CHECKPOINT, files.CURVE, files.RESCUED),
        *(files.PREDICTIONS, files.PARENT_PREDICTIONS),
    )
    CACHE_VERSION = 3

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input("dataset", valid_type=DatasetData, help="What to learn from, what to choose by, what to test on.")
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(
                TrainJob, train="train.npz", val="val.npz", test={}, shifts={"Li": 0.0}, species=["Li"], checkpoint=""
            ),
            help="`settings` (network and schedule), `overrides` (merged into nequip's configuration), `num_threads`.",
        )
        spec.input(
            "reference_energies",
            valid_type=orm.Dict,
            validator=validate_energies,
            help="`energies_ev`: energy of an atom of each species, eV; `source`: where they come from.",
        )
        spec.input(
            "parent",
            valid_type=PotentialData,
            required=False,
            validator=validate_parent,
            help="A package to start from (warm start), also one that was trained elsewhere: its network is kept.",
        )
        spec.input(
            "checkpoint",
            valid_type=CheckpointData,
            required=False,
            help="Where an earlier job of this very training ended. It is unpickled: take those of your own jobs.",
        )
        spec.output("potential", valid_type=PotentialData, help="The package: weights, settings and code; it travels.")
        spec.output("checkpoint", valid_type=CheckpointData, help="Where the next job goes on, also of a killed one.")
        spec.output("metrics", valid_type=orm.Dict, help="Errors on the test frames, by config type and over all.")
        spec.output("curve", valid_type=orm.ArrayData, help="Errors and learning rate by epoch.")
        spec.output(
            "predictions",
            valid_type=orm.ArrayData,
            required=False,
            help="Test frames: reference and prediction.",
        )
        spec.output(
            "parent_metrics", valid_type=orm.Dict, required=False, help="Errors of the parent on the same test frames."
        )
        spec.output(
            "parent_predictions",
            valid_type=orm.ArrayData,
            required=False,
            help="Test frames: reference and prediction of the parent.",
        )

        for status, label, message in (
            (421, "ERROR_DIVERGED", "The training ran away: {message}"),
            (422, "ERROR_OUT_OF_MEMORY", "There is too little memory: {message}"),
            (423, "ERROR_CHECKPOINT_LOST", "The training can't go on from its checkpoint: {message}"),
        ):
            spec.exit_code(status, label, message=message, invalidates_cache=True)

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        dataset = self.inputs.dataset
        known = self.inputs.parent if "parent" in self.inputs else dataset
        job: dict[str, Any] = {
            **self.inputs.parameters.get_dict(),
            "species": known.species,
            "shifts": self.inputs.reference_energies["energies_ev"],
            "test": {},
        }
        for split in ("train", "val"):
            job[split] = f"{split}.npz"
            dataset.frames(split).save(folder / job[split])
        if dataset.frame_ids("test"):
            test = dataset.frames("test")
            for number, name in enumerate(sorted(set(test.config_type.tolist()))):
                job["test"][name] = f"test_{number}.npz"
                test.select((test.config_type == name).nonzero()[0]).save(folder / f"test_{number}.npz")
        if "parent" in self.inputs:
            job["parent"] = files.PARENT_PACKAGE
            with self.inputs.parent.open(mode="rb") as source:
                (folder / files.PARENT_PACKAGE).write_bytes(source.read())
        if "checkpoint" in self.inputs:
            job["checkpoint"] = files.PREVIOUS_CHECKPOINT
            with self.inputs.checkpoint.open(mode="rb") as source:
                (folder / files.PREVIOUS_CHECKPOINT).write_bytes(source.read())
        return job


def validate_parent(parent: PotentialData | None, _: Any) -> str | None:
    """Refuse what holds no weights to go on with."""
    if parent is None or parent.kind in PACKAGE_KINDS:
        return None
    return f"A training starts from a package ({', '.join(PACKAGE_KINDS)}), not from a potential of kind {parent.kind}."


def validate_energies(energies: orm.Dict | None, _: Any) -> str | None:
    """Refuse energies that are not told by species and in eV."""
    if energies is None:
        return None
    values = energies.get_dict().get("energies_ev")
    if not isinstance(values, dict) or not all(isinstance(value, int | float) for value in values.values()):
        return "reference_energies holds `energies_ev`, a number for each species, and `source`, where they come from."
    return None
