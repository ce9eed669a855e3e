"""What a safe start left: its log by stage, and the frames between stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.formats.dump import Snapshot, read_dump
from aiida_seireact.formats.jobs.start import StartSettings
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.formats.lammps_start import GAP, GIVEN, HEIGHT, HOLD, MINIMISE, stage_file, stages_of
from aiida_seireact.formats.thermo import ThermoError, in_our_units, read_runs
from aiida_seireact.science.start import largest_move
from aiida_seireact.science.structures.cells import rounded

Table = dict[str, NDArray[np.float64]]
TENSOR = ("pxx_gpa", "pyy_gpa", "pzz_gpa", "pyz_gpa", "pxz_gpa", "pxy_gpa")
FORCE = "Fmax"


def read_record(
    folder: Path,
    log: str,
    settings: StartSettings,
    md: MdSettings,
    *,
    n_atoms: int,
    shifts: Sequence[float] = (),
    stopped_by: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], Table]:
    """Return numbers by stage, and the thermo table with a column ``stage``, the number of each row's stage.

    Energies are per atom; pressures in GPa, the tensor in the order xx yy zz yz xz xy.

    :param folder: holds the log and the frames of the stages that were reached.
    :param shifts: of the gap, those that were tried.
    :param stopped_by: why seireact-lmp ended it early; None if it did not.
    :raises ThermoError: a log without its first table, or one that is too short though nothing ended the start.
    :raises DumpError: a frame of a finished stage is missing or broken.
    """
    runs = read_runs(folder / log)
    named: list[tuple[str, list[Table]]] = []
    for name, count in stages_of(settings, shifts):
        tables, runs = [run for run in runs[:count] if len(run["Step"])], runs[count:]
        if tables:
            named.append((name, tables))
    wanted = [name for name, _ in stages_of(settings, shifts)]
    if not named or (stopped_by is None and [name for name, _ in named] != wanted):
        raise ThermoError(f"{log} has tables of {', '.join(name for name, _ in named)}, not of {', '.join(wanted)}.")
    if stopped_by is not None:
        # After it, LAMMPS goes through the other stages without a step.
        named = [
            item for number, item in enumerate(named) if not number or _first_step(item) < max(1, stopped_by["step"])
        ]
    stages = []
    before = snapshot(folder, GIVEN) if (folder / stage_file(GIVEN)).is_file() else None
    for name, tables in named:
        after = snapshot(folder, name) if (folder / stage_file(name)).is_file() else None
        moved = None
        if before is not None and after is not None:
            moved = largest_move(before.positions, before.cell, after.positions, after.cell)
        stages.append({"name": name, **_stage(tables, n_atoms), "largest_move_ang": moved})
        before = after or before
    record: dict[str, Any] = {
        "n_atoms": n_atoms,
        "target": {
            "temperature_k": md.temperature_k,
            "pressure_gpa": md.pressure_gpa if md.ensemble == "npt" else 0.0,
            "ensemble": md.ensemble,
        },
        "stages": stages,
        "given": _last(named[0][1][-1], n_atoms),
        "gap": None,
        "relaxed": None,
        "hold": None,
        "stopped_by": None if stopped_by is None else dict(stopped_by),
    }
    for name, tables in named:
        if name == GAP and len(tables) == len(shifts) + 1:
            energies = [float(table["PotEng"][-1]) / n_atoms for table in tables]
            record["gap"] = {
                "shifts_ang": list(shifts),
                "energies_ev_per_atom": energies[:-1],
                "shift_ang": shifts[int(np.argmin(energies[:-1]))],
            }
        if name in (HEIGHT, MINIMISE):
            record["relaxed"] = _last(tables[-1], n_atoms)
        if name == HOLD and stopped_by is None:
            record["hold"] = _means(tables[-1], n_atoms)
    whole = [(number, table) for number, (_, tables) in enumerate(named) for table in tables]
    columns = {name: np.concatenate([table[name] for _, table in whole]) for name in whole[0][1]}
    columns["stage"] = np.concatenate([np.full(len(table["Step"]), float(number)) for number, table in whole])
    return _finite(record), columns


def snapshot(folder: Path, name: str) -> Snapshot:
    """Return the frame at the end of a stage, unwrapped.

    :raises DumpError: missing or broken.
    """
    return next(iter(read_dump(folder / stage_file(name))))


def last_frame(folder: Path, record: Mapping[str, Any]) -> Atoms:
    """Return the frame at the end of the last stage that left one, wrapped into its cell and rounded.

    Without velocities: production draws its own by its seed, so that runs of other seeds may begin with one start,
    and a frame is known by what it holds.

    :raises DumpError: none is there.
    """
    reached = [stage["name"] for stage in record["stages"] if (folder / stage_file(stage["name"])).is_file()]
    frame = snapshot(folder, reached[-1] if reached else GIVEN)
    atoms = Atoms(numbers=frame.numbers, positions=frame.positions - frame.origin, cell=frame.cell, pbc=True)
    atoms.wrap(eps=0.0)
    return rounded(atoms)


def _first_step(item: tuple[str, list[Table]]) -> int:
    return int(item[1][0]["Step"][0])


def _stage(tables: list[Table], n_atoms: int) -> dict[str, Any]:
    first, last = tables[0], tables[-1]
    return {
        "steps": int(last["Step"][-1] - first["Step"][0]),
        "potential_energy_ev_per_atom": [float(first["PotEng"][0]) / n_atoms, float(last["PotEng"][-1]) / n_atoms],
        "force_max_ev_per_ang": [float(first[FORCE][0]), float(last[FORCE][-1])],
        "volume_ang3": [float(first["Volume"][0]), float(last["Volume"][-1])],
        "temperature_k": [float(first["Temp"][0]), float(last["Temp"][-1])],
    }


def _last(table: Table, n_atoms: int) -> dict[str, Any]:
    return {**_means({name: column[-1:] for name, column in table.items()}, n_atoms), "temperature_k": None}


def _means(table: Table, n_atoms: int) -> dict[str, Any]:
    means = in_our_units({name: float(column.mean()) for name, column in table.items()})
    return {
        "temperature_k": means["temperature_k"],
        "potential_energy_ev_per_atom": means["potential_energy_ev"] / n_atoms,
        "volume_ang3": means["volume_ang3"],
        "pressure_tensor_gpa": [means[name] for name in TENSOR],
        "force_max_ev_per_ang": float(table[FORCE][-1]),
    }


def _finite(value: Any) -> Any:
    """Return None for what is not a number: a node holds none."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
