"""One tiny model a test session: trained on a dozen Lennard-Jones frames, packaged, compiled for pair_allegro."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from click import Command
from click.testing import CliRunner

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import Job

SPECIES = ["Li", "P", "S", "Cl"]


def crystal(repeat: tuple[int, int, int] = (2, 2, 1)) -> Atoms:
    """An fcc crystal of four species, a = 3.9 Å, near the minimum of the Lennard-Jones model below."""
    atoms = bulk("Ar", "fcc", a=3.9, cubic=True) * repeat
    atoms.set_chemical_symbols([SPECIES[index % 4] for index in range(len(atoms))])
    return atoms


def labelled_frames(n_frames: int) -> Frames:
    """Strained and rattled crystals with the energy, forces and stress of Lennard-Jones."""
    rng = np.random.default_rng(0)
    images = []
    for _ in range(n_frames):
        atoms = crystal()
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, 0.03, (3, 3))), scale_atoms=True)
        atoms.rattle(0.12, rng=rng)
        atoms.calc = LennardJones(sigma=2.45, epsilon=0.2, rc=4.5, smooth=True)
        atoms.get_potential_energy(), atoms.get_stress()
        images.append(atoms)
    return Frames.from_atoms(images, labels="required")


def write_job(folder: Path, job: dict[str, Any]) -> Path:
    """Write ``job.json`` into ``folder``."""
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    return path


def read_result(folder: Path) -> dict[str, Any]:
    """Return the content of ``result.json``."""
    content: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return content


def write_dump(path: Path, images: list[Atoms], columns: str = "id element xu yu zu") -> None:
    """Write a LAMMPS text dump, a frame every 50 steps."""
    parts = []
    for number, atoms in enumerate(images):
        parts.append(f"ITEM: TIMESTEP\n{number * 50}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\nITEM: BOX BOUNDS pp pp pp\n")
        parts += [f"0.0 {length:.10f}\n" for length in atoms.cell.lengths()]
        parts.append(f"ITEM: ATOMS {columns}\n")
        for index, (symbol, place) in enumerate(zip(atoms.symbols, atoms.positions, strict=True), start=1):
            parts.append(f"{index} {symbol} {place[0]:.8f} {place[1]:.8f} {place[2]:.8f}\n")
    path.write_text("".join(parts))


def call(program: Command, folder: Path, job: dict[str, Any]) -> tuple[int, dict[str, Any], str]:
    """Run the command of a program in ``folder``; return exit status, result and progress."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("job.json").write_text(json.dumps(job))
        outcome = CliRunner().invoke(program, ["job.json"])
        return outcome.exit_code, json.loads(Path("result.json").read_text()), outcome.output


@dataclass(frozen=True)
class Trained:
    """What ``seireact-train`` and ``seireact-compile`` left: folder, job and outputs of the first."""

    folder: Path
    job: Job
    outputs: dict[str, Any]
    progress: list[str]

    @property
    def package(self) -> Path:
        """The package."""
        return self.folder / "model.nequip.zip"

    @property
    def compiled(self) -> Path:
        """The model compiled for pair_allegro."""
        return self.folder / "model.nequip.pt2"


TRAIN_JOB: dict[str, Any] = {
    "species": SPECIES,
    "shifts": dict.fromkeys(SPECIES, -1.0),
    "settings": {"max_epochs": 3, "ema_decay": 0.5},
}
