"""The kinds of lines that a scorecard may have."""

from __future__ import annotations

from aiida_seireact.science.validation.energies import Energies, Reaction
from aiida_seireact.science.validation.errors import Errors
from aiida_seireact.science.validation.lines import Line

KINDS: tuple[type[Line], ...] = (
    Errors,
    Energies,
    Reaction,
)
"""In the order of the docs; each class has a ``test`` of its own."""
