from __future__ import annotations

from typing import Any

import pytest

from .graphs import Finished, finished_study


@pytest.fixture(scope="module")
def study(aiida_profile: Any, tmp_path_factory: pytest.TempPathFactory, module_frames: Any) -> Finished:
    """Return a finished study. Only read it."""
    return finished_study(module_frames, tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def module_frames() -> Any:
    """Return six labelled frames, made of nothing."""
    import numpy as np
    from ase.build import bulk
    from ase.calculators.singlepoint import SinglePointCalculator

    from aiida_seireact.formats.frames import Frames

    rng = np.random.default_rng(7)
    images = []
    for index in range(6):
        atoms = bulk("Li2S", "fluorite", a=5.71)
        atoms.symbols = ["S", "Li", "Li"]
        atoms.positions += rng.normal(scale=0.05, size=(3, 3))
        atoms.info.update(config_type="Li2S", group=f"Li2S-{index}")
        labels = {"energy": rng.normal(), "forces": rng.normal(size=(3, 3)), "stress": rng.normal(size=6)}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        images.append(atoms)
    return Frames.from_atoms(images, settings_hash="a" * 64)
