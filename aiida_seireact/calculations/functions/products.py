"""Phases as frames to label, and the products that follow from their energies."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.entries import energies_of, energies_of_frames, read_entries
from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.products import PhaseEnergy, predict
from aiida_seireact.science.structures.phase_cells import phase_cells, read_cifs


@calcfunction
def make_phases(phases: orm.List, **cifs: orm.SinglefileData) -> FramesData:
    """Return the smallest ordered cell of each phase, as frames whose config type is its name.

    :param phases: names of the library.
    :param cifs: further phases; the link label is the name.
    """
    texts = {name: node.get_content() for name, node in cifs.items()}
    return FramesData(Frames.from_atoms(phase_cells(phases.get_list(), read_cifs(texts))))


@calcfunction
def predict_products(reactants: orm.List, **energies: FramesData | orm.Dict | orm.SinglefileData) -> orm.Dict:
    """Return what two phases become along the mixing fraction: see `science.products.Products`.

    :param reactants: names or formulas of the first and the second phase.
    :param energies: labelled frames, or entries as JSON (a Dict or a file), all of one level of theory.
    :raises ValueError: what does not fit, in a sentence.
    """
    first, second = reactants.get_list()
    found = [energy for name in sorted(energies) for energy in energies_in(energies[name])]
    return orm.Dict(predict(first, second, found).to_dict())


def energies_in(node: FramesData | orm.Dict | orm.SinglefileData) -> list[PhaseEnergy]:
    """Return the energies of a node."""
    if isinstance(node, FramesData):
        return energies_of_frames(node.frames)
    content: Any = node.get_dict() if isinstance(node, orm.Dict) else None
    return read_entries(node.get_content()) if content is None else energies_of(content)
