"""Runs as lines see them: of the labeller's frames, whose positions may be wrapped, the paths of atoms are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.validate import RunFiles
from aiida_seireact.programs._runs_seen import followed, read_run
from aiida_seireact.science.validation.diffusion import tracer_diffusion

CELL = np.array([[9.0, 0.0, 0.0], [4.0, 8.0, 0.0], [0.0, 1.0, 10.0]])


def paths(n_frames: int = 400, scale: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.cumsum(rng.normal(scale=scale, size=(n_frames, 20, 3)), axis=0) + 4.0


def wrapped(places: np.ndarray) -> np.ndarray:
    return (places @ np.linalg.inv(CELL) % 1.0) @ CELL


def test_atoms_are_followed_across_the_faces() -> None:
    places = paths()
    cells, pbc = np.repeat(CELL[None], len(places), axis=0), np.ones(3, dtype=bool)
    found, sure = followed(wrapped(places), cells, pbc)
    assert sure
    np.testing.assert_allclose(found - found[0], places - places[0], atol=1e-9)
    assert np.abs(wrapped(places) - wrapped(places)[0]).max() < np.abs(places - places[0]).max()
    assert not followed(wrapped(paths(scale=1.5)), cells, pbc)[1]


@pytest.mark.parametrize(("by", "unwrapped"), [("labeller", True), ("model", False)])
def test_frames_of_the_labeller_show_diffusion(by: str, unwrapped: bool, tmp_path: Path) -> None:
    places = paths()
    images = []
    for step, positions in enumerate(wrapped(places)):
        atoms = Atoms("Li20", positions=positions, cell=CELL, pbc=True)
        atoms.info["md_step"] = 50 * (step + 1)
        images.append(atoms)
    Frames.from_atoms(images).save(tmp_path / "run.npz")
    run = read_run(
        "md",
        RunFiles(files=("run.npz",), by=by, timestep_fs=2.0, temperature_k=600.0),
        tmp_path,  # type: ignore[arg-type]
    )
    assert (run.unwrapped, run.steps[0], run.steps[-1]) == (unwrapped, 50, 20000)
    if unwrapped:
        found = tracer_diffusion(run.positions, run.times_ps, species=np.ones(20, dtype=bool))
        assert found.d_ang2_per_ps == pytest.approx(0.3**2 / 2 / 0.1, rel=0.2)
