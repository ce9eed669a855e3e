from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.analysis import partial_rdf
from aiida_seireact.science.discovery import shells
from aiida_seireact.science.discovery.surroundings import Surroundings
from tests.science.discovery import cells


def test_distribution_about_all_centres_is_that_of_the_frame() -> None:
    atoms = cells.rattled(cells.mixed(1), 2)
    frame = Surroundings(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, 8.0)
    centres = np.flatnonzero(atoms.numbers == 3)
    counts = shells.distance_counts(frame, centres, [3, 16], 8.0, 160)
    for row, element in enumerate((3, 16)):
        density = (atoms.numbers == element).sum() / frame.volume_ang3
        found = shells.distribution(counts[row], len(centres), density, 8.0)
        _, wanted = partial_rdf(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, (3, element))
        np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_first_shell_of_an_antifluorite_has_four_anions_and_six_lithium() -> None:
    atoms = cells.rattled(cells.mixed(1), 2, 0.12)
    frame = Surroundings(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, 8.0)
    centres = np.flatnonzero(atoms.numbers == 3)
    cutoffs = {}
    for element in (3, 16):
        counts = shells.distance_counts(frame, centres, [element], 8.0, 160)[0]
        g = shells.distribution(counts, len(centres), (atoms.numbers == element).sum() / frame.volume_ang3, 8.0)
        found = shells.first_shell(g, 8.0)
        assert found is not None
        assert 3.1 < found.radius_ang < 3.7  # 2.47 and 4.73 Å for S, 2.86 and 4.04 Å for Li
        cutoffs[element] = found.radius_ang
    numbers = shells.coordination(frame, centres, cutoffs)
    assert numbers.sum(axis=1).tolist() == [len(centres)] * 2
    means = (numbers * np.arange(16)).sum(axis=1) / len(centres)
    assert means[0] == pytest.approx(6, abs=0.3)
    around = (cells.anions_around(cells.mixed(1)) == 16).sum(axis=1)
    np.testing.assert_array_equal(numbers[1][:5], np.bincount(around, minlength=5))


def test_nothing_near_has_no_first_shell() -> None:
    assert shells.first_shell(np.zeros(160), 8.0) is None


def test_a_search_does_not_answer_beyond_its_reach() -> None:
    atoms = cells.li2s(1)
    frame = Surroundings(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, 3.0)
    with pytest.raises(ValueError, match=r"within 5 Å of a search that reaches 3 Å"):
        frame.within([0], 5.0)
    # A small cell: an atom's own images count, itself does not.
    assert len(frame.within([0], 2.6)[0]) == 8
