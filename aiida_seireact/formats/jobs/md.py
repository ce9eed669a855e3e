"""Settings of short MD with a labelling engine, and what follows from them alone: labelled steps, groups, seeds."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.science.selection import time_blocks


class MdSettings(Job):
    """MD at constant volume. Frame 0, the start, is left out; frames in the gap between blocks too."""

    steps: int = Field(ge=1, description="steps of each run")
    temperature_k: float = Field(gt=0, description="temperature of thermostat and first velocities, K")
    timestep_fs: float = Field(1.0, gt=0, description="time step, fs")
    thermostat: Literal["langevin", "nose-hoover", "andersen"] = Field(
        "langevin", description="langevin, or nose-hoover (a chain); pw.x has andersen only"
    )
    friction_per_fs: float = Field(0.01, gt=0, description="friction of the Langevin thermostat, 1/fs")
    damping_fs: float = Field(
        100.0,
        gt=0,
        description="time in which the Nosé-Hoover chain answers, its mass being g·k·T·damping²; of Andersen's "
        "thermostat the mean time between two collisions of an atom, fs",
    )
    label_every: int = Field(10, ge=1, description="steps from one labelled frame to the next")
    seed: int = Field(0, ge=0, description="seed of velocities and thermostat")
    block_steps: int = Field(100, ge=1, description="steps of a time block; a block is a group, never split")
    gap_steps: int = Field(20, ge=0, description="steps between two blocks; their frames are dropped")

    @model_validator(mode="after")
    def _run_gives_frames(self) -> MdSettings:
        if self.label_every > min(self.steps, self.block_steps):
            raise ValueError(
                f"label_every {self.label_every} is longer than the run ({self.steps} steps) or a block "
                f"({self.block_steps}): it would give no frames"
            )
        return self

    @model_validator(mode="after")
    def _damping_is_resolved(self) -> MdSettings:
        if self.thermostat != "langevin" and self.damping_fs < 5 * self.timestep_fs:
            raise ValueError(f"damping_fs {self.damping_fs} is shorter than 5 time steps of {self.timestep_fs} fs")
        return self

    def labelled_steps(self) -> list[tuple[int, int]]:
        """Return each step that is looked at, and its time block, -1 in a gap."""
        steps = np.arange(self.label_every, self.steps + 1, self.label_every)
        blocks = time_blocks(steps, self.block_steps, self.gap_steps)
        return list(zip(steps.tolist(), blocks.tolist(), strict=True))

    def group(self, parent_id: str, block: int) -> str:
        """Return the group of the frames of a time block: the same for every engine.

        :param parent_id: id of the frame that the run began from.
        """
        return f"md-{parent_id[:12]}-{self.temperature_k:g}K-s{self.seed}-b{block:03d}"

    def seed_of(self, structure_id: str) -> np.random.SeedSequence:
        """Return the seed of the run from a structure: by what is run, not by its place in the file."""
        return np.random.SeedSequence([self.seed, int(structure_id[:16], 16)])

    def number_of(self, structure_id: str, below: int) -> int:
        """Return the seed of the run from a structure as one number, for engines that draw themselves."""
        return int(self.seed_of(structure_id).generate_state(1)[0]) % below
