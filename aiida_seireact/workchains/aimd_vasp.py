"""``seireact.aimd.vasp``: MD by VASP through aiida-vasp, one ``vasp.v2.vasp`` a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from aiida_seireact.calculations.functions.aimd import collect_vasp_md, incar_label, prepare_vasp_md
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.aimd import VaspMdSettings
from aiida_seireact.workchains.aimd_engine import MdEngine
from aiida_seireact.workchains.label_vasp import VaspLabelWorkChain


class VaspAimdWorkChain(MdEngine, VaspLabelWorkChain):
    """Runs NVT by VASP with its Nosé-Hoover thermostat (MDALGO 2), seeded by RANDOM_SEED; protocol ``paper``."""

    SETTINGS: ClassVar[type[VaspMdSettings]] = VaspMdSettings
    PREPARE: ClassVar[Callable[..., Any]] = staticmethod(prepare_vasp_md)
    COLLECT: ClassVar[Callable[..., Any]] = staticmethod(collect_vasp_md)

    @staticmethod
    def incar_labels(frames: Frames) -> list[str]:
        """Return which INCAR each run gets: each has its seed."""
        return [incar_label(index) for index in range(len(frames))]
