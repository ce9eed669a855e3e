"""Make the run of *Find a new phase*: phosphorus and chlorine spread through Li2S beside lithium metal.

Run ``python mixing_run.py [FOLDER]``. No simulation: atoms sit on their sites with Gaussian displacements of 0.12 Å,
and from frame to frame some P and Cl change places with S, until the mixture is random. So the truth is known.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal

from aiida_seireact.formats.frames import Frames

N_FRAMES, RATTLE_ANG = 7, 0.12
A_LI2S, A_LICL, A_LI = 5.71, 5.13, 3.42


def antifluorite(repeat: tuple[int, int, int]) -> Atoms:
    """Return Li2S, its S first."""
    sites = [(0, 0, 0), (0.25, 0.25, 0.25)]
    return crystal(["S", "Li"], sites, spacegroup=225, cellpar=[A_LI2S] * 3 + [90] * 3).repeat(repeat)


def li3p(repeat: tuple[int, int, int]) -> Atoms:
    """Return hexagonal Li3P."""
    sites = [(0, 0, 0.25), (1 / 3, 2 / 3, 0.583), (1 / 3, 2 / 3, 0.25)]
    cell = [4.27, 4.27, 7.59, 90, 90, 120]
    return crystal(["Li", "Li", "P"], sites, spacegroup=194, cellpar=cell).repeat(repeat)


def crystals() -> dict[str, Atoms]:
    """Return the known phases."""
    return {
        "Li": bulk("Li", "bcc", a=A_LI, cubic=True).repeat(6),
        "Li2S": antifluorite((4, 4, 4)),
        "LiCl": bulk("LiCl", "rocksalt", a=A_LICL, cubic=True).repeat(5),
        "Li3P": li3p((5, 5, 3)),
    }


def run(seed: int = 1) -> list[Atoms]:
    """Return the frames of the run."""
    rng = np.random.default_rng(seed)
    salt = antifluorite((3, 3, 7))
    anions = np.flatnonzero(salt.numbers == 16)
    n_guests = round(0.14 * len(anions))
    # At first all guests are at one end.
    guests = rng.permutation(anions[np.argsort(salt.positions[anions, 2], kind="stable")][: 2 * n_guests])
    salt.symbols[guests[:n_guests]] = "P"
    salt.symbols[guests[n_guests:]] = "Cl"
    width, length = salt.cell[0, 0], salt.cell[2, 2]
    # Five cells of lithium are as wide as three of Li2S.
    metal = bulk("Li", "bcc", a=A_LI, cubic=True).repeat((5, 5, 12))
    metal.set_cell([width, width, 12 * A_LI], scale_atoms=True)
    gap = 1.5
    metal.positions[:, 2] += length + gap
    frames = []
    for number in range(N_FRAMES):
        if number:
            _mix(salt, anions, rng, share=0.25 if number < N_FRAMES - 3 else 1.0)
        frame = salt + metal
        frame.set_cell([width, width, length + 12 * A_LI + 2 * gap])
        frame.pbc = True
        frame.positions += rng.normal(scale=RATTLE_ANG, size=frame.positions.shape)
        frame.info["md_step"] = 1000 * number
        frames.append(frame)
    return frames


def _mix(salt: Atoms, anions: np.ndarray, rng: np.random.Generator, share: float) -> None:
    """Shuffle the elements over a share of the anion sites."""
    some = rng.choice(anions, round(share * len(anions)), replace=False)
    salt.numbers[some] = rng.permutation(salt.numbers[some])


def warm(atoms: Atoms, n_frames: int, seed: int) -> list[Atoms]:
    """Return frames of a crystal with thermal displacements."""
    rng = np.random.default_rng(seed)
    frames = [atoms.copy() for _ in range(n_frames)]
    for frame in frames:
        frame.positions += rng.normal(scale=RATTLE_ANG, size=frame.positions.shape)
    return frames


def main(folder: Path) -> None:
    """Write ``run.npz`` and a frames file for each known phase into ``references``."""
    (folder / "references").mkdir(parents=True, exist_ok=True)
    Frames.from_atoms(run()).save(folder / "run.npz")
    for number, (name, atoms) in enumerate(crystals().items()):
        Frames.from_atoms(warm(atoms, 3, 100 + number)).save(folder / "references" / f"{name}.npz")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
