"""Orderings are those that symmetry tells apart: counts we know, Burnside's lemma, and a structure matcher."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures import orderings as module
from aiida_seireact.science.structures.disorder import DisorderedCell
from aiida_seireact.science.structures.fill import with_occupancies
from aiida_seireact.science.structures.orderings import Orderings, orderings
from aiida_seireact.science.structures.supercells import primitive

MIXED = {"S": {"S": 0.75, "P": 0.125, "Cl": 0.125}}
CHARGES = {"P": -3, "Cl": -1}


def antifluorite(occupancies: dict[str, dict[str, float]] = MIXED) -> Structure:
    used = {symbol for of in occupancies.values() for symbol in of}
    return with_occupancies(library.structure("Li2S"), occupancies, {k: q for k, q in CHARGES.items() if k in used})


@pytest.fixture(scope="module")
def mixed() -> DisorderedCell:
    return DisorderedCell.from_structure(antifluorite())


def test_the_disordered_interphase_has_four_and_two_orderings(mixed: DisorderedCell) -> None:
    # Li2S0.75P0.125Cl0.125 of arXiv:2506.10944, 24 atoms.
    conventional, smallest = orderings(mixed, (1, 1, 2)), orderings(primitive(mixed), (2, 2, 2))
    assert conventional.degeneracies.tolist() == [32, 8, 8, 8]
    assert smallest.degeneracies.tolist() == [48, 8]
    for found in (conventional, smallest):
        assert found.n_arrangements == 8 * 7
        for index in range(len(found)):
            assert found.to_ase(index).symbols.formula.count() == {"Li": 16, "S": 6, "P": 1, "Cl": 1}
            assert found.drawn(index).site_charges.sum() == 0


def burnside(crystal: Structure, matrix: list[int], site: str, numbers: list[int]) -> int:
    """Number of orbits of colourings of an element's sites: the mean over pymatgen's operations of those fixed."""
    bare = Structure(crystal.lattice, [next(iter(s.species)).symbol for s in crystal], crystal.frac_coords)
    larger = bare.make_supercell(matrix, in_place=False)
    coords = larger.frac_coords[[k for k, s in enumerate(larger) if s.specie.symbol == site]]
    total, count = 0, 0
    for operation in SpacegroupAnalyzer(larger, symprec=1e-4).get_symmetry_operations():
        images = coords @ operation.rotation_matrix.T + operation.translation_vector
        apart = images[:, None] - coords[None]
        to = (np.abs(apart - np.round(apart)).max(axis=-1) < 1e-4).argmax(axis=1).tolist()
        lengths, seen = [], set()
        for start in range(len(to)):
            length, place = 0, start
            while place not in seen:
                seen.add(place)
                place, length = to[place], length + 1
            if length:
                lengths.append(length)
        ways = Counter({tuple(0 for _ in numbers): 1})
        for length in lengths:
            larger_ways: Counter[tuple[int, ...]] = Counter()
            for used, n in ways.items():
                for colour in range(len(numbers)):
                    now = tuple(u + length * (k == colour) for k, u in enumerate(used))
                    if now[colour] <= numbers[colour]:
                        larger_ways[now] += n
            ways = larger_ways
        total, count = total + ways[tuple(numbers)], count + 1
    assert total % count == 0
    return total // count


@pytest.mark.parametrize(
    ("shares", "smallest", "shape"),
    [((6, 1, 1), False, (1, 1, 2)), ((2, 1, 1), False, (1, 1, 1)), ((4, 2, 2), True, (2, 2, 2))],
)
def test_their_number_is_that_of_burnsides_lemma(
    shares: tuple[int, ...], smallest: bool, shape: tuple[int, int, int]
) -> None:
    occupancies = {"S": {symbol: n / sum(shares) for symbol, n in zip(("S", "P", "Cl"), shares, strict=True)}}
    cell = DisorderedCell.from_structure(antifluorite(occupancies))
    crystal = library.structure("Li2S")
    if smallest:
        cell, crystal = primitive(cell), crystal.get_primitive_structure()
    assert len(orderings(cell, shape)) == burnside(crystal, list(shape), "S", list(shares))


def vacant(symbol: str, shape: tuple[int, ...], occupancy: float) -> Orderings:
    """Vacancies in a simple cubic crystal of neutral atoms."""
    crystal = Structure(Lattice.cubic(3.0), [{f"{symbol}0+": occupancy}], [[0, 0, 0]])
    return orderings(DisorderedCell.from_structure(crystal), shape)


def test_repetitions_of_one_smaller_cell_are_one_ordering() -> None:
    """A flat supercell: layers along x and along y are one crystal, which only the cubic cell's own operations say."""
    shape = (4, 2, 1)
    found = vacant("Ag", shape, 0.5)
    lattice = Lattice.orthorhombic(*(3.0 * n for n in shape))
    points = np.array(list(product(*map(range, shape)))) / shape
    images = [
        Structure(lattice, ["Ag" if k in chosen else "He" for k in range(8)], points)
        for chosen in map(set, _subsets(8, 4))
    ]
    matcher = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.1, scale=False, primitive_cell=True)
    sizes = sorted(len(group) for group in matcher.group_structures(images))
    assert sorted(found.degeneracies.tolist()) == sizes


