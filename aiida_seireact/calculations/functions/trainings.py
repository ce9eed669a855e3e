"""What a training changes of its own settings when it goes wrong, and what a committee makes of its members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from numpy.typing import NDArray

from aiida_seireact.formats.train_settings import TrainSettings
from aiida_seireact.science.convergence import rank_correlation
from aiida_seireact.science.metrics import rmse
from aiida_seireact.science.uncertainty import committee_deviation

# Atoms, or frames, of which a rank correlation is told.
FEWEST = 3


@calcfunction
def gentler_steps(parameters: orm.Dict) -> dict[str, orm.Dict]:
    """Return ``parameters`` with half the learning rate, and ``change``, which says so.

    :raises ValueError: overrides of nequip's configuration set the learning rate.
    """
    settings = TrainSettings.model_validate(parameters.get_dict().get("settings", {}))
    lr = settings.lr / 2
    # A schedule can't end above where it begins.
    return _changed(parameters, {"lr": lr, "lr_min": min(settings.lr_min, lr)}, "the loss was not a number any more")


@calcfunction
def smaller_batches(parameters: orm.Dict) -> dict[str, orm.Dict]:
    """Return ``parameters`` with half the frames in a batch, and ``change``, which says so.

    :raises ValueError: there is only one frame on each device, or overrides set the size of a batch.
    """
    settings = TrainSettings.model_validate(parameters.get_dict().get("settings", {}))
    per_device = settings.batch_size // settings.devices
    if per_device < 2:
        raise ValueError(
            "a batch of one frame on each device can't be made smaller: use smaller cells, or more memory."
        )
    return _changed(parameters, {"batch_size": per_device // 2 * settings.devices}, "the memory was too small")


# What a setting is in nequip's configuration, where overrides win over it.
IN_NEQUIP = {
    "lr": ("training_module.optimizer.lr",),
    "batch_size": ("data.train_dataloader.batch_size",),
    "seed": ("training_module.model.seed", "data.seed"),
}


def overridden(parameters: Mapping[str, Any], setting: str) -> str:
    """Return why another value of a setting would not do: overrides set the same thing; empty if none does.

    :param parameters: of a training, as `formats.jobs.train.TrainJob` takes them.
    """
    for place in IN_NEQUIP[setting]:
        found: Any = parameters.get("overrides", {})
        for name in place.split("."):
            if not isinstance(found, Mapping) or name not in found:
                break
            found = found[name]
        else:
            return (
                f"`overrides` set {place} to {found}, which another `{setting}` would not change: "
                f"set `settings.{setting}` in its place."
            )
    return ""


def _changed(parameters: orm.Dict, changes: dict[str, Any], why: str) -> dict[str, orm.Dict]:
    content = parameters.get_dict()
    for name in changes:
        if name in IN_NEQUIP and (refusal := overridden(content, name)):
            raise ValueError(refusal)
    before = TrainSettings.model_validate(content.get("settings", {}))
    told = {
        name: {"from": getattr(before, name), "to": value}
        for name, value in changes.items()
        if value != getattr(before, name)
    }
    content["settings"] = {**content.get("settings", {}), **{name: changes[name] for name in told}}
    return {"parameters": orm.Dict(content), "change": orm.Dict({"why": why, "settings": told})}


@calcfunction
def with_seeds(parameters: orm.Dict, seeds: orm.List) -> dict[str, orm.Dict]:
    """Return by ``member_01`` … the parameters of a committee: other first weights and order of the same frames."""
    content = parameters.get_dict()
    settings = content.get("settings", {})
    return {
        label_of(number): orm.Dict({**content, "settings": {**settings, "seed": seed}})
        for number, seed in enumerate(seeds.get_list(), start=1)
    }


def label_of(number: int) -> str:
    """Return how a member of a committee is called, from 1 on."""
    return f"member_{number:02d}"


@calcfunction
def committee_against_error(**predictions: orm.ArrayData) -> dict[str, orm.Data]:
    """Compare how far members are apart with how far their mean is from the truth, on the test frames.

    Returns ``calibration``, by atom ``std`` (`science.uncertainty.committee_deviation`) and ``error`` (length of the
    mean force's error), both eV/Å, with ``n_atoms`` and ``frame_ids`` by frame; and ``spread``, their summary.

    :raises ValueError: members that were tested on other frames.
    """
    members = [predictions[name] for name in sorted(predictions)]
    frame_ids = members[0].get_array("frame_ids")
    if any(not np.array_equal(member.get_array("frame_ids"), frame_ids) for member in members):
        raise ValueError("The members of a committee were tested on different frames.")
    n_atoms = members[0].get_array("n_atoms")
    forces = np.stack([member.get_array("forces_predicted") for member in members])
    reference = members[0].get_array("forces_reference")
    std = committee_deviation(forces)
    error = np.linalg.norm(forces.mean(axis=0) - reference, axis=1)
    calibration = orm.ArrayData()
    for name, values in {"std": std, "error": error, "n_atoms": n_atoms, "frame_ids": frame_ids}.items():
        calibration.set_array(name, values)
    return {"calibration": calibration, "spread": orm.Dict(_spread(forces, reference, std, error, n_atoms))}


def _spread(
    forces: NDArray[np.float64],
    reference: NDArray[np.float64],
    std: NDArray[np.float64],
    error: NDArray[np.float64],
    n_atoms: NDArray[np.int64],
) -> dict[str, Any]:
    starts = np.concatenate([[0], np.cumsum(n_atoms)[:-1]])
    return {
        "n_members": len(forces),
        "n_frames": len(n_atoms),
        "n_atoms": len(std),
        "force_rmse_of_members_ev_per_ang": [rmse(member - reference) for member in forces],
        "force_rmse_of_mean_ev_per_ang": rmse(forces.mean(axis=0) - reference),
        "mean_std_ev_per_ang": float(std.mean()),
        "mean_error_ev_per_ang": float(error.mean()),
        "spearman_by_atom": rank_correlation(std, error, fewest=FEWEST),
        "spearman_by_frame": rank_correlation(
            np.maximum.reduceat(std, starts), np.maximum.reduceat(error, starts), fewest=FEWEST
        ),
    }
