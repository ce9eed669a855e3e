"""Settings of an import: what the source is, at which level of theory it was labelled, and what belongs together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.labels import AcceptanceSettings, level_hash

SourceFormat = Literal["extxyz", "ase-db", "vasp", "deepmd"]


class LevelOfTheory(Job):
    """Name of the level of theory of labels that were made elsewhere; labels of one name are taken for comparable."""

    name: str = Field(min_length=1, description="name, for example PBE-520eV")
    settings: dict[str, Any] = Field({}, description="what else decides the labels, for readers and for the hash")

    @property
    def settings_hash(self) -> str:
        """Hash of the level of theory, as frames carry it."""
        return level_hash({"engine": "imported", "name": self.name, "settings": self.settings})


class ImportSettings(Job):
    """How frames with labels enter from outside."""

    format: SourceFormat = Field(description="extxyz, ase-db, vasp (folders of runs) or deepmd (npy sets)")
    level: LevelOfTheory | None = Field(
        None, description="level of theory of the labels; only an extxyz that was exported here tells it itself"
    )
    config_type: str = Field("imported", min_length=1, description="config type of frames that tell none")
    grouping: Literal["run", "frame", "blocks"] = Field(
        "run",
        description="what is never split between training and test, where a frame tells no group: a run (file, folder, "
        "set of DeePMD), a frame (independent draws), or time blocks of a run",
    )
    n_blocks: int = Field(6, ge=2, description="time blocks of a run")
    gap_frames: int = Field(2, ge=0, description="frames between two blocks that are left out")
    species: tuple[str, ...] | None = Field(None, description="frames with another species are refused")
    min_distance_ang: float = Field(0.5, ge=0, description="frames with two atoms closer are refused, Å")
    acceptance: AcceptanceSettings = Field(AcceptanceSettings(), description="what a label must fulfil")