def _subsets(n: int, k: int) -> list[tuple[int, ...]]:
    return [tuple(np.flatnonzero(bits)) for bits in product((0, 1), repeat=n) if sum(bits) == k]


def test_they_depend_on_the_crystal_and_not_on_how_it_is_written(mixed: DisorderedCell) -> None:
    moved = antifluorite()
    moved.translate_sites(range(len(moved)), [0.13, 0.4, 0.77])
    shuffled = Structure.from_sites(list(moved)[::-1])
    shuffled.add_site_property("label", [str(site.label) for site in shuffled])
    other = orderings(DisorderedCell.from_structure(moved), (1, 1, 2))
    assert sorted(other.degeneracies) == sorted(orderings(mixed, (1, 1, 2)).degeneracies)
    # Other bases of the same supercell; of the last one the origin is not the first of its lattice points.
    for rows in ([[1, 0, 0], [0, 1, 0], [1, 1, 2]], [[1, 0, 0], [0, -1, 0], [0, 0, -2]]):
        assert sorted(orderings(mixed, rows).degeneracies) == [8, 8, 8, 32]


def argyrodite(occupancies: dict[str, dict[str, float]] | None = None) -> DisorderedCell:
    crystal = with_occupancies(library.structure("Li6PS5Cl"), occupancies or {}, {})
    return primitive(DisorderedCell.from_structure(crystal))


ON_X2 = {"X1": {"S": 1.0}, "X2": {"Cl": 1.0}}


def test_no_two_lithium_of_an_argyrodite_share_a_doublet() -> None:
    found = orderings(argyrodite(ON_X2))
    assert found.n_arrangements == 2**6  # one of each of six doublets
    for index in range(len(found)):
        atoms = found.to_ase(index)
        assert atoms.symbols.formula.count() == {"Li": 6, "P": 1, "S": 5, "Cl": 1}
        assert neighbor_list("d", atoms, {("Li", "Li"): 4.0}).min() > 2.0
    pictures = [AseAtomsAdaptor.get_structure(found.to_ase(index)) for index in range(len(found))]
    matcher = StructureMatcher(scale=False, stol=0.05, ltol=0.05)
    assert len(matcher.group_structures(pictures)) == len(found)


def test_both_kinds_of_disorder_multiply() -> None:
    found = orderings(argyrodite(), (1, 1, 2))
    assert found.n_arrangements == 2 * 2 * 2**12


def test_one_atom_on_many_alike_sites_is_one_ordering(monkeypatch: pytest.MonkeyPatch) -> None:
    assert vacant("Ag", (6, 5, 4), 1 / 120).degeneracies.tolist() == [120]
    monkeypatch.setattr(module, "MAX_PERMUTED", 100_000)
    with pytest.raises(ValueError, match="960 symmetry operations of 120 disordered sites are too many"):
        vacant("Ag", (6, 5, 4), 1 / 120)


def test_an_ordered_crystal_has_one_ordering() -> None:
    found = orderings(DisorderedCell.from_structure(library.structure("LiCl")), (2, 1, 1))
    assert found.degeneracies.tolist() == [1]
    assert found.to_ase(0).symbols.formula.count() == {"Li": 8, "Cl": 8}


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((2, 2, 2), r"on the 32 disordered sites in 736,281,000 ways"),  # 32! / (24! 4! 4!)
        ((1, 1, 0), "has no volume"),
        ((1, 1.5, 1), "three whole numbers or three rows"),
        ((1, 1, 1), r"S would hold 0.5 Cl in this supercell.* take 2 times as many unit cells"),
    ],
)
def test_what_can_not_be_counted_is_refused(mixed: DisorderedCell, shape, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        orderings(mixed, shape)


def test_charges_that_do_not_balance_are_refused_with_occupancies_that_do() -> None:
    cell = DisorderedCell.from_structure(antifluorite({"S": {"S": 0.5, "Cl": 0.5}}))
    with pytest.raises(ValueError, match=r"neutral .*: give Li on Li the occupancy 0.75 \(it is 1\)"):
        orderings(cell)


def test_a_limit_is_kept_where_distances_decide() -> None:
    with pytest.raises(ValueError, match=r"more than 50 \(of 924 if no distance"):
        orderings(argyrodite(ON_X2), limit=50)
    with pytest.raises(ValueError, match="always filled|No arrangement keeps"):
        orderings(argyrodite(ON_X2), min_distance_ang=3.5)
