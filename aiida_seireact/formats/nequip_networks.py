"""The networks that nequip-train can build for us: one function a learner, all behind `network` and `fine_tuned`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiida_seireact.formats.train_settings import TrainSettings


def network(settings: TrainSettings, names: Sequence[str], shifts: Mapping[str, float] | None) -> dict[str, Any]:
    """Return the configuration of a network with new weights.

    :param names: type names of the model, in its order.
    :param shifts: energy of each species, eV per atom; None takes the mean of the training set.
    """
    described = LEARNERS[settings.learner](settings) | _common(settings, list(names), shifts)
    return _accelerated(settings, described)


def _allegro(settings: TrainSettings) -> dict[str, Any]:
    return {
        "_target_": "allegro.model.AllegroModel",
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
    }


def _nequip(settings: TrainSettings) -> dict[str, Any]:
    return {
        "_target_": "nequip.model.NequIPGNNModel",
        "num_bessels": settings.num_bessels,
        "bessel_trainable": False,
        "polynomial_cutoff_p": settings.polynomial_cutoff_p,
        "l_max": settings.l_max,
        "parity": settings.parity,
        "num_layers": settings.num_layers,
        "num_features": settings.num_features,
        "radial_mlp_depth": settings.radial_mlp_depth,
        "radial_mlp_width": settings.radial_mlp_width,
    }


LEARNERS: Mapping[str, Callable[[TrainSettings], dict[str, Any]]] = {"allegro": _allegro, "nequip": _nequip}


def _common(settings: TrainSettings, names: list[str], shifts: Mapping[str, float] | None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "compile_mode": "compile" if settings.device == "gpu" else "eager",
        "seed": settings.seed,
        "model_dtype": settings.dtype,
        "type_names": names,
        "r_max": settings.r_max,
        "avg_num_neighbors": "${training_data_stats:num_neighbors_mean}",
        "per_type_energy_scales": "${training_data_stats:per_type_forces_rms}",
        "per_type_energy_shifts": "${training_data_stats:per_atom_energy_mean}" if shifts is None else dict(shifts),
        "per_type_energy_scales_trainable": False,
        "per_type_energy_shifts_trainable": False,
    }
    if settings.zbl:
        described["pair_potential"] = {
            "_target_": "nequip.nn.pair_potential.ZBL",
            "units": "metal",
            "chemical_species": names,
        }
    return described


def fine_tuned(settings: TrainSettings, parent: str, shifts: Mapping[str, float] | None) -> dict[str, Any]:
    """Return the configuration of a network that begins with the weights of a package.

    :param parent: the package, relative to the folder nequip runs in: a checkpoint looks for it there again.
    :param shifts: new energies of the species, eV per atom; None keeps the parent's.
    """
    package: dict[str, Any] = {"_target_": "nequip.model.ModelFromPackage", "package_path": parent}
    if shifts is None:
        return _accelerated(settings, package)
    shift = {"modifier": "modify_PerTypeScaleShift", "shifts": dict(shifts)}
    return _accelerated(settings, {"_target_": "nequip.model.modify", "modifiers": [shift], "model": package})


def _accelerated(settings: TrainSettings, described: dict[str, Any]) -> dict[str, Any]:
    if settings.acceleration == "none":
        return described
    kernels = {"modifier": "enable_CuEquivarianceContracter"}
    if described["_target_"] == "nequip.model.modify":
        return {**described, "modifiers": [*described["modifiers"], kernels]}
    return {"_target_": "nequip.model.modify", "modifiers": [kernels], "model": described}
