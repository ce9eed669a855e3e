"""Whether a leg has the memory to learn, asked before it begins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms
from matscipy.neighbours import neighbour_list

from aiida_seireact.formats.jobs.base import TooLittleMemory
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.science.gp_memory import learning_memory

# Limit and use of a control group: version 2, version 1.
CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
MEMINFO = Path("/proc/meminfo")
GB = 1e9


def require_memory(settings: LegSettings, images: Sequence[Atoms], n_species: int, n_sparse: int, n_new: int) -> None:
    """Refuse to learn what will not fit.

    :param images: all frames, those learned before first.
    :param n_sparse: environments known already.
    :param n_new: how many of the frames, the last ones, are new.
    :raises TooLittleMemory: with what is needed, what there is, and what would fit.
    """
    limit = settings.memory_gb * GB if settings.memory_gb is not None else available_bytes()
    pairs = [
        len(
            neighbour_list(
                "i",
                positions=atoms.positions,
                cell=atoms.cell.array,
                pbc=atoms.pbc,
                cutoff=float(settings.gp.cutoff_ang),
            )
        )
        for atoms in images
    ]
    features = settings.gp.n_features(n_species)
    counts = [len(atoms) for atoms in images]
    needed = learning_memory(pairs, counts, features, n_sparse + sum(counts[len(counts) - n_new :]))
    if needed.peak <= limit:
        return
    largest = max(needed.frames)
    spare = limit - (needed.peak - sum(needed.frames))
    fitting = max(0, int(spare // (sum(needed.frames) / len(needed.frames))))
    source = "memory_gb" if settings.memory_gb is not None else "free here"
    smaller = settings.gp.model_copy(update={"n_max": max(1, settings.gp.n_max - 3)})
    raise TooLittleMemory(
        f"Learning {n_new} frames beside {len(images) - n_new} needs about {needed.peak / GB:.2g} GB, and "
        f"{limit / GB:.2g} GB are {source}: each frame takes up to {largest / GB:.2g} GB of descriptor gradients "
        f"({max(counts)} atoms, {features} features). Learn fewer frames, at most {fitting} fit; or take a smaller "
        f"descriptor (n_max {smaller.n_max}: {smaller.n_features(n_species)} features; or a shorter cutoff_ang); or "
        "split the condition into shorter ones; or give the job more memory."
    )


def available_bytes() -> float:
    """Return how much memory this process may still take: of the machine, or of its control group.

    Infinite where neither tells.
    """
    found = [float("inf")]
    if MEMINFO.is_file():
        for line in MEMINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                found.append(1024.0 * int(line.split()[1]))
    for limit, usage in ((Path(first), Path(second)) for first, second in CGROUPS):
        if os.access(limit, os.R_OK) and os.access(usage, os.R_OK):
            most = limit.read_text(encoding="utf-8").strip()
            if most.isdecimal():  # else `max`: no limit
                found.append(float(int(most) - int(usage.read_text(encoding="utf-8"))))
    return min(found)
