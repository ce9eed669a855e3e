"""What the report shows of a run of the interface: its trace, its phases, its cell, its clocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from aiida.common.exceptions import NotExistent
from ase.data import chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.cli.render.outputs import Outputs
from aiida_seireact.data.copies import LiveCopy
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.arrays_file import PhasesError
from aiida_seireact.formats.discovery import DiscoveryCurves
from aiida_seireact.formats.dump import DumpError, Snapshot, read_dump, scan_dump
from aiida_seireact.formats.environments import Course, Labels
from aiida_seireact.query.interphase import INTACT_PS4
from aiida_seireact.query.trajectories import stop_message
from aiida_seireact.science.labelling import UNKNOWN

MOST_ATOMS_READ = 500_000
"""Reading a frame of more takes longer than a report may."""
MOST_ATOMS_DRAWN = 12_000
"""More are slow to turn on a laptop; of a larger cell its front is shown."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Moment:
    """The production cell at one time: what `figures.cell_picture` draws."""

    positions: Array
    symbols: Array
    cell: Array
    phases: Array
    n_atoms: int
    """Of the whole cell; of a large one only those in front along y are here."""


@dataclass
class Run:
    """One run of the interface; what is empty or None is not there."""

    facts: dict[str, Any] = field(default_factory=dict)
    """Attributes of its trajectory: atoms, steps, what ended it."""
    classification: dict[str, Any] = field(default_factory=dict)
    analysis: dict[str, Any] = field(default_factory=dict)
    has_ps4: bool = False
    """Whether intact PS4 were counted."""
    fractions: tuple[Array, dict[str, Array], str] | None = None
    picture: dict[str, Moment] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    """What each unknown cluster is; empty where nobody looked, or nothing is unknown."""
    discovery_curves: DiscoveryCurves | None = None

    @property
    def stop_message(self) -> str:
        """The sentence of the rule that ended it, empty if none did."""
        return stop_message(self.facts.get("stopped_by"))

    def times_ps(self, steps: Array) -> Array:
        """Return MD steps as times in ps."""
        return np.asarray(steps, dtype=float) * float(self.facts.get("timestep_fs", 1.0)) / 1000


def read_run(outputs: Outputs, part: str = "", *, draw_cell: bool = True) -> Run:
    """Read the run of the last model, or with ``part`` that of a namespace.

    :param draw_cell: read the first and the last classified frame from the dump, too.
    """
    run = Run()
    trajectory = outputs.find("trajectory", part)
    if trajectory is not None:
        run.facts = {key: value for key, value in trajectory.base.attributes.items() if key != "manifest"}
    _read_phases(run, outputs, part)
    if draw_cell and trajectory is not None and run.fractions is not None:
        _read_picture(run, outputs, trajectory, _arrays(outputs.find("labels", part)))
    _read_analysis(run, outputs, part)
    return run


def _arrays(node: Any) -> dict[str, Array]:
    return {name: node.get_array(name) for name in node.get_arraynames()}


def _read_phases(run: Run, outputs: Outputs, part: str) -> None:
    classification, node = outputs.find("classification", part), outputs.find("labels", part)
    if classification is not None:
        run.classification = classification.get_dict()
    found, curves = (outputs.find(name, part, quietly=True) for name in ("discovery", "discovery_arrays"))
    if found is not None and curves is not None:
        run.discovery, run.discovery_curves = found.get_dict(), DiscoveryCurves(**_arrays(curves))
    if node is None:
        return
    course = Course.of_arrays(_arrays(node))
    names = [str(name) for name in course.label_names]
    order = sorted(range(len(names)), key=lambda index: (names[index] == UNKNOWN, index))
    counts = course.counts.sum(axis=2)
    shares = (counts / counts.sum(axis=1, keepdims=True)).T
    seen = [index for index in order if shares[index].any()]
    of = str(run.classification.get("of") or "environments")
    run.fractions = (run.times_ps(course.steps), {names[index]: shares[index] for index in seen}, of)


