"""Starts of melts, and the frames their next stage starts from; each takes well under a second."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.calculations.sample import plan_of, stage_label
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.programs._draw import Cells, draw_melt_starts


@calcfunction
def melt_starts(plan: orm.Dict, cells: FramesData | None = None) -> dict[str, FramesData]:
    """Return the random packings that each melt_quench entry of a plan starts from: ``melt_00``, ``melt_01``, …

    :raises ValueError: an entry that can't be packed.
    """
    settings = plan_of(plan.get_dict())
    known = Cells.of(None if cells is None else cells.frames)
    return {
        f"melt_{number:02d}": FramesData(Frames.from_atoms(draw_melt_starts(entry, settings.seed, known)))
        for number, entry in enumerate(settings.melts)
    }


@calcfunction
def melt_jobs(plan: orm.Dict, parameters: orm.Dict) -> dict[str, orm.Dict]:
    """Return the job of each stage of each melt, ``melt_<entry>_<stage>``: MD of the cheap engine.

    :param parameters: ``calculator``, the cheap engine.
    """
    settings = plan_of(plan.get_dict())
    jobs = {}
    for number, entry in enumerate(settings.melts):
        for stage, temperature in enumerate(entry.temperatures_k):
            md = {
                "steps": entry.steps,
                "temperature_k": temperature,
                "timestep_fs": entry.timestep_fs,
                "label_every": entry.every,
                # A stage of a run is a group: one block, no gap.
                "block_steps": entry.steps + 1,
                "gap_steps": 0,
                "seed": settings.seed,
            }
            jobs[stage_label(number, stage)] = orm.Dict({**parameters.get_dict(), "task": "md", "md": md})
    return jobs


@calcfunction
def last_frames(frames: FramesData, starts: FramesData) -> FramesData:
    """Return the last frame of each run, bare, in the order of their starts; a run that gave none is left out.

    :raises ValueError: no run gave a frame.
    """
    columns = frames.frames
    chosen = []
    for start in starts.frames.frame_ids:
        mine = (columns.parent_id == start).nonzero()[0]
        if len(mine):
            chosen.append(int(mine[columns.md_step[mine].argmax()]))
    if not chosen:
        raise ValueError("No run gave a frame: all broke before the first one; lower the temperature or the time step.")
    return FramesData(columns.select(chosen).without_labels())
