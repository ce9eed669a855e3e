"""``seireact.compile``: a packaged model to machine code for one engine and device (``seireact-compile``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.potential import PACKAGE_KINDS, PotentialData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.compile import CompileJob


class CompileCalculation(ProgramCalculation):
    """Package in, compiled model out; no training data is needed. It belongs to the device and torch of its machine.

    The cache answers for the same weights (`PotentialData` hashes no dates), parameters and code; the text of a code
    names the version of torch, so that another one is another code, and compiles anew.
    """

    PARSER = "seireact.compile"
    RETRIEVE = (files.COMPILE_LOG,)
    RETRIEVE_TEMPORARY = (files.COMPILED, files.MLIAP)
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
            help="`target` (who loads it: pair_allegro, ase, batch, mliap), `device`, `modifiers`, `tf32`, "
            "`cache_dir`.",
        )
        spec.output("compiled", valid_type=PotentialData, help="The compiled model.")

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        with self.inputs.package.open(mode="rb") as source:
            (folder / files.PACKAGE).write_bytes(source.read())
        return {**self.inputs.parameters.get_dict(), "model": files.PACKAGE}


def validate_package(package: PotentialData, _: Any) -> str | None:
    """Refuse what is no package."""
    if package.kind in PACKAGE_KINDS:
        return None
    return f"Only a package can be compiled ({', '.join(PACKAGE_KINDS)}), not a potential of kind {package.kind}."


def target_complaint(kind: str, target: str) -> str | None:
    """Return why a package of this kind is not compiled for a target, None if it is."""
    if kind == "nequip-package" and target == "pair_allegro":
        return (
            "A NequIP network passes messages beyond its cutoff, which pair_style allegro does not: compile it for the "
            "target ase, or for mliap and a LAMMPS that has it."
        )
    return None
