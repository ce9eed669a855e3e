"""``seireact.compile``: a packaged model to machine code for one engine and device (``seireact-compile``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.compile import CompileJob


class CompileCalculation(ProgramCalculation):
    """Package in, compiled model out. It belongs to the device and torch version of its machine."""

    PARSER = "seireact.compile"
    RETRIEVE = (files.COMPILE_LOG,)
    RETRIEVE_TEMPORARY = (files.COMPILED,)
    CACHE_VERSION = 1

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input("package", valid_type=PotentialData, validator=validate_package, help="The packaged model.")
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            default=lambda: orm.Dict({"target": "pair_allegro", "device": "cpu"}),
            validator=job_validator(CompileJob, model=files.PACKAGE),
            help="`target` (who loads it), `device`, `modifiers`, `tf32`, `cache_dir`.",
        )
        spec.output("compiled", valid_type=PotentialData, help="The compiled model.")

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        with self.inputs.package.open(mode="rb") as source:
            (folder / files.PACKAGE).write_bytes(source.read())
        return {**self.inputs.parameters.get_dict(), "model": files.PACKAGE}


def validate_package(package: PotentialData, _: Any) -> str | None:
    """Refuse what is no package."""
    return (
        None if package.kind == "allegro-package" else f"Only an allegro-package can be compiled, not {package.kind}."
    )
