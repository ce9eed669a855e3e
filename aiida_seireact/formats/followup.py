"""What is asked of the follow-up of a composition: its orderings, temperatures, the cell of its MD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator
from pymatgen.core.composition import Composition
from pymatgen.core.structure import Structure

from aiida_seireact.formats.disorder import EnsembleSettings, Made, OrderingsSettings, Repeats, Seed
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.recipe import Finite, Natural, PhaseRecipe, Positive
from aiida_seireact.formats.small import MAX_SMALL_ARRANGEMENTS
from aiida_seireact.science.mixing import mixing_entropy
from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.composed import Composed, composed
from aiida_seireact.science.structures.disorder import DisorderedCell
from aiida_seireact.science.structures.occupancy import apportion
from aiida_seireact.science.structures.supercells import primitive

WHOLE = 1e-6
"""Numbers of ions nearer than this are the same."""


class MdCellSettings(Job):
    """The cell of the MD."""

    n_atoms: Natural = Field(1536, description="about so many; the cell is repeated to the nearest that is compact")
    repeat: Repeats | None = Field(None, description="instead: how often the cell is repeated")
    arrangement: Literal["lowest", "drawn"] = Field(
        "lowest",
        description="lowest: the relaxed ordering of lowest energy, repeated; drawn: the ions drawn anew over all of "
        "the large cell, at the volume of the orderings",
    )
    seed: Seed = Field(0, description="of the draw")


class ConductorSettings(Job):
    """What counts as a Li conductor."""

    species: str = Field("Li", description="the ion that is followed")
    conductivity_min_s_per_cm: Positive = Field(
        1e-4, description="conductivity, from D by Nernst and Einstein, from which on it counts as a conductor"
    )
    charge_e: Finite = Field(1.0, description="of the ion, in the relation of Nernst and Einstein")


class FollowUpSettings(Job):
    """A composition on the sites of a parent crystal, and what is asked about it."""

    composition: str = Field(min_length=1, description="formula, with fractions, as Li2S0.75P0.125Cl0.125")
    parent: str | None = Field(None, description="phase of the library whose sites it has, as Li2S")
    cif: str | None = Field(None, description="or its text as CIF, with oxidation states")
    site: str | None = Field(
        None, description="label of the sites that the ions share; null: the only ones that the new elements fit on"
    )
    charges: dict[str, Finite] = Field(
        {}, description="nominal charges, e, where others than the common ones are meant"
    )
    repeat: Repeats = Field((1, 1, 2), description="of the parent's cell, in which orderings are counted")
    primitive: bool = Field(False, description="of its primitive cell instead of the conventional one")
    nearest: bool = Field(
        True,
        description="where the cell can't hold the composition: take the nearest that it holds, instead of refusing",
    )
    max_orderings: Natural = Field(24, description="of more, those of lowest electrostatic energy are labelled")
    max_arrangements: Natural = Field(MAX_SMALL_ARRANGEMENTS, description="more than these are refused")
    min_distance_ang: Positive = Field(2.0, description="sites nearer than this are never both filled")
    temperatures_k: list[float] = Field([300.0], min_length=1, description="of entropies and free energies, K")
    md: MdCellSettings = Field(MdCellSettings(), description="the cell of the MD")
    conductor: ConductorSettings = Field(ConductorSettings(), description="what counts as a conductor")
    gap_orderings: int = Field(1, ge=0, description="so many orderings of lowest energy get a band gap; 0: none")

    @field_validator("temperatures_k")
    @classmethod
    def _not_below_zero(cls, values: list[float]) -> list[float]:
        if any(not 0 <= value < 1e5 for value in values):
            raise ValueError(f"temperatures are from 0 K on, not {values}")
        return sorted(set(values))

    @model_validator(mode="after")
    def _has_one_parent(self) -> FollowUpSettings:
        if (self.parent is None) == (self.cif is None):
            raise ValueError("the parent is a phase of the library or a CIF: give one of them")
        return self

    @cached_property
    def amounts(self) -> dict[str, float]:
        """Amount of each element in a formula unit.

        :raises ValueError: no formula.
        """
        try:
            found = Composition(self.composition).get_el_amt_dict()
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.composition!r} is no chemical formula: write it as Li2S0.75P0.125Cl0.125"
            ) from error
        return {str(symbol): float(amount) for symbol, amount in found.items()}

    @cached_property
    def crystal(self) -> Structure:
        """The parent.

        :raises ValueError: unknown phase, unreadable CIF.
        """
        return library.structure(self.parent) if self.parent else library.from_cif(self.cif or "")

    @cached_property
    def placed(self) -> Composed:
        """Where its elements sit.

        :raises ValueError: as `composed`.
        """
        return composed(self.crystal, self.amounts, site=self.site, charges=self.charges)

    def recipe(self, occupancies: Mapping[str, Mapping[str, float]] | None = None) -> PhaseRecipe:
        """Return the disordered phase."""
        return PhaseRecipe(
            name=self.parent,
            cif=self.cif,
            occupancies={label: dict(shares) for label, shares in (occupancies or self.placed.occupancies).items()},
            charges=self.placed.charges,
            min_distance_ang=self.min_distance_ang,
        )

    @cached_property
    def fitted(self) -> Fitted:
        """What a cell can hold of the composition.

        :raises ValueError: no whole numbers of ions are neutral there; or they are not those of the composition, and
            `nearest` is false.
        """
        return fit(self)


@dataclass(frozen=True)
class Fitted:
    """A composition in whole numbers of ions of a cell.

    :param occupancies: by label of a site, as the cell holds them.
    :param shares: of the shared site, as the cell holds them.
    :param counts: atoms of the cell, elements in the order of the formula that was given.
    :param exact: whether it is the composition that was asked for.
    :param n_sites: sites of the shared sublattice in the cell.
    :param multiple: of how many conventional cells any larger cell must be to hold the same composition.
    """

    occupancies: dict[str, dict[str, float]]
    shares: dict[str, float]
    counts: dict[str, int]
    exact: bool
    n_sites: int
    multiple: int

    @property
    def formula(self) -> str:
        """The composition of one shared site, as Li2S0.75P0.125Cl0.125."""
        return "".join(
            f"{symbol}{'' if abs(amount - 1) < WHOLE else f'{amount:.4g}'}"
            for symbol, amount in ((symbol, number / self.n_sites) for symbol, number in self.counts.items() if number)
        )


def fit(settings: FollowUpSettings) -> Fitted:
    """Return the neutral whole numbers of ions nearest to a composition in a cell."""
    placed = settings.placed
    cell = DisorderedCell.from_structure(settings.recipe().structure())
    cell = primitive(cell) if settings.primitive else cell
    repeat = settings.repeat
    n_cells = repeat[0] * repeat[1] * repeat[2]
    try:
        numbers = apportion(cell.sublattices, repeat)
    except ValueError as error:
        charge = placed.charge_e_per_formula_unit
        told = f"; its nominal charge is {charge:+.3g} e a formula unit" if abs(charge) > WHOLE else ""
        raise ValueError(f"{settings.composition}{told}. {error}") from error
    counts = dict.fromkeys(settings.amounts, 0)
    occupancies: dict[str, dict[str, float]] = {}
    exact = True
    for part, of_ion in zip(cell.sublattices, numbers, strict=True):
        n_sites = part.n_sites * n_cells
        targets = part.targets(n_cells)
        exact = exact and all(abs(n - target) < 1e-3 for n, target in zip(of_ion, targets, strict=False))
        for ion, number in zip(part.ions, of_ion, strict=False):
            counts[ion.symbol] = counts.get(ion.symbol, 0) + number
        if part.label in placed.occupancies:
            kept = {ion.symbol: n / n_sites for ion, n in zip(part.ions, of_ion, strict=False) if n}
            occupancies[part.label] = kept
    if not exact and not settings.nearest:
        OrderingsSettings(
            phase=settings.recipe(), supercell=repeat, primitive=settings.primitive, rank=None
        ).make_small()  # its refusal names a cell that fits
        raise ValueError(f"{settings.composition} does not fit into this cell in whole numbers: take a larger one")
    total = sum(part.n_sites for part in cell.sublattices if part.label == placed.site) * n_cells
    conventional = sum(str(site.label) == placed.site for site in settings.crystal)
    shares = occupancies.get(placed.site, placed.shares)
    return Fitted(occupancies, shares, counts, exact, total, total // gcd(total, conventional))


def make_orderings(settings: FollowUpSettings) -> Made:
    """Return the orderings of a composition, lowest electrostatic energy first, each with a name as config type.

    :raises ValueError: in a sentence, what does not fit.
    """
    fitted, placed = settings.fitted, settings.placed
    formula = fitted.formula
    made = OrderingsSettings(
        phase=settings.recipe(fitted.occupancies),
        supercell=settings.repeat,
        primitive=settings.primitive,
        rank="ewald",
        max_arrangements=settings.max_arrangements,
        config_type=formula,
    ).make_small()
    kept = min(len(made.rows), settings.max_orderings)
    frames = made.frames.select(list(range(kept)))
    names = [f"{formula} ordering {row['ordering']}" for row in made.rows[:kept]]
    frames = replace(frames, config_type=np.array(names))
    rows = [
        {**row, "name": name, "structure_id": structure_id}
        for row, name, structure_id in zip(made.rows, names, frames.structure_ids, strict=False)
    ]
    left_out = len(made.rows) - kept
    report = {
        "asked": settings.composition,
        "composition": formula,
        "parent": settings.parent or "CIF",
        "site": placed.site,
        "shares": dict(sorted(fitted.shares.items())),
        "charges_e": dict(sorted(placed.charges.items())),
        "asked_charge_e_per_formula_unit": placed.charge_e_per_formula_unit,
        "repeat": list(settings.repeat),
        "primitive": settings.primitive,
        "counts": fitted.counts,
        "n_atoms": made.report["n_atoms"],
        "n_shared_sites": fitted.n_sites,
        "n_arrangements": made.report["n_arrangements"],
        "n_orderings": made.report["n_orderings"],
        "n_left_out": left_out,
        "arrangements_left_out": sum(int(row["degeneracy"]) for row in made.rows[kept:]),
        "mixing_entropy_kb_per_site": round(mixing_entropy(fitted.shares), 6),
        "rows": rows,
        "remarks": _remarks(settings, fitted, left_out, len(made.rows)),
    }
    return Made(frames, rows, report)


def _remarks(settings: FollowUpSettings, fitted: Fitted, left_out: int, n_orderings: int) -> list[str]:
    found = []
    if not fitted.exact:
        found.append(
            f"{settings.composition} does not fit into a cell of {sum(fitted.counts.values())} atoms; "
            f"{fitted.formula} is the nearest neutral composition that does, and is what all numbers are of."
        )
    if abs(charge := settings.placed.charge_e_per_formula_unit) > WHOLE:
        found.append(
            f"By its nominal charges the composition asked for has {charge:+.3g} e a formula unit; the cell is neutral."
        )
    if left_out:
        found.append(
            f"Of {n_orderings} orderings {left_out} were left out, those of highest electrostatic energy: the entropy "
            "of the ensemble is a lower bound."
        )
    if n_orderings == 1:
        found.append("There is one ordering only, so the cell has no entropy of ordering but that of its copies.")
    return found


def md_cell(settings: FollowUpSettings, relaxed: Frames, lowest: int) -> Frames:
    """Return the large cell that MD begins with.

    :param relaxed: the orderings as they were labelled.
    :param lowest: which of them has the lowest energy.
    :raises ValueError: an arrangement that can't be drawn.
    """
    wanted = settings.md
    cell = relaxed.to_atoms(lowest)
    if wanted.arrangement == "lowest":
        repeat = wanted.repeat or compact_repeat(cell.cell.array, len(cell), wanted.n_atoms)
        large = cell.repeat(repeat)
    else:
        phase = settings.recipe(settings.fitted.occupancies)
        parent = phase.structure()
        n_atoms = round(float(parent.composition.num_atoms))
        repeat = wanted.repeat or compact_repeat(
            parent.lattice.matrix, n_atoms, wanted.n_atoms, settings.fitted.multiple
        )
        made = EnsembleSettings(phase=phase, repeat=repeat, seed=wanted.seed, number=1).make()
        large = made.frames.to_atoms(0)
        per_atom = float(np.mean(np.abs(np.linalg.det(relaxed.cells)) / relaxed.n_atoms))
        large.set_cell(large.cell * (per_atom * len(large) / large.get_volume()) ** (1 / 3), scale_atoms=True)
    large.calc = None
    name = settings.fitted.formula
    large.info.update(config_type=f"{name} MD", group=f"followup/{name}")
    large.info.pop("parent_id", None)
    return Frames.from_atoms([large], labels="ignore")


def compact_repeat(cell: Any, n_atoms: int, wanted: int, multiple: int = 1) -> tuple[int, int, int]:
    """Return how often to repeat a cell for about ``wanted`` atoms with edges as alike as that allows.

    :param cell: ``(3, 3)`` Å, with ``n_atoms``.
    :param multiple: the number of cells is one of it.
    """
    lengths = np.linalg.norm(np.asarray(cell), axis=1)
    target = max(1.0, wanted / n_atoms)
    edge = (target * float(np.prod(lengths))) ** (1 / 3)
    best: tuple[float, tuple[int, int, int]] | None = None
    spans = [range(max(1, int(edge / length * 0.5)), max(1, round(edge / length * 2)) + 1) for length in lengths]
    for a in spans[0]:
        for b in spans[1]:
            for c in spans[2]:
                if a * b * c % multiple:
                    continue
                edges = lengths * (a, b, c)
                off = abs(a * b * c - target) / target
                score = off + 0.1 * float(edges.max() / edges.min() - 1)
                if best is None or score < best[0] - 1e-9:
                    best = score, (a, b, c)
    return best[1] if best else (1, 1, multiple)
