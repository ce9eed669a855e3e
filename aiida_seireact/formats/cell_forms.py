"""A planned cell in the form that the end of a file's name says: block by block where the form allows, else whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io import write

from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.cell_files import FORMATS, describe, write_cell
from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.structures.plan import CellPlan

WHOLE_ATOMS = 300_000
"""Above this a form that is written as a whole is refused: a CIF of so many atoms takes 20 s and 0.6 GB."""

SMALL_CELL = 30_000
"""Most atoms of a cell that is built inside the graph, by a calcfunction. It runs in the process that called it, a
daemon's worker or a command, and its frame goes through the profile's repository: up to here within a second and
1 MB. What is larger is no cell to label or to look at but one to run, and is built where it runs."""


def _extxyz(path: Path, atoms: Atoms) -> None:
    Frames.from_atoms([atoms]).to_extxyz(path)


def _cif(path: Path, atoms: Atoms) -> None:
    # ASE writes fractions with 5 decimals, 0.001 Å in a cell of 100 Å.
    from pymatgen.io.ase import AseAtomsAdaptor
    from pymatgen.io.cif import CifWriter

    CifWriter(AseAtomsAdaptor.get_structure(atoms), significant_figures=10).write_file(path)


def _poscar(path: Path, atoms: Atoms) -> None:
    # Sorted, since VASP wants the atoms of an element together.
    write(path, atoms, format="vasp", direct=True, sort=True)


WHOLE: dict[str, Callable[[Path, Atoms], None]] = {
    ".extxyz": _extxyz,
    ".xyz": _extxyz,
    ".cif": _cif,
    ".vasp": _poscar,
    ".poscar": _poscar,
}
STREAMED = {suffix: output for output, suffix in FORMATS.items()}
SUFFIXES = (*STREAMED, *WHOLE)


def form_of(path: Path) -> str:
    """Return the suffix that tells the form; POSCAR is one by its name.

    :raises ValueError: a form we don't write.
    """
    if path.name.upper().startswith("POSCAR"):
        return ".poscar"
    form = path.suffix.lower()
    if form not in SUFFIXES:
        raise ValueError(
            f"A cell is written as {', '.join(SUFFIXES)} or POSCAR, by the end of the name: not {path.name}."
        )
    return form


def write_form(
    plan: CellPlan,
    path: Path,
    *,
    species: Sequence[str] = (),
    config_type: str = "",
    progress: Callable[[str], None] = lambda line: None,
) -> None:
    """Write a cell, atomically, in the form of the file's name.

    :param species: element of each LAMMPS type; empty: those that occur, by atomic number.
    :param config_type: of the frame, where the form holds one.
    :raises ValueError: an unknown form, species that don't fit, or too many atoms for a form that is written whole.
    :raises NoSpace: the disk is too full.
    """
    form = form_of(path)
    refuse_too_large(plan.n_atoms, path)
    group = group_of(config_type)
    if form in STREAMED:
        write_cell(
            plan, path.parent, (STREAMED[form],), name=path.stem, species=species, config_type=config_type,
            group=group, progress=progress,
        )  # fmt: skip
        return
    atoms = plan.to_ase()
    atoms.info.update(config_type=config_type, group=group)
    with write_atomically(path) as temporary:
        WHOLE[form](temporary, atoms)


def refuse_too_large(n_atoms: int, path: Path) -> None:
    """Refuse to write a cell in a form that would hold it in memory.

    :raises ValueError: too many atoms; the sentence tells the forms that take any number.
    """
    form = form_of(path)
    if form in WHOLE and n_atoms > WHOLE_ATOMS:
        raise ValueError(
            f"The cell has {n_atoms:,} atoms, and {path.name} would be written as a whole, which is meant for up to "
            f"{WHOLE_ATOMS:,}: take {' or '.join(STREAMED)}, written block by block."
        )


def refuse_large(n_atoms: int) -> None:
    """Refuse a cell that a calcfunction should not build.

    :raises ValueError: more atoms than `SMALL_CELL`.
    """
    if n_atoms > SMALL_CELL:
        raise ValueError(
            f"The cell has {n_atoms:,} atoms, and up to {SMALL_CELL:,} are built inside the profile: have it built "
            "where it will run, by `seireact.build` (`--submit` of `aiida-seireact build`)."
        )


def group_of(config_type: str) -> str:
    """Return the group of a cell that was built: one for all cells of a type, whatever their seed."""
    return f"cell/{config_type}" if config_type else ""


def facts_of(plan: CellPlan) -> dict[str, Any]:
    """Return what a cell is, as the report of a build tells it."""
    return {**describe(plan)[0], "report": plan.report}
