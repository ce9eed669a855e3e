"""The configuration that ``nequip-train`` (nequip 0.19, nequip-allegro 0.8) reads, built from a few typed
settings.

Field names of the network are nequip's own. What has no field here is reached by ``overrides``, a dict merged
into the configuration at any depth, so no knob of nequip is out of reach.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from typing import Any

import yaml

from aiida_seireact.formats.nequip_networks import fine_tuned, network
from aiida_seireact.formats.train_settings import TrainSettings

CALLBACKS = "aiida_seireact.programs._lightning"
METRIC = "val0_epoch/weighted_sum"
"""What is monitored: the sum of the validation errors of energy per atom, forces and stress, in ASE units."""


def build_config(
    settings: TrainSettings,
    *,
    species: Sequence[str],
    train: str,
    val: str,
    shifts: Mapping[str, float] | None = None,
    learned: Collection[str] | None = None,
    parent: str | None = None,
    checkpoint: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the configuration as plain dicts and lists, to be written as YAML.

    :param species: type names of the model, in its order.
    :param train: extxyz file, relative to the folder nequip runs in; likewise ``val``.
    :param shifts: energy of each species, eV per atom; None takes the mean of the training set, or the
        parent's.
    :param learned: species of the training frames, default all: others of a parent keep its energies.
    :param parent: package to start from (warm start). Its network, cutoff and types are kept.
    :param checkpoint: one of lightning's to go on from. Network, optimiser and schedule are those of the checkpoint;
        data, batches, devices and the number of epochs are as said here.
    :param overrides: merged in last, dicts at any depth; a value of None removes the key.
    :raises ValueError: shifts that leave out a species.
    """
    names = list(species)
    shifted = [name for name in names if parent is None or learned is None or name in learned]
    missing = [name for name in shifted if shifts is not None and name not in shifts]
    if missing:
        raise ValueError(f"There is no energy shift for {', '.join(missing)}: give one for each species.")
    ordered = None if shifts is None else {name: float(shifts[name]) for name in shifted}
    config: dict[str, Any] = {
        "run": ["train"],
        **({} if checkpoint is None else {"ckpt_path": checkpoint}),
        "data": _data(settings, names, train, val),
        "trainer": _trainer(settings, checkpoint is not None),
        "training_module": {
            "_target_": "nequip.train.EMALightningModule",
            "ema_decay": settings.ema_decay,
            "loss": {
                "_target_": "nequip.train.EnergyForceStressLoss",
                "per_atom_energy": True,
                "coeffs": {
                    "total_energy": settings.loss.energy,
                    "forces": settings.loss.forces,
                    "stress": settings.loss.stress,
                },
            },
            "train_metrics": None,
            "val_metrics": _metrics(),
            "optimizer": {"_target_": "torch.optim.Adam", "lr": settings.lr},
            "lr_scheduler": _schedule(settings),
            "model": network(settings, names, ordered) if parent is None else fine_tuned(settings, parent, ordered),
        },
        "global_options": {"allow_tf32": False},
        # Otherwise hydra puts the files into outputs/DATE/TIME.
        "hydra": {"run": {"dir": "."}, "job": {"chdir": False}},
    }
    return merge(config, overrides or {})


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes`` merged in at any depth; None removes a key, lists are replaced."""
    merged = deepcopy(dict(base))
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = deepcopy(value)
    return merged


def _data(settings: TrainSettings, names: list[str], train: str, val: str) -> dict[str, Any]:
    loader = {"_target_": "torch.utils.data.DataLoader", "num_workers": 0}
    return {
        "_target_": "nequip.data.datamodule.ASEDataModule",
        "seed": settings.seed,
        "train_file_path": train,
        "val_file_path": val,
        "transforms": [
            {"_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper", "model_type_names": names},
            {"_target_": "nequip.data.transforms.NeighborListTransform", "r_max": settings.r_max},
        ],
        "train_dataloader": {**loader, "batch_size": settings.batch_size // settings.devices, "shuffle": True},
        "val_dataloader": {**loader, "batch_size": 5},
        "stats_manager": {
            "_target_": "nequip.data.CommonDataStatisticsManager",
            "dataloader_kwargs": {"batch_size": 5},
            "type_names": names,
        },
    }


def _trainer(settings: TrainSettings, goes_on: bool) -> dict[str, Any]:
    here = "${hydra:runtime.output_dir}"
    checkpoint = {
        "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
        "dirpath": here,
        "enable_version_counter": False,
    }
    callbacks: list[dict[str, Any]] = [
        # Also stops a run whose error became NaN, so it is there even without a patience.
        {
            "_target_": "lightning.pytorch.callbacks.EarlyStopping",
            "monitor": METRIC,
            "min_delta": 1e-4,
            "patience": settings.early_stopping_patience or settings.max_epochs,
        },
        {**checkpoint, "monitor": METRIC, "filename": "best"},
        # lightning 2.6 writes `save_last` only when the monitored one improves, so restarts need their own.
        {**checkpoint, "filename": "last", "save_top_k": 1, "every_n_epochs": 1},
        {"_target_": "lightning.pytorch.callbacks.LearningRateMonitor", "logging_interval": "epoch"},
    ]
    if goes_on:
        callbacks.append({"_target_": f"{CALLBACKS}.GoOnShuffling"})
    if settings.max_time_s is not None:
        callbacks.append({"_target_": f"{CALLBACKS}.StopInTime", "seconds": settings.max_time_s})
    trainer: dict[str, Any] = {
        "_target_": "lightning.Trainer",
        "accelerator": settings.device,
        "devices": settings.devices,
        "max_epochs": settings.max_epochs,
        "log_every_n_steps": 1000,
        "enable_progress_bar": False,
        "num_sanity_val_steps": 0,
        "logger": {
            "_target_": "lightning.pytorch.loggers.CSVLogger",
            "save_dir": here,
            "name": "csv",
            "version": "",
        },
        "callbacks": callbacks,
    }
    if settings.devices > 1:
        # The only one that goes with compiled networks on several GPUs; on CPUs it works as well.
        trainer["strategy"] = {"_target_": "nequip.train.SimpleDDPStrategy"}
    return trainer


def _metrics() -> dict[str, Any]:
    def per_type(name: str, metric: str) -> dict[str, Any]:
        return {
            "name": name,
            "field": "forces",
            "per_type": True,
            "metric": {"_target_": f"nequip.train.{metric}"},
        }

    return {
        "_target_": "nequip.train.EnergyForceStressMetrics",
        "coeffs": {"per_atom_energy_rmse": 1.0, "forces_rmse": 1.0, "stress_rmse": 1.0},
        "extra_metrics": [
            per_type("forces_mae_by_type", "MeanAbsoluteError"),
            per_type("forces_rmse_by_type", "RootMeanSquaredError"),
        ],
    }


def _schedule(settings: TrainSettings) -> dict[str, Any]:
    common = {"interval": "epoch", "frequency": 1}
    if settings.scheduler == "cosine":
        cosine = {
            "_target_": "torch.optim.lr_scheduler.CosineAnnealingLR",
            "T_max": settings.max_epochs,
            "eta_min": settings.lr_min,
        }
        return {"scheduler": cosine, **common}
    plateau = {
        "_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau",
        "factor": 0.5,
        "patience": settings.plateau_patience,
        "min_lr": settings.lr_min,
    }
    return {"scheduler": plateau, "monitor": METRIC, **common}


def to_yaml(config: Mapping[str, Any]) -> str:
    """Return the configuration as YAML that hydra reads."""
    # Through JSON, because one list used twice would become a YAML anchor.
    return yaml.safe_dump(json.loads(json.dumps(config)), sort_keys=False)
