"""A composition put on the sites of a parent crystal: which share of which sublattice each element gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pymatgen.core.composition import Composition
from pymatgen.core.periodic_table import Element
from pymatgen.core.structure import Structure

SAME = 1e-6
"""Shares and charges nearer than this are the same."""


@dataclass(frozen=True)
class Composed:
    """Where the elements of a composition sit.

    :param site: label of the sites that the new elements share, and
    :param shares: what they hold on the mean, by element.
    :param occupancies: by label of a site, of all sites whose content is not that of the parent.
    :param charges: nominal charges of the elements that are new to the parent, e.
    :param formula_units: of the composition, in the conventional cell.
    :param charge_e_per_formula_unit: the nominal charge of the composition; neutral is 0.
    """

    site: str
    shares: dict[str, float]
    occupancies: dict[str, dict[str, float]]
    charges: dict[str, float]
    formula_units: float
    charge_e_per_formula_unit: float


def composed(
    parent: Structure,
    composition: Mapping[str, float],
    *,
    site: str | None = None,
    charges: Mapping[str, float] | None = None,
) -> Composed:
    """Return how a composition sits in a parent crystal.

    Elements that the parent has not share one label of its sites with the ions that are there; all of these sites are
    filled. What the composition holds less of another element than the parent is empty sites of it.

    :param parent: the conventional cell, with oxidation states.
    :param composition: amount of each element of a formula unit.
    :param site: label of the sites to share; default: the only one whose ions are charged as the new elements are.
    :param charges: nominal charges of new elements, e; default: the common one of the sign of the ion that is
        replaced, the largest of it (P and Cl in place of S: -3 and -1).
    :raises ValueError: in a sentence, what does not fit: no such label or several, more of an element than there are
        sites for, or an element of the parent that the composition lacks.
    """
    held = _held(parent)
    elements = {symbol for of in held.values() for symbol in of}
    unknown = sorted(symbol for symbol in composition if not Element.is_valid_symbol(symbol))
    if unknown or not composition:
        raise ValueError(f"{', '.join(unknown) or 'nothing'} is no chemical element: give a formula, as Li2S0.5Se0.5")
    new = sorted(set(composition) - elements)
    known = _charges(parent)
    if site is None:
        site = _site_for(new, held, known, charges or {}, composition)
    elif site not in held:
        raise ValueError(f"no site of the parent has the label {site}: the labels are {', '.join(sorted(held))}")
    replaced = known[max(held[site], key=lambda symbol: (held[site][symbol], symbol))]
    given = {symbol: _charge(symbol, replaced, charges or {}) for symbol in new}
    members = sorted({*held[site], *new} & set(composition))
    if not members:
        raise ValueError(f"the composition has none of {', '.join(sorted(held[site]))}, which sit on {site}")
    n_sites = sum(str(one.label) == site for one in parent)
    elsewhere = {s: sum(of.get(s, 0.0) for label, of in held.items() if label != site) for s in members}
    scale = (n_sites + sum(elsewhere.values())) / sum(composition[symbol] for symbol in members)
    shares = {s: (composition[s] * scale - elsewhere[s]) / n_sites for s in members}
    for symbol, share in shares.items():
        if share < -SAME:
            raise ValueError(
                f"the composition has {composition[symbol] * scale:.4g} {symbol} a unit cell, fewer than the "
                f"{elsewhere[symbol]:.4g} that sit beside {site}: name the site that they leave"
            )
    shares = {symbol: share for symbol, share in shares.items() if share > SAME}
    occupancies = {site: shares} if not _same(shares, _of(parent, site)) else {}
    occupancies |= _others(parent, held, site, members, composition, scale)
    all_charges = {**known, **given, **{s: float(q) for s, q in (charges or {}).items()}}
    return Composed(
        site=site,
        shares=shares,
        occupancies=occupancies,
        charges={**given, **{s: float(q) for s, q in (charges or {}).items() if s in composition}},
        formula_units=scale,
        charge_e_per_formula_unit=round(sum(n * all_charges[s] for s, n in composition.items()), 6) + 0.0,
    )


def _held(parent: Structure) -> dict[str, dict[str, float]]:
    """Return the number of atoms of each element of a unit cell, by label of the sites."""
    held: dict[str, dict[str, float]] = {}
    for one in parent:
        of = held.setdefault(str(one.label), {})
        for symbol, share in _content(one.species).items():
            of[symbol] = of.get(symbol, 0.0) + share
    return held


def _content(species: Composition) -> dict[str, float]:
    return {str(getattr(kind, "symbol", kind)): float(share) for kind, share in species.items()}


def _of(parent: Structure, site: str) -> dict[str, float]:
    """Return what one site of a label holds."""
    return _content(next(one.species for one in parent if str(one.label) == site))


def _charges(parent: Structure) -> dict[str, float]:
    """Return the nominal charge of each element of the parent.

    :raises ValueError: it has none.
    """
    found: dict[str, float] = {}
    for kind in parent.composition:
        state = getattr(kind, "oxi_state", None)
        if state is None:
            raise ValueError("the parent has no oxidation states, by which orderings are ranked: give them in the CIF")
        found.setdefault(str(getattr(kind, "symbol", kind)), float(state))
    return found


def _charge(symbol: str, replaced: float, charges: Mapping[str, float]) -> float:
    """Return the charge of a new element."""
    if symbol in charges:
        return float(charges[symbol])
    if abs(replaced) < SAME:
        return 0.0
    states = [state for state in Element(symbol).common_oxidation_states if state * replaced > 0]
    if not states:
        raise ValueError(
            f"{symbol} has no common oxidation state of the sign of {replaced:+g}: give its charge, or another site"
        )
    return float(max(states, key=abs) if replaced < 0 else min(states))


def _site_for(
    new: list[str],
    held: Mapping[str, Mapping[str, float]],
    known: Mapping[str, float],
    charges: Mapping[str, float],
    composition: Mapping[str, float],
) -> str:
    """Return the only label that the new elements fit on.

    :raises ValueError: none, or several.
    """

    def fits(label: str) -> bool:
        ion = known[max(held[label], key=lambda symbol: (held[label][symbol], symbol))]
        if not set(held[label]) & set(composition):
            return False
        try:
            return all(_charge(symbol, ion, charges) * ion > 0 or ion == 0 for symbol in new)
        except ValueError:
            return False

    # Negative ions first: a phosphorus that is reduced sits where sulfur does.
    fitting = [label for label in sorted(held) if fits(label)]
    negative = [label for label in fitting if all(known[symbol] < 0 for symbol in held[label])]
    chosen = negative or fitting
    if len(chosen) == 1:
        return chosen[0]
    told = f"fit on {', '.join(chosen)}" if chosen else f"fit on none of {', '.join(sorted(held))}"
    what = ", ".join(new) or "the ions of this composition"
    hint = ""
    if len({tuple(sorted(held[label])) for label in chosen}) == 1 < len(chosen):
        hint = " (a CIF without its space group has a label for each atom: write it with its symmetry)"
    raise ValueError(f"{what} {told}: name the site (its label in the parent) that they share{hint}")


def _others(
    parent: Structure,
    held: Mapping[str, Mapping[str, float]],
    site: str,
    members: list[str],
    composition: Mapping[str, float],
    scale: float,
) -> dict[str, dict[str, float]]:
    """Return the occupancies of the labels beside ``site`` that change: an element of fewer atoms leaves sites empty.

    :raises ValueError: more atoms of an element than sites, or none of it.
    """
    occupancies: dict[str, dict[str, float]] = {}
    total: dict[str, float] = {}
    for label, of in held.items():
        if label != site:
            for symbol, number in of.items():
                total[symbol] = total.get(symbol, 0.0) + number
    for symbol, there in sorted(total.items()):
        if symbol in members:
            continue
        wanted = composition.get(symbol, 0.0) * scale
        if wanted < SAME:
            raise ValueError(
                f"the composition has no {symbol}, of which the parent has {there:g} a unit cell: name another parent"
            )
        factor = wanted / there
        if abs(factor - 1) < SAME:
            continue
        for label in sorted(label for label, of in held.items() if symbol in of and label != site):
            shares = occupancies.setdefault(label, _of(parent, label))
            shares[symbol] = shares[symbol] * factor
            if sum(shares.values()) > 1 + SAME:
                raise ValueError(
                    f"the composition has {wanted:.4g} {symbol} for {there:g} sites of it in the parent's unit cell, "
                    f"and {label} holds one ion a site: interstitial ions are not made here, build such cells by hand"
                )
    return occupancies


def _same(first: Mapping[str, float], second: Mapping[str, float]) -> bool:
    return set(first) == set(second) and all(abs(first[symbol] - second[symbol]) < SAME for symbol in first)
