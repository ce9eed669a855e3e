"""What a reactive trajectory shows: one quantity a module, each a function of arrays."""

from aiida_seireact.science.analysis.adhesion import Adhesion, interfaces_of_cell, work_of_separation
from aiida_seireact.science.analysis.clusters import Clusters, bonded_clusters
from aiida_seireact.science.analysis.displacement import centre_of_mass_path, mean_squared_displacement
from aiida_seireact.science.analysis.layers import Layering, layer_spacing
from aiida_seireact.science.analysis.order import crystalline
from aiida_seireact.science.analysis.profiles import height_along_z, profile_along_z, z_fractions
from aiida_seireact.science.analysis.ps4 import CHLORINE, PHOSPHORUS, SULFUR, intact_ps4, ps4_boundary
from aiida_seireact.science.analysis.rdf import partial_rdf
from aiida_seireact.science.analysis.templates import STRUCTURES, MissingOvitoError, template_matching
from aiida_seireact.science.analysis.thickness import (
    Thickness,
    sides_of_profile,
    thickness_beyond,
    thickness_of_profile,
    thickness_to_outermost,
)
from aiida_seireact.science.analysis.trend import Trend, trend
from aiida_seireact.science.analysis.voids import void_volume

__all__ = [
    "CHLORINE",
    "PHOSPHORUS",
    "STRUCTURES",
    "SULFUR",
    "Adhesion",
    "Clusters",
    "Layering",
    "MissingOvitoError",
    "Thickness",
    "Trend",
    "bonded_clusters",
    "centre_of_mass_path",
    "crystalline",
    "height_along_z",
    "intact_ps4",
    "interfaces_of_cell",
    "layer_spacing",
    "mean_squared_displacement",
    "partial_rdf",
    "profile_along_z",
    "ps4_boundary",
    "sides_of_profile",
    "template_matching",
    "thickness_beyond",
    "thickness_of_profile",
    "thickness_to_outermost",
    "trend",
    "void_volume",
    "work_of_separation",
    "z_fractions",
]
