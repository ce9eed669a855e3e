"""How far a phase is above the convex hull of others, and what it would decompose to; the hull is pymatgen's.

All energies are of one level of theory (`products.common_level`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core.composition import Composition

from aiida_seireact.science.products import (
    AMOUNT_DIGITS,
    PhaseEnergy,
    common_level,
    formula_of,
    require_references,
    require_sound,
)

SHARE = 1e-6
"""A phase of a smaller share of the atoms is none of the decomposition."""


@dataclass(frozen=True)
class Above:
    """A phase beside the hull of others.

    :param above_hull_ev_per_atom: negative where it lies below the hull of the others, so that it is stable.
    :param formation_ev_per_atom: energy from the elements.
    :param decomposition: of the phases it would become: ``name``, ``formula``, ``share_of_atoms``, sorted by name.
    """

    above_hull_ev_per_atom: float
    formation_ev_per_atom: float
    decomposition: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Hull:
    """The convex hull of phases.

    :param phases: energies of one level, an element each at least.
    """

    phases: tuple[PhaseEnergy, ...]

    @cached_property
    def entries(self) -> list[PDEntry]:
        """One entry a phase, in their order."""
        return [PDEntry(Composition(one.composition), one.energy_ev, name=one.name) for one in self.phases]

    @cached_property
    def diagram(self) -> PhaseDiagram:
        """The phase diagram."""
        return PhaseDiagram(self.entries)

    def above(self, energy: PhaseEnergy) -> Above:
        """Return where a phase lies that is not one of the hull's.

        :raises ValueError: it has an element that no phase of the hull has.
        """
        return self.at(energy.composition, energy.energy_ev)

    def at(self, composition: Any, energy_ev: float) -> Above:
        """Return where an energy of a composition lies.

        :param composition: atoms of each element that the energy belongs to.
        """
        whole = Composition(composition)
        entry = PDEntry(whole, energy_ev)
        products, above = self.diagram.get_decomp_and_e_above_hull(entry, allow_negative=True)
        assert products is not None
        assert above is not None
        rows = [
            {
                "name": str(getattr(one, "name", "")),
                "formula": formula_of(one.composition),
                "share_of_atoms": _rounded(share),
            }
            for one, share in products.items()
            if share > SHARE
        ]
        return Above(
            _rounded(above),
            _rounded(self.diagram.get_form_energy_per_atom(entry)),
            tuple(sorted(rows, key=lambda row: str(row["name"]))),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return each phase with its energy and its distance from the hull, sorted by formula and energy."""
        rows = [
            {
                "name": one.name,
                "formula": one.formula,
                "energy_ev_per_atom": _rounded(entry.energy_per_atom),
                "formation_ev_per_atom": _rounded(self.diagram.get_form_energy_per_atom(entry)),
                "above_hull_ev_per_atom": _rounded(self.diagram.get_e_above_hull(entry) or 0.0),
                "source": one.source,
            }
            for one, entry in zip(self.phases, self.entries, strict=True)
        ]
        return sorted(rows, key=lambda row: (row["formula"], row["energy_ev_per_atom"], row["name"]))


def hull_of(elements: set[str], energies: Sequence[PhaseEnergy], others: Sequence[PhaseEnergy] = ()) -> Hull:
    """Return the hull of the phases that hold nothing but ``elements``.

    :param others: energies that will be compared with it, of the same level.
    :raises ValueError: energies of several levels, an element without an energy, or an energy that is none.
    """
    for energy in (*energies, *others):
        require_sound(energy)
    common_level([*energies, *others])
    taken = sorted(
        (one for one in energies if set(one.composition) <= elements),
        key=lambda one: (one.formula, one.energy_ev / sum(one.composition.values()), one.name),
    )
    require_references(elements, taken)
    return Hull(tuple(taken))


def _rounded(value: float) -> float:
    return round(float(value), AMOUNT_DIGITS) + 0.0
