"""Whether a leg has the memory to learn, asked before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from aiida_seireact.formats.jobs.base import TooLittleMemory
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.science.gp_memory import learning_memory

MEMINFO = Path("/proc/meminfo")
OWN_STATUS = Path("/proc/self/status")
OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
GB = 1e9


def require_memory(settings: LegSettings, images: Sequence[Atoms], n_species: int, n_sparse: int, n_new: int) -> None:
    """Refuse to learn what will not fit.

    :param images: all frames, those learned before first.
    :param n_sparse: environments known already.
    :param n_new: how many of the frames, the last ones, are new.
    :raises TooLittleMemory: with what is needed, what there is, and what would fit.
    """
    from matscipy.neighbours import neighbour_list

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
    """Return how much memory this process may take in all: what it has, and what machine and control groups have left.

    Infinite where nothing tells.
    """
    found = [float("inf")]
    if MEMINFO.is_file():
        for line in MEMINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                found.append(1024.0 * int(line.split()[1]))
    for folder in control_groups():
        found += _left(folder, "memory.max", "memory.current", "file")
        found += _left(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache")
    return _own_bytes() + min(found)


def _own_bytes() -> int:
    """Return what this process holds already; 0 where nothing tells."""
    if not OWN_STATUS.is_file():
        return 0
    lines = OWN_STATUS.read_text(encoding="utf-8").splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def control_groups() -> list[Path]:
    """Return the folders of the control groups this process is in, each with those around it; version 2 and 1.

    In a container the path is often that of the host, and only the outermost folder is there.
    """
    folders = []
    lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines() if OWN_GROUPS.is_file() else []
    for number, controllers, path in (line.split(":", 2) for line in lines):
        if number == "0" or "memory" in controllers.split(","):
            root = GROUPS if number == "0" else GROUPS / "memory"
            inner = root / path.lstrip("/")
            folders += [inner, *(outer for outer in inner.parents if outer == root or root in outer.parents)]
    return folders


def _left(folder: Path, limit: str, usage: str, cache: str) -> list[float]:
    """Return what a control group has left, not counting files that are only cached; nothing if it has no limit."""
    try:
        most = (folder / limit).read_text(encoding="utf-8").strip()
        used = int((folder / usage).read_text(encoding="utf-8"))
        rows = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines())
    except OSError:
        return []
    # Without a limit it says `max`, or in version 1 a number beyond all memory.
    return [float(int(most) - used + int(rows.get(cache, 0)))] if most.isdecimal() else []
