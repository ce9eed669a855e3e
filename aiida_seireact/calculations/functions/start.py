"""The verdict on a start, a node of its own: other limits need no other run."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.start import StartLimitSettings
from aiida_seireact.science.start import judge


@calcfunction
def judge_start(frames: FramesData, record: orm.Dict, limits: orm.Dict) -> orm.Dict:
    """Return whether a start is safe to go on from: ``passed``, ``sentences``, ``checks``, closest pairs, densities.

    :param frames: the cell at its end; ``record``: what it did, both of `seireact.start`.
    :param limits: fields of `formats.jobs.start.StartLimitSettings`.
    """
    settings = StartLimitSettings.model_validate(limits.get_dict())
    atoms = frames.to_ase()
    return orm.Dict(
        judge(
            record.get_dict(),
            atoms.positions,
            atoms.numbers,
            atoms.cell.array,
            settings.limits(),
            settings.contacts.limits(),
        )
    )
