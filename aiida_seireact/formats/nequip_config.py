"""The configuration that ``nequip-train`` (nequip 0.19, nequip-allegro 0.8) reads, built from a few typed
settings.

Field names of the network are nequip's own. What has no field here is reached by ``overrides``, a dict merged
into the configuration at any depth, so no knob of nequip is out of reach.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

METRIC = "val0_epoch/weighted_sum"
"""What is monitored: the sum of the validation errors of energy per atom, forces and stress, in ASE units."""

Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LossWeights(_Settings):
    """Weights of the mean squared errors of energy per atom, force components and stress; only ratios matter.

    A short run must not weigh energies high: their noise dominates the first 10⁴ steps.
    """

    energy: float = Field(2.0, ge=0)
    forces: float = Field(1.0, ge=0)
    stress: float = Field(20.0, ge=0)


class TrainSettings(_Settings):
    """Network and schedule. The defaults are protocol ``fast``: a minute on one core for 300 frames."""

    # network, with nequip's names
    r_max: PositiveFloat = Field(4.5, description="cutoff radius, Å")
    l_max: int = Field(1, ge=0, description="highest spherical harmonic")
    parity: bool = Field(False, description="keep both parities (o3_full)")
    num_layers: Positive = Field(1, description="Allegro layers")
    num_scalar_features: Positive = Field(32, description="width of the scalar track")
    num_tensor_features: Positive = Field(4, description="channels of the tensor track")
    num_bessels: Positive = Field(8, description="radial basis functions")
    polynomial_cutoff_p: Positive = Field(6, description="power of the cutoff envelope")
    radial_chemical_embed_dim: Positive = Field(32, description="width of the two-body embedding")
    scalar_embed_mlp_hidden_layers_depth: Positive = 1
    scalar_embed_mlp_hidden_layers_width: Positive = 32
    allegro_mlp_hidden_layers_depth: Positive = 1
    allegro_mlp_hidden_layers_width: Positive = 32
    readout_mlp_hidden_layers_depth: Positive = 1
    readout_mlp_hidden_layers_width: Positive = 16
    zbl: bool = Field(True, description="add the Ziegler-Biersack-Littmark repulsion at short distances")
    dtype: Literal["float32", "float64"] = "float32"
    # schedule
    max_epochs: Positive = 40
    batch_size: Positive = 3
    lr: PositiveFloat = Field(0.02, description="initial learning rate of Adam")
    lr_min: float = Field(1e-5, ge=0, description="where the schedule ends")
    scheduler: Literal["cosine", "plateau"] = "cosine"
    plateau_patience: Positive = 15
    loss: LossWeights = LossWeights()
    ema_decay: float = Field(0.99, ge=0, lt=1, description="exponential average of the weights; needs ~1/(1-d) steps")
    early_stopping_patience: Positive | None = Field(None, description="epochs without gain before stopping")
    max_time_s: Positive | None = Field(None, description="stop cleanly after this many seconds of training")
    seed: int = Field(1, ge=0, description="of initial weights and of the order of frames")
    device: Literal["cpu", "gpu"] = "cpu"


def build_config(
    settings: TrainSettings,
    *,
    species: Sequence[str],
    train: str,
    val: str,
    test: Sequence[str] = (),
    shifts: Mapping[str, float] | None = None,
    parent: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the configuration as plain dicts and lists, to be written as YAML.

    :param species: type names of the model, in its order.
    :param train: extxyz file, relative to the folder nequip runs in; likewise ``val`` and each of ``test``.
    :param shifts: energy of each species, eV per atom; None takes the mean of the training set, or the
        parent's.
    :param parent: package to start from (warm start). Its network, cutoff and types are kept.
    :param overrides: merged in last, dicts at any depth; a value of None removes the key.
    :raises ValueError: shifts that leave out a species.
    """
    names = list(species)
    missing = [name for name in names if shifts is not None and name not in shifts]
    if missing:
        raise ValueError(f"There is no energy shift for {', '.join(missing)}: give one for each species.")
    ordered = None if shifts is None else {name: float(shifts[name]) for name in names}
    config: dict[str, Any] = {
        "run": ["train", "test"] if test else ["train"],
        "data": _data(settings, names, train, val, test),
        "trainer": _trainer(settings, names, bool(test)),
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
            "test_metrics": _metrics(),
            "optimizer": {"_target_": "torch.optim.Adam", "lr": settings.lr},
            "lr_scheduler": _schedule(settings),
            "model": _network(settings, names, ordered) if parent is None else _fine_tuned(parent, ordered),
        },
        "global_options": {"allow_tf32": False},
        # Otherwise hydra puts the files into outputs/DATE/TIME.
        "hydra": {"run": {"dir": "."}, "job": {"chdir": False}},
    }
    return merge(config, overrides or {})


def build_test_config(config: Mapping[str, Any], *, package: str) -> dict[str, Any]:
    """Return the configuration that only tests ``package``, as it is, on the test files of ``config``.

    :param config: of a training with test files (:func:`build_config`); its overrides of data and trainer stay.
    """
    tested = deepcopy(dict(config))
    tested["run"] = ["test"]
    # nequip 0.19 wants a training set named, though it only reads it where statistics of it are asked for.
    for key in ("val_file_path", "stats_manager"):
        tested["data"].pop(key, None)
    writer = "TestTimeXYZFileWriter"
    callbacks = tested["trainer"]["callbacks"]
    tested["trainer"]["callbacks"] = [item for item in callbacks if item["_target_"].endswith(writer)]
    tested["trainer"].pop("max_time", None)
    tested["training_module"]["model"] = _fine_tuned(package, None)
    return tested


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


