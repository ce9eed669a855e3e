"""The conditions under which an environment gets the name of a phase."""

from __future__ import annotations

from dataclasses import dataclass

from aiida_seireact.science.labelling.errors import LabellingError


@dataclass(frozen=True)
class Gates:
    """Lengths in units of a phase's own gate, the distance within which its references have each other.

    :param accept: a reference counts if it is nearer to a core point than this many gates.
    :param support: share of a phase's references, three at least, that must count in the core of one cluster.
    :param majority: share of a cluster's core that must lie so near to the phase's references, or be connected with
        them (``reach``); and of the references that count there as large a share must lie within one gate.
    :param point: a point keeps its label within this many gates of the phase; None for no such condition.
    :param reach: a core point keeps its label up to this many gates, if a chain of core points leads from it to the
        references, each nearer to the next than ``accept`` gates; None: no chains. Without them a phase whose order is
        not that of the references beyond the first neighbours (Li2S with foreign anions farther away) loses its label
        where thermal motion is small.
    :param second_pass: outside the cores, a point without a name, or with one that ``point`` takes away, takes the name
        of a phase whose references lie there, within this many gates; None: such regions are not looked into.
    """

    accept: float = 1.5
    support: float = 0.02
    majority: float = 0.5
    point: float | None = 2.0
    reach: float | None = 4.0
    second_pass: float | None = 1.0

    def __post_init__(self) -> None:
        lengths = {"accept": self.accept, "point": self.point, "reach": self.reach}
        lengths["second_pass"] = self.second_pass
        for name, value in lengths.items():
            if value is not None and not value > 0:
                raise LabellingError(f"The gate {name} is {value}, but a number of gates lies above 0.")
        for name, share in {"support": self.support, "majority": self.majority}.items():
            if not 0 <= share <= 1:
                raise LabellingError(f"The gate {name} is {share}, but a share lies from 0 to 1.")
