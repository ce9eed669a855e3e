"""What can be said of a training in a few typed words: network, schedule, machine.

Field names of the networks are nequip's own (nequip 0.19, nequip-allegro 0.8).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

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

    learner: Literal["allegro", "nequip"] = Field(
        "allegro", description="which network: strictly local (allegro, runs on many GPUs) or message passing (nequip)"
    )
    # network, with nequip's names
    r_max: PositiveFloat = Field(4.5, description="cutoff radius, Å")
    l_max: int = Field(1, ge=0, description="highest spherical harmonic")
    parity: bool = Field(False, description="keep both parities (o3_full)")
    num_layers: Positive = Field(1, description="layers")
    num_scalar_features: Positive = Field(32, description="allegro: width of the scalar track")
    num_tensor_features: Positive = Field(4, description="allegro: channels of the tensor track")
    num_features: Positive = Field(16, description="nequip: features of an atom, for each order")
    radial_mlp_depth: Positive = Field(1, description="nequip: hidden layers of the radial network")
    radial_mlp_width: Positive = Field(32, description="nequip: their width")
    num_bessels: Positive = Field(8, description="radial basis functions")
    polynomial_cutoff_p: Positive = Field(6, description="power of the cutoff envelope")
    radial_chemical_embed_dim: Positive = Field(32, description="allegro: width of the two-body embedding")
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
    batch_size: Positive = Field(3, description="frames of a step, over all devices")
    lr: PositiveFloat = Field(0.02, description="initial learning rate of Adam")
    lr_min: float = Field(1e-5, ge=0, description="where the schedule ends")
    scheduler: Literal["cosine", "plateau"] = "cosine"
    plateau_patience: Positive = 15
    loss: LossWeights = LossWeights()
    ema_decay: float = Field(0.99, ge=0, lt=1, description="exponential average of the weights; needs ~1/(1-d) steps")
    early_stopping_patience: Positive | None = Field(None, description="epochs without gain before stopping")
    max_time_s: PositiveFloat | None = Field(
        None,
        description="end a job after the last epoch that fits into this many seconds of training; the next goes on",
    )
    seed: int = Field(1, ge=0, description="of initial weights and of the order of frames")
    device: Literal["cpu", "gpu"] = "cpu"
    devices: Positive = Field(
        1, description="GPUs, or processes on the CPU, of one machine; each takes a part of a batch"
    )
    acceleration: Literal["none", "cuequivariance"] = Field(
        "none", description="allegro on a GPU: NVIDIA's kernels for the tensor products, from two layers on"
    )

    @model_validator(mode="after")
    def _fits_the_machine(self) -> TrainSettings:
        if self.batch_size % self.devices:
            raise ValueError(
                f"a batch of {self.batch_size} frames can't be shared by {self.devices} devices: take a batch_size "
                f"that is a multiple of {self.devices}, or another number of devices"
            )
        if self.acceleration != "none" and (self.device != "gpu" or self.learner != "allegro"):
            raise ValueError("acceleration cuequivariance is for learner allegro on device gpu: take acceleration none")
        return self

    @property
    def network(self) -> dict[str, object]:
        """All that decides what network it is, and so what a step costs; not its seed, schedule or machine."""
        names = set(type(self).model_fields)
        return {name: getattr(self, name) for name in sorted(names - SCHEDULE)}

    @property
    def kept_by_a_checkpoint(self) -> dict[str, object]:
        """All that a checkpoint brings along: other values would be ignored, so they are refused."""
        # A cosine that has come to its end climbs again: of more epochs there is no schedule.
        free = FREE - {"max_epochs"} if self.scheduler == "cosine" else FREE
        return {name: value for name, value in self.model_dump(mode="json").items() if name not in free}


FREE = {
    *("max_epochs", "batch_size", "max_time_s"),
    *("device", "devices", "acceleration"),
}
"""Fields of `TrainSettings` that may change between the jobs of one training; with a cosine not the epochs."""
SCHEDULE = {
    *("max_epochs", "batch_size", "lr", "lr_min", "scheduler", "plateau_patience", "loss", "ema_decay"),
    *("early_stopping_patience", "max_time_s", "seed", "device", "devices", "acceleration"),
}
"""Fields of `TrainSettings` that are not of the network."""
