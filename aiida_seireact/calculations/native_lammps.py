"""A segment by a LAMMPS of its own, on one rank or many, with seireact-lmp before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo, CodeRunMode
from aiida.engine import CalcJobProcessSpec
from pydantic import ValidationError

from aiida_seireact.calculations.base import validate_program
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.base import readable
from aiida_seireact.formats.jobs.lmp import DeviceSettings
from aiida_seireact.formats.lammps_command import (
    CommandError,
    Resources,
    lammps_arguments,
    refuse_what_does_not_fit,
)

EMBEDDED = "seireact-lmp"


def define_native(spec: CalcJobProcessSpec) -> None:
    """Define the ports that a LAMMPS of its own needs."""
    spec.input(
        "companion",
        valid_type=orm.AbstractCode,
        required=False,
        validator=validate_program,
        help="Where `code` is a LAMMPS of its own: the code of seireact-lmp on the same computer, which checks the "
        "start, compares ranks and packs what comes out.",
    )
    spec.input(
        "devices",
        valid_type=orm.Dict,
        required=False,
        validator=validate_devices,
        help="Where `code` is a LAMMPS of its own: `gpus_per_node`, `kokkos`, `gpu_memory_gb`, `check_ranks`, …",
    )


def is_embedded(code: orm.AbstractCode) -> bool:
    """Whether a code is seireact-lmp, and not a LAMMPS of its own."""
    return PurePosixPath(str(code.filepath_executable)).name == EMBEDDED


def devices_of(inputs: Mapping[str, Any]) -> DeviceSettings:
    """Return what the job computes on."""
    return DeviceSettings.model_validate(inputs["devices"].get_dict() if "devices" in inputs else {})


def resources_of(asked: Mapping[str, Any], devices: DeviceSettings) -> Resources:
    """Return the resources of AiiDA's options as those of LAMMPS.

    :raises CommandError: not one rank for each GPU.
    """
    nodes, ranks = _nodes_and_ranks(asked)
    return Resources(nodes, ranks, devices.gpus_per_node, devices.sliced)


def n_ranks_of(options: Mapping[str, Any]) -> int:
    """Return the number of MPI ranks that AiiDA's options ask for."""
    nodes, ranks = _nodes_and_ranks(options.get("resources") or {})
    return nodes * ranks


def _nodes_and_ranks(asked: Mapping[str, Any]) -> tuple[int, int]:
    nodes = int(asked.get("num_machines") or 1)
    return nodes, int(asked.get("num_mpiprocs_per_machine") or int(asked.get("tot_num_mpiprocs") or nodes) // nodes)


def validate_devices(devices: orm.Dict, _: Any) -> str | None:
    """Refuse settings that are not known."""
    try:
        DeviceSettings.model_validate(devices.get_dict())
    except ValidationError as error:
        return f"These devices don't fit: {readable(error)}."
    return None


def validate_native(inputs: Mapping[str, Any], n_atoms: int) -> str | None:
    """Refuse a LAMMPS of its own without companion, other ranks than GPUs, and a cell that will not fit."""
    # Of a WorkChain, the options are an input of their own.
    options = inputs.get("options") or (inputs.get("metadata") or {}).get("options") or {}
    if "code" not in inputs or is_embedded(inputs["code"]):
        if (ranks := n_ranks_of(options)) == 1:
            return None
        return (
            f"seireact-lmp runs on one MPI rank, not on {ranks}: ask for one, or take a LAMMPS of its own, which "
            "`aiida-seireact setup --pair-style` makes."
        )
    code = inputs["code"]
    if "companion" not in inputs:
        return (
            f"{code.full_label} is a LAMMPS of its own: give the code of seireact-lmp on the same computer as "
            "`companion` too; `aiida-seireact setup --computer` makes it."
        )
    if inputs["companion"].computer.uuid != code.computer.uuid:
        return (
            f"`companion` is on {inputs['companion'].computer.label}, `code` on {code.computer.label}: take one there."
        )
    devices = devices_of(inputs)
    if options.get("withmpi"):
        return "MPI is used where there is more than one rank, and not for the companion: leave `withmpi` out."
    try:
        resources = resources_of(options.get("resources") or {}, devices)
        lammps_arguments(resources, kokkos=devices.kokkos)
        if devices.gpu_memory_gb is not None:
            per_atom = devices.megabytes_per_atom * 1e6
            refuse_what_does_not_fit(n_atoms, resources, devices.gpu_memory_gb * 1e9, per_atom)
    except CommandError as error:
        return str(error)
    if resources.n_ranks > 1 and not (code.computer.get_mpirun_command() or options.get("mpirun_extra_params")):
        return (
            f"Computer {code.computer.label} has no command that starts {resources.n_ranks} MPI ranks: give it one "
            "(`mpirun_command` of `verdi computer setup`), or the option `mpirun_extra_params`."
        )
    return None


def native_job(inputs: Any, *, end_step: int, timestep_fs: float) -> dict[str, Any]:
    """Return what the companion must know."""
    resources = resources_of(inputs.metadata.options.resources, devices_of(inputs))
    gpus = resources.nodes * resources.devices_per_node
    counts = {"nodes": resources.nodes, "ranks": resources.n_ranks, "gpus": gpus, "sliced": resources.sliced}
    return {"end_step": end_step, "timestep_fs": timestep_fs, **counts}


def asks_for_check(inputs: Any, n_atoms: int) -> bool:
    """Whether one rank is compared with all of them before the run."""
    devices = devices_of(inputs)
    several = resources_of(inputs.metadata.options.resources, devices).n_ranks > 1
    return devices.check_ranks and several and n_atoms <= devices.check_atoms_max


def add_native_codes(info: CalcInfo, inputs: Any, *, check: bool) -> None:
    """Put the companion around LAMMPS, and a comparison of ranks before it."""
    devices = devices_of(inputs)
    resources = resources_of(inputs.metadata.options.resources, devices)

    def lammps(input_file: str, log: str, *, with_mpi: bool, on: Resources) -> CodeInfo:
        found = CodeInfo()
        found.code_uuid = inputs.code.uuid
        found.cmdline_params = [
            *lammps_arguments(on, input_file=input_file, log=log, kokkos=devices.kokkos, gpu_aware=devices.gpu_aware),
            *devices.arguments,
        ]
        found.withmpi = with_mpi
        return found

    def companion(part: str) -> CodeInfo:
        found = CodeInfo()
        found.code_uuid = inputs.companion.uuid
        found.cmdline_params = ["-around", part, "-job", files.JOB]
        found.withmpi = False
        return found

    several = resources.n_ranks > 1
    run = lammps(files.LAMMPS_INPUT, files.LAMMPS_LOG, with_mpi=several, on=resources)
    checks = []
    if check:
        one = Resources(1, 1, min(1, resources.devices_per_node), resources.sliced)
        logs = files.CHECK_LOGS
        checks = [
            lammps(files.LAMMPS_CHECK_INPUT, logs[0], with_mpi=False, on=one),
            lammps(files.LAMMPS_CHECK_INPUT, logs[1], with_mpi=True, on=resources),
            companion("check"),
        ]
    info.codes_info = [companion("begin"), *checks, run, companion("end")]
    info.codes_run_mode = CodeRunMode.SERIAL
