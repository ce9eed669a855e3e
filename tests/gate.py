"""Real potentials to be judged: Gaussian processes that FLARE fits to CHGNet's labels of small cells, in seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.flare import GpSettings
from aiida_seireact.formats.sgp import save_gp
from aiida_seireact.programs._flare_gp import FlareGP
from aiida_seireact.science.reference_energies import fit_reference_energies
from aiida_seireact.science.structures.phase_cells import phase_cells

PHASES = ("Li", "Li2S", "Li3P", "Li6PS5Cl", "LiCl")
SPECIES = ["Li", "P", "S", "Cl"]
# As in the protocol fast of seireact.label: one level of theory.
CALCULATOR: dict[str, Any] = {"name": "chgnet", "kwargs": {"model_name": "0.3.0"}}
LABEL: dict[str, Any] = {"task": "label", "calculator": CALCULATOR}
PER_PHASE = 8


def labelled_frames() -> Frames:
    """Return eight rattled and strained frames of each phase with labels of CHGNet.

    By the program, in a process of its own: CHGNet does not survive what nequip does to torch in this one.
    """
    rng, images = np.random.default_rng(0), []
    for crystal in phase_cells(PHASES):
        for number in range(PER_PHASE):
            atoms = crystal.copy()
            atoms = atoms.repeat((2, 1, 1)) if len(atoms) < 6 else atoms
            atoms.set_cell(atoms.cell * (1 + rng.uniform(-0.03, 0.03)), scale_atoms=True)
            atoms.positions += rng.normal(scale=0.06, size=atoms.positions.shape)
            atoms.info = {"config_type": crystal.info["config_type"], "group": f"{crystal.symbols}-{number}"}
            images.append(atoms)
    with TemporaryDirectory() as name:
        folder = Path(name)
        Frames.from_atoms(images).save(folder / "frames.npz")
        (folder / "job.json").write_text(json.dumps({**LABEL, "frames": "frames.npz"}))
        program = Path(sys.executable).parent / "seireact-label"
        subprocess.run([program, "job.json"], cwd=folder, check=True, capture_output=True)
        return Frames.load(folder / "labelled.npz")


def dataset_of(frames: Frames) -> DatasetData:
    """Store the frames and return their dataset: of each phase six to learn from, one that chooses, one held out."""
    parts = [*["train"] * 6, "val", "test"]
    FramesData(frames).store()
    return DatasetData([frames], [np.array([parts[index % PER_PHASE] for index in range(len(frames))])]).store()


def fitted(frames: Frames, dataset: DatasetData, folder: Path, li3p_ev_per_atom: float = 0.0) -> PotentialData:
    """Return the process fitted to the training frames, the energies of Li3P shifted by so much an atom."""
    train = frames.select([index for index in range(len(frames)) if index % PER_PHASE < 6])
    images = list(train.iter_atoms())
    for atoms in images:
        if atoms.info["config_type"] == "Li3P":
            atoms.calc.results["energy"] += li3p_ev_per_atom * len(atoms)
    counts = np.array([[atoms.get_chemical_symbols().count(symbol) for symbol in SPECIES] for atoms in images])
    own, _ = fit_reference_energies(counts, np.array([atoms.get_potential_energy() for atoms in images]))
    settings = GpSettings(cutoff_ang=5.0, n_max=5, l_max=2)
    process = FlareGP(settings, SPECIES, dict(zip(SPECIES, own.tolist(), strict=True)))
    for number, atoms in enumerate(images):
        process.learn(atoms, f"{number:064d}", range(len(atoms)) if number % 2 == 0 else [])
    process.optimise()
    gp = process.export(frames.settings_hash)
    save_gp(folder / "sgp.npz", gp)
    card = {
        "kind": "sgp",
        "species": SPECIES,
        "cutoff_ang": settings.cutoff_ang,
        "model_hash": gp.content_hash,
        "dataset_hash": dataset.content_hash,
        "versions": {},
        "metrics": {},
    }
    return PotentialData(folder / "sgp.npz", card=card).store()
