"""Frames with point defects from what a user asks for: of a phase, or of cells that are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np
from ase import Atoms
from pydantic import Field, field_validator
from pymatgen.core.composition import Composition
from pymatgen.core.structure import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_seireact.formats.disorder import Made, Repeats, Seed, group_of
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.recipe import Natural, PhaseRecipe, Positive
from aiida_seireact.formats.small import refuse_atoms
from aiida_seireact.science.structures.cells import rounded
from aiida_seireact.science.structures.charges import guessed_charges
from aiida_seireact.science.structures.defects import MIN_DISTANCE_ANG, Defects, with_defects
from aiida_seireact.science.structures.disorder import DisorderedCell

Numbers = dict[str, Annotated[int, Field(ge=1)]]


class DefectsSettings(Job):
    """Point defects, drawn at random in each frame anew."""

    phase: PhaseRecipe | None = Field(None, description="the host; null: cells are given")
    repeat: Repeats = Field((1, 1, 1), description="of the host; a disordered phase is drawn anew for each frame")
    vacancies: Numbers = Field(default_factory=dict, description="by element: {Li: 2}")
    interstitials: Numbers = Field(default_factory=dict, description="by element: {Li: 1}")
    antisites: Numbers = Field(default_factory=dict, description="pairs of atoms that change places: {'S:Cl': 3}")
    neutral: bool = Field(False, description="refuse defects that leave the cell a charge")
    charges: dict[str, float] = Field(
        default_factory=dict, description="nominal charge of an element, e, where the host has none or another"
    )
    min_distance_ang: Positive = Field(MIN_DISTANCE_ANG, description="of an interstitial to all other atoms")
    seed: Seed = Field(0, description="of the first frame; the next ones are seed + 1, seed + 2, …")
    number: Natural = Field(1, description="frames of each host")
    config_type: str = Field("", description="of the frames; default: that of the host, and -defects")

    @field_validator("antisites")
    @classmethod
    def _are_pairs(cls, antisites: dict[str, int]) -> dict[str, int]:
        for pair in antisites:
            if len(pair.split(":")) != 2:
                raise ValueError(f"an antisite is of two elements, such as S:Cl, not {pair!r}")
        return antisites

    @property
    def defects(self) -> Defects:
        """What is made in each frame.

        :raises ValueError: nothing.
        """
        pairs = {}
        for pair, number in self.antisites.items():
            first, second = pair.split(":")
            pairs[first, second] = number
        return Defects(self.vacancies, self.interstitials, pairs)

    def small(self, cells: Frames | None = None) -> DefectsSettings:
        """Return the settings, if they may be made inside the graph.

        :raises ValueError: too many atoms, counted by the hosts; no such phase.
        """
        if self.phase is not None:
            one = float(self.phase.structure().composition.num_atoms)
        else:
            one = 0.0 if cells is None else float(cells.n_atoms.sum())
        refuse_atoms(round(one * np.prod(self.repeat)) * self.number)
        return self

    def make(self, cells: Frames | None = None) -> Made:
        """Make the frames.

        :param cells: the hosts, if no phase is named, periodic in all directions; each frame remembers its own.
        :raises ValueError: in a sentence, what can't be made; or neither a phase nor cells, or both.
        """
        if (self.phase is None) == (cells is None):
            raise ValueError("Defects need a host: give a phase, or cells, and not both.")
        defects = self.defects
        images: list[Atoms] = []
        rows: list[dict[str, Any]] = []
        known: dict[str, float] = {}
        for seed, host, name, charges in self._hosts(cells):
            charge = self._charge(defects, charges)
            known |= charges
            made = rounded(
                with_defects(
                    host, defects, np.random.Generator(np.random.PCG64(seed)), min_distance_ang=self.min_distance_ang
                )
            )
            kind = self.config_type or f"{name}-defects"
            # Its host and the other frames made of it are much the same: no test without them.
            made.info.update(config_type=kind, group=str(host.info.get("group", "")) or group_of(host))
            if "parent_id" in host.info:
                made.info["parent_id"] = host.info["parent_id"]
            images.append(made)
            rows.append(
                {"seed": seed, "host": name, "formula": made.get_chemical_formula(), "n_atoms": len(made),
                 "charge_e": charge}
            )  # fmt: skip
        frames = Frames.from_atoms(images)
        report = {
            "vacancies": self.vacancies,
            "interstitials": self.interstitials,
            "antisites": self.antisites,
            "charges_e": {symbol: known[symbol] for symbol in sorted(known)},
            "min_distance_ang": self.min_distance_ang,
            "rows": rows,
            "frame_ids": frames.frame_ids,
        }
        return Made(frames, rows, report)

    def _hosts(self, cells: Frames | None) -> Iterator[tuple[int, Atoms, str, dict[str, float]]]:
        """Yield for each frame its seed, host, the host's name, and the charges that are known."""
        seed = self.seed
        if self.phase is not None:
            crystal = self.phase.structure()
            known = _charges_of(crystal) | self.charges
            draw = self._host_of(crystal, self.phase.min_distance_ang)
            for number in range(self.number):
                yield seed + number, draw(seed + number), self.phase.name or "cif", known
            return
        assert cells is not None
        for index in range(len(cells)):
            host = cells.to_atoms(index)
            if not host.pbc.all():
                along = " and ".join(axis for axis, does in zip("abc", host.pbc, strict=True) if not does)
                raise ValueError(
                    f"Host {index} ({host.get_chemical_formula()}) is not periodic along {along}, and defects are made "
                    "in periodic cells: give a cell with its vacuum, periodic in all directions."
                )
            bare = Atoms(host.numbers, positions=host.positions, cell=host.cell, pbc=True).repeat(self.repeat)
            bare.info.update(parent_id=cells.frame_ids[index], group=str(cells.group[index]))
            formula = Composition(bare.get_chemical_formula())
            charges = guessed_charges(formula, self.charges) if self.neutral else self.charges
            for _ in range(self.number):
                yield seed, bare, str(cells.config_type[index]) or "cell", charges
                seed += 1

    def _host_of(self, crystal: Structure, min_distance_ang: float) -> Callable[[int], Atoms]:
        """Return what gives the host of a seed: a draw, or the crystal itself, which needs no charges."""
        if crystal.is_ordered:
            bare = crystal.copy()
            bare.remove_oxidation_states()
            whole = rounded(AseAtomsAdaptor.get_atoms(bare).repeat(self.repeat))
            return lambda seed: whole
        cell = DisorderedCell.from_structure(crystal)
        return lambda seed: cell.draw(seed, self.repeat, min_distance_ang=min_distance_ang).to_ase()

    def _charge(self, defects: Defects, charges: dict[str, float]) -> float | None:
        """Return the charge in e that the defects leave a host; None where its charges are not known.

        :raises ValueError: it is to be none and is not, or can't be told.
        """
        named = set(defects.vacancies) | set(defects.interstitials)
        if self.neutral:
            if unknown := sorted(named - set(charges)):
                example = ", ".join(f"'{symbol}': …" for symbol in unknown)
                raise ValueError(
                    f"No charge is known of {' and '.join(unknown)}, since the host has none and no whole numbers can "
                    f"be guessed that make it neutral: give them, as charges {{{example}}} or --charge {unknown[0]} …."
                )
            defects.check_neutral(charges)
        return defects.charge(charges) if named <= set(charges) else None


def _charges_of(crystal: Structure) -> dict[str, float]:
    """Return the charge of each element that has one and the same on all sites."""
    found: dict[str, set[float | None]] = {}
    for kind in crystal.composition:
        found.setdefault(str(getattr(kind, "symbol", kind)), set()).add(getattr(kind, "oxi_state", None))
    known = {symbol: next(iter(states)) for symbol, states in found.items() if len(states) == 1}
    return {symbol: float(state) for symbol, state in known.items() if state is not None}
