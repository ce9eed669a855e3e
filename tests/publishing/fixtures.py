"""One bundle for all tests of a session: written by the command of the page *Publish*. What is imported is so late."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Published:
    """A bundle, what its study was, and what the commands of the page have said. Only read it."""

    folder: Path
    pk: int
    top_uuid: str
    frame_ids: list[str]
    split: list[str]
    dataset_hash: str
    model_hash: str
    said: dict[str, str]


def page_lines() -> list[str]:
    """Return the commands of the page, in order."""
    from tests.docs._pages import DOCS, blocks

    found = [block.text for block in blocks(DOCS / "howto" / "publish.md") if block.info == "console"]
    return [line.removeprefix("$ ") for text in found for line in text.splitlines()]


@pytest.fixture(scope="session")
def six_frames() -> Any:
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


@pytest.fixture(scope="session")
def published(aiida_profile: Any, six_frames: Any, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Run the first two commands of the page: look, and write."""
    from click.testing import CliRunner

    from aiida_seireact.cli.main import cli
    from tests.publishing.graphs import finished_study

    place = tmp_path_factory.mktemp("published")
    study = finished_study(six_frames, tmp_path_factory.mktemp("study"))
    said = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for line in page_lines()[:2]:
            words = [str(study.top.pk) if word == "PK" else word for word in shlex.split(line)]
            result = CliRunner().invoke(cli, words[1:], catch_exceptions=False)
            assert result.exit_code == 0, result.output
            said[line] = result.output
            assert ("--dry-run" in line) is not (place / "bundle").exists()
    return Published(
        place / "bundle",
        int(study.top.pk),
        study.top.uuid,
        study.dataset.frames().frame_ids,
        study.dataset.column("split").tolist(),
        study.dataset.content_hash,
        study.potential.model_hash,
        said,
    )
