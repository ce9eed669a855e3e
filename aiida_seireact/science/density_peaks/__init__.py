"""Density peaks of a point cloud: intrinsic dimension, PAk densities and the advanced density-peak clustering."""

from aiida_seireact.science.density_peaks.clustering import ENGINES, PeaksInput, density_peaks, peaks_input, scan_z
from aiida_seireact.science.density_peaks.dendrogram import linkage
from aiida_seireact.science.density_peaks.duplicates import distinct_rows
from aiida_seireact.science.density_peaks.neighbours import Neighbours, find_neighbours, nearest_neighbours
from aiida_seireact.science.density_peaks.result import DensityPeaks, DensityPeaksError, MissingDadapyError
from aiida_seireact.science.packages import MissingPackageError

__all__ = [
    "ENGINES",
    "DensityPeaks",
    "DensityPeaksError",
    "MissingDadapyError",
    "MissingPackageError",
    "Neighbours",
    "PeaksInput",
    "density_peaks",
    "distinct_rows",
    "find_neighbours",
    "linkage",
    "nearest_neighbours",
    "peaks_input",
    "scan_z",
]
