"""The job file of ``seireact-flare``: one leg of on-the-fly learning under one condition."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job

Positive = Annotated[float, Field(gt=0)]
Bounds = tuple[Positive, Positive]


class GpSettings(Job):
    """Sparse Gaussian process on B2 descriptors, normalised dot-product kernel (FLARE)."""

    cutoff_ang: float = Field(5.0, gt=0, description="reach of the descriptor, Å")
    n_max: int = Field(6, ge=1, description="radial functions a species")
    l_max: int = Field(2, ge=0, le=3, description="largest angular momentum")
    power: int = Field(2, ge=1, description="power of the kernel")
    sigma: float = Field(2.0, gt=0, description="first signal standard deviation, eV")
    noise_energy_ev: float = Field(0.5, gt=0, description="first noise of the energy of a cell, eV")
    noise_force_ev_per_ang: float = Field(0.1, gt=0, description="first noise of forces, eV/Å")
    noise_stress_ev_per_ang3: float = Field(0.005, gt=0, description="first noise of the stress, eV/Å³")
    # Without bounds the noises wander off (stack notes of mir-flare 1.4.0, hyperparameter training).
    bounds: tuple[Bounds, Bounds, Bounds, Bounds] = Field(
        ((0.5, 50.0), (0.001, 5.0), (0.005, 1.0), (3e-4, 0.1)),
        description="bounds of sigma and the noises of energy, forces, stress",
    )
    optimise_at: tuple[int, ...] = Field(
        (1, 3), description="learnings, from 1, after which sigma and noises are fitted"
    )
    optimise_iterations: int = Field(15, ge=1, description="largest number of iterations of such a fit")
    first_atoms: int = Field(12, ge=1, description="environments taken at random from the very first frame")

    def n_features(self, n_species: int) -> int:
        """Return the length of one descriptor."""
        channels = n_species * self.n_max
        return channels * (channels + 1) // 2 * (self.l_max + 1)

    @model_validator(mode="after")
    def _bounds_hold_the_first_guess(self) -> GpSettings:
        first = (self.sigma, self.noise_energy_ev, self.noise_force_ev_per_ang, self.noise_stress_ev_per_ang3)
        names = ("sigma", "noise_energy_ev", "noise_force_ev_per_ang", "noise_stress_ev_per_ang3")
        for name, value, (low, high) in zip(names, first, self.bounds, strict=True):
            if not low <= value <= high:
                raise ValueError(f"{name} {value:g} is outside its bounds {low:g} to {high:g}")
        return self


class GuardSettings(Job):
    """Bounds of a sane run; a leg that leaves them ends, since a GP may be sure and wrong (kernels without density)."""

    volume_ratio_min: float = Field(0.75, gt=0, lt=1, description="of the volume at the start of the condition")
    volume_ratio_max: float = Field(1.4, gt=1, description="of the volume at the start of the condition")
    distance_min_ang: float = Field(1.2, gt=0, description="smallest distance between two atoms, Å")
    temperature_max_k: float = Field(2500.0, gt=0, description="instantaneous temperature, K")


class LegSettings(Job):
    """One condition: ensemble, thresholds, and what is handed out to label."""

    engine: Literal["ase", "lammps"] = Field(
        "ase", description="who makes the steps; lammps needs one built with FLARE's plugin, and is unverified"
    )
    ensemble: Literal["nvt", "npt"] = Field(
        "nvt", description="constant volume, or constant pressure along each axis of the cell"
    )
    temperature_k: float = Field(gt=0, description="temperature, K")
    pressure_gpa: float = Field(0.0, description="pressure of npt, GPa")
    timestep_fs: float = Field(2.0, gt=0, le=5, description="time step, fs")
    tau_t_fs: float = Field(50.0, gt=0, description="time constant of the thermostat, fs")
    tau_p_fs: float = Field(500.0, gt=0, description="time constant of the barostat, fs")
    steps: int = Field(ge=1, description="MD steps of the condition, over all legs")
    leg_steps: int | None = Field(
        None, ge=1, description="steps after which a leg pauses, the next goes on from there; null: no such limit"
    )
    seconds_max: float | None = Field(
        None,
        gt=0,
        description="seconds from the start of the program, learning included, after which a leg pauses, between two "
        "steps; null: no such limit",
    )
    jitter_ang: float = Field(0.01, ge=0, description="standard deviation of the first displacements, Å")
    seed: int = Field(0, ge=0, description="of displacements, velocities, thermostat and first environments")
    call_threshold: float = Field(
        0.15, gt=0, lt=1, description="largest atomic uncertainty, relative to sigma, up to which MD goes on"
    )
    learn_threshold: float = Field(
        0.03, gt=0, lt=1, description="uncertainty above which an environment of a new label is learned"
    )
    label_every: int = Field(10, ge=0, description="steps between further frames handed out to label; 0: none")
    gap_steps: int = Field(10, ge=0, description="steps after each learning from which none is handed out")
    visit_every: int = Field(5, ge=1, description="steps between frames of the trajectory kept")
    memory_gb: float | None = Field(
        None, gt=0, description="memory that learning may take, GB; null: what the machine or control group has free"
    )
    guard: GuardSettings = Field(GuardSettings(), description="bounds that end a run gone wrong")
    gp: GpSettings = Field(GpSettings(), description="descriptor, kernel, noises, hyperparameter fits")

    @field_validator("call_threshold", "learn_threshold", mode="before")
    @classmethod
    def _thresholds_are_relative(cls, value: float) -> float:
        if isinstance(value, int | float) and not 0 < value < 1:
            raise ValueError(
                "the uncertainty is relative to the signal, so it is at most 1: a threshold lies between 0 and 1, "
                "where 1 and more would never ask for a label and 0 and less always"
            )
        return value

    @model_validator(mode="after")
    def _learning_is_below_calling(self) -> LegSettings:
        if self.learn_threshold > self.call_threshold:
            raise ValueError(
                f"learn_threshold {self.learn_threshold:g} is above call_threshold {self.call_threshold:g}: the "
                "environment that stopped the run would not be learned"
            )
        return self

    @model_validator(mode="after")
    def _lammps_can_do_it(self) -> LegSettings:
        if self.engine == "lammps":
            if self.gp.power != 2:
                raise ValueError("the engine lammps knows a kernel of power 2 only: set gp.power to 2, or take ase")
            if self.seconds_max is not None:
                raise ValueError("the engine lammps pauses after leg_steps, not after seconds_max: give the former")
        return self

    @property
    def content_hash(self) -> str:
        """sha256 of all settings but where the run ends and where it is cut: it may be made longer, or paused."""
        content = self.model_dump(mode="json", exclude={"steps", "leg_steps", "seconds_max", "memory_gb"})
        if self.engine == "ase":  # as runs were named before there was another
            del content["engine"]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


class FlareJob(Job):
    """What is known, where the run stands, and how it goes on."""

    settings: LegSettings = Field(description="the condition: ensemble, thresholds, GP")
    labels: tuple[str, ...] = Field(
        min_length=1, description="labelled frames (.npz), those to start from and then those of each round, in order"
    )
    start: str = Field(description="the frame (.npz) from which the condition starts")
    gp: str | None = Field(None, description="GP of the last leg (.npz); none: this is the first leg")
    state: str | None = Field(None, description="where the last leg ended (.npz); none: this is the first leg")
    detour: int = Field(
        0,
        ge=0,
        description="how many times the run came back to this state because the label it then asked for could not be "
        "had; each is another draw of random numbers, so that another frame is reached",
    )
    lammps: str | None = Field(None, description="LAMMPS with FLARE's plugin, for the engine lammps")
    energies_ev: dict[str, float] | None = Field(
        None, description="energy of an atom of each species, eV; default: fitted to the first labels"
    )
    threads: int = Field(1, ge=1, description="threads; one gives the same run twice")

    @model_validator(mode="after")
    def _state_and_gp_belong_together(self) -> FlareJob:
        if (self.gp is None) != (self.state is None):
            raise ValueError("gp and state of the last leg belong together: give both or none")
        if (self.settings.engine == "lammps") != (self.lammps is not None):
            raise ValueError("the engine lammps and the command `lammps` belong together: give both or none")
        return self
