"""Descriptors of local environments: one door, :func:`describe`, to several sources, whole or in blocks."""

from aiida_seireact.science.descriptors.describe import describe, describe_blocks, mean_descriptors
from aiida_seireact.science.descriptors.functions import chebyshev_polynomials, real_harmonics
from aiida_seireact.science.descriptors.spec import DescriptorError, DescriptorSpec, MissingSourceError, usual_order

__all__ = [
    "DescriptorError",
    "DescriptorSpec",
    "MissingSourceError",
    "chebyshev_polynomials",
    "describe",
    "describe_blocks",
    "mean_descriptors",
    "real_harmonics",
    "usual_order",
]
