"""The cells of a study."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction
from ase import Atoms

from aiida_seireact.data.frames import FramesData
from aiida_seireact.science.structures import argyrodite, crystal, interface_cell


@calcfunction
def build_cells(parameters: orm.Dict) -> dict[str, FramesData]:
    """Build the cells of a Li | Li6PS5Cl | Li study.

    :param parameters: ``seed``; keyword arguments of `interface_cell` under ``training`` and ``production``, of
        `argyrodite` under ``electrolyte``; ``references``: repetitions of the crystal of each reference phase.
    :returns: ``to_relax`` (interface, then electrolyte), ``production``, and one shard for each reference phase.
    """
    settings = parameters.get_dict()
    seed = settings["seed"]
    to_relax = [
        typed(interface_cell(seed=seed, **tuples(settings["training"])), "interface"),
        typed(argyrodite(seed=seed, **tuples(settings["electrolyte"])), "Li6PS5Cl"),
    ]
    production = typed(interface_cell(seed=seed, **tuples(settings["production"])), "production")
    cells = {"to_relax": FramesData.from_ase(to_relax), "production": FramesData.from_ase([production])}
    for phase, repeat in settings["references"].items():
        atoms = argyrodite(seed=seed, repeat=tuple(repeat)) if phase == "Li6PS5Cl" else crystal(phase).repeat(repeat)
        cells[f"reference_{phase}"] = FramesData.from_ase([typed(atoms, phase)])
    return cells


def typed(atoms: Atoms, config_type: str) -> Atoms:
    """Return ``atoms`` with their config type and a group of their own."""
    atoms.info.update(config_type=config_type, group=f"cell/{config_type}")
    return atoms


def tuples(settings: dict[str, Any]) -> dict[str, Any]:
    """Turn JSON's lists into the tuples the science expects."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
