"""The job file of ``seireact-compile``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.base import Job


class CompileJob(Job):
    """Which package to compile, for whom."""

    model: str = Field(files.PACKAGE, description="package to compile")
    target: Literal["pair_allegro", "ase", "batch", "mliap"] = Field(
        "pair_allegro", description="who will load it; mliap: `pair_style mliap unified` of a LAMMPS with Python"
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where it will run")
    modifiers: list[str] = Field(
        [],
        description="accelerations on a GPU: enable_TritonContracter; for mliap enable_CuEquivarianceContracter",
    )
    tf32: bool = Field(False, description="allow TF32 on a GPU; not where the stress matters")
    cache_dir: str | None = Field(None, description="folder kept between jobs; saves a fifth for a small network")
