"""Fixtures of all tests: a temporary AiiDA profile for those that ask for one, and small frames with known labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.descriptors import DescriptorSpec, describe
from aiida_seireact.science.sparse_gp import SparseGP

pytest_plugins = ["aiida.tools.pytest_fixtures", "tests.publishing.fixtures"]


@pytest.fixture
def labelled_atoms() -> Callable[..., list[Atoms]]:
    """Return a factory of rattled Li2S-like frames with made-up labels, different for each seed."""

    def make(count: int = 4, *, seed: int = 0, config_type: str = "Li2S") -> list[Atoms]:
        rng = np.random.default_rng(seed)
        images = []
        for index in range(count):
            atoms = bulk("Li2S", "fluorite", a=5.71)
            atoms.symbols = ["S", "Li", "Li"]
            atoms.positions += rng.normal(scale=0.05, size=(3, 3))
            atoms.info.update(config_type=config_type, group=f"{config_type}-{seed}-{index}")
            atoms.calc = SinglePointCalculator(
                atoms,
                energy=rng.normal(),
                forces=rng.normal(size=(3, 3)),
                stress=rng.normal(scale=0.01, size=6),
            )
            images.append(atoms)
        return images

    return make


@pytest.fixture
def labelled(labelled_atoms: Callable[..., list[Atoms]]) -> Callable[..., Frames]:
    """Return a factory of labelled frames."""

    def make(count: int = 4, *, settings_hash: str = "a" * 64, **kwargs: object) -> Frames:
        return Frames.from_atoms(labelled_atoms(count, **kwargs), settings_hash=settings_hash)

    return make


@pytest.fixture
def sparse_gp() -> Callable[..., SparseGP]:
    """Return a factory of Gaussian processes that know the environments of a structure, with made-up weights."""

    def make(
        known: Atoms,
        *,
        species: tuple[str, ...] = ("Li", "P", "S", "Cl"),
        n_max: int = 3,
        l_max: int = 2,
        power: int = 2,
        seed: int = 0,
        frame_ids: tuple[str, ...] = ("f" * 64,),
        settings_hash: str = "a" * 64,
    ) -> SparseGP:
        rng = np.random.default_rng(seed)
        sigma, jitter = 1.5, 1e-8
        descriptors, alpha, inverse_cholesky = [], [], []
        for symbol in species:
            spec = DescriptorSpec(species=species, cutoff_ang=4.5, n_max=n_max, l_max=l_max, centre=symbol)
            rows = np.zeros((0, spec.n_features))
            if symbol in known.get_chemical_symbols():
                rows, _ = describe(known.positions, known.numbers, known.cell.array, known.pbc, spec)
            rows = rows.astype(np.float64)
            rows /= np.linalg.norm(rows, axis=1)[:, None]
            kernel = sigma**2 * (rows @ rows.T) ** power + jitter * np.eye(len(rows))
            descriptors.append(rows)
            alpha.append(rng.normal(size=len(rows)))
            inverse_cholesky.append(np.linalg.inv(np.linalg.cholesky(kernel)))
        n_atoms = sum(len(rows) for rows in descriptors)
        return SparseGP(
            species=species,
            cutoff_ang=4.5,
            n_max=n_max,
            l_max=l_max,
            power=power,
            sigma=sigma,
            noises=(0.5, 0.1, 0.005),
            jitter=jitter,
            energies_ev=-np.arange(1.0, len(species) + 1),
            descriptors=tuple(descriptors),
            alpha=tuple(alpha),
            inverse_cholesky=tuple(inverse_cholesky),
            frame_ids=frame_ids,
            sparse_atoms=(tuple(range(n_atoms)), *[()] * (len(frame_ids) - 1)),
            settings_hash=settings_hash,
        )

    return make


@pytest.fixture(scope="session")
def gp_that_knows() -> Callable[..., SparseGP]:
    """Return a factory of processes that know the environments of some atoms, and predict no energy."""

    def make(images: list[Atoms], species: tuple[str, ...], *, power: int = 2) -> SparseGP:
        shape = {"cutoff_ang": 4.0, "n_max": 3, "l_max": 2}
        rows, alpha, inverse = [], [], []
        for symbol in species:
            spec = DescriptorSpec(species=species, centre=symbol, **shape)
            found = [
                describe(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec)[0].astype(float)
                for atoms in images
                if symbol in atoms.get_chemical_symbols()
            ]
            points = np.concatenate([*found, np.zeros((0, spec.n_features))])
            points /= np.linalg.norm(points, axis=1, keepdims=True)
            kernel = (points @ points.T) ** power + 1e-6 * np.eye(len(points))
            rows.append(points)
            alpha.append(np.zeros(len(points)))
            inverse.append(np.linalg.inv(np.linalg.cholesky(kernel)))
        return SparseGP(
            species=species,
            **shape,
            power=power,
            sigma=1.0,
            noises=(0.1, 0.1, 0.1),
            jitter=1e-6,
            energies_ev=np.zeros(len(species)),
            descriptors=tuple(rows),
            alpha=tuple(alpha),
            inverse_cholesky=tuple(inverse),
            frame_ids=("all",),
            sparse_atoms=(tuple(range(sum(len(part) for part in alpha))),),
            settings_hash="a" * 64,
        )

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run the real nequip once a session: 3 epochs on 10 frames, and its test stage on two config types."""
    from aiida_seireact.formats.jobs.train import TrainJob
    from aiida_seireact.programs import train
    from tests.programs.conftest import TRAIN_JOB, Trained, labelled_frames

    folder = tmp_path_factory.mktemp("trained")
    frames = labelled_frames(15)
    frames.select(range(10)).to_extxyz(folder / "train.extxyz")
    frames.select([10, 11]).to_extxyz(folder / "val.extxyz")
    frames.select([12, 13]).to_extxyz(folder / "a.extxyz")
    frames.select([14]).save(folder / "b.npz")
    job = TrainJob.model_validate({**TRAIN_JOB, "test": {"a": "a.extxyz", "b": "b.npz"}})
    progress: list[str] = []
    return Trained(folder, job, train.run(job, folder, progress.append), progress)


@pytest.fixture(scope="session")
def compiled(trained: Any) -> dict[str, Any]:
    """Compile the session's model; returns the outputs of ``seireact-compile``."""
    from aiida_seireact.formats.jobs.compile import CompileJob
    from aiida_seireact.programs import compile as compile_program

    job = CompileJob(cache_dir=str(trained.folder / "inductor"))
    return compile_program.run(job, trained.folder, lambda line: None)


@pytest.fixture(scope="session")
def pair_style(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Build ``pair_style allegro`` once a session, from scratch."""
    from aiida_seireact.programs import pair_style

    return pair_style.build(tmp_path_factory.mktemp("pair_style"), progress=lambda line: None)
