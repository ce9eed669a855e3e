"""Rules that give a cell its k-mesh."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from aiida_seireact.formats.jobs.base import Job


class KMeshRule(Job):
    """A Γ-centred mesh by a length, for the cells that it fits."""

    length_ang: float = Field(gt=0, description="N = max(1, int(length · |b| + 1/2)) in each direction, Å")
    species: list[str] | None = Field(None, description="for cells of these elements and no other; default: any")
    min_atoms: int = Field(1, ge=1, description="for cells of at least so many atoms")

    def fits(self, symbols: Sequence[str]) -> bool:
        """Return whether the rule is for a cell of these atoms."""
        return len(symbols) >= self.min_atoms and (self.species is None or set(symbols) <= set(self.species))


def check_last_rule(rules: list[KMeshRule]) -> list[KMeshRule]:
    """Return the rules.

    :raises ValueError: the last rule does not fit any cell, so a cell could be left without a mesh.
    """
    if rules[-1].species is not None or rules[-1].min_atoms > 1:
        raise ValueError("the last rule must fit any cell: give it neither species nor min_atoms")
    return rules
