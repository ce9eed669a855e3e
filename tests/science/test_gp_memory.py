"""The estimate of memory against what was measured with mir-flare 1.4.0."""

from __future__ import annotations

import pytest
from ase import Atoms
from ase.build import bulk
from matscipy.neighbours import neighbour_list

from aiida_seireact.formats.jobs.flare import GpSettings
from aiida_seireact.science.gp_memory import frame_bytes, learning_memory
from aiida_seireact.science.structures import argyrodite

PAPER = GpSettings(n_max=9, l_max=3, cutoff_ang=6.0)


def pairs(atoms: Atoms) -> int:
    return len(neighbour_list("i", atoms, 6.0))


@pytest.mark.parametrize(("n_atoms", "neighbours", "n_species", "measured_mb"), [(52, 43.8, 4, 146), (54, 56, 1, 13)])
def test_a_frame_takes_what_was_measured(n_atoms: int, neighbours: float, n_species: int, measured_mb: float) -> None:
    found = frame_bytes(round(n_atoms * neighbours), PAPER.n_features(n_species))
    assert found / 1e6 == pytest.approx(measured_mb, rel=0.02)


@pytest.mark.parametrize(
    ("atoms", "n_species", "frames", "sparse", "measured_mb"),
    [
        (argyrodite(seed=0), 4, 6, 240, 1286),
        (bulk("Li", "bcc", a=3.44, cubic=True) * (3, 3, 3), 1, 16, 864, 781),
    ],
)
def test_a_process_takes_what_was_measured(
    atoms: Atoms, n_species: int, frames: int, sparse: int, measured_mb: float
) -> None:
    needed = learning_memory([pairs(atoms)] * frames, [len(atoms)] * frames, PAPER.n_features(n_species), sparse)
    assert len(needed.frames) == frames
    assert 1.0 < needed.peak / 1e6 / measured_mb < 1.2


def test_the_frame_that_is_being_described_is_there_twice() -> None:
    one, two = (learning_memory([1000] * count, [10] * count, 100, 0) for count in (1, 2))
    assert two.peak - one.peak == frame_bytes(1000, 100)
    assert one.peak - learning_memory([], [], 100, 0).peak == 2 * frame_bytes(1000, 100)
