"""``seireact.curate``: which frames of a set stay, however large it is (``seireact-curate``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.curate import CurateJob
from aiida_seireact.formats.manifest_rows import SPLITS


class CurateCalculation(ProgramCalculation):
    """A dataset or shard in; what becomes of each frame out.

    The frames are found through the dataset by their content hash, so the job has one link however many shards there
    are, and the links of the dataset reach each of them.
    """

    PARSER = "seireact.curate"
    RETRIEVE_TEMPORARY = (files.CURATION,)
    CACHE_VERSION = 1

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input("frames", valid_type=(FramesData, DatasetData), help="A dataset, or a shard of frames.")
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(CurateJob, frames=[files.FRAMES]),
            help="What is done, in this order: `filter`, `unique`, `thin`, each with its settings: see "
            "`seireact-curate --help`.",
        )
        spec.output(
            "verdicts",
            valid_type=orm.ArrayData,
            help="A row for every frame: `frame_id`, `config_type`, `rule` (empty for those that stay), `because_of`.",
        )
        spec.output("report", valid_type=orm.Dict, help="How many stay, how many left by which rule, who is unusual.")

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        job: dict[str, Any] = self.inputs.parameters.get_dict()
        frames = self.inputs.frames
        if isinstance(frames, FramesData):
            frames.frames.save(folder / files.FRAMES)
            return {**job, "frames": [files.FRAMES]}
        parts, shards = frames.parts(), frames.shards()
        names: dict[str, list[str]] = {}
        for number, part in enumerate(parts):
            # Let go of each shard when it is written: together they may be larger than memory.
            shard = shards.pop(0)
            for split in SPLITS:
                rows = part.rows["row"][part.rows["split"] == split.encode()]
                if len(rows):
                    name = f"{split}_{number:04d}.npz"
                    shard.frames.select(rows).save(folder / name)
                    names.setdefault(split, []).append(name)
        return {**job, "frames": names}
