"""The lines of a scorecard: what a line asks for, what it is shown, and what it measures.

A line is one test of a model with a target, a frozen dataclass of its parameters. It is pure: it says which structures
and MD runs it needs, others compute them, and it measures what came of them. To add a kind:

1. Write a subclass of `Line` in this package, ``@dataclass(frozen=True, kw_only=True)``, with
   ``test: Literal["kind"] = "kind"``, its parameters (lists of a YAML file become tuples) and ``__post_init__`` that
   raises `ValueError` with a sentence about what does not fit. Its docstring says what it measures and the source.
2. `static` returns cells that the labeller labels and the model predicts; nobody names them: they come back as
   `Evidence.static` in the same order. A structure that several lines ask for is computed once, and labels are kept
   for the next model.
   What nobody can label, as two atoms in contact, is asked for by `alone`: it comes back as `Evidence.alone`.
3. `runs` returns MD to be run, by the model or by the labeller; they come back as `Evidence.runs` by their names.
   Two lines that give the same request by the same name share the run.
4. `measure` returns the numbers, a `Measured` each. It checks no target: `targets.misses` does, for all kinds alike.
   Never drop what can't be measured: return NaN with a note, and the line fails by it.
5. Name the class in `kinds.KINDS`. The schema of a scorecard, its error messages and the docs follow from there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.science.validation.targets import Measured, Target

FloatArray = NDArray[np.float64]
Phases = Mapping[str, Atoms]
"""Smallest ordered cells of the phases by name, periodic, as they are in the library or relaxed by the labeller."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A cell to be labelled and predicted.

    :param subject: what it tells about: a phase, a pair; no ``/``.
    :param atoms: the cell; periodic in three directions or isolated in a box.
    """

    subject: str
    atoms: Atoms


@dataclass(frozen=True, eq=False)
class AskedRun:
    """An MD run to be made.

    :param name: letters and digits, with single underscores (it becomes a link label); one run a name.
    :param subject: what it tells about, as the phase.
    :param atoms: the cell to begin from; None: the run must be handed in, nobody makes it.
    :param by: who runs it: the model (LAMMPS; the ensembles ``nvt`` and ``npt``), or the labeller (``nvt`` only).
    :param pressure_gpa: of the barostat; each edge of the cell is free.
    :param frames_every: steps between the frames that are kept.
    :param seed: of the first velocities.
    """

    name: str
    subject: str
    atoms: Atoms | None
    temperature_k: float = 300.0
    steps: int = 500
    timestep_fs: float = 2.0
    ensemble: Literal["nvt", "npt"] = "npt"
    pressure_gpa: float = 0.0
    frames_every: int = 25
    seed: int = 1
    by: Literal["model", "labeller"] = "model"


@dataclass(frozen=True, eq=False)
class Labels:
    """What the labeller or the model gives for one cell.

    :param energy: of the whole cell, eV.
    :param forces: ``(n_atoms, 3)`` eV/Å.
    :param stress: ``(6,)`` eV/Å³, sign and Voigt order of ASE; None where the labeller gives none.
    """

    energy: float
    forces: FloatArray
    stress: FloatArray | None


@dataclass(frozen=True, eq=False)
class Answer:
    """A cell that only the model was asked about, and its answer.

    :param predicted: NaN where it gave none.
    """

    subject: str
    atoms: Atoms
    predicted: Labels


@dataclass(frozen=True, eq=False)
class Pair:
    """A cell that the line asked for, with both answers.

    :param frame_id: name of the labelled frame, for `Measured.frames`.
    :param predicted: of the model; NaN where it gave none.
    """

    subject: str
    atoms: Atoms
    frame_id: str
    reference: Labels
    predicted: Labels


@dataclass(frozen=True, eq=False)
class Run:
    """An MD run that was made, or handed in.

    :param numbers: ``(n_atoms,)`` atomic numbers.
    :param positions: ``(n_frames, n_atoms, 3)`` Å, as `unwrapped` says.
    :param cells: ``(n_frames, 3, 3)`` Å.
    :param steps: ``(n_frames,)`` MD steps.
    :param unwrapped: whether atoms are followed across the cell's faces; diffusion needs it.
    :param thermo: columns ``(n_rows,)`` in LAMMPS's metal units by LAMMPS's names (``step``, ``temp``, ``press``,
        ``vol``, ``pe`` …); empty for the labeller's run.
    :param stopped_by: ``reason`` and ``message`` where a stop rule ended it early, else None.
    :param frame_ids: a name for each frame, for `Measured.frames`.
    """

    name: str
    by: str
    numbers: NDArray[np.int64]
    positions: FloatArray
    cells: FloatArray
    pbc: NDArray[np.bool_]
    steps: NDArray[np.int64]
    timestep_fs: float
    temperature_k: float
    pressure_gpa: float | None
    unwrapped: bool
    thermo: Mapping[str, FloatArray]
    stopped_by: Mapping[str, object] | None
    frame_ids: tuple[str, ...]

    @property
    def times_ps(self) -> FloatArray:
        """Time of each frame since the first one, ps."""
        return np.asarray(self.steps - self.steps[0], dtype=float) * self.timestep_fs / 1000


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The frames of the dataset that the model never saw, in columns, with both answers.

    :param config_type: ``(n_frames,)``
    :param frame_ids: ``(n_frames,)``
    :param numbers: ``(n_atoms_total,)`` atomic numbers.
    :param offsets: ``(n_frames + 1,)``; frame i owns the rows ``offsets[i]:offsets[i + 1]``.
    :param reference: ``energy`` of whole cells ``(n_frames,)`` eV, ``forces`` ``(n_atoms_total, 3)`` eV/Å, and where
        the labeller gives it ``stress`` ``(n_frames, 6)`` eV/Å³.
    :param predicted: the same of the model, NaN where it gave none.
    """

    config_type: NDArray[np.str_]
    frame_ids: Sequence[str]
    numbers: NDArray[np.int64]
    offsets: NDArray[np.int64]
    reference: Mapping[str, FloatArray]
    predicted: Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a line is shown.

    :param static: what it asked for by `Line.static`, in the same order.
    :param runs: what it asked for by `Line.runs`, by name.
    :param held_out: None where no dataset was given; only lines with `needs_held_out` look at it.
    :param alone: what it asked for by `Line.alone`, in the same order.
    """

    phases: Phases = field(default_factory=dict)
    static: Sequence[Pair] = ()
    runs: Mapping[str, Run] = field(default_factory=dict)
    held_out: HeldOut | None = None
    alone: Sequence[Answer] = ()


@dataclass(frozen=True, kw_only=True)
class Line(ABC):
    """One test of a model.

    :param target: what each measured value must fulfil.
    :param why: one phrase for the report: what goes wrong with a model that fails it.
    """

    test: str
    target: Target
    why: str = ""

    needs_held_out = False  # no annotation: no field

    def static(self, phases: Phases) -> list[Asked]:
        """Return the cells this line needs labelled and predicted.

        :raises ValueError: a phase it needs is not there (`phase_of` says so).
        """
        return []

    def alone(self, phases: Phases) -> list[Asked]:
        """Return the cells this line needs predicted, and nobody can label.

        :raises ValueError: as `static`.
        """
        return []

    def runs(self, phases: Phases) -> list[AskedRun]:
        """Return the MD runs this line needs.

        :raises ValueError: as `static`.
        """
        return []

    @abstractmethod
    def measure(self, evidence: Evidence) -> list[Measured]:
        """Return the numbers; NaN with a note for what could not be measured."""


def phase_of(phases: Phases, name: str) -> Atoms:
    """Return a copy of the cell of a phase.

    :raises ValueError: it is not there.
    """
    if name not in phases:
        there = ", ".join(sorted(phases)) or "none"
        raise ValueError(f"there is no cell of {name} (there are {there}): add it to the phases, or leave out the line")
    cell: Atoms = phases[name].copy()
    return cell
