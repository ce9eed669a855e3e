"""Resources in, the command line of a native ``lmp`` out: ranks, GPUs, slices of GPUs, and whether a cell fits.

How the ranks are started (``srun``, ``mpirun``) is the business of AiiDA's computer. The command lines with Kokkos are
those of the manuals of LAMMPS (``package kokkos``) and of nequip's pair style; no such LAMMPS has been run here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

NATIVE_CODE = "lmp-allegro"
"""Labels of codes of LAMMPS itself, with our pair style, begin so."""
BYTES_AN_ATOM = 0.56e6
"""Memory of a GPU an atom takes, by a network of the size of arXiv:2506.10944 in float32 with 67 to 72 neighbours.

Measured from 21,120 to 168,960 atoms on an H200, linear: docs/howto/own_profile.md. Another network or cutoff has
another number; `bytes_an_atom` takes it from a run.
"""
USABLE = 0.94
"""Share of a GPU's memory that atoms may fill; the rest is for CUDA itself and for ranks that own more atoms."""

_GPU = re.compile(r"^GPU (\d+): (.+?) \(UUID: (GPU-[^)]+)\)")
_SLICE = re.compile(r"^\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)")
_PROFILE_MEMORY = re.compile(r"\.(\d+)gb", re.IGNORECASE)


class CommandError(ValueError):
    """Resources that LAMMPS would not use as meant; the message says what to ask for."""


@dataclass(frozen=True)
class Device:
    """What one rank computes on: a GPU, or a slice of one.

    :param gpu: number of the GPU on its node
    :param profile: of a slice, as ``3g.20gb``; empty for a whole GPU
    """

    gpu: int
    name: str
    uuid: str
    profile: str = ""

    @property
    def memory_bytes(self) -> float | None:
        """Memory of a slice, by the name of its profile; None for a whole GPU, whose name does not tell."""
        found = _PROFILE_MEMORY.search(self.profile)
        return float(found[1]) * 1e9 if found else None


def devices_of(listing: str) -> list[Device]:
    """Return what ranks of a node may compute on, from the text that ``nvidia-smi -L`` writes there.

    A GPU that is partitioned (MIG) counts by its slices: as a whole it is not to be had.

    :raises CommandError: a text without any GPU.
    """
    found: list[Device] = []
    whole: Device | None = None
    for line in listing.splitlines():
        if gpu := _GPU.match(line):
            whole = Device(int(gpu[1]), gpu[2], gpu[3])
            found.append(whole)
        elif (part := _SLICE.match(line)) and whole is not None:
            if found[-1] == whole:
                found.pop()
            found.append(Device(whole.gpu, whole.name, part[2], part[1]))
    if not found:
        first = listing.strip().splitlines()[:1]
        raise CommandError(
            f"nvidia-smi -L lists no GPU{f' ({first[0]})' if first else ''}: ask the scheduler for some."
        )
    return found


@dataclass(frozen=True)
class Resources:
    """What a job asks for.

    :param nodes: machines
    :param ranks_per_node: MPI ranks on each
    :param devices_per_node: GPUs, or slices of GPUs, on each; 0: the processors compute
    :param sliced: they are slices
    """

    nodes: int = 1
    ranks_per_node: int = 1
    devices_per_node: int = 0
    sliced: bool = False

    def __post_init__(self) -> None:
        if self.nodes < 1 or self.ranks_per_node < 1 or self.devices_per_node < 0:
            raise CommandError(
                f"{self.nodes} nodes with {self.ranks_per_node} ranks and {self.devices_per_node} GPUs each is no job: "
                "ask for one node and one rank at least."
            )
        if self.devices_per_node and self.ranks_per_node != self.devices_per_node:
            what = "slice(s) of a GPU" if self.sliced else "GPU(s)"
            raise CommandError(
                f"{self.ranks_per_node} ranks a node for {self.devices_per_node} {what}: one rank computes on one of "
                f"them, ask for {self.devices_per_node} ranks a node (num_mpiprocs_per_machine)."
            )

    @property
    def n_ranks(self) -> int:
        """MPI ranks of the job."""
        return self.nodes * self.ranks_per_node

    @classmethod
    def of_listing(cls, listing: str, *, nodes: int, ranks_per_node: int) -> Resources:
        """Return the resources of nodes that are all like the one where ``nvidia-smi -L`` wrote ``listing``.

        :raises CommandError: no GPU there, or not one rank for each, or whole GPUs beside partitioned ones.
        """
        devices = devices_of(listing)
        kinds = {bool(device.profile) for device in devices}
        if len(kinds) > 1:
            raise CommandError("Some GPUs of this node are partitioned and some are not: ask for one kind of them.")
        return cls(nodes, ranks_per_node, len(devices), sliced=kinds.pop())