def named_fractions(fractions: Mapping[str, Any], of: str) -> dict[str, Any]:
    """Return phase fractions as `of`, `first`, `last` and `all`, whichever of its two names each part has."""
    parts = {"first": "first_tenth", "last": "last_tenth", "all": "whole_run"}
    found = {name: fractions.get(name, fractions.get(other)) for name, other in parts.items()}
    return {"of": fractions.get("of") or of, **{name: part for name, part in found.items() if part is not None}}


def _read_picture(run: Run, outputs: Outputs, trajectory: TrajectoryData, arrays: dict[str, Array]) -> None:
    """The cell at the first and at the last classified frame, from wherever a copy of the dump lies."""
    if (n_atoms := int(run.facts.get("n_atoms", 0))) > MOST_ATOMS_READ:
        outputs.missing["picture"] = f"a cell of {n_atoms:,} atoms is too large to be drawn here"
        return
    try:
        labels = Labels.of_arrays(arrays)
        names = [str(name) for name in labels.label_names]
        for title, row in (("start", 0), ("end", len(labels.steps) - 1)):
            frame = snapshot_at(trajectory, int(labels.steps[row]))
            phase_of = dict(zip(labels.atom_ids.tolist(), labels.labels[row].tolist(), strict=True))
            time_ps = float(run.times_ps(labels.steps[row : row + 1])[0])
            positions = wrapped(frame.positions - frame.origin, frame.cell)
            shown = front(positions, MOST_ATOMS_DRAWN)
            phases = np.array([names[phase_of[key]] if key in phase_of else "" for key in frame.ids.tolist()])
            run.picture[f"{title}, {time_ps:.3g} ps"] = Moment(
                positions=positions[shown],
                symbols=np.array([chemical_symbols[number] for number in frame.numbers[shown]]),
                cell=frame.cell,
                phases=phases[shown],
                n_atoms=len(positions),
            )
    except (NotExistent, DumpError, OSError, PhasesError) as error:
        run.picture = {}
        outputs.missing["picture"] = str(error)


def wrapped(positions: Array, cell: Array) -> Array:
    """Return positions ``(n, 3)`` inside the cell."""
    lattice = np.asarray(cell, dtype=float)
    return np.asarray(((np.asarray(positions, dtype=float) @ np.linalg.inv(lattice)) % 1.0) @ lattice)


def front(positions: Array, most: int) -> NDArray[np.bool_]:
    """Return which of ``(n, 3)`` atoms lie in front along y, ``most`` of them; all where they are few."""
    if len(positions) <= most:
        return np.ones(len(positions), dtype=bool)
    return np.asarray(positions[:, 1] <= np.partition(positions[:, 1], most - 1)[most - 1])


def snapshot_at(trajectory: TrajectoryData, step: int) -> Snapshot:
    """Return one frame of a trajectory.

    :raises NotExistent: no copy of its chunk can be read here, or it was not dumped.
    """
    for chunk in trajectory.manifest:
        if chunk["first_step"] <= step <= chunk["last_step"]:
            copy = trajectory.live_copy(chunk["sha256"])
            with _readable(copy) as path:
                steps = scan_dump(path, stop_before_truncated=True)
                if step in steps:
                    # Passing over a frame takes a tenth of the time of reading it.
                    return next(read_dump(path, indices={steps.index(step)}))
    raise NotExistent(f"The trajectory has no frame of step {step}.")


@contextmanager
def _readable(copy: LiveCopy) -> Iterator[Path]:
    """Give the path of a chunk on this machine."""
    if not copy.is_retrieved:
        if copy.node.computer is None or copy.node.computer.transport_type != "core.local":
            raise NotExistent(f"{copy.file} lies on another machine: the cell is not drawn.")
        yield Path(copy.path)
        return
    with copy.node.base.repository.as_path(copy.file) as path:
        yield path


def _read_analysis(run: Run, outputs: Outputs, part: str) -> None:
    analysis, node = outputs.find("analysis", part), outputs.find("analysis_arrays", part)
    if analysis is not None:
        run.analysis = analysis.get_dict()
    if node is None:
        return
    # A study may leave any of the analyses out.
    run.has_ps4 = INTACT_PS4 in node.get_arraynames()
