"""A stand-in for VASP in tests: it reads INCAR, KPOINTS, POSCAR and POTCAR as VASP does, and computes with a toy.

With IBRION = 0 it runs NVT from velocities drawn by RANDOM_SEED, and writes each step as VASP does.

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
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT, parameters
from ase.calculators.lj import LennardJones
from ase.io import read
from ase.md.nose_hoover_chain import NoseHooverChainNVT
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
    "third_unconverged": "of MD, the electrons of the third step don't converge",
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


def md_results(atoms: Atoms, tags: dict[str, str], way: str | None) -> list[Result]:
    """Return the ionic steps of MD, the first the start: Nosé-Hoover with the mass that SMASS gives, positions wrapped.

    :raises ValueError: tags that this stand-in can't follow.
    """
    if tags.get("mdalgo") != "2" or tags["tebeg"] != tags["teend"]:
        raise ValueError("fake-vasp runs MDALGO = 2 at one temperature only")
    temperature, timestep = float(tags["tebeg"]), float(tags["potim"]) * units.fs
    freedom = 3 * len(atoms) - 3
    mass = float(tags["smass"]) * np.linalg.norm(atoms.cell[0]) ** 2
    moving = atoms.copy()
    moving.calc = toy(moving)
    rng = np.random.Generator(np.random.PCG64([int(word) for word in tags["random_seed"].split()]))
    masses = moving.get_masses()[:, None]
    momenta = rng.standard_normal((len(moving), 3)) * np.sqrt(masses * units.kB * temperature)
    moving.set_momenta(momenta - masses * momenta.sum(axis=0) / masses.sum())
    damping = float(np.sqrt(mass / (freedom * units.kB * temperature)))
    dynamics = NoseHooverChainNVT(moving, timestep, temperature_K=temperature * (1 - 1 / len(moving)), tdamp=damping)
    results = []
    for step in range(int(tags["nsw"])):
        if step:
            dynamics.run(1)
        ended = compute(moving, tags, "unconverged" if way == "third_unconverged" and step == 3 else None)
        ended.atoms.wrap()
        results.append(ended)
    return results


def vasprun(results: list[Result], nsw: int = 0) -> str:
    """Return vasprun.xml."""
    result = results[0]
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
        f'  <separator name="ionic" >\n   <i type="int" name="NSW"> {nsw} </i>\n  </separator>\n </parameters>\n'
        f' <atominfo>\n  <atoms> {len(atoms)} </atoms>\n  <types> {len(kinds)} </types>\n  <array name="atoms" >\n'
        f"   <set>\n{listed}   </set>\n  </array>\n </atominfo>\n"
        + structure(atoms, "initialpos")
        + "".join(calculation(step) for step in results)
        + structure(results[-1].atoms, "finalpos")
        + "</modeling>\n"
    )


def calculation(result: Result) -> str:
    """Return an ionic step of vasprun.xml."""
    return (
        " <calculation>\n"
        + f" <scstep>\n{energies(result)} </scstep>\n" * result.steps
        + structure(result.atoms)
        + rows("forces", result.forces)
        + ("" if result.stress_kbar is None else rows("stress", result.stress_kbar))
        + energies(result)
        + " </calculation>\n"
    )


def outcar(result: Result, ionic_steps: int = 1, ibrion: int = -1) -> str:
    """Return OUTCAR: settings, iterations of the last ionic step, how its loop ended, and the accounting that says it
    ended at all."""
    iterations = "".join(
        f"--------------------------------------- Iteration    {ionic_steps:4d}({step:4d})  "
        "---------------------------------------\n"
        for step in range(1, result.steps + 1)
    )
    end = "aborting loop because EDIFF is reached" if result.converged else "aborting loop EDIFF was not reached"
    return (
        f" vasp.{result.version} stand-in of aiida-seireact, no VASP\n"
        f"   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of bands    NBANDS=     "
        f"{4 * len(result.atoms):5d}\n"
        f"   NELM   = {result.nelm:6d};   NELMIN=  2; NELMDL= -5     # of ELM steps\n"
        f"   NSW    = {ionic_steps if ibrion == 0 else 0:6d}    number of steps for IOM\n"
        f"   IBRION = {ibrion:6d}    ionic relax: 0-MD 1-quasi-New 2-CG\n"
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
    tags = read_incar(Path("INCAR").read_text(encoding="utf-8"))
    ibrion, nsw = int(tags.get("ibrion", "-1")), int(tags.get("nsw", "0"))
    results = md_results(atoms, tags, way) if ibrion == 0 else [compute(atoms, tags, way)]
    written = {
        "vasprun.xml": vasprun(results, nsw),
        "OUTCAR": outcar(results[-1], len(results), ibrion),
        "CONTCAR": Path("POSCAR").read_text(encoding="utf-8"),
        "OSZICAR": "".join(
            f"{step:4d} F= {result.energy:.8E} E0= {result.energy + E0_SHIFT * len(atoms):.8E}\n"
            for step, result in enumerate(results, start=1)
        ),
    }
    for name, text in written.items():
        whole = way != "cut" or name == "CONTCAR"
        Path(name).write_text(text if whole else text[: len(text) // 2], encoding="utf-8")
    print(" running on    1 total cores\n vasp stand-in of aiida-seireact\n")


if __name__ == "__main__":
    main()
