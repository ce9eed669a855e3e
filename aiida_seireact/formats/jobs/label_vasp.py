"""Settings of labels by VASP: INCAR, POTCARs, k-meshes by kind of cell, isolated atoms, what a label must fulfil."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols, ground_state_magnetic_moments
from numpy.typing import ArrayLike
from pydantic import Field, field_validator, model_validator

from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.kmesh import KMeshRule, check_last_rule
from aiida_seireact.formats.labels import AcceptanceSettings
from aiida_seireact.science.kmesh import mesh_of_length

Tag = bool | int | float | str
Incar = dict[str, Tag]
Mesh = tuple[int, int, int]

# Without these a label would hang on the defaults of a VASP version or on the largest ENMAX in a cell.
NEEDED_TAGS = ("gga", "encut", "prec", "ediff", "ismear", "sigma", "ispin", "isym")
# What makes a single point of each frame; no override may change them.
FIXED_TAGS: dict[str, Tag] = {"nsw": 0, "ibrion": -1}
# They divide the work, not change the result: no part of the level of theory.
PARALLEL_TAGS = frozenset(("ncore", "npar", "kpar", "nsim", "lplane", "lscalapack", "lscalu"))
# How the ground state is looked for, not which it is: what the handlers of aiida-vasp may change on the way.
SOLVER_TAGS = frozenset(("algo", "ialgo", "nelm", "nelmin", "amix", "bmix", "amin", "istart", "icharg", "nbands"))


class VaspSettings(Job):
    """One level of theory; what decides a label, and nothing else, enters the hash of the settings (`identity`)."""

    incar: Incar = Field(description="the whole INCAR, tags in small letters")
    isolated_atom_incar: Incar = Field(
        {}, description="laid over it for frames of type isolated_atom, beside Γ only and the moment of the free atom"
    )
    kmesh: list[KMeshRule] = Field(min_length=1, description="the first that fits a cell is taken")
    potential_family: str = Field(min_length=1, description="name of the POTCAR family in this profile")
    potential_mapping: dict[str, str] = Field(min_length=1, description="POTCAR of each element, as Li: Li_sv")
    parallel: Incar = Field({}, description="tags that divide the work: ncore, kpar, ...")
    max_runs: int = Field(5, ge=1, description="runs of VASP for one frame, with what the handlers change")
    acceptance: AcceptanceSettings = Field(AcceptanceSettings(), description="what a label must fulfil")

    @field_validator("incar", "isolated_atom_incar", "parallel")
    @classmethod
    def _small_letters(cls, tags: Incar) -> Incar:
        if wrong := [tag for tag in tags if tag != tag.lower()]:
            raise ValueError(f"tags are written in small letters: {', '.join(wrong)}")
        return tags

    @field_validator("kmesh")
    @classmethod
    def _last_rule_fits_any(cls, rules: list[KMeshRule]) -> list[KMeshRule]:
        return check_last_rule(rules)

    @field_validator("potential_mapping")
    @classmethod
    def _elements_exist(cls, mapping: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(mapping) - set(chemical_symbols[1:])):
            raise ValueError(f"no elements: {', '.join(unknown)}")
        return mapping

    @model_validator(mode="after")
    def _is_a_whole_single_point(self) -> VaspSettings:
        if missing := [tag for tag in NEEDED_TAGS if tag not in self.incar]:
            raise ValueError(f"incar lacks {', '.join(missing)}: a label must not hang on the defaults of VASP")
        for tags in (self.incar, self.isolated_atom_incar):
            if moved := [tag for tag, value in FIXED_TAGS.items() if tags.get(tag, value) != value]:
                raise ValueError(f"a label is a single point: nsw is 0 and ibrion -1, not {tags[moved[0]]}")
            if parallel := sorted(PARALLEL_TAGS & set(tags)):
                raise ValueError(f"{', '.join(parallel)} divides the work and changes no label: move it to parallel")
            if "pstress" in tags:
                raise ValueError("pstress adds p·V to the energy, which is then none of the forces: leave it out")
            if "magmom" in tags:
                raise ValueError("magmom belongs to one cell only: VASP's own first guess is used")
        if foreign := sorted(set(self.parallel) - PARALLEL_TAGS):
            raise ValueError(f"parallel may hold {', '.join(sorted(PARALLEL_TAGS))}, not {', '.join(foreign)}")
        if int(self.incar["isym"]) > 0:
            raise ValueError("isym must be 0 or -1: a frame of MD has no symmetry, and must not be given one")
        if self.acceptance.stress and int(self.incar.get("isif", 2)) < 2:
            raise ValueError("isif below 2 gives no stress: set it to 2, or acceptance.stress to false")
        return self

    def mesh(self, numbers: ArrayLike, cell: ArrayLike, pbc: ArrayLike, *, isolated: bool = False) -> Mesh:
        """Return the divisions of the Γ-centred mesh of a cell.

        It follows from the cell alone, never from its config type, so that one structure has one label.

        :param numbers: ``(n_atoms,)`` atomic numbers.
        :param cell: ``(3, 3)`` Å.
        :param pbc: ``(3,)``.
        """
        if isolated:
            return 1, 1, 1
        symbols = [chemical_symbols[number] for number in np.asarray(numbers).tolist()]
        rule = next(rule for rule in self.kmesh if rule.fits(symbols))
        return mesh_of_length(cell, rule.length_ang, pbc)

    def tags(self, element: str | None = None) -> Incar:
        """Return the INCAR of a cell, or of an isolated atom of ``element``.

        An atom starts from the moment of its ground state (Hund's rules, as tabled in ASE): from VASP's 1 μB, P may
        stay in a doublet.
        """
        tags = {**FIXED_TAGS, **self.incar, **self.parallel}
        if element is None:
            return tags
        moment = float(ground_state_magnetic_moments[atomic_numbers[element]])
        return {**tags, "ispin": 2, **self.isolated_atom_incar, "magmom": f"{moment:g}"}

    def identity(self, version: str, potentials: Mapping[str, str]) -> dict[str, Any]:
        """Return all that decides a label.

        :param version: of VASP, as it tells itself.
        :param potentials: sha512 of the POTCAR of each element of the mapping, never its text.
        """
        return {
            "engine": "seireact.label.vasp",
            "program": "vasp",
            "version": version,
            "incar": {**FIXED_TAGS, **self.incar},
            "isolated_atom": {"mesh": [1, 1, 1], "moment": "ground state", "incar": self.isolated_atom_incar},
            "kmesh": [rule.model_dump(mode="json") for rule in self.kmesh],
            "potentials": dict(sorted(potentials.items())),
        }


def deviations(asked: Mapping[str, Any], used: Mapping[str, Any]) -> dict[str, str]:
    """Return what a final INCAR has otherwise than asked, as one phrase a tag."""
    return {
        tag: f"{tag.upper()} = {used.get(tag, 'none')} (asked: {asked.get(tag, 'none')})"
        for tag in sorted(set(asked) | set(used))
        if asked.get(tag) != used.get(tag)
    }
