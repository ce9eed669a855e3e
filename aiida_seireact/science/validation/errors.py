"""Errors of energies, forces and stresses on frames the model never saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from ase.data import chemical_symbols
from ase.units import GPa
from numpy.typing import NDArray

from aiida_seireact.science.metrics import ALL, mae, rmse
from aiida_seireact.science.validation.lines import Evidence, FloatArray, HeldOut, Line
from aiida_seireact.science.validation.targets import Measured

N_SHOWN = 3
"""How many frames are named with a number."""
_COLUMN = {"energy": "energy", "force": "forces", "stress": "stress"}
_UNIT = {"energy": ("meV/atom", 1000.0), "force": ("eV/Å", 1.0), "stress": ("GPa", 1 / GPa)}


@dataclass(frozen=True, kw_only=True)
class Errors(Line):
    """Error of energy (per atom), force components or stress components against the labels of held-out frames.

    Root mean square or mean absolute, over all frames, for each config type, or (forces) for each species.

    :param of: what is compared.
    :param statistic: ``rmse`` or ``mae``.
    :param per: ``all``, ``config_type`` or ``species``: what a number is of.
    :param of_rms: the error over the root mean square of the labels of the same frames: a ratio, so that one target
        fits calm crystals and hot interfaces (forces and stresses).
    """

    test: Literal["errors"] = "errors"
    of: Literal["energy", "force", "stress"]
    statistic: Literal["rmse", "mae"] = "rmse"
    per: Literal["all", "config_type", "species"] = "all"
    of_rms: bool = False

    needs_held_out: ClassVar[bool] = True  # type: ignore[misc]

    def __post_init__(self) -> None:
        if self.per == "species" and self.of != "force":
            raise ValueError(f"per species there is an error of force only, not of {self.of}: take per: config_type")
        if self.of_rms and self.of == "energy":
            raise ValueError("an energy has no zero, so its error is no fraction of it: leave of_rms out")
        if self.target.needs_reference:
            raise ValueError("an error is compared with max, not with the labeller's number: give max")

    def measure(self, evidence: Evidence) -> list[Measured]:
        """Return the error of each group of frames or atoms."""
        held_out = evidence.held_out
        if held_out is None or not len(held_out.config_type):
            return [self._number(ALL, np.nan, "no held-out frame was given")]
        column = _COLUMN[self.of]
        if column not in held_out.reference:
            return [self._number(ALL, np.nan, f"the labels have no {self.of}")]
        scale = _UNIT[self.of][1]
        reference = np.asarray(held_out.reference[column], dtype=float) * scale
        difference = np.asarray(held_out.predicted[column], dtype=float) * scale - reference
        if self.of == "energy":
            difference = difference / np.diff(held_out.offsets)
        found = []
        for subject, rows in self._parts(held_out):
            value = (rmse if self.statistic == "rmse" else mae)(difference[rows])
            if self.of_rms:
                value = _over(value, rmse(reference[rows]))
            worst = _worst(difference, rows, held_out, by_atom=self.of == "force")
            frames = tuple(str(held_out.frame_ids[index]) for index in worst)
            missing = "" if np.isfinite(value) else "the model gave no number, or the labels are all zero"
            found.append(self._number(subject, value, missing, frames))
        return found

    def _number(self, subject: str, value: float, note: str = "", frames: tuple[str, ...] = ()) -> Measured:
        name = f"{self.of} {self.statistic.upper()}" + (" of rms" if self.of_rms else "")
        unit = "" if self.of_rms else _UNIT[self.of][0]
        return Measured(subject=subject, quantity=name, value=value, unit=unit, frames=frames, note=note)

    def _parts(self, held_out: HeldOut) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield what a number is of, and which rows (atoms for forces, else frames) belong to it."""
        sizes = np.diff(held_out.offsets)
        if self.per == "species":
            for number in np.unique(held_out.numbers).tolist():
                yield chemical_symbols[number], held_out.numbers == number
            return
        types = np.asarray(held_out.config_type, dtype=str)
        names = sorted(set(types.tolist())) if self.per == "config_type" else [ALL]
        for name in names:
            frames = np.ones(len(types), dtype=bool) if name == ALL and self.per == "all" else types == name
            yield name, np.repeat(frames, sizes) if self.of == "force" else frames


def _over(value: float, scale: float) -> float:
    return value / scale if scale > 0 else float("nan")


def _worst(difference: FloatArray, rows: NDArray[np.bool_], held_out: HeldOut, *, by_atom: bool) -> list[int]:
    """Return the frames with the largest mean square difference in these rows, worst first; NaN is worse than any."""
    squares = np.square(difference.reshape(len(difference), -1)).mean(axis=1)
    squares = np.where(np.isfinite(squares), squares, np.inf)
    frame = np.repeat(np.arange(len(held_out.config_type)), np.diff(held_out.offsets)) if by_atom else None
    if frame is None:
        of_frame, counts = np.where(rows, squares, -1.0), rows.astype(int)
    else:
        counts = np.bincount(frame[rows], minlength=len(held_out.config_type))
        sums = np.bincount(frame[rows], weights=squares[rows], minlength=len(held_out.config_type))
        of_frame = np.where(counts > 0, sums / np.maximum(counts, 1), -1.0)
    order = np.argsort(-of_frame, kind="stable")
    return [int(index) for index in order[:N_SHOWN] if counts[index]]
