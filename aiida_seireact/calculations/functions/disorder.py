"""Disordered phases and defects as frames, inside the graph: cells to label or to look at."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.defects import DefectsSettings
from aiida_seireact.formats.disorder import EnsembleSettings, Made, OrderingsSettings, n_sites, read_settings

MAX_ATOMS = 100_000
"""Of all frames together: 100 draws of a thousand atoms take two seconds."""

MAX_EWALD_SITES = 700
"""An Ewald sum over so many sites takes a second: 2 x 2 x 2 argyrodite cells have 608."""

MAX_ARRANGEMENTS = 20_000
"""So many are sorted into orbits within two seconds."""


@calcfunction
def ensemble(parameters: orm.Dict) -> dict[str, orm.Data]:
    """Draw a disordered phase many times.

    :param parameters: fields of `formats.disorder.EnsembleSettings`.
    :returns: ``frames``, lowest energy first if they are ranked; ``report``: composition, and seed and energy of each
        draw.
    :raises ValueError: in a sentence, what can't be drawn, or what is too large to be made inside the graph.
    """
    settings = read_settings(EnsembleSettings, parameters.get_dict())
    _refuse_atoms(sum(settings.counts().values()) * settings.number)
    if settings.rank is not None:
        _refuse_sites(n_sites(settings.cell, settings.repeat))
    return _nodes(settings.make())


@calcfunction
def distinct_orderings(parameters: orm.Dict) -> dict[str, orm.Data]:
    """Find the orderings of a disordered phase that its symmetry tells apart.

    :param parameters: fields of `formats.disorder.OrderingsSettings`.
    :returns: ``frames``, one of each, lowest energy first; ``report``: degeneracy and energy of each.
    :raises ValueError: in a sentence, what can't be counted, or what is too large to be made inside the graph.
    """
    settings = read_settings(OrderingsSettings, parameters.get_dict())
    if settings.rank is not None:
        _refuse_sites(n_sites(settings.cell, settings.supercell))
    limit = min(settings.max_arrangements, MAX_ARRANGEMENTS)
    return _nodes(settings.model_copy(update={"max_arrangements": limit}).make())


@calcfunction
def defects(parameters: orm.Dict, cells: FramesData | None = None) -> dict[str, orm.Data]:
    """Make point defects in a phase, or in cells.

    :param parameters: fields of `formats.defects.DefectsSettings`.
    :param cells: the hosts, if no phase is named; each frame remembers its own as parent.
    :returns: ``frames``; ``report``: charge of the defects, and seed and formula of each frame.
    :raises ValueError: in a sentence, what can't be made, or what is too large to be made inside the graph.
    """
    settings = read_settings(DefectsSettings, parameters.get_dict())
    hosts = None if cells is None else cells.frames
    _refuse_atoms(settings.n_atoms(hosts))
    return _nodes(settings.make(hosts))


def _nodes(made: Made) -> dict[str, orm.Data]:
    return {"frames": FramesData(made.frames), "report": orm.Dict(made.report)}


def _refuse_atoms(n_atoms: int) -> None:
    if n_atoms > MAX_ATOMS:
        raise ValueError(
            f"The frames have {n_atoms:,} atoms together, and up to {MAX_ATOMS:,} are made inside the profile: ask for "
            "fewer or smaller ones, or have one large cell built where it will run, by `seireact.build`."
        )


def _refuse_sites(sites: int) -> None:
    if sites > MAX_EWALD_SITES:
        raise ValueError(
            f"The Ewald sum would run over {sites:,} sites, and up to {MAX_EWALD_SITES} are summed inside the profile: "
            "rank on files alone, or leave out the ranking; cells that large are built by `seireact.build`."
        )
