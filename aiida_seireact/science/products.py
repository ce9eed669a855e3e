"""What should form where two phases meet: the mix of lowest energy at every mixing fraction, from energies at 0 K.

The hull and the kinks along the mixing line are pymatgen's (Richards et al., Chem. Mater. 28, 266 (2016),
10.1021/acs.chemmater.5b04082). It is thermodynamics of bulk phases: what is slow to form, is an interface or is in no
entry is not seen.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pymatgen.analysis.interface_reactions import InterfacialReactivity
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core.composition import Composition
from pymatgen.core.periodic_table import Element

SAME_FRACTION = 1e-6
"""Mixing fractions closer than this are one kink."""
AMOUNT_DIGITS = 6
"""Decimals of amounts and energies in results, so that the same entries give the same bytes on any machine."""


@dataclass(frozen=True)
class PhaseEnergy:
    """Energy of a phase.

    :param name: what it is called in results.
    :param composition: atoms of each element that `energy_ev` belongs to.
    :param energy_ev: total energy of that many atoms, eV.
    :param level: what identifies its level of theory (the hash of labelling settings); empty where nobody says.
    :param source: where it is from: a frame id, an id in a database.
    """

    name: str
    composition: Mapping[str, float]
    energy_ev: float
    level: str = ""
    source: str = ""

    @property
    def formula(self) -> str:
        """Reduced formula."""
        return formula_of(Composition(self.composition))


@dataclass(frozen=True)
class Kink:
    """A mixing fraction at which the products change.

    :param mixing_fraction: fraction of the atoms that come from the first phase.
    :param n_first: formula units of the first phase, and
    :param n_second: of the second one, for one of the phase with more elements (of the other where it is alone).
    :param products: formula units of each product, by reduced formula.
    :param energy_ev_per_atom: energy of the reaction, negative where it gives energy away, and
    :param energy_ev: for the formula units written.
    """

    mixing_fraction: float
    n_first: float
    n_second: float
    products: Mapping[str, float]
    energy_ev_per_atom: float
    energy_ev: float
    reaction: str


@dataclass(frozen=True)
class Products:
    """Predicted products of two phases.

    :param kinks: from the pure second phase (mixing fraction 0) to the pure first one (1).
    :param first_end: the kink next to the pure first phase: all that the second can take up of the first. Beyond it
        the first is left over. For Li | electrolyte this is the lithiation end.
    :param second_end: the kink next to the pure second phase.
    :param strongest: the kink of lowest energy an atom.
    :param phases: name, formula, energy and distance from the hull of every phase that was looked at.
    :param level: level of theory of all energies.
    """

    first: str
    second: str
    level: str
    kinks: tuple[Kink, ...]
    first_end: int
    second_end: int
    strongest: int
    phases: tuple[Mapping[str, Any], ...]

    @property
    def lithiation_end(self) -> Kink | None:
        """The kink nearest the Li-rich side, where one of the two phases is Li metal."""
        if self.first == "Li":
            return self.kinks[self.first_end]
        return self.kinks[self.second_end] if self.second == "Li" else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        values = asdict(self)
        end = self.lithiation_end
        values["lithiation_end"] = None if end is None else self.kinks.index(end)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def formula_of(composition: Composition) -> str:
    """Return the reduced formula of a composition without charges; an element is its symbol (Cl, not Cl2)."""
    bare = composition.element_composition
    if len(bare) == 1:
        return str(bare.elements[0].symbol)
    return str(bare.reduced_formula)


def predict(first: str, second: str, energies: Sequence[PhaseEnergy]) -> Products:
    """Return the products of two phases along the mixing fraction.

    :param first: name or formula of the first phase, as in `energies`.
    :param second: of the second one.
    :param energies: of all phases to be looked at, at one level of theory; those with other elements are left out.
        Of several with one composition the lowest counts.
    :raises ValueError: an unknown element, energies of several levels, a phase or an element without an energy, or
        one phase given twice; the sentence says what would work.
    """
    for energy in energies:
        require_sound(energy)
    level = common_level(energies)
    reactants = [_find(name, energies) for name in (first, second)]
    compositions = [_reduced(energy) for energy in reactants]
    if compositions[0] == compositions[1]:
        raise ValueError(
            f"{first} and {second} are both {reactants[0].formula}: give two phases of unlike composition."
        )
    elements = {str(element) for composition in compositions for element in composition}
    taken = sorted(
        (energy for energy in energies if set(energy.composition) <= elements),
        key=lambda energy: (energy.formula, energy.energy_ev / sum(energy.composition.values()), energy.name),
    )
    require_references(elements, taken)
    entries = [PDEntry(Composition(energy.composition), energy.energy_ev) for energy in taken]
    diagram = PhaseDiagram(entries)
    kinks = _kinks(diagram, *compositions)
    phases = tuple(
        {
            "name": energy.name,
            "formula": energy.formula,
            "energy_ev_per_atom": round(entry.energy_per_atom, AMOUNT_DIGITS),
            "above_hull_ev_per_atom": _rounded(diagram.get_e_above_hull(entry) or 0.0),
            "source": energy.source,
        }
        for energy, entry in zip(taken, entries, strict=True)
    )
    return Products(
        first=reactants[0].formula,
        second=reactants[1].formula,
        level=level,
        kinks=kinks,
        first_end=len(kinks) - 2,
        second_end=1,
        strongest=min(range(len(kinks)), key=lambda index: kinks[index].energy_ev_per_atom),
        phases=phases,
    )


def common_level(energies: Iterable[PhaseEnergy]) -> str:
    """Return the one level of theory of energies.

    :raises ValueError: there are several.
    """
    by_level: dict[str, list[str]] = {}
    for energy in energies:
        by_level.setdefault(energy.level, []).append(energy.name)
    if len(by_level) > 1:
        told = "; ".join(
            f"{level[:16] or 'not said'}: {', '.join(sorted(set(names))[:4])}{', …' * (len(set(names)) > 4)}"
            for level, names in sorted(by_level.items())
        )
        raise ValueError(
            f"The energies are of {len(by_level)} levels of theory ({told}) and can't be compared: "
            "give those of one level, or label all phases by one engine."
        )
    return next(iter(by_level), "")


def require_sound(energy: PhaseEnergy) -> None:
    """Refuse an energy that can't be one.

    :raises ValueError: no atoms, an unknown element, a negative amount, or an energy that is no number.
    """
    for symbol, amount in energy.composition.items():
        if not Element.is_valid_symbol(symbol):
            near = difflib.get_close_matches(symbol, [element.symbol for element in Element], n=2, cutoff=0.4)
            hint = f" (did you mean {' or '.join(near)}?)" if near else ""
            raise ValueError(f"The entry {energy.name} holds '{symbol}', which is no chemical element{hint}.")
        if not (math.isfinite(amount) and amount > 0):
            raise ValueError(f"The entry {energy.name} has {amount} of {symbol}: amounts are numbers above 0.")
    if not energy.composition:
        raise ValueError(f"The entry {energy.name} has no atoms: give its composition.")
    if not math.isfinite(energy.energy_ev):
        raise ValueError(f"The energy of {energy.name} is {energy.energy_ev}: give a number in eV.")


def _find(name: str, energies: Sequence[PhaseEnergy]) -> PhaseEnergy:
    """Return the energy of a phase by its name, or the lowest of its formula.

    :raises ValueError: there is none.
    """
    named = [energy for energy in energies if energy.name == name]
    found = named or [energy for energy in energies if energy.formula == _formula_of_name(name)]
    if not found:
        known = sorted({energy.formula for energy in energies})
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        there = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known) or 'none at all'}."
        raise ValueError(f"There is no energy of {name}: {there}")
    return min(found, key=lambda energy: energy.energy_ev / sum(energy.composition.values()))


def _formula_of_name(name: str) -> str:
    try:
        return formula_of(Composition(name))
    except (ValueError, KeyError, TypeError):
        return name


def require_references(elements: set[str], energies: Sequence[PhaseEnergy]) -> None:
    """Refuse a hull without its corners.

    :raises ValueError: an element has no energy of its own.
    """
    missing = sorted(elements - {energy.formula for energy in energies})
    if missing:
        raise ValueError(
            f"There is no energy of the element{'s' * (len(missing) > 1)} {', '.join(missing)}: a hull needs one of "
            f"each of {', '.join(sorted(elements))}; add {' and '.join(missing)} at the level of the others."
        )


def _reduced(energy: PhaseEnergy) -> Composition:
    return Composition(energy.formula)


def _kinks(diagram: PhaseDiagram, first: Composition, second: Composition) -> tuple[Kink, ...]:
    """Return the kinks by rising mixing fraction."""
    # With use_hull_energy=False it takes the hull for a reactant whose formation energy is not below zero (2026.10).
    found = InterfacialReactivity(first, second, diagram, norm=True, use_hull_energy=True).get_kinks()
    kinks: list[Kink] = []
    for fraction in sorted(min(max(float(kink[1]), 0.0), 1.0) for kink in found):
        if kinks and fraction - kinks[-1].mixing_fraction < SAME_FRACTION:
            continue
        kinks.append(_kink(diagram, first, second, fraction))
    return tuple(kinks)


def _kink(diagram: PhaseDiagram, first: Composition, second: Composition, fraction: float) -> Kink:
    """Return one kink, written for one formula unit of the phase with more elements, where there is any of it."""
    shares = (fraction / first.num_atoms, (1 - fraction) / second.num_atoms)
    unit = shares[0] if len(first) > len(second) else shares[1]
    if unit < SAME_FRACTION:
        unit = max(shares)
    n_first, n_second, n_atoms = shares[0] / unit, shares[1] / unit, 1 / unit
    mix = first * n_first + second * n_second
    hull_energy = diagram.get_hull_energy(mix)
    assert hull_energy is not None
    energy = hull_energy - n_first * _lowest(diagram, first) - n_second * _lowest(diagram, second)
    products: dict[str, float] = {}
    for entry, share in diagram.get_decomposition(mix).items():
        product = Composition(formula_of(entry.composition))
        amount = _rounded(share * n_atoms / product.num_atoms)
        if amount:
            products[formula_of(product)] = amount
    products = dict(sorted(products.items()))
    left = {formula_of(first): n_first, formula_of(second): n_second}
    return Kink(
        mixing_fraction=_rounded(fraction),
        n_first=_rounded(n_first),
        n_second=_rounded(n_second),
        products=products,
        energy_ev_per_atom=_rounded(energy / n_atoms),
        energy_ev=_rounded(energy),
        reaction=f"{_side(left)} → {_side(products)}",
    )


def _lowest(diagram: PhaseDiagram, composition: Composition) -> float:
    """Return the energy of a formula unit of a phase, the lowest of its forms, in eV."""
    mine = (entry for entry in diagram.all_entries if formula_of(entry.composition) == formula_of(composition))
    return min(float(entry.energy_per_atom) for entry in mine) * composition.num_atoms


def _side(amounts: Mapping[str, float]) -> str:
    """Return one side of a reaction: ``8 Li + Li6PS5Cl``."""
    terms = [(f"{amount:.4g}", name) for name, amount in amounts.items() if amount > SAME_FRACTION]
    return " + ".join(name if amount == "1" else f"{amount} {name}" for amount, name in terms)


def _rounded(value: float) -> float:
    return round(float(value), AMOUNT_DIGITS) + 0.0
