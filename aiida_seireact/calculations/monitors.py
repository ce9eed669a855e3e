"""``seireact.health``: looks at a running MD job, and has LAMMPS end it softly when it has left what its model knows.

The job is never killed: a stop file makes LAMMPS end within ten steps with its restart file and all frames written, and
the end is a result of the run, ``stopped_by`` of its trajectory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.schedulers import JobState
from aiida.transports import Transport

from aiida_seireact.calculations.lammps import n_atoms_of
from aiida_seireact.formats.halt import HEALTH, stop_request
from aiida_seireact.formats.jobs.lmp import SegmentSettings, StopSettings
from aiida_seireact.formats.run_tail import RunTail, read_tail, stop_command, tail_command
from aiida_seireact.science.run_health import (
    Asked,
    HealthLimits,
    complaint_of_frame,
    complaint_of_rows,
    complaint_of_speeds,
)

HEALTH_MONITOR = "seireact.health"
FRAMES_ATOMS_MAX = 10_000
HUNG_MINUTES = 60.0
NO_LIMITS = ("frames_atoms_max", "hung_minutes")


def monitor(
    node: orm.CalcJobNode,
    transport: Transport,
    temperature_ratio_max: float | None = None,
    pressure_max_gpa: float | None = None,
    drift_max_mev_per_atom_per_ps: float | None = None,
    speed_ratio_max: float | None = None,
    volume_ratio_min: float | None = None,
    volume_ratio_max: float | None = None,
    hole_radius_max_ang: float | None = None,
    distance_min_ang: float | None = None,
    frames_atoms_max: int = FRAMES_ATOMS_MAX,
    hung_minutes: float = HUNG_MINUTES,
) -> None:
    """Look at the end of the log and of the dump, and have a run that is ill end.

    What is not given is taken from the run's own stop rule, and from the defaults of `HealthLimits` and `StopRule`.

    :param frames_atoms_max: largest cell whose frames are looked at; of larger ones, the log only. 0: never.
    :param hung_minutes: a log that has not grown for so long is told of in the report of the job.
    :returns: always None: AiiDA would kill a job for anything else.
    """
    folder = node.get_remote_workdir()
    if folder is None or node.get_scheduler_state() is JobState.DONE:
        return
    given = {
        "temperature_ratio_max": temperature_ratio_max,
        "pressure_max_gpa": pressure_max_gpa,
        "drift_max_mev_per_atom_per_ps": drift_max_mev_per_atom_per_ps,
        "speed_ratio_max": speed_ratio_max,
        "volume_ratio_min": volume_ratio_min,
        "volume_ratio_max": volume_ratio_max,
        "hole_radius_max_ang": hole_radius_max_ang,
        "distance_min_ang": distance_min_ang,
    }
    asked = asked_of(node)
    frames_of = asked.n_atoms if asked.n_atoms <= frames_atoms_max else 0
    tail = read_tail(transport.exec_command_wait(tail_command(folder, frames_of=frames_of))[1])
    if tail is None or tail.is_stopping or tail.has_ended:
        return
    # Before its first step it loads a model.
    if tail.rows and tail.quiet_seconds is not None and tail.quiet_seconds > 60 * hung_minutes:
        _tell_once(node, f"its log has not grown for {hung_minutes:g} minutes: it may hang, look at its machine.")
    settings = SegmentSettings.model_validate(node.inputs.parameters.get_dict())
    try:
        message = complaint_of(tail, asked, limits_of(given, settings.engine.stop))
    except ValueError as error:
        # Whatever a monitor raises pauses the job's process after five tries.
        _tell_once(node, f"its health can't be judged: {error}.")
        return
    if message is None:
        return
    status, _, errors = transport.exec_command_wait(stop_command(folder, stop_request(message, unhealthy=True)))
    if status:
        _tell_once(node, f"it is ill ({message}), but can't be ended: {errors.strip() or 'no file can be written'}.")
    else:
        _tell_once(node, f"it is ended softly, {HEALTH}: {message}")


def complaint_of(tail: RunTail, asked: Asked, limits: HealthLimits) -> str | None:
    """Return what is wrong with a running segment, a sentence that names value, limit and step; None if nothing is."""
    if tail.is_broken:
        return "nan: positions or cell of the last frames are not numbers"
    if tail.rows and (message := complaint_of_rows(tail.rows, asked, limits)):
        return message
    if not tail.frames:
        return None
    last = tail.frames[-1]
    if len(last.ids) < asked.n_atoms:
        return f"lost: {asked.n_atoms - len(last.ids)} of {asked.n_atoms} atoms are gone, at step {last.step}"
    if message := complaint_of_frame(last.positions, last.cell, last.pbc, last.step, asked, limits):
        return message
    before = tail.frames[0]
    if before.step >= last.step or len(before.ids) != len(last.ids) or not last.unwrapped:
        return None
    return complaint_of_speeds(before.positions, last.positions, last.numbers, (before.step, last.step), asked, limits)


def limits_of(given: Mapping[str, float | None], stop: StopSettings | None) -> HealthLimits:
    """Return the limits: what is given, else the run's own stop rule, else the defaults.

    :raises ValueError: a limit that can't be one, or that no run has.
    """
    limits = {name: value for name, value in given.items() if value is not None}
    bounds = {name: limits.pop(name) for name in StopSettings.model_fields if name in limits}
    rule = StopSettings.model_validate({**({} if stop is None else stop.model_dump()), **bounds}).rule()
    try:
        return HealthLimits(**limits, rule=rule)
    except TypeError as error:
        raise ValueError(str(error)) from error


def kwargs_of(job: orm.CalcJobNode) -> dict[str, Any]:
    """Return what a job's own monitor was given, nothing where it has none."""
    for link in job.base.links.get_incoming(node_class=orm.Dict).all():
        if link.link_label.startswith("monitors__") and link.node.get("entry_point") == HEALTH_MONITOR:
            return dict(link.node.get("kwargs", {}))
    return {}


