"""Phases that must stay as they are: MD of them, screened."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np
from ase.data import atomic_numbers

from aiida_seireact.science.order import peaks_of
from aiida_seireact.science.validation.lines import AskedRun, Evidence, Phases, Run, phase_of
from aiida_seireact.science.validation.md import MdLine, frame_names, repeats_of, why_not_whole
from aiida_seireact.science.validation.screens import Screen, StabilityLimits, screens_of
from aiida_seireact.science.validation.targets import Measured, Target

OVER_MAX = 1e3


@dataclass(frozen=True, kw_only=True)
class Stability(MdLine):
    """Screens of MD of phases that must stay as they are; each number is how far a run has gone to a limit.

    Models that had seen the reactants alone lost crystalline Li at 300 K, or opened cavities (arXiv:2506.10944).

    :param phases: a run of each is made. Any cell that is given among the phases can be named here, as an interface:
        what reacts changes its volume, so give such a line limits of its own.
    :param handed_in: names of runs of this very model that exist, and are looked at as well. Runs that a round of
        augmentation has made are of the model before: they are refused.
    :param crystal: elements whose lattice must be there at the end, each in one of the phases, one at least in each of
        them; none: no crystal is looked for. Li of the electrolyte diffuses, so of Li6PS5Cl it is S.
    """

    test: Literal["stability"] = "stability"
    phases: tuple[str, ...] = ()
    handed_in: tuple[str, ...] = ()
    crystal: tuple[str, ...] = ()
    volume_change_max: float = StabilityLimits.volume_change_max
    hole_radius_max_ang: float = StabilityLimits.hole_radius_max_ang
    distance_min_ang: float = StabilityLimits.distance_min_ang
    temperature_ratio_max: float = StabilityLimits.temperature_ratio_max
    speed_ratio_max: float = StabilityLimits.speed_ratio_max
    separation_max: float = StabilityLimits.separation_max
    drift_max_mev_per_atom_per_ps: float | None = StabilityLimits.drift_max_mev_per_atom_per_ps
    order_min: float = StabilityLimits.order_min
    target: Target = field(default_factory=lambda: Target(max=1.0))

    def __post_init__(self) -> None:
        if not self.handed_in:
            super().__post_init__()
        if self.handed_in and self.crystal and not self.phases:
            raise ValueError("crystal is looked for in phases: a run that is handed in has no crystal to compare with")
        if wrong := [name for name in self.handed_in if not re.fullmatch("[A-Za-z0-9]+(_[A-Za-z0-9]+)*", name)]:
            raise ValueError(
                f"handed_in has {wrong[0]!r}: a run is named by letters and digits, with single underscores"
            )
        if wrong := [symbol for symbol in self.crystal if symbol not in atomic_numbers]:
            raise ValueError(f"crystal has {wrong[0]!r}, which is no element: write as Li")
        given = [getattr(self, item.name) for item in fields(StabilityLimits)]
        if any(limit is not None and not limit > 0 for limit in given):
            raise ValueError("limits are positive numbers")
        if self.target != Target(max=1.0):
            raise ValueError("the numbers are over their limits: change the limits, the target is max: 1")

    @property
    def limits(self) -> StabilityLimits:
        """The limits by themselves."""
        return StabilityLimits(**{item.name: getattr(self, item.name) for item in fields(StabilityLimits)})

    def runs(self, phases: Phases) -> list[AskedRun]:
        """Return a run of each phase, and those that nobody makes.

        :raises ValueError: the phase is not there, or none of `crystal` is in it, or one of them in no phase.
        """
        held = {phase: set(phase_of(phases, phase).get_chemical_symbols()) for phase in self.phases}
        if strange := [symbol for symbol in self.crystal if not any(symbol in symbols for symbols in held.values())]:
            raise ValueError(f"crystal has {strange[0]}, which is not in {', '.join(self.phases)}")
        if bare := [phase for phase, symbols in held.items() if self.crystal and not symbols & set(self.crystal)]:
            raise ValueError(f"none of crystal ({', '.join(self.crystal)}) is in {bare[0]}: give it a line of its own")
        return [*super().runs(phases), *(AskedRun(name=name, subject=name, atoms=None) for name in self.handed_in)]

    def measure(self, evidence: Evidence) -> list[Measured]:
        """Return what each screen found of each run."""
        found = [number for phase in self.phases for number in self._numbers(evidence, phase)]
        for name in self.handed_in:
            run = evidence.runs.get(name)
            if run is None or not len(run.positions):
                found.append(Measured(subject=name, quantity="MD", value=float("nan"), note="there is no such run"))
                continue
            found += [_measured(name, screen, run) for screen in screens_of(run, self.limits)]
        return found

    def _numbers(self, evidence: Evidence, phase: str) -> list[Measured]:
        subject, run = f"{phase} at {self.temperature_k:g} K", evidence.runs.get(self.name_of(phase))
        cut_short = why_not_whole(run, self.steps, self.frames_every)
        if run is None or not len(run.positions):
            return [Measured(subject=subject, quantity="MD", value=float("nan"), note=cut_short)]
        crystal = None
        cell = phase_of(evidence.phases, phase)
        if species := [symbol for symbol in self.crystal if symbol in cell.get_chemical_symbols()]:
            peaks = peaks_of(cell, repeats_of(cell, self.length_ang), species=species)
            crystal = (np.isin(run.numbers, [atomic_numbers[symbol] for symbol in species]), peaks)
        found = screens_of(run, self.limits, crystal=crystal, cut_short=cut_short)
        return [_measured(subject, screen, run) for screen in found]


def _measured(subject: str, screen: Screen, run: Run) -> Measured:
    told = screen.note or f"{screen.value:.3g} {screen.unit}".rstrip() + f", limit {screen.limit:g}"
    first = screen.first_frame
    if first is not None:
        told += f", first at step {int(run.steps[first])}"
    return Measured(
        subject=subject,
        quantity=f"{screen.name} over its limit",
        # A value that has no bound is told as a large one: what is not finite reads as not measured.
        value=min(screen.over, OVER_MAX) if not np.isnan(screen.over) else float("nan"),
        frames=() if first is None else frame_names(run, [first]),
        note=told,
    )
