"""Frames of a disordered phase from what a user asks for: an ensemble of draws, or its distinct orderings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from ase import Atoms
from pydantic import Field, ValidationError, model_validator

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import InvalidInput, Job, readable
from aiida_seireact.formats.recipe import Natural, PhaseRecipe
from aiida_seireact.formats.small import MAX_SMALL_ARRANGEMENTS, refuse_atoms, refuse_sites
from aiida_seireact.science.structures.arrangements import MAX_ARRANGEMENTS
from aiida_seireact.science.structures.disorder import DisorderedCell
from aiida_seireact.science.structures.drawn import DrawnCell
from aiida_seireact.science.structures.electrostatics import check_size, energy, interactions
from aiida_seireact.science.structures.occupancy import Repeat
from aiida_seireact.science.structures.orderings import Orderings, TooManyArrangements, orderings
from aiida_seireact.science.structures.supercells import matrix_of, primitive, supercell

Repeats = tuple[Natural, Natural, Natural]
Row = tuple[int, int, int]
Seed = Annotated[int, Field(ge=0)]
Ranking = Literal["ewald"]

SAME_EV = 1e-6
"""Energies nearer than this are the same, and do not decide an order."""

SettingsT = TypeVar("SettingsT", bound=Job)


def read_settings(model: type[SettingsT], content: Mapping[str, Any]) -> SettingsT:
    """Validate what was asked for.

    :raises InvalidInput: keys that don't fit, each in words.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InvalidInput(f"{readable(error)}.") from error


@dataclass(frozen=True)
class Made:
    """Frames, what each was made of (one row a frame, in their order), and the report of all."""

    frames: Frames
    rows: list[dict[str, Any]]
    report: dict[str, Any]


class EnsembleSettings(Job):
    """Draws of a disordered phase, each by a seed of its own."""

    phase: PhaseRecipe = Field(description="the crystal, with its occupancies")
    repeat: Repeats = Field((1, 1, 1), description="of the conventional cell; the composition is exact over all of it")
    seed: Seed = Field(0, description="of the first draw; the next ones are seed + 1, seed + 2, …")
    number: Natural = Field(1, description="draws")
    rank: Ranking | None = Field(None, description="ewald: sort by the electrostatic energy of the nominal charges")
    keep: Natural | None = Field(None, description="with rank: only so many unlike frames, those of lowest energy")
    config_type: str = Field("", description="of the frames; default: name of the phase")

    @model_validator(mode="after")
    def _keeps_by_rank(self) -> EnsembleSettings:
        if self.keep is not None and self.rank is None:
            raise ValueError("keep takes the frames of lowest energy: give rank too")
        if self.keep is not None and self.keep > self.number:
            raise ValueError(f"keep is {self.keep}, and only {self.number} are drawn")
        return self

    @cached_property
    def cell(self) -> DisorderedCell:
        """The crystal, with its occupancies.

        :raises ValueError: as `PhaseRecipe.structure`, or an element without a charge.
        """
        return DisorderedCell.from_structure(self.phase.structure())

    def counts(self) -> dict[str, int]:
        """Return the atoms of each element in a frame, before any is made.

        :raises ValueError: no whole numbers of ions are neutral; the sentence tells what would be.
        """
        return self.cell.counts(self.repeat)

    def small(self) -> EnsembleSettings:
        """Return the settings, if they may be made inside the graph.

        :raises ValueError: as `counts`; too many atoms, or sites to rank by.
        """
        refuse_atoms(sum(self.counts().values()) * self.number)
        if self.rank is not None:
            refuse_sites(n_sites(self.cell, self.repeat))
        return self

    def make(self) -> Made:
        """Draw the frames.

        :raises ValueError: in a sentence, what can't be drawn or ranked.
        """
        if self.rank is not None:
            check_size(n_sites(self.cell, self.repeat))
        draws = [
            self.cell.draw(self.seed + number, self.repeat, min_distance_ang=self.phase.min_distance_ang)
            for number in range(self.number)
        ]
        rows: list[dict[str, Any]] = [{"seed": drawn.seed} for drawn in draws]
        order = list(range(self.number))
        if self.rank is not None:
            larger = supercell(self.cell, matrix_of(self.repeat))
            rows = [row | of for row, of in zip(rows, _energies(larger, draws), strict=True)]
            order.sort(key=lambda number: (_rounded(rows[number]), rows[number]["seed"]))
        kept = order
        if self.keep is not None:
            first: dict[bytes, int] = {}
            for number in order:
                first.setdefault(draws[number].choice.tobytes(), number)
            kept = list(first.values())[: self.keep]
        config_type = self.config_type or self.phase.name or "disordered"
        facts = draws[0].report()
        report = {
            "config_type": config_type,
            # The numbers of ions are the same in all draws.
            **{key: value for key, value in facts.items() if key != "seed"},
            "n_drawn": self.number,
            "n_distinct": len({drawn.choice.tobytes() for drawn in draws}),
            "rows": [rows[number] | {"kept": number in kept} for number in order],
        }
        return _made([draws[number] for number in kept], [rows[number] for number in kept], report)


