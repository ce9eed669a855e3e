"""What a training set covers and what it lacks: classes, phases, temperatures, compositions, distances, descriptors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.curation import compositions, formulas
from aiida_seireact.science.sampling.kinds import CLASSES, IN_WORDS
from aiida_seireact.science.sampling.packing import pair_name

FloatArray = NDArray[np.float64]

REACH_ANG = 6.0
BIN_ANG = 0.1
# Pauling electronegativities; an element above this is counted among the anions of a composition triangle.
ANION_ABOVE = 2.5
LEAST_OF_A_TYPE = 3
NO_MD = "no MD"


@dataclass(frozen=True, eq=False)
class Described:
    """Frames in columns, and what is said of each.

    :param numbers: ``(n_atoms_total,)``; :param positions: ``(n_atoms_total, 3)``; :param offsets: ``(n_frames + 1,)``;
        :param cells: ``(n_frames, 3, 3)``; :param pbc: ``(n_frames, 3)``.
    :param config_type: with ``frame_class``, ``phase`` and ``kind`` one each a frame, ``(n_frames,)``.
    :param temperature_k: ``(n_frames,)``, NaN for frames of no MD.
    """

    numbers: NDArray[np.int64]
    positions: FloatArray
    offsets: NDArray[np.int64]
    cells: FloatArray
    pbc: NDArray[np.bool_]
    config_type: NDArray[np.str_]
    frame_class: NDArray[np.str_]
    phase: NDArray[np.str_]
    kind: NDArray[np.str_]
    temperature_k: FloatArray

    @property
    def n_atoms(self) -> NDArray[np.int64]:
        """Atoms of each frame, ``(n_frames,)``."""
        return np.diff(self.offsets)


def coverage_of(
    frames: Described, *, species: Sequence[str], phases: Sequence[str] = (), left_out: Sequence[str] = ()
) -> dict[str, Any]:
    """Return counts, ranges and histograms of a training set, and in sentences what it lacks, ready for JSON.

    :param species: elements it should cover; :param phases: phases it should cover.
    :param left_out: sentences about what was asked and is not there.
    """
    distances = nearest_distances(frames, species)
    told = {
        "n_frames": len(frames.config_type),
        "n_environments": len(frames.numbers),
        "classes": {name: _counts(frames, frames.frame_class == name) for name in CLASSES},
        "phases": _by_phase(frames, phases),
        "config_types": {
            name: {
                "class": str(frames.frame_class[np.argmax(frames.config_type == name)]),
                "phase": str(frames.phase[np.argmax(frames.config_type == name)]),
                **_counts(frames, frames.config_type == name),
            }
            for name in sorted(set(frames.config_type.tolist()))
        },
        "temperatures_k": _by_temperature(frames),
        "compositions": composition_table(frames, species),
        "triangle_corners": triangle_corners(species),
        "nearest_distances": histograms_of(distances),
        "left_out": list(left_out),
    }
    told["missing"] = what_is_missing(told, species)
    return told


def _counts(frames: Described, mine: NDArray[np.bool_]) -> dict[str, Any]:
    numbers = frames.numbers[np.repeat(mine, frames.n_atoms)]
    kinds, counts = np.unique(numbers, return_counts=True)
    by_species = {chemical_symbols[kind]: int(count) for kind, count in zip(kinds, counts, strict=True)}
    return {"frames": int(mine.sum()), "environments": len(numbers), "environments_by_species": by_species}


def _by_phase(frames: Described, phases: Sequence[str]) -> dict[str, Any]:
    found = sorted({*phases, *frames.phase.tolist()} - {""})
    told = {}
    for name in found:
        mine = frames.phase == name
        kinds = sorted(set(frames.kind[mine].tolist()))
        told[name] = {
            **_counts(frames, mine),
            "kinds": {kind: int((mine & (frames.kind == kind)).sum()) for kind in kinds},
            "expected": name in phases,
            "volume_ang3_per_atom": _volumes(frames, mine & (frames.frame_class == "bulk")),
        }
    return told


def _volumes(frames: Described, mine: NDArray[np.bool_]) -> list[float] | None:
    if not mine.any():
        return None
    volumes = np.abs(np.linalg.det(frames.cells[mine])) / frames.n_atoms[mine]
    return [float(volumes.min()), float(volumes.max())]


def _by_temperature(frames: Described) -> dict[str, Any]:
    told = {
        f"{value:g}": _counts(frames, frames.temperature_k == value)
        for value in np.unique(frames.temperature_k[~np.isnan(frames.temperature_k)])
    }
    return {**told, NO_MD: _counts(frames, np.isnan(frames.temperature_k))}


def composition_table(frames: Described, species: Sequence[str]) -> list[dict[str, Any]]:
    """Return each composition once: formula, atomic fractions of the species, and how many frames have it."""
    counts, present = compositions(frames.numbers, frames.offsets)
    names = formulas(frames.numbers, frames.offsets)
    known = [*species, *(symbol for symbol in present if symbol not in species)]
    rows = []
    for name in sorted(set(names)):
        first = names.index(name)
        fractions = dict.fromkeys(known, 0.0)
        for symbol, count in zip(present, counts[first].tolist(), strict=True):
            fractions[symbol] = count / int(counts[first].sum())
        rows.append({"formula": name, "fractions": fractions, "frames": names.count(name)})
    return rows


def triangle_corners(species: Sequence[str]) -> list[list[str]] | None:
    """Return the groups of elements at the corners of a composition triangle; None for fewer than three groups.

    The least electronegative element, the anions (above 2.5 of Pauling), and all between: Li | P | S, Cl.
    """
    from pymatgen.core.periodic_table import Element

    ordered = sorted(species, key=lambda symbol: (Element(symbol).X, symbol))
    anions = [symbol for symbol in ordered if ANION_ABOVE < Element(symbol).X]
    others = [symbol for symbol in ordered[1:] if symbol not in anions]
    corners = [ordered[:1], others, [symbol for symbol in anions if symbol != ordered[0]]]
    return corners if all(corners) else None


# ---------------------------------------------------------------- distances
def nearest_distances(frames: Described, species: Sequence[str]) -> dict[str, FloatArray]:
    """Return for each pair of species the distance from each atom of the one to its nearest of the other, Å; those
    within 6 Å, of both sides."""
    # Imported here: programs that only name a class need not have it.
    from matscipy.neighbours import neighbour_list

    pairs = [pair_name(*pair) for pair in combinations_with_replacement(species, 2)]
    found: dict[str, list[FloatArray]] = {pair: [np.empty(0)] for pair in pairs}
    for index in range(len(frames.config_type)):
        rows = slice(int(frames.offsets[index]), int(frames.offsets[index + 1]))
        numbers = frames.numbers[rows]
        first, second, lengths = neighbour_list(
            "ijd", positions=frames.positions[rows], cell=frames.cells[index], pbc=frames.pbc[index], cutoff=REACH_ANG
        )
        for symbol in species:
            near = np.full(len(numbers), np.inf)
            of_symbol = numbers[second] == atomic_numbers[symbol]
            np.minimum.at(near, first[of_symbol], lengths[of_symbol])
            for other in species:
                mine = near[numbers == atomic_numbers[other]]
                found[pair_name(symbol, other)].append(mine[np.isfinite(mine)])
    return {pair: np.concatenate(parts) for pair, parts in found.items()}


def histograms_of(distances: Mapping[str, ArrayLike]) -> dict[str, Any]:
    """Return edges (Å) and counts of each pair, with the least distance; None where the pair never meets."""
    edges = np.linspace(0.0, REACH_ANG, round(REACH_ANG / BIN_ANG) + 1)
    pairs = {}
    for pair, values in distances.items():
        lengths = np.asarray(values, dtype=float)
        counts, _ = np.histogram(lengths, edges)
        pairs[pair] = {
            "least_ang": float(lengths.min()) if len(lengths) else None,
            "counts": counts.tolist(),
        }
    return {"edges_ang": edges.round(6).tolist(), "pairs": pairs}


# ---------------------------------------------------------------- what is missing
def what_is_missing(told: Mapping[str, Any], species: Sequence[str]) -> list[str]:
    """Return a sentence for each thing a training set of these species should have and has not."""
    return [
        *told["left_out"],
        *(
            f"No frame is {IN_WORDS[name]}."
            for name, row in told["classes"].items()
            if not row["frames"] and not _is_said(name, told["left_out"])
        ),
        *_missing_species(told, species),
        *_missing_of_phases(told["phases"]),
        *_missing_pairs(told["nearest_distances"]["pairs"]),
        *(
            ["No frame comes of MD: all are drawn, none is at a temperature."]
            if set(told["temperatures_k"]) == {NO_MD}
            else []
        ),
        *(
            f"{name} has {row['frames']} frame{'s' * (row['frames'] > 1)}: training, validation and test need one each."
            for name, row in told["config_types"].items()
            if row["frames"] < LEAST_OF_A_TYPE
        ),
    ]


def _is_said(name: str, left_out: Sequence[str]) -> bool:
    """Tell whether a sentence about what was left out says already that a class is not there."""
    return any(IN_WORDS[name].split()[-1] in sentence.split(" are left out")[0].lower() for sentence in left_out)


def _missing_species(told: Mapping[str, Any], species: Sequence[str]) -> list[str]:
    there = {symbol for row in told["classes"].values() for symbol in row["environments_by_species"]}
    return [f"No frame holds {symbol}." for symbol in species if symbol not in there]


def _missing_of_phases(phases: Mapping[str, Any]) -> list[str]:
    sentences = []
    for name, row in phases.items():
        if not row["expected"]:
            continue
        kinds = set(row["kinds"])
        if not kinds:
            sentences.append(f"{name} has no frame.")
            continue
        for needed, of_kinds in (
            ("strained", {"bulk", "strain", "interface", "boundary"}),
            ("rattled", {"bulk", "rattle", "interface", "boundary"}),
        ):
            if not kinds & of_kinds and kinds & {"bulk", "strain", "rattle", "vacancy", "interstitial", "surface"}:
                sentences.append(f"{name} has no {needed} frame.")
    return sentences


def _missing_pairs(pairs: Mapping[str, Any]) -> list[str]:
    """A pair should be seen at least as close as its atoms touch, the sum of their covalent radii."""
    sentences = []
    for pair, row in pairs.items():
        first, second = pair.split("-")
        touch = float(covalent_radii[atomic_numbers[first]] + covalent_radii[atomic_numbers[second]])
        name = f"{first}–{second}"
        if row["least_ang"] is None:
            sentences.append(f"No pair {name} is within {REACH_ANG:g} Å.")
        elif row["least_ang"] > touch:
            sentences.append(
                f"No pair {name} is below {touch:.2f} Å, where the atoms touch; the closest is "
                f"{row['least_ang']:.2f} Å."
            )
    return sentences


# ---------------------------------------------------------------- map of descriptors
def principal_map(features: ArrayLike) -> tuple[FloatArray, list[float]]:
    """Return frames in the plane of their two largest principal components, ``(n_frames, 2)``, and the part of the
    variance that each holds; the largest entry of each axis is made positive, so that a map is not mirrored.

    :param features: ``(n_frames, n_features)``, for example `selection.equally_weighted` mean descriptors.
    """
    values = np.array(features, dtype=float)
    values -= values.mean(axis=0)
    total = float((values**2).sum())
    if len(values) < 2 or total == 0:
        return np.zeros((len(values), 2)), [0.0, 0.0]
    _, weights, axes = np.linalg.svd(values, full_matrices=False)
    axes = axes[:2]
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    places = np.zeros((len(values), 2))
    places[:, : len(axes)] = values @ axes.T
    parts = [float(weight**2 / total) for weight in weights[:2]]
    return places, [*parts, *[0.0] * (2 - len(parts))]
