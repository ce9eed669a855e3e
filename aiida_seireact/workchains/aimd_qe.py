"""``seireact.aimd.qe``: MD by Quantum ESPRESSO through aiida-quantumespresso, one ``pw.base`` a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from aiida_seireact.calculations.functions.aimd import collect_pw_md, prepare_pw_md, settings_label
from aiida_seireact.formats.jobs.aimd import QeMdSettings
from aiida_seireact.formats.jobs.label_qe import Mesh
from aiida_seireact.workchains.aimd_engine import MdEngine
from aiida_seireact.workchains.label_qe import QeLabelWorkChain


class QeAimdWorkChain(MdEngine, QeLabelWorkChain):
    """Runs NVT by pw.x from velocities that we draw, with Andersen's thermostat; protocol ``qe``.

    pw.x has no Nosé-Hoover thermostat.
    """

    SETTINGS: ClassVar[type[QeMdSettings]] = QeMdSettings
    PREPARE: ClassVar[Callable[..., Any]] = staticmethod(prepare_pw_md)
    COLLECT: ClassVar[Callable[..., Any]] = staticmethod(collect_pw_md)
    # The standard output has every step, also where the run was killed.
    LEFT: ClassVar[tuple[str, ...]] = ("retrieved", "remote_folder")

    @staticmethod
    def settings_label(index: int, mesh: Mesh) -> str:
        """Return which settings of the plugin a run gets: each has its velocities."""
        return settings_label(index)