def refuse_other_devices(listing: str, *, ranks_per_node: int, sliced: bool) -> None:
    """Refuse a node whose GPUs are not those that the job counts on.

    :param listing: text of ``nvidia-smi -L`` there.
    :raises CommandError: no GPU, fewer than ranks, or a partitioned one where whole ones are counted on.
    """
    devices = devices_of(listing)
    parts = [device for device in devices if device.profile]
    if parts and not sliced:
        raise CommandError(
            f"GPU {parts[0].gpu} of this node is partitioned into slices ({parts[0].profile}): set `sliced` in "
            "`devices` and ask for one rank a slice, or ask the scheduler for whole GPUs."
        )
    if len(devices) < ranks_per_node:
        what = "slices of GPUs" if parts else "GPUs"
        raise CommandError(
            f"This node has {len(devices)} {what} for {ranks_per_node} ranks: one rank computes on one of them, ask "
            f"the scheduler for {ranks_per_node}, or for fewer ranks."
        )


def lammps_arguments(
    resources: Resources,
    *,
    input_file: str = "in.lammps",
    log: str = "log.lammps",
    kokkos: bool = False,
    gpu_aware: bool = True,
) -> list[str]:
    """Return what follows ``lmp`` on the command line.

    :param kokkos: LAMMPS is one built with Kokkos for GPUs; our plug-in and the processors need none of its options.
    :param gpu_aware: the MPI library sends from the memory of a GPU; without, Kokkos copies to the processor first.
    :raises CommandError: Kokkos without GPUs, or on several slices a node.
    """
    arguments: list[str] = []
    if kokkos:
        if not resources.devices_per_node:
            raise CommandError("A LAMMPS with Kokkos for GPUs needs one: ask for GPUs, or take one without Kokkos.")
        if resources.sliced and resources.devices_per_node > 1:
            # CUDA shows a process one slice only, so LAMMPS would find fewer GPUs than ranks, and refuse.
            raise CommandError(
                f"Kokkos can't share out {resources.devices_per_node} slices of GPUs on a node, as each process sees "
                "one: ask for one slice and one rank a node, or for whole GPUs."
            )
        # `g` counts GPUs of a node; every rank must see all of them and takes the one of its own number there.
        arguments += ["-k", "on", "g", str(resources.devices_per_node), "-sf", "kk"]
        arguments += ["-pk", "kokkos", "newton", "on", "neigh", "half"]
        if not gpu_aware:
            arguments += ["gpu/aware", "off"]
    return [*arguments, "-in", input_file, "-log", log]


def bytes_an_atom(memory_peak_bytes: float, n_atoms: int) -> float:
    """Return the memory an atom takes by a model, from a run: ``gpu.memory_peak_bytes`` of seireact-lmp's result.

    :raises ValueError: no atoms, or no memory.
    """
    if n_atoms < 1 or memory_peak_bytes <= 0:
        raise ValueError(f"A run of {n_atoms} atoms that held {memory_peak_bytes:g} bytes measures nothing.")
    return memory_peak_bytes / n_atoms


def gpus_needed(n_atoms: int, memory_bytes: float, per_atom: float = BYTES_AN_ATOM) -> int:
    """Return the smallest number of GPUs, or slices, of ``memory_bytes`` that hold a cell."""
    return max(1, math.ceil(n_atoms * per_atom / (USABLE * memory_bytes)))


def refuse_what_does_not_fit(
    n_atoms: int, resources: Resources, memory_bytes: float, per_atom: float = BYTES_AN_ATOM
) -> None:
    """Refuse a cell that would fill the GPUs of a job.

    :param memory_bytes: of one GPU, or slice.
    :param per_atom: of this model, see `bytes_an_atom`.
    :raises CommandError: it does not fit; the message tells how many GPUs would do.
    """
    needed = gpus_needed(n_atoms, memory_bytes, per_atom)
    if resources.devices_per_node and needed > resources.n_ranks:
        what = "slices" if resources.sliced else "GPUs"
        raise CommandError(
            f"{n_atoms:,} atoms take about {n_atoms * per_atom / 1e9:,.0f} GB by this model ({per_atom / 1e6:.2f} MB "
            f"an atom), more than {resources.n_ranks} {what} of {memory_bytes / 1e9:.0f} GB hold: ask for {needed}."
        )