def _data(settings: TrainSettings, names: list[str], train: str, val: str, test: Sequence[str]) -> dict[str, Any]:
    loader = {"_target_": "torch.utils.data.DataLoader", "num_workers": 0}
    data: dict[str, Any] = {
        "_target_": "nequip.data.datamodule.ASEDataModule",
        "seed": settings.seed,
        "train_file_path": train,
        "val_file_path": val,
        "transforms": [
            {"_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper", "model_type_names": names},
            {"_target_": "nequip.data.transforms.NeighborListTransform", "r_max": settings.r_max},
        ],
        "train_dataloader": {**loader, "batch_size": settings.batch_size, "shuffle": True},
        "val_dataloader": {**loader, "batch_size": 5},
        "test_dataloader": {**loader, "batch_size": 5},
        "stats_manager": {
            "_target_": "nequip.data.CommonDataStatisticsManager",
            "dataloader_kwargs": {"batch_size": 5},
            "type_names": names,
        },
    }
    if test:
        data["test_file_path"] = list(test)
    return data


def _trainer(settings: TrainSettings, names: list[str], with_test: bool) -> dict[str, Any]:
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
        # The first checkpoint callback is the one that the test stage reloads.
        {**checkpoint, "monitor": METRIC, "filename": "best"},
        # lightning 2.6 writes `save_last` only when the monitored one improves, so restarts need their own.
        {**checkpoint, "filename": "last", "save_top_k": 1, "every_n_epochs": 1},
        {"_target_": "lightning.pytorch.callbacks.LearningRateMonitor", "logging_interval": "epoch"},
    ]
    if with_test:
        callbacks.append(
            {
                "_target_": "nequip.train.callbacks.TestTimeXYZFileWriter",
                "out_file": f"{here}/test",
                "output_fields_from_original_dataset": ["total_energy", "forces", "stress"],
                "chemical_symbols": names,
            }
        )
    trainer: dict[str, Any] = {
        "_target_": "lightning.Trainer",
        "accelerator": settings.device,
        "devices": 1,
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
    if settings.max_time_s is not None:
        minutes, seconds = divmod(settings.max_time_s, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        trainer["max_time"] = f"{days:02d}:{hours:02d}:{minutes:02d}:{seconds:02d}"
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


def _network(settings: TrainSettings, names: list[str], shifts: dict[str, float] | None) -> dict[str, Any]:
    network: dict[str, Any] = {
        "_target_": "allegro.model.AllegroModel",
        "compile_mode": "compile" if settings.device == "gpu" else "eager",
        "seed": settings.seed,
        "model_dtype": settings.dtype,
        "type_names": names,
        "r_max": settings.r_max,
        "radial_chemical_embed": {
            "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
            "num_bessels": settings.num_bessels,
            "bessel_trainable": False,
            "polynomial_cutoff_p": settings.polynomial_cutoff_p,
        },
        "radial_chemical_embed_dim": settings.radial_chemical_embed_dim,
        "scalar_embed_mlp_hidden_layers_depth": settings.scalar_embed_mlp_hidden_layers_depth,
        "scalar_embed_mlp_hidden_layers_width": settings.scalar_embed_mlp_hidden_layers_width,
        "scalar_embed_mlp_nonlinearity": "silu",
        "l_max": settings.l_max,
        "parity": settings.parity,
        "num_layers": settings.num_layers,
        "num_scalar_features": settings.num_scalar_features,
        "num_tensor_features": settings.num_tensor_features,
        "allegro_mlp_hidden_layers_depth": settings.allegro_mlp_hidden_layers_depth,
        "allegro_mlp_hidden_layers_width": settings.allegro_mlp_hidden_layers_width,
        "allegro_mlp_nonlinearity": "silu",
        "tp_path_channel_coupling": True,
        "readout_mlp_hidden_layers_depth": settings.readout_mlp_hidden_layers_depth,
        "readout_mlp_hidden_layers_width": settings.readout_mlp_hidden_layers_width,
        "readout_mlp_nonlinearity": None,
        "avg_num_neighbors": "${training_data_stats:num_neighbors_mean}",
        "per_type_energy_scales": "${training_data_stats:per_type_forces_rms}",
        "per_type_energy_shifts": "${training_data_stats:per_atom_energy_mean}" if shifts is None else shifts,
        "per_type_energy_scales_trainable": False,
        "per_type_energy_shifts_trainable": False,
    }
    if settings.zbl:
        network["pair_potential"] = {
            "_target_": "nequip.nn.pair_potential.ZBL",
            "units": "metal",
            "chemical_species": names,
        }
    return network


def _fine_tuned(parent: str, shifts: dict[str, float] | None) -> dict[str, Any]:
    package = {"_target_": "nequip.model.ModelFromPackage", "package_path": parent}
    if shifts is None:
        return package
    shift = {"modifier": "modify_PerTypeScaleShift", "shifts": shifts}
    return {"_target_": "nequip.model.modify", "modifiers": [shift], "model": package}


def to_yaml(config: Mapping[str, Any]) -> str:
    """Return the configuration as YAML that hydra reads."""
    # Through JSON, because one list used twice would become a YAML anchor.
    return yaml.safe_dump(json.loads(json.dumps(config)), sort_keys=False)
