"""A stand-in for VASP in tests: it reads INCAR, KPOINTS, POSCAR and POTCAR as VASP does, and computes with a toy.

It leaves vasprun.xml, OUTCAR, CONTCAR, OSZICAR and standard output in the form that the parsers of aiida-vasp read, so
that whole workflows run through their real code. The toy is EMT where it knows all elements, else Lennard-Jones.

It fails as VASP does where the file that ``$FAKE_VASP_WAYS`` names says so: a JSON object from the length of the first
lattice vector in Å, with three decimals, to one of the ways of :data:`WAYS`. So a test can spoil one frame of many.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT, parameters
from ase.calculators.lj import LennardJones
from ase.io import read
from numpy.typing import NDArray

VERSION = "6.4.2"
EV_PER_ANG3_IN_KBAR = 1602.1766208
# As for smeared electrons, free energy < E0 < energy without entropy; the shifts (eV an atom) only tell them apart.
E0_SHIFT, NO_ENTROPY_SHIFT = 1e-3, 2e-3
STEPS, SLOW_STEPS = 12, 130
WAYS = {
    "unconverged": "the electrons don't converge, whatever is tried",
    "slow": f"they need {SLOW_STEPS} steps",
    "nan": "a force is not a number",
    "overflow": "a force overflows its field",
    "no_stress": "the stress is missing",
    "reordered": "two unlike atoms come back in another order",
    "moved": "an atom comes back moved",
    "strained": "the cell comes back strained",
    "other_version": "another version of VASP answers",
    "cut": "it is killed while it writes",
    "crash": "it dies before it writes",
}


class Result(NamedTuple):
    """What is written: units eV, Å, kbar; stress positive where the cell is compressed, as VASP has it."""

    atoms: Atoms
    energy: float
    forces: NDArray[np.float64]
    stress_kbar: NDArray[np.float64] | None
    steps: int
    nelm: int
    version: str

    @property
    def converged(self) -> bool:
        """Whether the electrons converged before NELM."""
        return self.steps < self.nelm


def toy(atoms: Atoms) -> Calculator:
    """Return the potential that stands in for VASP."""
    if set(atoms.get_chemical_symbols()) <= set(parameters):
        return EMT()
    return LennardJones(sigma=2.2, epsilon=0.1, rc=6.0, smooth=True)


def read_incar(text: str) -> dict[str, str]:
    """Return the tags of an INCAR, in small letters."""
    lines = re.split(r"[\n;]", re.sub(r"[#!].*", "", text))
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {tag.strip().lower(): value.strip() for tag, value in pairs}


def complaint(atoms: Atoms) -> str | None:
    """Return why VASP would refuse these files: none missing, a POTCAR for each species in the order of the POSCAR."""
    if missing := [name for name in ("INCAR", "KPOINTS", "POTCAR") if not Path(name).is_file()]:
        return f"no {', '.join(missing)}"
    titles = re.findall(r"TITEL\s*=\s*\S+\s+(\S+)", Path("POTCAR").read_text(encoding="utf-8"))
    symbols = atoms.get_chemical_symbols()
    blocks = [symbol for index, symbol in enumerate(symbols) if index == 0 or symbols[index - 1] != symbol]
    if [title.split("_")[0] for title in titles] != blocks:
        return f"POTCAR is for {' '.join(titles)}, POSCAR has {' '.join(blocks)}"
    return None


def compute(atoms: Atoms, tags: dict[str, str], way: str | None) -> Result:
    """Return energy, forces and stress of the toy, spoilt in the way asked for."""
    atoms = atoms.copy()
    atoms.calc = toy(atoms)
    energy, forces = float(atoms.get_potential_energy()), np.array(atoms.get_forces())
    stress = -atoms.get_stress(voigt=False) * EV_PER_ANG3_IN_KBAR
    nelm = int(tags.get("nelm", "60"))
    steps = {"unconverged": nelm, "slow": min(SLOW_STEPS, nelm)}.get(way or "", min(STEPS, nelm))
    shown = atoms.copy()
    if way == "nan":
        forces[0, 1] = np.nan
    if way == "overflow":
        forces[0, 1] = np.inf
    if way == "reordered":
        shown.symbols[[0, -1]] = shown.symbols[[-1, 0]]
    if way == "moved":
        shown.positions[0] += 0.01
    if way == "strained":
        shown.set_cell(shown.cell * 1.001, scale_atoms=True)
    version = "6.5.0" if way == "other_version" else VERSION
    return Result(shown, energy, forces, None if way == "no_stress" else stress, steps, nelm, version)


def rows(name: str, values: NDArray[np.float64]) -> str:
    """Return a ``varray`` of vasprun.xml; VASP writes eight decimals, and stars where they don't fit."""
    fields = "\n".join(
        "   <v> " + " ".join("*" * 16 if np.isinf(value) else f"{value:15.8f}" for value in row) + " </v>"
        for row in values
    )
    return f'  <varray name="{name}" >\n{fields}\n  </varray>\n'


def energies(result: Result) -> str:
    """Return the three energies of vasprun.xml."""
    size = len(result.atoms)
    three = {
        "e_fr_energy": result.energy,
        "e_wo_entrp": result.energy + NO_ENTROPY_SHIFT * size,
        "e_0_energy": result.energy + E0_SHIFT * size,
    }
    lines = "".join(f'   <i name="{name}"> {value:16.8f} </i>\n' for name, value in three.items())
    return f"  <energy>\n{lines}  </energy>\n"


