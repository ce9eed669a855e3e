"""The recipe of a cell: everything that decides it, as JSON or YAML. A recipe and a version of ours give one cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, field_validator, model_validator
from pymatgen.core.structure import Structure

from aiida_seireact.formats.jobs.base import InvalidInput, Job, readable
from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.cut import BONDS, Bond, cut_unit
from aiida_seireact.science.structures.fill import drawn, with_occupancies
from aiida_seireact.science.structures.fitting import TWIST_GAIN
from aiida_seireact.science.structures.orient import Unit, oriented_unit
from aiida_seireact.science.structures.plan import MEAN, CellPlan, plan_cell
from aiida_seireact.science.structures.resolve import Asked, Goal, MatchRule, resolve
from aiida_seireact.science.structures.slab import SlabSpec

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Natural = Annotated[int, Field(ge=1)]
Triple = tuple[int, int, int]
Matrix = tuple[tuple[int, int], tuple[int, int]]


class PhaseRecipe(Job):
    """A crystal: one of the library, or a CIF."""

    name: str | None = Field(None, description="name in the library (`science.structures.library.names()`)")
    cif: str | None = Field(None, description="text of a CIF, instead of a name")
    lattice: dict[str, Positive] = Field(
        default_factory=dict, description="lattice parameters in Å and degrees that replace the library's"
    )
    occupancies: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="by label of a site, occupancies by element that replace the crystal's"
    )
    charges: dict[str, Finite] = Field(
        default_factory=dict, description="nominal charge of an element, e, where the crystal has none or another"
    )
    min_distance_ang: Positive = Field(2.0, description="sites nearer than this are never both filled")

    @model_validator(mode="after")
    def _is_one(self) -> PhaseRecipe:
        if (self.name is None) == (self.cif is None):
            raise ValueError("a phase is told by name or by cif: give one of them")
        if self.cif is not None and self.lattice:
            raise ValueError("a CIF has a lattice of its own: change it there, or give the name of a library phase")
        return self

    @field_validator("occupancies")
    @classmethod
    def _sites_hold_one_atom(cls, occupancies: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for label, shares in occupancies.items():
            if any(not 0 <= share <= 1 for share in shares.values()) or sum(shares.values()) > 1 + 1e-8:
                told = ", ".join(f"{symbol} {share:g}" for symbol, share in shares.items())
                raise ValueError(
                    f"the shares of {label} ({told}) are not those of one site: each lies between 0 and 1, they add up "
                    "to 1 at most, and what is missing is empty"
                )
        return occupancies

    def structure(self) -> Structure:
        """Return the conventional cell, disordered where the phase is, with the charges given.

        :raises ValueError: unknown phase, unreadable CIF, a label or an element that is not there.
        """
        crystal = library.structure(self.name, **self.lattice) if self.name else library.from_cif(self.cif or "")
        return with_occupancies(crystal, self.occupancies, self.charges)


class SlabRecipe(Job):
    """One slab of the stack."""

    phase: str = Field(description="key in phases")
    hkl: Triple | None = Field(None, description="plane of the conventional cell that z is normal to")
    vectors: tuple[Triple, Triple, Triple] | None = Field(
        None,
        description="instead of hkl: two vectors in the plane and one out of it, in those of the conventional cell",
    )
    matrix: Matrix | None = Field(
        None, description="in-plane supercell in the smallest vectors of the plane; null: in_plane, or by match"
    )
    in_plane: tuple[tuple[Finite, Finite, Finite], tuple[Finite, Finite, Finite]] | None = Field(
        None, description="in-plane vectors in those of the conventional cell, such as [0, 3, 0] and [0, 0, 6]"
    )
    layers: Natural | None = Field(None, description="number of smallest repeats along the normal")
    cells: Positive | None = Field(None, description="instead: heights of the conventional cell")
    thickness_ang: Positive | None = Field(None, description="instead: thickness in Å, met by the nearest whole layers")
    cut: float | Literal["auto"] = Field(
        "auto",
        description="height of the lower face in fractions of a layer; auto: splits no molecule, nonpolar if any",
    )
    shift: tuple[float, float] = Field((0.0, 0.0), description="in-plane displacement, fractions of the cell")
    keep_volume: bool = Field(True, description="layers move so that a strained slab keeps its volume")

    @model_validator(mode="after")
    def _is_told_once(self) -> SlabRecipe:
        if (self.hkl is None) == (self.vectors is None):
            raise ValueError("a slab is cut by hkl or by vectors: give one of them")
        if self.matrix is not None and self.in_plane is not None:
            raise ValueError("matrix and in_plane both tell the supercell: give one of them")
        if self.matrix is not None:
            (a, b), (c, d) = self.matrix
            if a * d == b * c:
                raise ValueError(
                    f"the rows of matrix {[[a, b], [c, d]]} are parallel and span no plane: give two that are not, as "
                    "[[1, 0], [0, 1]]"
                )
        if self.in_plane is not None:
            first, second = self.in_plane
            if not any(abs(x) > 1e-9 for x in np.cross(first, second)):
                raise ValueError(
                    f"the in-plane vectors {list(first)} and {list(second)} are parallel and span no plane: give two "
                    "that are not"
                )
        if sum(x is not None for x in (self.layers, self.cells, self.thickness_ang)) > 1:
            raise ValueError("layers, cells and thickness_ang all tell the height: give one of them")
        return self


class MatchRecipe(Job):
    """How the in-plane supercells of two phases are found where no slab tells its own."""

    max_strain: Positive = Field(0.05, description="largest principal strain, all of it on one side")
    max_area_ang2: Positive = Field(400.0, description="largest area")
    choose: Literal["area", "strain"] | Natural = Field(
        "area", description="area: the smallest; strain: the least strained; n: row n of `build match`"
    )
    repeat: tuple[Natural, Natural] = Field((1, 1), description="repetitions of the match in plane")
    twist_gain: float = Field(
        TWIST_GAIN, ge=0, description="on a given supercell rows stay parallel, unless a twist strains so much less"
    )
    max_row_angle_deg: float | None = Field(
        None, ge=0, description="largest angle between the nearest rows of the two planes; null: any"
    )


class TargetRecipe(Job):
    """What is wanted of a stack; met by the nearest whole layers, with the residuals told."""

    metal: str = Field(description="phase whose atoms are counted")
    electrolyte: str = Field(description="phase whose formula units are counted")
    metal_per_formula_unit: Positive = Field(description="atoms of the metal for each formula unit of the electrolyte")
    n_atoms: Natural | None = Field(None, description="of the whole cell; decides the layers where no slab does")


class BoundaryFacts(Job):
    """Which grain boundary a recipe came of. It names the cell and decides nothing in it."""

    axis: Triple = Field(description="lattice direction that the upper grain is turned about")
    sigma: Natural = Field(description="cells of the crystal in one of the coincidence lattice")
    angle_deg: Finite = Field(description="by how much the upper grain is turned")
    kind: Literal["twist", "tilt", "mixed"] = Field(description="how the axis lies to the plane")
    plane: Triple = Field(description="of the lower grain")
    strain: Finite = Field(description="largest principal strain if one grain takes all")
    closest: Positive | None = Field(
        None, description="fraction of the shortest distances in the crystal that gave the gaps; null: they were told"
    )


class Recipe(Job):
    """A stack of slabs along z, periodic in all directions.

    Two slabs make A|B|A with both boundaries, one with a wide gap a free slab, two of one phase a grain boundary.
    """

    phases: dict[str, PhaseRecipe] = Field(min_length=1, description="crystals by a name of your own")
    slabs: tuple[SlabRecipe, ...] = Field(min_length=1, description="from below")
    gaps_ang: float | tuple[float, ...] = Field(
        2.0, description="between outermost atoms, above each slab; the last across the cell's boundary; or one for all"
    )
    lattice_of: str = Field(MEAN, description="phase whose in-plane lattice rules; mean: all are strained alike")
    centred: str | None = Field(None, description="phase in the middle of the cell along z; null: from z = 0 on")
    match: MatchRecipe = Field(
        default_factory=lambda: MatchRecipe(),
        description="how in-plane supercells are found where no slab tells its own",
    )
    target: TargetRecipe | None = Field(None, description="ratio and number of atoms that decide layers left open")
    bonds: tuple[Bond, ...] = Field(BONDS, description="elements and Å: bonds that no cut may break")
    seed: int = Field(0, ge=0, description="of all that is drawn")
    boundary: BoundaryFacts | None = Field(
        None, description="which grain boundary it is, as `build boundary` writes it; no atom depends on it"
    )
    config_type: str = Field("interface", min_length=1, description="config type of the frame")

    @field_validator("gaps_ang")
    @classmethod
    def _gaps_are_distances(cls, gaps: float | tuple[float, ...]) -> float | tuple[float, ...]:
        for gap in gaps if isinstance(gaps, tuple) else (gaps,):
            if not 0 < gap < np.inf:
                raise ValueError(
                    f"a gap is a distance between atoms, above 0 Å, not {gap:g}: 2.0 is usual, 15 a vacuum"
                )
        return gaps

    @model_validator(mode="after")
    def _names_are_known(self) -> Recipe:
        known = ", ".join(self.phases)
        named = [slab.phase for slab in self.slabs]
        if self.target:
            named += [self.target.metal, self.target.electrolyte]
        for name in named:
            if name not in self.phases:
                raise ValueError(f"phase {name!r} is not among the phases: they are {known}")
        return self

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Recipe:
        """Validate a recipe.

        :raises InvalidInput: keys that don't fit, each in words.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise InvalidInput(f"The recipe: {readable(error)}.") from error

    def content(self) -> dict[str, Any]:
        """Return the recipe as a node holds it: every choice written out, defaults included.

        The defaults of `match` are left out where each slab tells its supercell: nobody asked for them, and they decide
        nothing.
        """
        told = all(slab.matrix is not None or slab.in_plane is not None for slab in self.slabs)
        return self.model_dump(mode="json", exclude={"match"} if told and self.match == MatchRecipe() else None)

    def units(self) -> list[Unit]:
        """Return one layer of each slab, cut where it is to end."""
        made: dict[str, Structure] = {}
        units = []
        for slab in self.slabs:
            crystal = made.setdefault(slab.phase, self.phases[slab.phase].structure())
            units.append(cut_unit(oriented_unit(crystal, slab.hkl, vectors=slab.vectors), slab.cut, self.bonds))
        return units

    def plan(self) -> CellPlan:
        """Plan the cell: find supercells and layers that are not told, and count.

        The report holds what was found twice: in words of the science (``match``, ``targets``, ``slabs``), and as
        ``recipe``, from which the same cell is built without a search.

        :raises ValueError: in a sentence, what can't be and the nearest that can.
        """
        units = self.units()
        asked = [
            Asked(slab.phase, unit, slab.matrix, slab.in_plane, slab.layers, slab.cells, slab.thickness_ang,
                  slab.keep_volume)
            for slab, unit in zip(self.slabs, units, strict=True)
        ]  # fmt: skip
        rule = MatchRule(**dict(self.match))
        goal = Goal(**self.target.model_dump()) if self.target else None
        found, facts = resolve(asked, rule, goal, self.lattice_of)
        specs = [
            SlabSpec(
                slab.phase, unit, matrix, layers, slab.keep_volume, slab.shift,
                drawn(self.phases[slab.phase].min_distance_ang, matrix),
            )
            for slab, unit, (matrix, layers) in zip(self.slabs, units, found, strict=True)
        ]  # fmt: skip
        plan = plan_cell(
            specs, gaps_ang=self.gaps_ang, lattice_of=self.lattice_of, centred=self.centred, seed=self.seed
        )
        plan.report.update(facts)
        if self.boundary is not None:
            plan.report["boundary"] = self.boundary.model_dump(mode="json")
        plan.report["recipe"] = self.resolved(plan).content()
        return plan

    def resolved(self, plan: CellPlan) -> Recipe:
        """Return the recipe with what `plan` has found written out: nothing is searched for any more.

        What was asked (`match`, `target`, heights in cells or Å) is no longer in it: keep the recipe for that.
        """
        slabs = [
            slab.model_copy(
                update={"matrix": tuple(tuple(row) for row in facts["matrix"]), "layers": facts["layers"],
                        "in_plane": None, "cells": None, "thickness_ang": None}
            )
            for slab, facts in zip(self.slabs, plan.report["slabs"], strict=True)
        ]  # fmt: skip
        return self.model_copy(update={"slabs": tuple(slabs), "match": MatchRecipe(), "target": None})
