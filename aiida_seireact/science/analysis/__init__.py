"""What a reactive trajectory shows: one quantity a module, each a function of arrays."""

from aiida_seireact.science.analysis.displacement import centre_of_mass_path, mean_squared_displacement
from aiida_seireact.science.analysis.profiles import height_along_z, profile_along_z, z_fractions
from aiida_seireact.science.analysis.ps4 import CHLORINE, PHOSPHORUS, SULFUR, intact_ps4, ps4_boundary
from aiida_seireact.science.analysis.rdf import partial_rdf
from aiida_seireact.science.analysis.thickness import (
    Thickness,
    sides_of_profile,
    thickness_beyond,
    thickness_of_profile,
    thickness_to_outermost,
)

__all__ = [
    "CHLORINE",
    "PHOSPHORUS",
    "SULFUR",
    "Thickness",
    "centre_of_mass_path",
    "height_along_z",
    "intact_ps4",
    "mean_squared_displacement",
    "partial_rdf",
    "profile_along_z",
    "ps4_boundary",
    "sides_of_profile",
    "thickness_beyond",
    "thickness_of_profile",
    "thickness_to_outermost",
    "z_fractions",
]
