"""Kinds of frames a plan can ask for, and the class of environments each belongs to."""

from __future__ import annotations

from collections.abc import Mapping

CLASSES = ("bulk", "surface", "boundary", "interface", "amorphous", "dimer", "atom")
"""Classes of environments by which the coverage of a training set is told."""

CLASS_OF_KIND: Mapping[str, str] = {
    "bulk": "bulk",
    "strain": "bulk",
    "rattle": "bulk",
    "vacancy": "bulk",
    "interstitial": "bulk",
    "surface": "surface",
    "boundary": "boundary",
    "interface": "interface",
    "amorphous": "amorphous",
    "melt_quench": "amorphous",
    "dimer": "dimer",
    "isolated_atom": "atom",
}

IN_WORDS = {
    "bulk": "a crystal",
    "surface": "a surface",
    "boundary": "a grain boundary",
    "interface": "an interface",
    "amorphous": "amorphous",
    "dimer": "a dimer",
    "atom": "an isolated atom",
}

# What a frame of the plan of Li | Li6PS5Cl | Li shows: config type -> class, phase, kind.
OF_STUDY: Mapping[str, tuple[str, str, str]] = {
    "Li": ("bulk", "Li", "bulk"),
    "Li-expanded": ("bulk", "Li", "strain"),
    "Li-slab": ("surface", "Li", "surface"),
    "Li6PS5Cl": ("bulk", "Li6PS5Cl", "bulk"),
    "interface": ("interface", "Li|Li6PS5Cl", "interface"),
    "interface-expanded": ("interface", "Li|Li6PS5Cl", "interface"),
    "Li2S": ("bulk", "Li2S", "bulk"),
    "Li3P": ("bulk", "Li3P", "bulk"),
    "LiCl": ("bulk", "LiCl", "bulk"),
}
