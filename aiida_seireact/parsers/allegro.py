"""Model, errors and learning curve of ``seireact-train`` as nodes."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from aiida import orm
from aiida.engine import ExitCode

from aiida_seireact.data.checkpoint import CheckpointData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats import files
from aiida_seireact.formats.checkpoint import CheckpointError
from aiida_seireact.formats.model import ModelFileError, read_package_card
from aiida_seireact.parsers.base import ProgramParser


class AllegroParser(ProgramParser):
    """Output ``potential`` carries its card; ``metrics`` the errors by config type under ``by_type`` and ``all``,
    ``parent_metrics`` those of the model it started from.
    """

    CACHE_VERSION = 3

    def make_outputs(self, result: dict[str, Any], folder: Path) -> ExitCode | None:
        self.out("checkpoint", CheckpointData.of_file(folder / files.CHECKPOINT))
        self.make_model(result, folder)
        return None

    def make_model(self, result: dict[str, Any], folder: Path) -> None:
        """Attach the package and all that is told of it.

        :raises ValueError, OSError, KeyError: output that is not whole.
        """
        by_type = dict(result["errors"] or {})
        metrics = {
            "all": by_type.pop("all", None),
            "by_type": by_type,
            "validation": result["validation"],
            "best_epoch": result["best_epoch"],
            "n_epochs": result["n_epochs"],
            "done": result["done"],
            "learner": result["learner"],
            "n_frames": result["n_frames"],
        }
        self.out("metrics", orm.Dict(metrics))
        self.out("curve", arrays(json.loads((folder / files.CURVE).read_text(encoding="utf-8"))))
        if result["errors"]:
            self.out("predictions", predictions(folder / files.PREDICTIONS))
        if result["errors_before"]:
            before = dict(result["errors_before"])
            parent = {"all": before.pop("all"), "by_type": before, "model_hash": self.node.inputs.parent.model_hash}
            self.out("parent_metrics", orm.Dict(parent))
            self.out("parent_predictions", predictions(folder / files.PARENT_PREDICTIONS))
        card = {
            "kind": f"{result['learner']}-package",
            "species": result["species"],
            "cutoff_ang": result["r_max_ang"],
            "model_hash": result["model_hash"],
            "dataset_hash": self.node.inputs.dataset.content_hash,
            "versions": result["model_versions"],
            "metrics": metrics["all"] or result["validation"],
            "reference_energies": self.node.inputs.reference_energies.get_dict(),
        }
        self.out("potential", PotentialData(folder / files.PACKAGE, card=card))

    def rescue(self, folder: Path) -> None:
        """Attach the checkpoint of a job that was killed, or the best package of one that diverged; whole ones only."""
        with suppress(CheckpointError):
            self.out("checkpoint", CheckpointData.of_file(folder / files.CHECKPOINT))
        with suppress(ModelFileError):
            package = read_package_card(folder / files.PACKAGE)
            if (folder / files.RESCUED).is_file():
                with suppress(ValueError, OSError, KeyError, BadZipFile):
                    self.make_model(json.loads((folder / files.RESCUED).read_text(encoding="utf-8")), folder)
                return
            card = {
                **{"kind": package.kind, "species": package.species, "cutoff_ang": package.r_max_ang},
                **{"model_hash": package.model_hash, "versions": package.versions, "metrics": {}},
                "dataset_hash": self.node.inputs.dataset.content_hash,
            }
            self.out("potential", PotentialData(folder / files.PACKAGE, card=card))


def arrays(columns: dict[str, list[float | None]]) -> orm.ArrayData:
    """Return columns as arrays; null becomes NaN."""
    node = orm.ArrayData()
    for name, values in columns.items():
        node.set_array(name, np.array([np.nan if value is None else value for value in values], dtype=np.float64))
    return node


def predictions(path: Path) -> orm.ArrayData:
    """Return references and predictions of the test frames; energies per atom."""
    node = orm.ArrayData()
    with np.load(path, allow_pickle=False) as file:
        n_atoms = np.diff(file["offsets"])
        node.set_array("n_atoms", n_atoms)
        node.set_array("config_type", file["config_type"])
        node.set_array("frame_ids", file["frame_ids"])
        node.set_array("energy_predicted", file["energy"] / n_atoms)
        node.set_array("energy_reference", file["energy_reference"] / n_atoms)
        for name in ("forces", "stress"):
            node.set_array(f"{name}_predicted", file[name])
            node.set_array(f"{name}_reference", file[f"{name}_reference"])
    return node
