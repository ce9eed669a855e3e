"""Band gaps from what jobs of a DFT engine left."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.calculations.functions.label_qe import pw_inputs
from aiida_seireact.calculations.pw_run import PwRun
from aiida_seireact.calculations.vasp_run import VaspRun
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.label_qe import QeSettings
from aiida_seireact.science.gaps import Gap, gap_of

VERSION = 1
"""Raise when the same input gives another output: the source of this module is part of the hash, that of `science` is
not."""

METHOD = (
    "Kohn-Sham gap on the k-mesh of the labels: an upper bound where the mesh misses a band edge, and by a semilocal "
    "functional too narrow by a third or so"
)
ALL_SMEARED: dict[str, Any] = {"insulators": []}
"""With fixed occupations pw.x computes no empty band, so there would be no gap to see."""


def smeared(settings: QeSettings) -> QeSettings:
    """Return the settings by which every cell has empty bands."""
    return settings.model_copy(update=ALL_SMEARED)


@calcfunction
def prepare_pw_bands(frames: FramesData, parameters: orm.Dict) -> dict[str, orm.Data]:
    """Return the inputs of pw.x as for labels, every cell smeared: a cell that was labelled so comes from the cache."""
    return pw_inputs(frames.frames, smeared(QeSettings.model_validate(parameters.get_dict())))


@calcfunction
def collect_pw_gaps(frames: FramesData, parameters: orm.Dict, **linked: orm.Data) -> orm.Dict:
    """Return the gap of each frame.

    :param linked: ``frame_000``, … of each frame the ``output_band`` of its last job, else what is left of it.
    """
    gaps: list[Gap] = []
    for index in range(len(frames.frames)):
        node = linked.get(f"frame_{index:03d}")
        gaps.append(_of_bands(node) if isinstance(node, orm.BandsData) else _none(_why_no_bands(node)))
    return _told(frames.frames, gaps, "pw.x")


@calcfunction
def collect_vasp_gaps(frames: FramesData, parameters: orm.Dict, **linked: orm.Data) -> orm.Dict:
    """Return the gap of each frame, by what aiida-vasp read of its levels.

    :param linked: ``frame_000``, … of each frame the files of its last job.
    """
    return _told(
        frames.frames,
        [_of_vasp(VaspRun.of(linked.get(f"frame_{index:03d}"))) for index in range(len(frames.frames))],
        "VASP",
    )


def _of_bands(bands: orm.BandsData) -> Gap:
    job = bands.creator
    if job is None or job.exit_status != 0:
        return _none("its job of pw.x did not end well")
    energies, occupations = bands.get_bands(also_occupations=True)
    _, weights = bands.get_kpoints(also_weights=True)
    try:
        return gap_of(np.asarray(energies), np.asarray(occupations), np.asarray(weights))
    except ValueError as error:
        return _none(f"its bands can't be read: {error}")


def _why_no_bands(node: orm.Data | None) -> str:
    run = PwRun.of(node)
    if run.calculation is None or run.workchain is None:
        return "no job of pw.x was started for it"
    if run.calculation.exit_status != 0 or run.workchain.exit_status != 0:
        return run.failure()
    return "aiida-quantumespresso found no bands in its output"


def _of_vasp(run: VaspRun) -> Gap:
    if run.calculation is None or run.workchain is None:
        return _none("no job of VASP was started for it")
    if run.calculation.exit_status != 0 or run.workchain.exit_status != 0:
        return _none(run.failure())
    found = run.misc.get("band_properties")
    if not found or found.get("band_gap") is None:
        return _none("aiida-vasp found no levels in its output (vasprun.xml)")
    gap, vbm, cbm = (float(found[name]) for name in ("band_gap", "vbm", "cbm"))
    if gap <= 0:
        return Gap(0.0, 0.0, vbm, cbm, True, "metallic: levels beside the Fermi level are partly filled")
    return Gap(gap, gap if found.get("is_direct_gap") else None, vbm, cbm, False)


def _none(why: str) -> Gap:
    return Gap(None, None, None, None, None, why)


def _told(frames: Frames, gaps: list[Gap], program: str) -> orm.Dict:
    rows = []
    for index, gap in enumerate(gaps):
        values = {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(gap).items()}
        rows.append({"name": str(frames.config_type[index]), "structure_id": frames.structure_ids[index], **values})
    return orm.Dict({"program": program, "method": METHOD, "gaps": rows})
