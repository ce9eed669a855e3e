"""``seireact.build``: a large cell from its recipe, built where it will be used (``seireact-build``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.formats.jobs.build import OutputSettings
from aiida_seireact.formats.recipe import Recipe


class BuildCalculation(ProgramCalculation):
    """A recipe in, a report out; the files of the cell stay on the computer, named by their sha256.

    The graph holds recipe and report, from which the same bytes can be made again. To keep the files where scratch is
    not purged, stash them (`metadata.options.stash`).
    """

    PARSER = "seireact.build"
    # 2: a supercell fitted to a given one keeps rows parallel; the report holds the recipe that was found.
    CACHE_VERSION = 2

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "recipe",
            valid_type=orm.Dict,
            validator=job_validator(Recipe),
            help="What is asked of the cell: phases, planes, layers, strain, gaps, disorder, seed, limits of a match, "
            "a target.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            required=False,
            validator=job_validator(OutputSettings),
            help="`outputs`: `lammps` (cell.data), `frames` (cell.npz), default both; `species`: element of each "
            "LAMMPS type, default those of the cell by atomic number.",
        )
        spec.output(
            "report",
            valid_type=orm.Dict,
            help="Number of atoms, composition, cell; file, sha256 and bytes of each output; `report`: strain of each "
            "slab, `match` and `targets` as met, and `recipe`, as asked but with what was found in place of what was "
            "to be searched for: it builds the same cell.",
        )

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        parameters = self.inputs.parameters.get_dict() if "parameters" in self.inputs else {}
        return {**parameters, "recipe": self.inputs.recipe.get_dict()}
