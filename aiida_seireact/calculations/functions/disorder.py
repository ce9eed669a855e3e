"""Disordered phases and defects as frames, inside the graph: cells to label or to look at."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.defects import DefectsSettings
from aiida_seireact.formats.disorder import EnsembleSettings, Made, OrderingsSettings, read_settings

VERSION = 1
"""Raise when the same input gives another output: the source of this module is part of the hash, that of `science` is
not."""


@calcfunction
def ensemble(parameters: orm.Dict) -> dict[str, orm.Data]:
    """Draw a disordered phase many times.

    :param parameters: fields of `formats.disorder.EnsembleSettings`.
    :returns: ``frames``, lowest energy first if they are ranked; ``report``: composition, and seed and energy of each
        draw.
    :raises ValueError: in a sentence, what can't be drawn, or what is too large to be made inside the graph.
    """
    return _nodes(read_settings(EnsembleSettings, parameters.get_dict()).small().make())


@calcfunction
def distinct_orderings(parameters: orm.Dict) -> dict[str, orm.Data]:
    """Find the orderings of a disordered phase that its symmetry tells apart.

    :param parameters: fields of `formats.disorder.OrderingsSettings`.
    :returns: ``frames``, one of each, lowest energy first; ``report``: degeneracy and energy of each.
    :raises ValueError: in a sentence, what can't be counted, or what is too large to be made inside the graph.
    """
    return _nodes(read_settings(OrderingsSettings, parameters.get_dict()).make_small())


@calcfunction
def defects(parameters: orm.Dict, cells: FramesData | None = None) -> dict[str, orm.Data]:
    """Make point defects in a phase, or in cells.

    :param parameters: fields of `formats.defects.DefectsSettings`.
    :param cells: the hosts, if no phase is named; each frame remembers its own as parent.
    :returns: ``frames``; ``report``: charge of the defects, and seed and formula of each frame.
    :raises ValueError: in a sentence, what can't be made, or what is too large to be made inside the graph.
    """
    hosts = None if cells is None else cells.frames
    return _nodes(read_settings(DefectsSettings, parameters.get_dict()).small(hosts).make(hosts))


def _nodes(made: Made) -> dict[str, orm.Data]:
    return {"frames": FramesData(made.frames), "report": orm.Dict(made.report)}