def structure(atoms: Atoms, name: str = "") -> str:
    """Return a ``structure`` of vasprun.xml: those at beginning and end have names, that of the calculation none."""
    opening = f' <structure name="{name}" >' if name else " <structure>"
    return (
        f"{opening}\n <crystal>\n"
        + rows("basis", atoms.cell.array)
        + " </crystal>\n"
        + rows("positions", atoms.get_scaled_positions(wrap=False))
        + " </structure>\n"
    )


def vasprun(result: Result) -> str:
    """Return vasprun.xml."""
    atoms = result.atoms
    symbols = atoms.get_chemical_symbols()
    kinds = list(dict.fromkeys(symbols))
    listed = "".join(f"    <rc><c>{symbol:2s}</c><c>{kinds.index(symbol) + 1:4d}</c></rc>\n" for symbol in symbols)
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n <generator>\n'
        '  <i name="program" type="string">vasp </i>\n'
        f'  <i name="version" type="string">{result.version}  </i>\n </generator>\n'
        ' <kpoints>\n  <varray name="kpointlist" >\n   <v> 0.0 0.0 0.0 </v>\n  </varray>\n'
        '  <varray name="weights" >\n   <v> 1.0 </v>\n  </varray>\n </kpoints>\n'
        ' <parameters>\n  <separator name="electronic" >\n'
        f'   <i type="int" name="NELM"> {result.nelm} </i>\n  </separator>\n'
        '  <separator name="ionic" >\n   <i type="int" name="NSW"> 0 </i>\n  </separator>\n </parameters>\n'
        f' <atominfo>\n  <atoms> {len(atoms)} </atoms>\n  <types> {len(kinds)} </types>\n  <array name="atoms" >\n'
        f"   <set>\n{listed}   </set>\n  </array>\n </atominfo>\n"
        + structure(atoms, "initialpos")
        + " <calculation>\n"
        + f" <scstep>\n{energies(result)} </scstep>\n" * result.steps
        + structure(atoms)
        + rows("forces", result.forces)
        + ("" if result.stress_kbar is None else rows("stress", result.stress_kbar))
        + energies(result)
        + " </calculation>\n"
        + structure(atoms, "finalpos")
        + "</modeling>\n"
    )


def outcar(result: Result) -> str:
    """Return OUTCAR: settings, iterations, how the loop ended, and the accounting that says it ended at all."""
    iterations = "".join(
        f"--------------------------------------- Iteration    {1:4d}({step:4d})  "
        "---------------------------------------\n"
        for step in range(1, result.steps + 1)
    )
    end = "aborting loop because EDIFF is reached" if result.converged else "aborting loop EDIFF was not reached"
    return (
        f" vasp.{result.version} stand-in of aiida-seireact, no VASP\n"
        f"   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of bands    NBANDS=     "
        f"{4 * len(result.atoms):5d}\n"
        f"   NELM   = {result.nelm:6d};   NELMIN=  2; NELMDL= -5     # of ELM steps\n"
        "   NSW    =      0    number of steps for IOM\n"
        "   IBRION =     -1    ionic relax: 0-MD 1-quasi-New 2-CG\n"
        f"{iterations}------------------------ {end} ----------------------------------------\n"
        "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n"
        f"  free  energy   TOTEN  = {result.energy:18.8f} eV\n\n"
        " General timing and accounting informations for this job:\n"
        " ========================================================\n"
        "                  Total CPU time used (sec):        0.100\n"
        "                            User time (sec):        0.100\n"
        "                         Elapsed time (sec):        0.100\n"
        "                   Maximum memory used (kb):       50000.\n"
    )


def main() -> None:
    """Run in the working directory, as VASP does."""
    atoms = read("POSCAR", format="vasp")
    assert isinstance(atoms, Atoms)
    if refused := complaint(atoms):
        sys.exit(f"fake-vasp: {refused}")
    ways = json.loads(Path(os.environ["FAKE_VASP_WAYS"]).read_text()) if "FAKE_VASP_WAYS" in os.environ else {}
    way = ways.get(f"{np.linalg.norm(atoms.cell[0]):.3f}")
    if way is not None and way not in WAYS:
        sys.exit(f"fake-vasp: there is no way {way!r} to fail, only {', '.join(WAYS)}")
    if way == "crash":
        os.abort()
    result = compute(atoms, read_incar(Path("INCAR").read_text(encoding="utf-8")), way)
    written = {
        "vasprun.xml": vasprun(result),
        "OUTCAR": outcar(result),
        "CONTCAR": Path("POSCAR").read_text(encoding="utf-8"),
        "OSZICAR": f"   1 F= {result.energy:.8E} E0= {result.energy + E0_SHIFT * len(atoms):.8E}\n",
    }
    for name, text in written.items():
        whole = way != "cut" or name == "CONTCAR"
        Path(name).write_text(text if whole else text[: len(text) // 2], encoding="utf-8")
    print(" running on    1 total cores\n vasp stand-in of aiida-seireact\n")


if __name__ == "__main__":
    main()
