"""Fixtures of all tests: a temporary AiiDA profile for those that ask for one, and small frames with known labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_seireact.formats.frames import Frames

pytest_plugins = "aiida.tools.pytest_fixtures"


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