def validate_monitors(inputs: Mapping[str, Any]) -> str | None:
    """Refuse limits that can't be; inside a running job nobody would read the sentence."""
    for name, node in (inputs.get("monitors") or {}).items():
        if node.get_dict().get("entry_point") != HEALTH_MONITOR:
            continue
        given = dict(node.get_dict().get("kwargs", {}))
        for key in NO_LIMITS:
            if given.pop(key, 0) < 0:
                return f"monitors.{name}: {key} must not be negative."
        try:
            limits_of(given, None)
        except ValueError as error:
            return f"monitors.{name}: these limits don't fit: {error}."
    return None


def asked_of(job: orm.CalcJobNode) -> Asked:
    """Return what a segment was asked for, and with how many atoms and which reference volume it began."""
    settings = SegmentSettings.model_validate(job.inputs.parameters.get_dict())
    md, inputs = settings.md, job.inputs
    volume = settings.engine.reference_volume_ang3
    if "structure" in inputs:
        volume = volume or float(inputs.structure.to_ase().get_volume())
    elif "restart" in inputs:
        volume = volume or inputs.restart.base.attributes.get("reference_volume_ang3")
    hottest = max(md.temperature_k, md.temperature_end_k or 0.0)
    return Asked(
        temperature_k=hottest,
        timestep_fs=md.timestep_fs,
        n_atoms=n_atoms_of(inputs),
        pressure_gpa=md.pressure_gpa if md.ensemble == "npt" else None,
        is_driven=md.temperature_end_k not in (None, md.temperature_k) or bool(md.user_block),
        reference_volume_ang3=volume,
    )


def _tell_once(node: orm.CalcJobNode, message: str) -> None:
    """Write into the report of a job, unless it stands there already: a monitor has no memory of its own."""
    known = orm.Log.collection.get_logs_for(node)
    if not any(log.message == message for log in known):
        node.logger.report(message)
