"""Paths on disk: what is put frame by frame comes back atom by atom, from other processes too."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

from aiida_seireact.formats.path_store import PathStore

N_FRAMES, N_ATOMS = 7, 11
RNG = np.random.default_rng(0)
PATHS = 100 + np.cumsum(RNG.normal(size=(N_FRAMES, N_ATOMS, 3)), axis=0)
MASSES = RNG.uniform(1, 40, N_ATOMS)
CELL = np.diag([3.0, 4.0, 5.0])


def stored(block_bytes: int = 3 * 12 * N_FRAMES) -> PathStore:
    """Three atoms a block, so that the last block is smaller."""
    return PathStore(PATHS[0], MASSES, N_FRAMES, block_bytes=block_bytes)


@pytest.mark.parametrize("block_bytes", [1, 3 * 12 * N_FRAMES, 1 << 20])
def test_paths_drift_cells_and_labels_come_back(block_bytes: int) -> None:
    with stored(block_bytes) as store:
        for number in reversed(range(N_FRAMES)):
            labels = None if number == 2 else np.arange(N_ATOMS) % 3 - 1
            store.put(number, PATHS[number], CELL * (1 + number), [number, 0, 0], labels)
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
        cells, origins = store.cells()
        assert cells[3] == pytest.approx(CELL * 4)
        assert origins[:, 0].tolist() == list(range(N_FRAMES))
        assert store.labels(1).tolist() == (np.arange(N_ATOMS) % 3 - 1).tolist()
        assert store.labels(2).tolist() == [-1] * N_ATOMS


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
