from __future__ import annotations

import numpy as np

from aiida_seireact.science.discovery.composition import formula
from aiida_seireact.science.discovery.fingerprint import Likeness, nearest_crystals
from aiida_seireact.science.discovery.known import by_kind, library_crystals
from aiida_seireact.science.discovery.naming import Suggestion, suggest
from aiida_seireact.science.discovery.shells import distance_counts
from aiida_seireact.science.discovery.surroundings import Surroundings
from tests.science.discovery import cells

CRYSTALS = library_crystals(frozenset(("Li", "S", "P", "Cl")), "Li", 8.0, 160)
TYPES = {item.name: item.structure_type for item in CRYSTALS}
COMPOSITIONS = {item.name: item.composition for item in CRYSTALS}
MIXED = {"Li": 200.0, "S": 72.0, "P": 14.0, "Cl": 14.0}


def likenesses(atoms: object, members: slice = slice(None)) -> list[Likeness]:
    frame = Surroundings(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, 8.0)  # type: ignore[attr-defined]
    centres = np.flatnonzero(frame.numbers == 3)[members]
    elements = np.unique(frame.numbers).tolist()
    counts = by_kind(distance_counts(frame, centres, elements, 8.0, 160), elements, "Li")
    known = {item.name: (item.counts, item.n_centres) for item in CRYSTALS if item.counts is not None}
    return nearest_crystals(counts, len(centres), 8.0, known)


def named(composition: dict[str, float], distances: list[Likeness], crystallinity: float = 0.7) -> Suggestion:
    return suggest(
        composition, "Li", distances=distances, diffraction=[], crystallinity=crystallinity, types=TYPES,
        compositions=COMPOSITIONS,
    )  # fmt: skip


def test_each_crystal_is_nearest_to_itself_by_distances_whatever_sits_on_its_sites() -> None:
    for name, atoms in {
        "Li2S": cells.mixed(1), "Li3P": cells.li3p(), "LiCl": cells.licl(), "Li": cells.lithium()
    }.items():  # fmt: skip
        warm = cells.rattled(atoms, 2, 0.15)
        warm.set_cell(warm.cell * 1.02, scale_atoms=True)
        best, second = likenesses(warm)[:2]
        assert best.name == name
        assert best.value > 0.9
        assert second.value < 0.8
        assert 0.95 < best.stretch < 1.05
    assert likenesses(cells.glass(3))[0].value < 0.7


def test_the_papers_phase_is_called_by_composition_and_structure_with_the_reason() -> None:
    found = named(MIXED, likenesses(cells.rattled(cells.mixed(1), 2), slice(None, None, 5)))
    assert found.name == "Li2S0.72P0.14Cl0.14 (antifluorite-like)"
    assert found.structure_type == "antifluorite"
    assert "distances most like Li2S (r = 0.9" in found.reason
    assert "then Li3P" in found.reason


def test_a_known_crystal_is_called_by_its_name() -> None:
    assert named({"Li": 2.0, "S": 1.0}, [Likeness("Li2S", 0.95, 1.0)]).name == "Li2S"
    assert (
        named({"Li": 2.1, "S": 0.9, "Cl": 0.1}, [Likeness("Li2S", 0.95, 1.0)]).name
        == "Li2.1S0.9Cl0.1 (antifluorite-like)"
    )


def test_no_name_is_a_guess() -> None:
    far = named(MIXED, [Likeness("Li2S", 0.6, 1.0)])
    assert (far.name, far.structure_type) == ("Li2S0.72P0.14Cl0.14 (no known structure near)", None)
    assert named(MIXED, [Likeness("Li2S", 0.95, 1.0)], crystallinity=0.05).name.endswith("(amorphous)")
    assert named(MIXED, []).name.endswith("(not compared)")


def test_a_layer_at_a_boundary_is_not_taken_for_a_phase() -> None:
    found = named({"Li": 400.0, "S": 100.0}, [Likeness("Li2S", 0.95, 1.0)])
    assert found.name == "Li4S (boundary of what is antifluorite-like)"
    assert found.structure_type is None
    assert "more Li than in Li2S" in found.reason
    # A prototype's formula is not shown beside another formula.
    assert named({"Li": 90.0, "Cl": 110.0}, [Likeness("LiCl", 0.95, 1.0)]).name == "Li0.82Cl (like LiCl)"


def test_formulas_are_of_one_anion() -> None:
    assert formula({"Li": 30.0, "P": 10.0}, "Li") == "Li3P"
    assert formula({"Li": 30.0}, "Li") == "Li"
    assert formula({"Li": 100.0, "S": 50.0, "Cl": 0.1}, "Li") == "Li2S"
    assert formula({"Li": 100.0, "S": 1.0}, "Li") == "Li"
