"""How often the kernel has killed a process for want of memory, as it counts itself."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from aiida_seireact.programs._memory import control_groups

VMSTAT = Path("/proc/vmstat")


def memory_kills() -> int:
    """Return how many processes were killed for memory: of this job's control group, or of the machine without one.

    The count only grows; 0 where the kernel tells none.
    """
    # Of version 2, and of version 1.
    counts = [folder / name for folder in control_groups() for name in ("memory.events", "memory.oom_control")]
    for place in (*counts, VMSTAT):
        with suppress(OSError):
            for line in place.read_text(encoding="utf-8").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0
