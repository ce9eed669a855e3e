"""A name for a group of environments, with the reason for it; no name is a bare guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiida_seireact.science.discovery.composition import formula
from aiida_seireact.science.discovery.fingerprint import Likeness

ALIKE = 0.85
"""By distances, at least so alike: crystals rattled by 0.15 Å have 0.96 with their own, 0.77 with the next."""
ALIKE_BOTH = (0.70, 0.90)
"""Or at least so alike by distances and by diffraction, with a crystal of one structure type."""
AMORPHOUS = 0.2
"""Of crystallinity: thermal crystals have 0.4 and more, a glass less than 0.1."""
REFERENCE = " (reference)"
"""Ends the names of crystals that are frames of a known phase."""
BOUNDARY = 0.1
"""The centre's fraction of the atoms differs by more where one side of the surroundings is another phase."""
SAME_COMPOSITION = 0.03
"""Fractions of the elements differ by less."""


@dataclass(frozen=True)
class Suggestion:
    """What a group may be called.

    :param name: such as ``Li2S0.72P0.14Cl0.14 (antifluorite-like)``.
    :param reason: a sentence or two with the numbers.
    :param structure_type: of the crystal it is like, or None.
    :param crystal: its name, or None.
    """

    name: str
    reason: str
    structure_type: str | None
    crystal: str | None


def suggest(
    composition: Mapping[str, float],
    centre: str,
    *,
    distances: Sequence[Likeness],
    diffraction: Sequence[Likeness],
    crystallinity: float,
    types: Mapping[str, str],
    compositions: Mapping[str, Mapping[str, float]],
) -> Suggestion:
    """Suggest a name from composition and nearest structure.

    :param composition: atoms of each element.
    :param distances: known crystals by likeness of distances, best first.
    :param diffraction: the same of patterns; may be empty.
    :param types: structure type of each known crystal, empty where it has none.
    :param compositions: fractions of the elements of each known crystal.
    """
    written = formula(composition, centre)
    told = f"composition {written} from the anions next to its {centre}"
    best = distances[0] if distances else None
    seen = diffraction[0] if diffraction else None
    if best is None:
        return Suggestion(f"{written} (not compared)", f"{told}; no known crystal to compare with", None, None)
    near = f"distances most like {best.name} (r = {best.value:.2f}, lattice × {best.stretch:.2f})"
    if len(distances) > 1:
        near += f", then {distances[1].name} ({distances[1].value:.2f})"
    near += f"; diffraction most like {seen.name} (r = {seen.value:.2f})" if seen else "; no diffraction pattern"
    order = "" if np.isnan(crystallinity) else f"; crystallinity {crystallinity:.2f}"
    reason = f"{told}; {near}{order}"
    if not np.isnan(crystallinity) and crystallinity < AMORPHOUS:
        return Suggestion(f"{written} (amorphous)", reason, None, None)
    kind = short_type(types.get(best.name, "")) or best.name
    # One structure may have several names in the list, as argyrodites have.
    both = seen is not None and (short_type(types.get(seen.name, "")) or seen.name) == kind
    alike = best.value >= ALIKE or (
        both and seen is not None and best.value >= ALIKE_BOTH[0] and seen.value >= ALIKE_BOTH[1]
    )
    if not alike:
        return Suggestion(f"{written} (no known structure near)", reason, None, None)
    crystal = best.name.removesuffix(REFERENCE)
    # Prototypes are called by a formula, which beside another one would be read as what it is made of.
    like = f"{kind}-like" if kind[:1].islower() else f"like {crystal}"
    wanted = compositions.get(best.name, {})
    excess = _share(composition, centre) - _share(wanted, centre)
    if abs(excess) > BOUNDARY:
        told = f"{'more' if excess > 0 else 'less'} {centre} than in {crystal}, so half of its surroundings are others"
        return Suggestion(f"{written} (boundary of what is {like})", f"{reason}; {told}", None, crystal)
    if _same(composition, wanted):
        return Suggestion(crystal, reason, kind, crystal)
    return Suggestion(f"{written} ({like})", reason, kind, crystal)


def short_type(structure_type: str) -> str:
    """Return ``antifluorite`` for ``antifluorite (anti-C1)``."""
    return structure_type.split(" (")[0]


def _share(composition: Mapping[str, float], symbol: str) -> float:
    total = sum(composition.values())
    return composition.get(symbol, 0.0) / total if total else 0.0


def _same(found: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    total = sum(found.values())
    elements = {*found, *wanted}
    return bool(wanted) and all(
        abs(found.get(symbol, 0.0) / total - wanted.get(symbol, 0.0)) < SAME_COMPOSITION for symbol in elements
    )
