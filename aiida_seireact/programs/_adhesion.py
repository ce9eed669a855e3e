"""Work of separation, rigid or relaxed, of labelled frames: the same for files and for nodes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from aiida_seireact.formats.frames import Frames, FramesError, one_level
from aiida_seireact.science.analysis import interfaces_of_cell, work_of_separation
from aiida_seireact.science.analysis.slabs_apart import cut_apart

NAMES = ("joined", "first", "second")


def adhesion_of(frames: Frames, n_interfaces: int | None = None) -> dict[str, Any]:
    """Return the work of separation of three labelled frames in any order: the joined cell, which has most atoms,
    and two slabs.

    :param n_interfaces: 1 or 2; None: 2 for a joined cell without vacuum, 1 with it.
    :raises FramesError: other than three frames, or without energies.
    :raises ValueError: they do not belong together, or a slab has no vacuum around it.
    """
    if len(frames) != 3:
        raise FramesError(f"{len(frames)} frames were given: adhesion takes the joined cell and each of its two slabs.")
    if frames.energy is None:
        raise FramesError("The frames have no energy: label them, all three by the same engine and settings.")
    # Of metals at a temperature of smearing, the energy without it.
    energies = frames.energy if frames.energy_e0 is None else frames.energy_e0
    order = [int(np.argmax(frames.n_atoms))]
    order += [row for row in range(3) if row not in order]
    rows = [slice(int(frames.offsets[row]), int(frames.offsets[row + 1])) for row in order]
    for name, row, part in zip(NAMES[1:], order[1:], rows[1:], strict=True):
        if interfaces_of_cell(frames.positions[part], frames.cells[row]) == 2:
            raise ValueError(
                f"The {name} slab has no vacuum of 6 Å along z, so it touches its own image: give it 15 Å or more."
            )
    joined = order[0]
    counted = n_interfaces or interfaces_of_cell(frames.positions[rows[0]], frames.cells[joined])
    found = work_of_separation(
        *(float(energies[row]) for row in order),
        cells=(frames.cells[order[0]], frames.cells[order[1]], frames.cells[order[2]]),
        numbers=(frames.numbers[rows[0]], frames.numbers[rows[1]], frames.numbers[rows[2]]),
        n_interfaces=counted,
    )
    return {
        **asdict(found),
        "energies_ev": {name: float(energies[row]) for name, row in zip(NAMES, order, strict=True)},
        "energy": "with the forces" if frames.energy_e0 is None else "extrapolated to zero smearing",
        "settings_hash": frames.settings_hash,
    }


def three_of(parts: list[tuple[Frames, int | None]]) -> Frames:
    """Return the frames that were named, in one shard.

    :param parts: frames and which of them; None: all.
    :raises FramesError: no such frame, or labels of unlike settings.
    """
    one_level([frames for frames, _ in parts])
    chosen = []
    for frames, row in parts:
        if row is not None and not 0 <= row < len(frames):
            raise FramesError(f"There is no frame {row} among {len(frames)}: they are counted from 0.")
        chosen.append(frames if row is None else frames.select([row]))
    return Frames.concatenate(chosen)


def joined_and_slabs(frames: Frames, row: int, low: float, high: float, vacuum_ang: float) -> Frames:
    """Return the joined cell and its two slabs, cut out as they are, unlabelled: what a labeller is to be given.

    :param row: which of the frames.
    :param low: height of the one cut, :param high: of the other, fractions of the cell.
    :raises ValueError: cuts out of order, or a slab without atoms.
    """
    joined = frames.select([row]).without_labels().to_atoms(0)
    images = [joined]
    for slab in cut_apart(joined.positions, joined.cell.array, low, high, vacuum_ang=vacuum_ang):
        atoms = joined[slab.atoms]
        atoms.set_cell(slab.cell)
        atoms.positions = slab.positions
        atoms.pbc = True
        images.append(atoms)
    for atoms, name in zip(images, NAMES, strict=True):
        atoms.info = {"config_type": name}
    return Frames.from_atoms(images, labels="ignore")
