"""The kinds of lines that a scorecard may have."""

from __future__ import annotations

from aiida_seireact.science.validation.diffusion import TracerDiffusion
from aiida_seireact.science.validation.dimers import Dimers
from aiida_seireact.science.validation.elastic import Elastic
from aiida_seireact.science.validation.energies import Energies, Reaction
from aiida_seireact.science.validation.eos import Eos
from aiida_seireact.science.validation.errors import Errors
from aiida_seireact.science.validation.lines import Line
from aiida_seireact.science.validation.melting_line import Melting
from aiida_seireact.science.validation.rdf import Rdf
from aiida_seireact.science.validation.stability import Stability

KINDS: tuple[type[Line], ...] = (
    Errors,
    Energies,
    Reaction,
    Eos,
    Elastic,
    Dimers,
    Rdf,
    TracerDiffusion,
    Stability,
    Melting,
)
"""In the order of the docs; each class has a ``test`` of its own."""
