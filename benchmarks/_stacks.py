"""Li | Li6PS5Cl stacked and written as LAMMPS data: by us, by ASE's tools and by pymatgen's.

    python -m benchmarks._stacks ase 3 6 10 56 out.data 300

All three take the mismatch in the metal and leave a gap above each slab. The peers have no disorder that is exact over
a cell: they repeat one unit cell of the electrolyte whose sites are filled.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase import Atoms

A_LI, A_SE, GAP_ANG = 3.42, 9.91, 2.0
# Along [1-11]/2 and [1-1-2] of bcc Li 10 and 7 periods fit 3 and 6 cells of the electrolyte.
LI_PER_SE = (10 / 3, 7 / 6)
LI_IN_PLANE = (np.sqrt(3) / 2 * A_LI, np.sqrt(6) * A_LI)
SPECIES = ["Li", "P", "S", "Cl"]


@dataclass(frozen=True)
class Size:
    """Cells of the electrolyte in plane, its cells on each other, and (110) layers of Li, an even number."""

    first: int
    second: int
    cells: int
    layers: int

    @property
    def n_atoms(self) -> int:
        """Number of atoms: 52 a cell of the electrolyte, 210 a layer of Li over 3 × 6 of them."""
        area = self.first * self.second
        return 52 * area * self.cells + 210 * area // 18 * self.layers


def recipe(size: Size) -> dict[str, Any]:
    """Return our recipe of a size."""
    n, m = round(size.first * LI_PER_SE[0]) // 2, round(size.second * LI_PER_SE[1])
    return {
        "phases": {
            "SE": {"name": "Li6PS5Cl", "lattice": {"a": A_SE}},
            "Li": {"name": "Li", "lattice": {"a": A_LI}},
        },
        "slabs": [
            {
                "phase": "SE",
                "vectors": [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
                "matrix": [[size.first, 0], [0, size.second]],
                "layers": size.cells,
            },
            {"phase": "Li", "hkl": [1, 1, 0], "in_plane": [[n, -n, n], [m, -m, -2 * m]], "layers": size.layers},
        ],
        "lattice_of": "SE",
        "gaps_ang": GAP_ANG,
        "seed": 1,
    }


def lithium() -> Atoms:
    """Return the orthogonal cell of (110): six atoms, two layers."""
    from ase.build import bulk, cut

    crystal = bulk("Li", "bcc", a=A_LI, cubic=True)
    return cut(crystal, a=(0.5, -0.5, 0.5), b=(1, -1, -2), c=(1, 1, 0))


def electrolyte() -> Atoms:
    """Return one cell of 52 atoms."""
    from aiida_seireact.science.structures import argyrodite

    return argyrodite(seed=0, a=A_SE)


def strained(metal: Atoms, size: Size) -> tuple[tuple[int, int, int], list[float]]:
    """Return repetitions of the metal's cell, and its lengths where it is strained to the electrolyte at its volume."""
    repeats = round(size.first * LI_PER_SE[0]), round(size.second * LI_PER_SE[1]), size.layers // 2
    lengths = [A_SE * size.first / repeats[0], A_SE * size.second / repeats[1]]
    return repeats, [*lengths, metal.get_volume() / (lengths[0] * lengths[1])]


def by_ase(size: Size, path: Path) -> int:
    """Repeat, stack and write by ASE."""
    from ase.build import stack
    from ase.io.lammpsdata import write_lammps_data

    metal = lithium()
    repeats, lengths = strained(metal, size)
    metal.set_cell(lengths, scale_atoms=True)
    slabs = electrolyte().repeat((size.first, size.second, size.cells)), metal.repeat(repeats)
    for slab in slabs:
        slab.center(vacuum=GAP_ANG / 2, axis=2)
    atoms = stack(*slabs, axis=2, maxstrain=None)
    write_lammps_data(path, atoms, specorder=SPECIES, masses=True, units="metal", atom_style="atomic")
    return len(atoms)


def by_pymatgen(size: Size, path: Path) -> int:
    """Repeat, stack and write by pymatgen: the merging of two slabs that its interface builders end with."""
    from pymatgen.core.interface import Interface
    from pymatgen.core.surface import Slab
    from pymatgen.io.ase import AseAtomsAdaptor
    from pymatgen.io.lammps.data import LammpsData

    metal = lithium()
    repeats, lengths = strained(metal, size)
    metal.set_cell(lengths, scale_atoms=True)
    slabs = []
    for atoms, plane, repeat in (
        (electrolyte(), (1, 0, 0), (size.first, size.second, size.cells)),
        (metal, (1, 1, 0), repeats),
    ):
        unit = AseAtomsAdaptor.get_structure(atoms)
        block = unit.make_supercell(repeat, in_place=False)
        slabs.append(Slab(block.lattice, block.species, block.frac_coords, plane, unit, 0.0, np.diag(repeat)))
    interface = Interface.from_slabs(*slabs, gap=GAP_ANG, vacuum_over_film=GAP_ANG)
    LammpsData.from_structure(interface, ff_elements=SPECIES, atom_style="atomic").write_file(str(path))
    return len(interface)


def by_us(size: Size, path: Path) -> int:
    """Plan and write block by block, with the disorder of the electrolyte drawn over the whole cell."""
    from aiida_seireact.formats.cell_files import write_cell
    from aiida_seireact.formats.recipe import Recipe

    plan = Recipe.model_validate(recipe(size)).plan()
    return int(write_cell(plan, path.parent, ["lammps"], name=path.stem, species=SPECIES)["n_atoms"])


BUILDERS: dict[str, Callable[[Size, Path], int]] = {"ours": by_us, "ASE": by_ase, "pymatgen": by_pymatgen}


def facts_of(path: Path) -> dict[str, Any]:
    """Return lengths of the cell and composition of a data file, read line by line."""
    lengths, counts, numbered = [], dict.fromkeys(SPECIES, 0), False
    with path.open() as stream:
        for line in stream:
            words = line.split()
            if words[-1:] and words[-1] in ("xhi", "yhi", "zhi"):
                lengths.append(float(words[1]) - float(words[0]))
            elif words[:1] == ["Atoms"]:
                numbered = True
            elif numbered and words:
                counts[SPECIES[int(words[1]) - 1]] += 1
    return {"lengths_ang": lengths, "counts": counts}


def main() -> None:
    """Build once to have everything imported, then build and time."""
    builder, *numbers, name, limit_s = sys.argv[1:]
    build, size, path = BUILDERS[builder], Size(*map(int, numbers)), Path(name)
    build(Size(3, 6, 1, 2), path)
    signal.alarm(int(limit_s))
    start, cpu = time.perf_counter(), time.process_time()
    build(size, path)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    signal.alarm(0)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak_mb, "facts": facts_of(path)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
