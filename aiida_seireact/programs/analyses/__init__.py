"""The analyses of a run, one a file; each is a section of the job file of the same name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.programs.analyses._protocol import Observer
from aiida_seireact.programs.analyses.clusters import ClustersObserver
from aiida_seireact.programs.analyses.composition import CompositionObserver
from aiida_seireact.programs.analyses.diffusion import DiffusionObserver
from aiida_seireact.programs.analyses.health import HealthObserver
from aiida_seireact.programs.analyses.jumps import JumpsObserver
from aiida_seireact.programs.analyses.layers import LayersObserver
from aiida_seireact.programs.analyses.msd import MsdObserver
from aiida_seireact.programs.analyses.onsager import OnsagerObserver
from aiida_seireact.programs.analyses.order import OrderObserver
from aiida_seireact.programs.analyses.phases import PhasesObserver
from aiida_seireact.programs.analyses.rdf import RdfObserver
from aiida_seireact.programs.analyses.templates import PtmObserver
from aiida_seireact.programs.analyses.thermo import ThermoObserver
from aiida_seireact.programs.analyses.thickness import ThicknessObserver
from aiida_seireact.programs.analyses.voids import VoidsObserver
from aiida_seireact.programs.analyses.windows import WindowsObserver
from aiida_seireact.programs.analyses.xrd import XrdObserver

__all__ = ["ANALYSES", "Analysis"]


@dataclass(frozen=True)
class Analysis:
    """An analysis as a person chooses it.

    :param gives: what it gives, a phrase.
    """

    observer: type[Observer[Any]]
    gives: str

    @property
    def settings(self) -> type[Job]:
        """Schema of its section of the job file."""
        base: Any = next(one for one in self.observer.__orig_bases__ if get_args(one))  # type: ignore[attr-defined]
        found: type[Job] = get_args(base)[0]
        return found


ANALYSES: dict[str, Analysis] = {
    "thickness": Analysis(
        ThicknessObserver, "intact PS4, where they end, and the distance from there to the outermost S, P, Cl"
    ),
    "health": Analysis(HealthObserver, "volume, smallest distance, largest hole"),
    "composition": Analysis(CompositionObserver, "atoms of each element, and their formal charge, along z with time"),
    "phases": Analysis(PhasesObserver, "phases along z with time, and thickness by their profile"),
    "ptm": Analysis(PtmObserver, "bcc, hcp, fcc or other around each Li, with time and along z, by OVITO"),
    "clusters": Analysis(ClustersObserver, "clusters of bonded metal atoms, their size, and whether they percolate"),
    "voids": Analysis(VoidsObserver, "volume of voids"),
    "order": Analysis(OrderObserver, "crystalline and amorphous share of a sublattice, with time and along z"),
    "layers": Analysis(LayersObserver, "distance between layers along z, with its error"),
    "xrd": Analysis(XrdObserver, "powder diffraction of the cell or of one phase, in the last part of the run"),
    "thermo": Analysis(ThermoObserver, "energies, volume, temperature, pressure, and how they drift"),
    "rdf": Analysis(RdfObserver, "partial radial distribution functions of the last part of the run"),
    "msd": Analysis(MsdObserver, "mean squared displacement of each element against time"),
    "diffusion": Analysis(DiffusionObserver, "self-diffusion of each element with intervals, in plane and out of it"),
    "windows": Analysis(
        WindowsObserver, "displacements after chosen times by phase and slab, and how long atoms stay in them"
    ),
    "jumps": Analysis(JumpsObserver, "atoms that go far within a time, from where to where"),
    "onsager": Analysis(OnsagerObserver, "transport coefficients with cross terms, conductivity, Haven ratio"),
}
"""By the name of the section, in the order they are shown."""
