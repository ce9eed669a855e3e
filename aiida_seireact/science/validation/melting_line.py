"""Two temperatures that must enclose melting, as a line of a scorecard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_seireact.science.validation.crystals import conventional_cell
from aiida_seireact.science.validation.lines import AskedRun, Evidence, Line, Phases, Run, phase_of
from aiida_seireact.science.validation.md import frame_names, why_not_whole
from aiida_seireact.science.validation.melting import (
    ORDER_MIN,
    TwoPhase,
    crystalline_fraction,
    shaken,
    two_phase_cell,
)
from aiida_seireact.science.validation.targets import Measured

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Melting(Line):
    """Of half a crystal and half a melt, the crystal must grow at one temperature and the melt at another.

    Each number is the share of the layers that the one that must grow has won at the end, from −0.5, all lost, to 0.5,
    all won. Where between the two temperatures it melts is told by ``seireact.melting``.

    :param phase: name of a phase.
    :param low_k: the crystal must grow here; ``high_k``: and the melt here.
    :param repeat: of the phase's conventional cell; the interface is normal to the third axis, whose number is even.
    :param species: elements whose lattice tells crystal from melt; none: all.
    :param expansion: of the half that melts, along the third axis.
    """

    test: Literal["melting"] = "melting"
    phase: str
    low_k: float
    high_k: float
    repeat: tuple[int, int, int]
    species: tuple[str, ...] = ()
    expansion: float = 1.06
    steps: int = 50000
    timestep_fs: float = 2.0
    pressure_gpa: float = 0.0
    frames: int = 30
    order_min: float = ORDER_MIN
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.low_k < self.high_k:
            raise ValueError("low_k is below high_k, both positive")
        if not 12 <= self.frames <= self.steps:
            raise ValueError("frames is from 12 to steps")
        if self.target.needs_reference:
            raise ValueError("the labeller is not asked to melt anything: give min")

    def runs(self, phases: Phases) -> list[AskedRun]:
        """Return the runs at both temperatures, of one cell.

        :raises ValueError: the phase is not there, or too few repeats.
        """
        cell = shaken(self._cell(phases), seed=self.seed)
        return [
            AskedRun(
                name=self._name(kelvin),
                subject=self.phase,
                atoms=cell.atoms,
                temperature_k=kelvin,
                steps=self.steps,
                timestep_fs=self.timestep_fs,
                pressure_gpa=self.pressure_gpa,
                frames_every=self.steps // self.frames,
                seed=self.seed,
            )
            for kelvin in (self.low_k, self.high_k)
        ]

    def measure(self, evidence: Evidence) -> list[Measured]:
        """Return what the crystal has won at the lower temperature, and the melt at the higher one."""
        cell = self._cell(evidence.phases)
        sides = ((self.low_k, "crystal", 1.0), (self.high_k, "melt", -1.0))
        return [
            self._number(evidence.runs.get(self._name(kelvin)), kelvin, who, sign, cell) for kelvin, who, sign in sides
        ]

    def _number(self, run: Run | None, kelvin: float, who: str, sign: float, cell: TwoPhase) -> Measured:
        subject, quantity = f"{self.phase} at {kelvin:g} K", f"share won by the {who}"
        why = why_not_whole(run, self.steps, self.steps // self.frames)
        if run is None or why:
            return Measured(subject=subject, quantity=quantity, value=float("nan"), note=why)
        fractions = self._fractions(run, cell)
        part = max(1, len(fractions) // 3)
        end = float(fractions[-part:].mean())
        return Measured(
            subject=subject,
            quantity=quantity,
            value=sign * (end - 0.5),
            frames=frame_names(run, [len(fractions) - 1]),
            note=f"{end:.0%} of the layers are crystalline at the end, 50% were at the start",
        )

    def _fractions(self, run: Run, cell: TwoPhase) -> FloatArray:
        chosen = np.ones(len(run.numbers), dtype=bool)
        if self.species:
            chosen = np.isin(run.numbers, [atomic_numbers[symbol] for symbol in self.species])
        found = [
            crystalline_fraction(
                places[chosen], lattice, cell.peaks, cell.n_layers, order_min=self.order_min, at_rest=cell.at_rest
            )
            for places, lattice in zip(run.positions, run.cells, strict=True)
        ]
        return np.array(found)

    def _cell(self, phases: Phases) -> TwoPhase:
        species = self.species or None
        crystal, _ = conventional_cell(phase_of(phases, self.phase))
        return two_phase_cell(crystal, self.repeat, expansion=self.expansion, species=species)

    def _name(self, kelvin: float) -> str:
        plain = re.sub(r"[^A-Za-z0-9]", "_", f"{self.phase}_{kelvin:g}")
        sizes = "x".join(map(str, self.repeat))
        return f"melting_{plain}k_{sizes}_{self.steps}"
