"""The MD runs that lines ask for: cells of phases, large enough, one run for all lines that want the same."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import Atoms

from aiida_seireact.science.validation.lines import AskedRun, Evidence, Line, Phases, Run, phase_of


@dataclass(frozen=True, kw_only=True)
class MdLine(Line):
    """A line that looks at MD of phases.

    :param phases: names of phases, a run each.
    :param length_ang: the cell of a phase is repeated until it is so wide in each direction.
    :param frames_every: steps between the frames that are looked at.
    """

    phases: tuple[str, ...]
    temperature_k: float = 300.0
    steps: int = 5000
    timestep_fs: float = 2.0
    ensemble: Literal["nvt", "npt"] = "npt"
    pressure_gpa: float = 0.0
    length_ang: float = 10.0
    frames_every: int = 50
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("phases names no phase: MD is of one at least")
        if not (self.temperature_k > 0 and self.timestep_fs > 0 and self.length_ang > 0):
            raise ValueError("temperature_k, timestep_fs and length_ang are positive")
        if not 0 < self.frames_every <= self.steps:
            raise ValueError("frames_every is from 1 to steps")

    def runs(self, phases: Phases) -> list[AskedRun]:
        """Return a run of the model for each phase."""
        return [self.run_of(phases, phase) for phase in self.phases]

    def run_of(self, phases: Phases, phase: str, by: Literal["model", "labeller"] = "model") -> AskedRun:
        """Return the run of a phase.

        :raises ValueError: the phase is not there.
        """
        cell = phase_of(phases, phase)
        return AskedRun(
            name=self.name_of(phase, by),
            subject=phase,
            atoms=cell * repeats_of(cell, self.length_ang),
            temperature_k=self.temperature_k,
            steps=self.steps,
            timestep_fs=self.timestep_fs,
            ensemble=self.ensemble,
            pressure_gpa=self.pressure_gpa,
            frames_every=self.frames_every,
            seed=self.seed,
            by=by,
        )

    def name_of(self, phase: str, by: str = "model") -> str:
        """Return the name of a run, which tells all its settings: lines that ask for the same one share it."""
        settings = (
            *(self.temperature_k, self.steps, self.timestep_fs, self.ensemble, self.pressure_gpa, self.length_ang),
            *(self.frames_every, self.seed, phase),
        )
        digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:8]
        plain = re.sub(r"[^A-Za-z0-9]+", "_", phase).strip("_")
        return f"{plain}_{self.temperature_k:.0f}k_{digest}" + ("" if by == "model" else f"_{by}")

    def ran(self, evidence: Evidence, phase: str, by: str = "model") -> tuple[Run | None, str]:
        """Return the run of a phase where it went as far as it was asked to, else None and why (`why_not_whole`)."""
        run = evidence.runs.get(self.name_of(phase, by))
        why = why_not_whole(run, self.steps, self.frames_every)
        return (None if why else run), why


def why_not_whole(run: Run | None, steps: int, frames_every: int) -> str:
    """Return why a run is not what was asked for, as a clause, empty if it is.

    :param steps: that were asked for; the last frame is at the last multiple of ``frames_every`` of them.
    """
    if run is None or not len(run.positions):
        return "there is no run with a frame"
    if run.stopped_by is not None:
        return f"the run was stopped: {run.stopped_by.get('message', 'nobody says why')}"
    # The labeller's first frame is one interval after the start, a run that goes on from another begins at its step.
    begun = int(run.steps[0]) if run.steps[0] > frames_every else 0
    done, whole = int(run.steps[-1]) - begun, steps // frames_every * frames_every
    if done < whole:
        return f"the run has {done} of the {whole} steps that were asked for"
    if run.by == "labeller" and len(run.steps) < steps // frames_every:
        return f"the run has {len(run.steps)} of the {steps // frames_every} frames that were asked for"
    return ""


def repeats_of(atoms: Atoms, length_ang: float) -> tuple[int, int, int]:
    """Return how often a cell is repeated along each axis to be at least so wide between its faces."""
    heights = 1 / np.linalg.norm(np.asarray(atoms.cell.reciprocal()), axis=1)
    a, b, c = (max(1, math.ceil(length_ang / height - 1e-9)) for height in heights)
    return a, b, c


def frame_names(run: Run, indices: Sequence[int]) -> tuple[str, ...]:
    """Return the names of some frames, those that have one."""
    return tuple(run.frame_ids[index] for index in indices if index < len(run.frame_ids))
