"""The steps of a melting temperature that are no MD: the cell, what a run has become, and what to try next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.dump import Snapshot, read_dump
from aiida_seireact.formats.jobs.melting import MeltingSettings
from aiida_seireact.formats.small import refuse_atoms
from aiida_seireact.science.validation.melting import (
    bracket_of,
    crystalline_fraction,
    next_temperatures,
    outcome_of,
    two_phase_cell,
)


@calcfunction
def make_two_phases(structure: FramesData, parameters: orm.Dict) -> dict[str, Any]:
    """Return ``frames``, the crystal whose upper half has room to melt, and ``cell``, what tells the halves apart.

    Beside these ``melt``, the settings of the run that melts that half.

    :param structure: one cell of the crystal.
    :param parameters: fields of `formats.jobs.melting.MeltingSettings`.
    :raises ValueError: too few repeats, or species that are not there.
    """
    settings = MeltingSettings.model_validate(parameters.get_dict())
    crystal = structure.frames.without_labels().to_atoms(0)
    refuse_atoms(len(crystal) * int(np.prod(settings.repeat)))
    found = two_phase_cell(crystal, settings.repeat, expansion=settings.expansion, species=settings.species or None)
    atoms = Atoms(found.atoms.numbers, positions=found.atoms.positions, cell=found.atoms.cell, pbc=True)
    atoms.info["config_type"] = "two-phase"
    cell = {
        "n_held": found.n_held,
        "peaks": found.peaks.tolist(),
        "n_layers": found.n_layers,
        "at_rest": round(found.at_rest, 9),
    }
    return {
        "frames": FramesData.from_ase([atoms], labels="ignore"),
        "cell": orm.Dict(cell),
        "melt": orm.Dict(settings.melting_half(found.n_held)),
    }


@calcfunction
def half_molten(trajectory: TrajectoryData, cell: orm.Dict, parameters: orm.Dict) -> FramesData:
    """Return the last frame of the run that melted the upper half.

    :param cell: of `make_two_phases`.
    :raises ValueError: the run ended early, or more than the lower half is still crystalline.
    """
    settings = MeltingSettings.model_validate(parameters.get_dict())
    last = list(frames_of(trajectory))[-1]
    fraction = _fraction(last, cell, settings)
    if fraction > 0.65:
        raise ValueError(
            f"after {settings.melt.steps} steps at {settings.melt.temperature_k:g} K, {fraction:.0%} of the layers are "
            "crystalline: melt hotter or longer, or give more room (`expansion`)"
        )
    if fraction < 0.25:
        raise ValueError(f"only {fraction:.0%} of the layers are crystalline: is the structure the crystal at rest?")
    atoms = Atoms(last.numbers, positions=last.positions - last.origin, cell=last.cell, pbc=True)
    atoms.wrap()
    atoms.info["config_type"] = "half-molten"
    return FramesData.from_ase([atoms], labels="ignore")


@calcfunction
def judge_coexistence(trajectory: TrajectoryData, cell: orm.Dict, parameters: orm.Dict, asked: orm.Dict) -> orm.Dict:
    """Return ``outcome`` (froze, melted or both) of a run, with the ``fractions`` of crystal at its ``steps``.

    :param asked: settings of the run, of `plan_round`.
    :raises ValueError: the run ended early.
    """
    settings = MeltingSettings.model_validate(parameters.get_dict())
    steps, fractions = [], []
    for frame in frames_of(trajectory):
        steps.append(frame.step)
        fractions.append(round(_fraction(frame, cell, settings), 6))
    return orm.Dict(
        {
            "temperature_k": asked["md"]["temperature_k"],
            "outcome": outcome_of(fractions),
            "steps": steps,
            "fractions": fractions,
        }
    )


@calcfunction
def plan_round(parameters: orm.Dict, **outcomes: orm.Dict) -> dict[str, orm.Dict]:
    """Return what is known and what is next.

    :param outcomes: of `judge_coexistence`, all so far.
    :returns: ``plan``: ``temperatures_k`` to run next, none when it is done; ``known``, outcome by temperature;
        ``melting_k`` and ``error_k`` of the bracket so far, or null; ``complaint``, why there is none or none that is
        narrow enough. By `run_name` the settings of each run that is next.
    """
    settings = MeltingSettings.model_validate(parameters.get_dict())
    known = {node["temperature_k"]: node["outcome"] for node in outcomes.values()}
    told: dict[str, Any] = {
        "temperatures_k": [],
        "known": [[kelvin, known[kelvin]] for kelvin in sorted(known)],
        "melting_k": None,
        "error_k": None,
        "complaint": "",
    }
    try:
        told["temperatures_k"] = next_temperatures(
            known, settings.low_k, settings.high_k, settings.tolerance_k, at_once=settings.at_once
        )
        bracket = bracket_of(known)
    except ValueError as error:
        return {"plan": orm.Dict({**told, "complaint": str(error)})}
    if bracket.temperature_k is not None and bracket.error_k is not None:
        told |= {"melting_k": bracket.temperature_k, "error_k": bracket.error_k, "both_k": list(bracket.both_k)}
        if not told["temperatures_k"] and bracket.error_k > settings.tolerance_k:
            told["complaint"] = (
                f"neither phase grew from {bracket.both_k[0]:g} to {bracket.both_k[-1]:g} K, so it lies within "
                f"{bracket.error_k:.3g} K of {bracket.temperature_k:.4g} K, not {settings.tolerance_k:g}: "
                "take longer runs"
            )
    runs = {run_name(kelvin): orm.Dict(settings.coexistence(kelvin)) for kelvin in told["temperatures_k"]}
    return {"plan": orm.Dict(told), **runs}


def run_name(kelvin: float) -> str:
    """Return the call link of the run at a temperature: ``at_453p1_k``."""
    return f"at_{kelvin:.4f}".rstrip("0").rstrip(".").replace(".", "p") + "_k"


def frames_of(trajectory: TrajectoryData) -> Iterator[Snapshot]:
    """Yield the frames of a run that was retrieved.

    :raises ValueError: it ended early, or its dump was not retrieved.
    """
    facts = trajectory.base.attributes
    if facts.get("stopped_by"):
        raise ValueError(f"the run was stopped at step {facts.get('last_step')}: {facts.get('stopped_by')['message']}")
    for chunk in trajectory.manifest:
        copy = trajectory.live_copy(chunk["sha256"])
        if not copy.is_retrieved:
            raise ValueError(f"{chunk['file']} was not retrieved: set retrieve_dump")
        with copy.node.base.repository.as_path(copy.file) as path:
            yield from read_dump(path)


def _fraction(frame: Snapshot, cell: orm.Dict, settings: MeltingSettings) -> float:
    chosen = np.ones(len(frame.numbers), dtype=bool)
    if settings.species:
        chosen = np.isin(frame.numbers, Atoms(settings.species).numbers)
    positions = frame.positions[chosen] - frame.origin
    told = {name: cell[name] for name in ("peaks", "n_layers", "at_rest")}
    return crystalline_fraction(positions, frame.cell, order_min=settings.order_min, **told)
