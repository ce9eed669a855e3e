"""Energies of the phases that should form, and of the reaction that forms them, against the labeller."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import Literal

import numpy as np
from ase import Atoms

from aiida_seireact.science.metrics import mae, rmse
from aiida_seireact.science.validation.lines import Asked, Evidence, Line, Pair, Phases, phase_of
from aiida_seireact.science.validation.targets import Measured

N_SHOWN = 3
_SAME_AMOUNT = 1e-6


@dataclass(frozen=True, kw_only=True)
class Energies(Line):
    """Energy of each phase, per atom, against the labeller: the crystal, and rattled copies of it at other volumes.

    Before the frames of the products were learned, the model of Ding et al. (arXiv:2506.10944) was wrong by up to 331
    meV/atom (Li3P) while its errors on average were small; after, by less than 3.

    :param phases: names of phases; none: all that are given.
    :param rattled: copies of each crystal beside itself.
    :param rattle_ang: standard deviation of each coordinate of a copy, Å.
    :param strain: largest relative change of the lengths of the cell of a copy, either way.
    :param statistic: ``rmse`` or ``mae`` over crystal and copies.
    :param seed: of the copies.
    """

    test: Literal["energies"] = "energies"
    phases: tuple[str, ...] = ()
    rattled: int = 0
    rattle_ang: float = 0.05
    strain: float = 0.02
    statistic: Literal["rmse", "mae"] = "rmse"
    seed: int = 1

    def __post_init__(self) -> None:
        if self.rattled < 0 or self.rattle_ang < 0 or not 0 <= self.strain < 0.3:
            raise ValueError("rattled and rattle_ang are 0 or more, and strain is from 0 to 0.3")
        if self.target.needs_reference:
            raise ValueError("the numbers are distances from the labeller already: give max")

    def static(self, phases: Phases) -> list[Asked]:
        """Return each crystal and its copies."""
        found = []
        for name in self.phases or sorted(phases):
            crystal = phase_of(phases, name)
            found.append(Asked(name, crystal))
            rng = np.random.default_rng([self.seed, *name.encode()])
            for _ in range(self.rattled):
                copy = crystal.copy()
                copy.set_cell(copy.cell * (1 + rng.uniform(-self.strain, self.strain)), scale_atoms=True)
                copy.positions += rng.normal(scale=self.rattle_ang, size=copy.positions.shape)
                found.append(Asked(name, copy))
        return found

    def measure(self, evidence: Evidence) -> list[Measured]:
        """Return the error of each phase."""
        by_phase: dict[str, list[Pair]] = {}
        for pair in evidence.static:
            by_phase.setdefault(pair.subject, []).append(pair)
        return [self._number(name, pairs) for name, pairs in by_phase.items()]

    def _number(self, name: str, pairs: list[Pair]) -> Measured:
        off = np.array([1000 * (pair.predicted.energy - pair.reference.energy) / len(pair.atoms) for pair in pairs])
        size = np.where(np.isfinite(off), np.abs(off), np.inf)
        worst = np.argsort(-size, kind="stable")[:N_SHOWN]
        value = (rmse if self.statistic == "rmse" else mae)(off)
        return Measured(
            subject=name,
            quantity=f"energy {self.statistic.upper()}",
            value=value,
            unit="meV/atom",
            frames=tuple(pairs[index].frame_id for index in worst),
            note="" if np.isfinite(value) else "the model gave no energy",
        )


@dataclass(frozen=True, kw_only=True)
class Reaction(Line):
    """Energy of a reaction between phases, per atom, against the labeller.

    Li6PS5Cl + 8 Li → 5 Li2S + Li3P + LiCl is what drives the interphase of Ding et al. (arXiv:2506.10944): a model that
    overdoes it reacts too fast, whatever its forces.

    :param reactants: formula units by phase.
    :param products: the same.
    """

    test: Literal["reaction"] = "reaction"
    reactants: Mapping[str, float]
    products: Mapping[str, float]

    def __post_init__(self) -> None:
        for side in (self.reactants, self.products):
            if not side or any(not amount > 0 for amount in side.values()):
                raise ValueError("a reaction has reactants and products, each with formula units above 0")
        if both := sorted(set(self.reactants) & set(self.products)):
            raise ValueError(f"{both[0]} is on both sides: cancel it")

    def static(self, phases: Phases) -> list[Asked]:
        """Return the crystals of both sides.

        :raises ValueError: a phase is not there, or the sides don't hold the same atoms.
        """
        asked = [Asked(name, phase_of(phases, name)) for name in (*self.reactants, *self.products)]
        sides: list[dict[str, float]] = [defaultdict(float), defaultdict(float)]
        for one in asked:
            for symbol, count in formula_unit(one.atoms).items():
                sides[one.subject in self.products][symbol] += count * abs(self._amount(one.subject))
        for symbol in sorted(set(sides[0]) | set(sides[1])):
            if abs(sides[0][symbol] - sides[1][symbol]) > _SAME_AMOUNT:
                raise ValueError(
                    f"{self.text} is not balanced: {sides[0][symbol]:g} {symbol} become {sides[1][symbol]:g}"
                )
        return asked

    def measure(self, evidence: Evidence) -> list[Measured]:
        """Return the energy per atom; that of the reaction as written is in the note."""
        model = labeller = n_atoms = 0.0
        for pair in evidence.static:
            amount = self._amount(pair.subject)
            unit = sum(formula_unit(pair.atoms).values())
            units = len(pair.atoms) / unit
            model += amount * pair.predicted.energy / units
            labeller += amount * pair.reference.energy / units
            n_atoms += max(-amount, 0.0) * unit
        return [
            Measured(
                subject=self.text,
                quantity="reaction energy",
                value=1000 * model / n_atoms,
                reference=1000 * labeller / n_atoms,
                unit="meV/atom",
                frames=tuple(pair.frame_id for pair in evidence.static)[:N_SHOWN],
                note=f"{model:.3f} eV as written, {labeller:.3f} eV by the labeller"
                if np.isfinite(model)
                else "the model gave no energy of a phase",
            )
        ]

    @property
    def text(self) -> str:
        """The reaction as it is written."""
        sides = [
            " + ".join(f"{amount:g} {name}" if amount != 1 else name for name, amount in side.items())
            for side in (self.reactants, self.products)
        ]
        return " → ".join(sides)

    def _amount(self, name: str) -> float:
        return -self.reactants[name] if name in self.reactants else self.products[name]


def formula_unit(atoms: Atoms) -> dict[str, int]:
    """Return the atoms of the smallest formula unit of a cell: of Li12P4 those of Li3P; of an element one atom."""
    counts = Counter(atoms.get_chemical_symbols())
    divisor = reduce(gcd, counts.values())
    return {symbol: count // divisor for symbol, count in sorted(counts.items())}
