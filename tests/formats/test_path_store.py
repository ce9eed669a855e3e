"""Paths on disk: what is put frame by frame comes back atom by atom, from other processes too."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

from aiida_seireact.formats.path_store import PathStore, unflipped

N_FRAMES, N_ATOMS = 7, 11
RNG = np.random.default_rng(0)
PATHS = 100 + np.cumsum(RNG.normal(size=(N_FRAMES, N_ATOMS, 3)), axis=0)
MASSES = RNG.uniform(1, 40, N_ATOMS)
CELL = np.diag([3.0, 4.0, 5.0])


def stored(block_bytes: int = 3 * 12 * N_FRAMES) -> PathStore:
    """Three atoms a block, so that the last block is smaller."""
    return PathStore(PATHS[0], MASSES, N_FRAMES, cell=CELL, block_bytes=block_bytes)


@pytest.mark.parametrize("block_bytes", [1, 3 * 12 * N_FRAMES, 1 << 20])
def test_paths_drift_cells_and_labels_come_back(block_bytes: int) -> None:
    with stored(block_bytes) as store:
        for number in reversed(range(N_FRAMES)):
            labels = None if number == 2 else np.arange(N_ATOMS) % 3 - 1
            store.put(number, PATHS[number], CELL, labels=labels)
        moved = PATHS - PATHS[0]
        chosen = np.arange(N_ATOMS) % 2 == 0
        for mask in (None, chosen):
            blocks = list(store.blocks(mask))
            atoms = np.concatenate([block[0] for block in blocks])
            assert atoms.tolist() == np.flatnonzero(np.ones(N_ATOMS) if mask is None else mask).tolist()
            got = np.concatenate([block[1] for block in blocks], axis=1)
            assert got == pytest.approx(moved[:, atoms], abs=1e-6)
        assert store.drift() == pytest.approx(np.average(moved, axis=1, weights=MASSES))
        assert store.frame(4) == pytest.approx(moved[4], abs=1e-6)
        assert store.frame(4).tolist() == moved[4].astype(np.float32).tolist()  # of a fixed cell, to the last bit
        assert store.cells()[0] == pytest.approx(np.stack([CELL] * N_FRAMES))
        assert store.largest_strain() == 0.0
        assert store.labels(1).tolist() == (np.arange(N_ATOMS) % 3 - 1).tolist()
        assert store.labels(2).tolist() == [-1] * N_ATOMS
        store.put_structures(3, np.arange(N_ATOMS) % 4)
        assert store.structures(3).tolist() == (np.arange(N_ATOMS) % 4).tolist()
        assert store.structures(N_FRAMES - 1).tolist() == [-1] * N_ATOMS
        assert store.labels(3).tolist() == (np.arange(N_ATOMS) % 3 - 1).tolist()


def test_forked_processes_write_to_the_same_store() -> None:
    def half(store: PathStore, numbers: range) -> None:
        for number in numbers:
            store.put(number, PATHS[number], CELL)

    context = multiprocessing.get_context("fork")
    with stored() as store:
        workers = [context.Process(target=half, args=(store, part)) for part in (range(3), range(3, N_FRAMES))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert store.frame(5) == pytest.approx(PATHS[5] - PATHS[0], abs=1e-6)
        store.drift()


def test_a_missing_frame_is_told() -> None:
    with stored() as store:
        store.put(0, PATHS[0], CELL)
        with pytest.raises(ValueError, match="lacks 6 of its 7 frames, first 1"):
            store.drift()


ORTHOGONAL = np.diag([20.0, 30.0, 700.0])
TRICLINIC = np.array([[20.0, 0.0, 0.0], [9.0, 18.0, 0.0], [-4.0, 7.0, 700.0]])
"""Lower triangular, as of LAMMPS."""
SHRUNK = np.array([[1.01, 0.0, 0.0], [0.02, 0.99, 0.0], [0.0, -0.01, 0.97]])


@pytest.mark.parametrize("cell", [ORTHOGONAL, TRICLINIC])
@pytest.mark.parametrize("strain", [np.diag([1.0, 1.0, 0.97]), SHRUNK])
def test_atoms_at_rest_in_a_cell_that_changes_have_no_displacement(cell: np.ndarray, strain: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    # Unwrapped long ago: far from the cell.
    fractions = rng.random((1000, 3)) + rng.integers(-3, 4, (1000, 3))
    hop = np.zeros((1000, 3))
    hop[7] = [0.0, 0.0, 1.5 / 700]
    changed, corner = cell @ strain, np.array([1.0, -2.0, 10.5])
    with PathStore(fractions @ cell, np.ones(1000), 2, cell=cell) as store:
        store.put(0, fractions @ cell, cell)
        moved = (fractions + hop) @ changed + corner
        store.put(1, moved, changed, corner)
        found = store.frame(1)
        assert np.delete(found, 7, axis=0) == pytest.approx(0.0, abs=1e-9)
        # In lengths of the first frame.
        assert found[7] == pytest.approx(hop[7] @ cell, abs=1e-6)
        assert store.drift()[1] == pytest.approx(hop[7] @ cell / 1000, abs=1e-9)
        assert store.places(1) == pytest.approx(moved, abs=1e-5)
        assert store.places(1, [7])[0] == pytest.approx(moved[7], abs=1e-5)
        cells, corners = store.cells()
        assert cells[1] == pytest.approx(changed)
        assert corners[1] == pytest.approx(corner)
        assert store.largest_strain() == pytest.approx(np.abs(changed @ np.linalg.inv(cell) - np.eye(3)).max())


def test_a_tilted_cell_that_flips_moves_no_atom() -> None:
    before = np.array([[10.0, 0.0, 0.0], [4.9, 9.0, 0.0], [1.0, 2.0, 20.0]])
    after = before.copy()
    after[1] = [5.1 - 10.0, 9.0, 0.0]  # tilted a little farther, and flipped
    grown = after + np.array([[0, 0, 0], [10.0, 0, 0], [0, 0, 0]])
    assert unflipped(after, before) == pytest.approx(grown)
    fractions = np.random.default_rng(0).random((50, 3)) + 2
    with PathStore(fractions @ before, np.ones(50), 2, cell=before) as store:
        store.put(0, fractions @ before, before)
        store.put(1, fractions @ grown, after)
        assert store.frame(1) == pytest.approx(0.0, abs=1e-9)
        assert store.cells()[0][1] == pytest.approx(grown)
    # A cell that is twice as long has not flipped.
    assert unflipped(before * 2, before) == pytest.approx(before * 2)
