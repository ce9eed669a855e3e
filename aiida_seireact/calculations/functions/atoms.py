"""Isolated atoms as frames, and their energies as the reference that models count from."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.structures import isolated_atom


@calcfunction
def make_isolated_atoms(species: orm.List) -> FramesData:
    """Return one atom of each species, alone in a box, of the type that engines compute spin-polarised."""
    return FramesData(Frames.from_atoms([isolated_atom(symbol) for symbol in sorted(set(species.get_list()))]))


@calcfunction
def isolated_atom_energies(atoms: FramesData, engine: orm.Str) -> orm.Dict:
    """Return ``energies_ev`` by species, where they come from (``source``), and their level of theory.

    :param atoms: labelled isolated atoms.
    :param engine: that labelled them.
    """
    frames = atoms.frames
    assert frames.energy is not None
    return orm.Dict(
        {
            "energies_ev": {
                str(frames.to_atoms(index).symbols[0]): float(frames.energy[index]) for index in range(len(frames))
            },
            "source": f"isolated atoms by {engine.value}",
            "settings_hash": frames.settings_hash,
        }
    )