class OrderingsSettings(Job):
    """The orderings of a disordered phase in a supercell that its symmetry tells apart."""

    phase: PhaseRecipe = Field(description="the crystal, with its occupancies")
    supercell: Repeats | tuple[Row, Row, Row] = Field(
        (1, 1, 1), description="three repetitions, or rows in the vectors of the cell"
    )
    primitive: bool = Field(False, description="of the primitive cell instead of the conventional one")
    rank: Ranking | None = Field("ewald", description="ewald: sort by the electrostatic energy of the nominal charges")
    max_arrangements: Natural = Field(MAX_ARRANGEMENTS, description="more arrangements than these are refused")
    config_type: str = Field("", description="of the frames; default: name of the phase")

    @cached_property
    def cell(self) -> DisorderedCell:
        """The crystal, with its occupancies: conventional or primitive.

        :raises ValueError: as `PhaseRecipe.structure`, or an element without a charge.
        """
        cell = DisorderedCell.from_structure(self.phase.structure())
        return primitive(cell) if self.primitive else cell

    def make_small(self) -> Made:
        """Find the orderings, if that may be done inside the graph.

        :raises ValueError: as `make`; too many sites to rank by, arrangements to sort, or atoms of all orderings.
        """
        if self.rank is not None:
            refuse_sites(n_sites(self.cell, self.supercell))
        limit = min(self.max_arrangements, MAX_SMALL_ARRANGEMENTS)
        try:
            found = self._found(limit)
        except TooManyArrangements as error:
            if limit == self.max_arrangements:
                raise
            raise ValueError(
                f"{error}. The limit is that of what is made inside the profile; on files alone up to "
                f"{self.max_arrangements:,} are sorted."
            ) from None
        refuse_atoms(len(found) * found.drawn(0).n_atoms)
        return self._made(found)

    def make(self) -> Made:
        """Find the orderings; of each one frame.

        :raises ValueError: in a sentence, what can't be counted or ranked.
        """
        if self.rank is not None:
            check_size(n_sites(self.cell, self.supercell))
        return self._made(self._found(self.max_arrangements))

    def _found(self, limit: int) -> Orderings:
        return orderings(self.cell, self.supercell, min_distance_ang=self.phase.min_distance_ang, limit=limit)

    def _made(self, found: Orderings) -> Made:
        """Rank the orderings; of each one frame."""
        drawn = [found.drawn(index) for index in range(len(found))]
        rows: list[dict[str, Any]] = [{"degeneracy": int(number)} for number in found.degeneracies]
        order = list(range(len(found)))
        if self.rank is not None:
            rows = [row | of for row, of in zip(rows, _energies(found.cell, drawn), strict=True)]
            order.sort(key=lambda number: (_rounded(rows[number]), number))
        rows = [{"ordering": place} | rows[number] for place, number in enumerate(order, start=1)]
        config_type = self.config_type or self.phase.name or "ordered"
        facts = drawn[0].report()
        report = {
            "config_type": config_type,
            **{key: facts[key] for key in ("n_atoms", "counts", "charge_e", "min_distance_ang")},
            "supercell": np.asarray(self.supercell).tolist(),
            "primitive": self.primitive,
            "n_arrangements": found.n_arrangements,
            "n_orderings": len(found),
            "rows": rows,
        }
        return _made([drawn[number] for number in order], rows, report)


def n_sites(cell: DisorderedCell, shape: Repeat | tuple[Row, Row, Row]) -> int:
    """Return the number of sites of a supercell, filled or not: what an Ewald sum grows with.

    :raises ValueError: no supercell.
    """
    return len(cell.labels) * round(abs(float(np.linalg.det(matrix_of(shape)))))


def _energies(cell: DisorderedCell, draws: list[DrawnCell]) -> list[dict[str, float]]:
    """Return the electrostatic energies of draws over the sites of ``cell``, in eV."""
    matrix = interactions(cell.cell, cell.fractional)
    found = []
    for drawn in draws:
        of_cell = energy(matrix, drawn.site_charges)
        found.append({"ewald_ev": round(of_cell, 6), "ewald_ev_per_atom": round(of_cell / drawn.n_atoms, 8)})
    return found


def _rounded(row: Mapping[str, Any]) -> int:
    return round(float(row["ewald_ev"]) / SAME_EV)


def group_of(drawn: Atoms) -> str:
    """Return the group of a draw: its own, and that of no other frame but equal ones and those made of it."""
    return f"disorder/{Frames.from_atoms([drawn], labels='ignore').structure_ids[0][:16]}"


def _made(draws: list[DrawnCell], rows: list[dict[str, Any]], report: dict[str, Any]) -> Made:
    images = [drawn.to_ase() for drawn in draws]
    for atoms in images:
        atoms.info.update(config_type=report["config_type"], group=group_of(atoms))
    frames = Frames.from_atoms(images)
    return Made(frames, rows, {**report, "groups": frames.group.tolist(), "frame_ids": frames.frame_ids})
