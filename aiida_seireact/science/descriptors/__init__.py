"""Descriptors of local environments: one door, :func:`describe`, to several sources."""

from aiida_seireact.science.descriptors.describe import describe, mean_descriptors
from aiida_seireact.science.descriptors.functions import chebyshev_polynomials, real_harmonics
from aiida_seireact.science.descriptors.spec import DescriptorError, DescriptorSpec, MissingSourceError

__all__ = [
    "DescriptorError",
    "DescriptorSpec",
    "MissingSourceError",
    "b2_descriptors",
    "chebyshev_polynomials",
    "describe",
    "mean_descriptors",
    "real_harmonics",
]

# The name of `describe` before there were sources; goes when nobody calls it any more.
b2_descriptors = describe
