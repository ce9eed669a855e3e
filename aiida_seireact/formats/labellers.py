"""What the labels of a calculator are worth: real ones, or those of something that stands in for DFT."""

from __future__ import annotations

from dataclasses import dataclass

STAND_IN = "stand-in"
TOY = "toy"
SEMI_EMPIRICAL = "semi-empirical"
MODEL = "model"
UNKNOWN = "unknown"
"""Kinds: a pretrained universal potential; a toy; a semi-empirical method; a model of our own; any other."""


@dataclass(frozen=True)
class LabellerKind:
    """A labeller's name in print, what it is in words, and its kind."""

    title: str
    what: str
    kind: str


def _universal(title: str) -> LabellerKind:
    return LabellerKind(title, "a universal potential", STAND_IN)


KINDS = {
    "chgnet": _universal("CHGNet"),
    "7net-0": _universal("SevenNet-0"),
    "7net-l3i5": _universal("SevenNet-l3i5"),
    "emt": LabellerKind("EMT", "a toy potential", TOY),
    "lj": LabellerKind("Lennard-Jones", "a toy potential", TOY),
    "morse": LabellerKind("Morse", "a toy potential", TOY),
    "tblite": LabellerKind("GFN-xTB", "a semi-empirical method", SEMI_EMPIRICAL),
    "nequip": LabellerKind("Allegro", "a trained potential", MODEL),
}

# Packages whose calculators, as module:factory, are universal potentials.
UNIVERSAL_PACKAGES = {
    "chgnet": "CHGNet",
    "fairchem": "FAIR-Chem",
    "mace": "MACE",
    "matgl": "MatGL",
    "mattersim": "MatterSim",
    "orb_models": "Orb",
    "sevenn": "SevenNet",
    "upet": "UPET",
}


def kind_of(calculator: str) -> LabellerKind:
    """Return what is known of a calculator by its name in a job; kind ``unknown`` of one that may be anything."""
    name = calculator.lower()
    root = name.partition(":")[0].partition(".")[0]
    if ":" in name and root in UNIVERSAL_PACKAGES:
        return _universal(UNIVERSAL_PACKAGES[root])
    return KINDS.get(name, LabellerKind(calculator, "", UNKNOWN))
