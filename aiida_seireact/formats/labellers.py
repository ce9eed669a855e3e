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


def why_no_atoms(calculator: str | None) -> str:
    """Return why a labeller has no isolated atoms and no dimers; empty if it has, or is not known to have none.

    A universal potential has seen crystals only, a trained one what it was shown: what they say of one or two atoms in
    a vacuum is no label.
    """
    if calculator is None:
        return ""
    kind = kind_of(calculator)
    if kind.kind in (STAND_IN, MODEL):
        return f"{kind.title}, {kind.what}, has no isolated atoms"
    return ""
