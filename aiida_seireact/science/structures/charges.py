"""Oxidation states of a composition: the likeliest neutral ones, found in bounded time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from pymatgen.core.composition import Composition
from pymatgen.core.periodic_table import Element, Species
from scipy.optimize import Bounds, LinearConstraint, milp

TIME_LIMIT_S = 2.0
"""Of the search; it takes milliseconds for any formula of real crystals."""

_WHOLE = 1e-6


def guessed_charges(composition: Composition, known: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return a charge in e for every element: those that are known, and the likeliest that make the rest neutral.

    As `Composition.oxi_state_guesses` the guess maximises the summed occurrence of its states in the ICSD over all
    atoms of the reduced formula. That lists every combination, whose number explodes with the formula; here the number
    of atoms in each state is the unknown of an integer program. All charges of a guess are whole numbers: where the
    likeliest states of an element average to a fraction, there is no guess.

    :param composition: whole numbers of atoms.
    :param known: charges in e that are not guessed, by element.
    :returns: only the known ones, if there is no guess.
    :raises ValueError: numbers of atoms that are not whole.
    """
    given = {symbol: float(charge) for symbol, charge in (known or {}).items()}
    whole = {str(element): round(n) for element, n in composition.element_composition.items()}
    if any(abs(composition.element_composition[symbol] - n) > _WHOLE for symbol, n in whole.items()):
        raise ValueError(f"Charges are guessed of whole numbers of atoms, not of {composition.formula}.")
    if set(whole) <= set(given):
        return given
    if len(whole) == 1:
        return given | dict.fromkeys(whole, 0.0)
    divisor = int(np.gcd.reduce(list(whole.values())))
    atoms = {symbol: n // divisor for symbol, n in whole.items()}
    options = [
        (symbol, state)
        for symbol in atoms
        for state in ([given[symbol]] if symbol in given else sorted(_states(symbol)))
    ]
    owner = np.array([[symbol == own for own, _ in options] for symbol in atoms], dtype=float)
    states = np.array([state for _, state in options], dtype=float)
    numbers = np.array(list(atoms.values()), dtype=float)
    found = milp(
        -np.array([_occurrence(symbol, state) for symbol, state in options]),
        integrality=np.ones(len(options)),
        bounds=Bounds(0, owner.T @ numbers),
        constraints=LinearConstraint(np.vstack([owner, states]), [*numbers, 0.0], [*numbers, 0.0]),
        options={"time_limit": TIME_LIMIT_S},
    )
    if not found.success:
        return given
    averages = owner @ (np.round(found.x) * states) / numbers
    guess = {symbol: float(average) for symbol, average in zip(atoms, averages, strict=True) if symbol not in given}
    if any(abs(charge - round(charge)) > _WHOLE for charge in guess.values()):
        return given
    return given | {symbol: float(round(charge)) for symbol, charge in guess.items()}


def _states(symbol: str) -> tuple[int, ...]:
    """Return the oxidation states that pymatgen guesses among."""
    element = Element(symbol)
    return tuple(element.icsd_oxidation_states or element.common_oxidation_states)


def _occurrence(symbol: str, state: float) -> float:
    if not float(state).is_integer():
        return 0.0
    return float(_occurrences().get(Species(symbol, int(state)), 0.0))


@cache
def _occurrences() -> Mapping[Species, float]:
    """Return how often the ICSD has each species, which pymatgen reads with the first guess that it makes."""
    Composition("LiCl").oxi_state_guesses()
    found: Mapping[Species, float] | None = Composition.oxi_prob
    assert found is not None
    return found
