"""Small cells from their recipes, inside the graph."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.cell_forms import facts_of, group_of, refuse_large
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.recipe import Recipe

VERSION = 1
"""Raise when the same input gives another output: the source of this module is part of the hash, that of `science` is
not."""


@calcfunction
def build_cell(recipe: orm.Dict) -> dict[str, orm.Data]:
    """Build a small cell.

    :param recipe: fields of `formats.recipe.Recipe`, as asked.
    :returns: ``frames``, one frame; ``report``, as that of `seireact.build` but without files. Its ``report.recipe``
        holds what was found (supercells, layers) and builds the same cell.
    :raises ValueError: a recipe that no cell follows, or of more atoms than `SMALL_CELL` of `formats.cell_forms`,
        before one is made.
    """
    wanted = Recipe.read(recipe.get_dict())
    plan = wanted.plan()
    refuse_large(plan.n_atoms)
    atoms = plan.to_ase()
    atoms.info.update(config_type=wanted.config_type, group=group_of(wanted.config_type))
    frames = Frames.from_atoms([atoms])
    report = {**facts_of(plan), "structure_id": frames.structure_ids[0]}
    return {"frames": FramesData(frames), "report": orm.Dict(report)}
