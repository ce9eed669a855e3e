"""The analyses of a run, one a file; each is a section of the job file of the same name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiida_seireact.programs.analyses._protocol import Observer
from aiida_seireact.programs.analyses.composition import CompositionObserver
from aiida_seireact.programs.analyses.health import HealthObserver
from aiida_seireact.programs.analyses.msd import MsdObserver
from aiida_seireact.programs.analyses.phases import PhasesObserver
from aiida_seireact.programs.analyses.rdf import RdfObserver
from aiida_seireact.programs.analyses.thickness import ThicknessObserver

__all__ = ["ANALYSES", "Analysis"]


@dataclass(frozen=True)
class Analysis:
    """An analysis as a person chooses it.

    :param gives: what it gives, a phrase.
    """

    observer: type[Observer[Any]]
    gives: str


ANALYSES: dict[str, Analysis] = {
    "thickness": Analysis(
        ThicknessObserver, "intact PS4, where they end, and the distance from there to the outermost S, P, Cl"
    ),
    "health": Analysis(HealthObserver, "volume, smallest distance, largest hole"),
    "composition": Analysis(CompositionObserver, "atoms of each element, and their formal charge, along z with time"),
    "phases": Analysis(PhasesObserver, "phases along z with time, and thickness by their profile"),
    "rdf": Analysis(RdfObserver, "partial radial distribution functions of the last part of the run"),
    "msd": Analysis(MsdObserver, "mean squared displacement of each element against time"),
}
"""By the name of the section, in the order they are shown."""
