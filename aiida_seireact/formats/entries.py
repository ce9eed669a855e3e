"""Energies of phases as JSON: ours, and those that people save from a materials database.

One object an entry, in a list or under ``entries``. Understood are

* ours: ``name``, ``formula`` or ``composition``, ``energy_ev`` (of that composition) or ``energy_ev_per_atom``,
  ``level``, ``source``;
* `ComputedEntry` and `ComputedStructureEntry` of pymatgen, as dictionaries: ``composition``, ``energy`` with its
  ``correction`` or ``energy_adjustments``, ``entry_id``, ``parameters.run_type``;
* summaries of the Materials Project: ``formula_pretty``, ``energy_per_atom``, ``material_id``.

Nothing is downloaded, and no class that a file names is looked up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from pymatgen.core.composition import Composition

from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.products import PhaseEnergy, formula_of

NAMES = ("name", "entry_id", "material_id", "task_id")
COMPOSITIONS = ("composition", "formula", "formula_pretty", "pretty_formula")
TOTALS = ("energy_ev", "energy")
PER_ATOM = ("energy_ev_per_atom", "energy_per_atom")


class EntriesError(ValueError):
    """Entries that can't be used; the message says which one and what it lacks."""


def read_entries(text: str) -> list[PhaseEnergy]:
    """Return the energies of a JSON text.

    :raises EntriesError: no JSON, no entries, or one without composition or energy.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise EntriesError(f"The entries are not JSON ({error}): give a list of objects, one a phase.") from error
    return energies_of(content)


def energies_of(content: Any) -> list[PhaseEnergy]:
    """Return the energies of parsed JSON; ``level`` beside ``entries`` counts for those that say none.

    :raises EntriesError: no entries, or one without composition or energy.
    """
    level = ""
    if isinstance(content, Mapping):
        level = str(content.get("level", ""))
        content = content.get("entries", content.get("data"))
    if not isinstance(content, Sequence) or isinstance(content, str) or not content:
        raise EntriesError(
            "There are no entries: give a list of objects such as "
            '{"formula": "Li2S", "energy_ev_per_atom": -4.0}, or one under "entries".'
        )
    return [_energy(item, number, level) for number, item in enumerate(content, start=1)]


def to_content(energies: Sequence[PhaseEnergy]) -> dict[str, Any]:
    """Return energies as they are written to JSON, in the order given."""
    return {
        "entries": [
            {
                "name": energy.name,
                "composition": dict(energy.composition),
                "energy_ev": energy.energy_ev,
                "level": energy.level,
                "source": energy.source,
            }
            for energy in energies
        ]
    }


def energies_of_frames(frames: Frames) -> list[PhaseEnergy]:
    """Return the energy of each labelled frame, named by its config type; extrapolated to zero smearing where it is.

    :raises EntriesError: the frames have no labels.
    """
    values = frames.energy if frames.energy_e0 is None else frames.energy_e0
    if values is None:
        raise EntriesError("The frames have no energies: label them first (`aiida-seireact label`).")
    energies = []
    for index in range(len(frames)):
        numbers = frames.numbers[frames.offsets[index] : frames.offsets[index + 1]]
        kinds, counts = np.unique(numbers, return_counts=True)
        composition = {
            chemical_symbols[kind]: int(count) for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)
        }
        frame_id = frames.frame_ids[index]
        energies.append(
            PhaseEnergy(
                name=str(frames.config_type[index]) or frame_id[:8],
                composition=composition,
                energy_ev=float(values[index]),
                level=frames.settings_hash,
                source=frame_id,
            )
        )
    return energies


def _energy(item: Any, number: int, level: str) -> PhaseEnergy:
    if not isinstance(item, Mapping):
        raise EntriesError(f"Entry {number} is {item!r}, not an object with a formula and an energy.")
    composition = _composition(item, number)
    formula = formula_of(Composition(composition)) if _is_known(composition) else "".join(composition)
    name = str(item.get("name") or formula)
    per_atom = _number(item, PER_ATOM, number)
    total = _number(item, TOTALS, number)
    if total is None:
        if per_atom is None:
            raise EntriesError(
                f"Entry {number} ({formula}) has no energy: "
                "give energy_ev (of the composition) or energy_ev_per_atom, in eV."
            )
        total = per_atom * sum(composition.values())
    else:
        total += _correction(item)
    source = next((str(item[key]) for key in ("source", *NAMES[1:]) if item.get(key)), "")
    return PhaseEnergy(name, composition, total, str(item.get("level", "")) or _run_type(item) or level, source)


def _composition(item: Mapping[str, Any], number: int) -> dict[str, float]:
    given = next((item[key] for key in COMPOSITIONS if item.get(key)), None)
    if isinstance(given, Mapping):
        try:
            return {str(symbol).rstrip("+-0123456789."): float(amount) for symbol, amount in given.items()}
        except (TypeError, ValueError):
            pass
    elif isinstance(given, str):
        try:
            return {str(symbol): float(amount) for symbol, amount in Composition(given).get_el_amt_dict().items()}
        except (ValueError, KeyError):
            pass
    else:
        raise EntriesError(
            f'Entry {number} has no composition: give its formula ("Li2S") or composition ({{"Li": 2, "S": 1}}).'
        )
    raise EntriesError(
        f"The composition of entry {number} is {given!r}, which can't be read: "
        "give a formula of chemical elements, as Li2S."
    )


def _is_known(composition: Mapping[str, float]) -> bool:
    return all(symbol in chemical_symbols[1:] for symbol in composition)


def _number(item: Mapping[str, Any], keys: Sequence[str], number: int) -> float | None:
    for key in keys:
        if item.get(key) is not None:
            try:
                return float(item[key])
            except (TypeError, ValueError):
                raise EntriesError(f"The {key} of entry {number} is {item[key]!r}: give a number in eV.") from None
    return None


def _correction(item: Mapping[str, Any]) -> float:
    """Return what pymatgen adds to the energy of a computed entry, eV."""
    adjustments = item.get("energy_adjustments")
    if not adjustments:
        return float(item.get("correction") or 0.0)
    total = 0.0
    for adjustment in adjustments:
        if "adj_per_atom" in adjustment:
            total += float(adjustment["adj_per_atom"]) * float(adjustment["n_atoms"])
        else:
            total += float(adjustment.get("value", 0.0))
    return total


def _run_type(item: Mapping[str, Any]) -> str:
    """Return the functional of an entry of a database; GGA and GGA+U are one there, joined by its corrections."""
    run_type = str((item.get("parameters") or {}).get("run_type", ""))
    return {"GGA+U": "GGA", "PBE+U": "PBE"}.get(run_type, run_type)
