"""Frames to learn from first: of a study of Li | Li6PS5Cl | Li (`study`), and by class for any chemistry."""

from aiida_seireact.science.sampling.draws import Draw, distorted
from aiida_seireact.science.sampling.study import CONFIG_TYPES, MIN_DISTANCE_ANG, SamplingPlan, sample_frames

__all__ = ["CONFIG_TYPES", "MIN_DISTANCE_ANG", "Draw", "SamplingPlan", "distorted", "sample_frames"]
