"""Tracer diffusion from mean squared displacements, with an error that covers the truth as often as it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import ArrayLike

from aiida_seireact.science.transport.blocks import InMemory, even_interval
from aiida_seireact.science.transport.diffusion import diffusion
from aiida_seireact.science.transport.displacements import centre_of_mass_path
from aiida_seireact.science.transport.units import CM2_PER_S
from aiida_seireact.science.validation.lines import AskedRun, Evidence, Phases, Run
from aiida_seireact.science.validation.md import MdLine
from aiida_seireact.science.validation.targets import Measured


@dataclass(frozen=True)
class Diffusion:
    """Tracer diffusion of a species.

    :param d_ang2_per_ps: None where no diffusion was seen.
    :param error_ang2_per_ps: standard error of the mean of the blocks; None as `d_ang2_per_ps`.
    :param msd_ang2: at the longest lag that was fitted, `lag_ps`.
    :param n_blocks: blocks that the error is from.
    """

    d_ang2_per_ps: float | None
    error_ang2_per_ps: float | None
    msd_ang2: float
    lag_ps: float
    n_blocks: int

    @property
    def d_cm2_per_s(self) -> float | None:
        """The same in cm²/s."""
        return None if self.d_ang2_per_ps is None else self.d_ang2_per_ps * CM2_PER_S

    @property
    def error_cm2_per_s(self) -> float | None:
        """The same in cm²/s."""
        return None if self.error_ang2_per_ps is None else self.error_ang2_per_ps * CM2_PER_S


def tracer_diffusion(
    positions: ArrayLike,
    times_ps: ArrayLike,
    *,
    species: ArrayLike,
    masses: ArrayLike | None = None,
    n_blocks: int = 5,
    msd_min_ang2: float = 3.0,
) -> Diffusion:
    """Return D = slope of the MSD / 6, and its standard error from blocks of the run.

    Estimate and error are those of `transport.diffusion.diffusion`: blocks of equal length, a slope from each.
    Below `msd_min_ang2` atoms rattle in their cages, and a slope would be a number without a meaning.

    :param positions: unwrapped, ``(n_frames, n_atoms, 3)`` Å, equally spaced in time.
    :param times_ps: ``(n_frames,)``
    :param species: ``(n_atoms,)`` bool: the atoms that are followed.
    :param masses: ``(n_atoms,)`` u: the path of the centre of mass of all is left out; None: of nothing.
    :param msd_min_ang2: mean squared displacement at the longest lag from which on it is called diffusion; the
        default is about the square of half a jump between Li sites.
    :raises ValueError: blocks of fewer than 10 frames, other spacing, or none of the species.
    """
    paths, chosen = np.asarray(positions), np.asarray(species, dtype=bool)
    if not chosen.any():
        raise ValueError("there is no atom of the species")
    found = diffusion(
        InMemory(paths),
        even_interval(times_ps),
        n_frames=len(paths),
        n_blocks=n_blocks,
        chosen=chosen,
        drift=None if masses is None else centre_of_mass_path(paths, masses),
    )
    if found.msd_ang2 < msd_min_ang2 or found.d.value <= 0:
        return Diffusion(None, None, found.msd_ang2, found.last_lag_ps, n_blocks)
    return Diffusion(found.d.value, found.d.error, found.msd_ang2, found.last_lag_ps, n_blocks)


@dataclass(frozen=True, kw_only=True)
class TracerDiffusion(MdLine):
    """Tracer diffusion of a species in phases, cm²/s, with its standard error.

    :param species: the element that is followed.
    :param by_labeller: run the labeller too, at constant volume, for targets relative to it.
    :param skip_fraction: part of each run, at its beginning, that is left out.
    :param n_blocks: blocks that the error is from.
    :param msd_min_ang2: see `tracer_diffusion`.
    """

    test: Literal["diffusion"] = "diffusion"
    species: str = "Li"
    by_labeller: bool = False
    skip_fraction: float = 0.2
    n_blocks: int = 5
    msd_min_ang2: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.by_labeller and self.ensemble != "nvt":
            raise ValueError("the labeller runs at constant volume: with by_labeller, ensemble is nvt")
        if self.target.needs_reference and not self.by_labeller:
            raise ValueError("a target relative to the labeller needs by_labeller: true")
        if self.n_blocks < 2 or not 0 <= self.skip_fraction < 1:
            raise ValueError("n_blocks is 2 or more, skip_fraction from 0 to 1")

    def runs(self, phases: Phases) -> list[AskedRun]:
        """Return for each phase a run of the model, and one of the labeller if it is asked for."""
        by: tuple[Literal["model", "labeller"], ...] = ("model", "labeller") if self.by_labeller else ("model",)
        return [self.run_of(phases, phase, who) for phase in self.phases for who in by]

    def measure(self, evidence: Evidence) -> list[Measured]:
        """Return the coefficient in each phase; none, with the bound of the run, where atoms only rattle."""
        found = []
        for phase in self.phases:
            own, why = self._of_run(*self.ran(evidence, phase), "the model's run")
            other, why_not = (
                self._of_run(*self.ran(evidence, phase, "labeller"), "the labeller's run")
                if self.by_labeller
                else (None, "")
            )
            value, error = (None, None) if own is None else (own.d_cm2_per_s, own.error_cm2_per_s)
            found.append(
                Measured(
                    subject=f"{self.species} in {phase}",
                    quantity="tracer diffusion",
                    value=float("nan") if value is None else value,
                    error=error,
                    reference=None if other is None else other.d_cm2_per_s,
                    reference_error=None if other is None else other.error_cm2_per_s,
                    unit="cm²/s",
                    note="; ".join(part for part in (why, why_not) if part),
                )
            )
        return found

    def _of_run(self, run: Run | None, why: str, whose: str) -> tuple[Diffusion | None, str]:
        if run is None:
            return None, f"{whose}: {why}"
        if not run.unwrapped:
            return None, (
                f"{whose} does not follow atoms across the cell's faces: between two frames some go farther than a "
                "quarter of the cell, take frames_every smaller"
                if run.by == "labeller"
                else f"{whose} does not follow atoms across the cell's faces"
            )
        begin = int(self.skip_fraction * len(run.positions))
        try:
            found = tracer_diffusion(
                run.positions[begin:],
                run.times_ps[begin:],
                species=run.numbers == atomic_numbers[self.species],
                masses=atomic_masses[run.numbers],
                n_blocks=self.n_blocks,
                msd_min_ang2=self.msd_min_ang2,
            )
        except ValueError as error:
            return None, f"{whose}: {error}"
        if found.d_cm2_per_s is not None:
            return found, ""
        bound = self.msd_min_ang2 / (6 * found.lag_ps) * CM2_PER_S
        seen = f"its mean squared displacement is {found.msd_ang2:.2f} Å² after {found.lag_ps:.3g} ps"
        return found, f"{whose} shows no diffusion: {seen}, so it is below about {bound:.1g} cm²/s"
