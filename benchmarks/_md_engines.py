"""MD at constant energy with one compiled model by one engine, in a process of its own.

    python -m benchmarks._md_engines seireact-lmp FOLDER STEPS

FOLDER holds structure.data and the model compiled for both targets. Prints CPU seconds a step, of the whole and of the
model alone, and energies and forces to compare.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

SPECIES = ["Li", "P", "S", "Cl"]
ASE_MODEL, PAIR_MODEL = "ase.nequip.pt2", "pair.nequip.pt2"
TIMESTEP_FS = 1.0
# Steps at the beginning that are not counted: memory grows, and torch looks around.
WARM_UP = 2


class TimedModel:
    """A model that notes when it was called, in CPU seconds of this process."""

    def __init__(self, model: Callable[..., Any]) -> None:
        self.model = model
        self.calls: list[tuple[float, float]] = []

    def __call__(self, *inputs: Any) -> Any:
        start = time.process_time()
        found = self.model(*inputs)
        self.calls.append((start, time.process_time()))
        return found

    def seconds_a_step(self) -> dict[str, float]:
        """Return CPU seconds a step: of everything, and of the model."""
        counted = self.calls[WARM_UP:]
        whole = counted[-1][1] - self.calls[WARM_UP - 1][1]
        return {
            "whole": whole / len(counted),
            "model": sum(end - start for start, end in counted) / len(counted),
        }


def script(steps: int) -> str:
    """Return the input that LAMMPS and seireact-lmp run: forces of the first step, and energies of all."""
    return f"""
units metal
atom_style atomic
newton on
read_data structure.data
pair_style allegro
pair_coeff * * {PAIR_MODEL} {" ".join(SPECIES)}
timestep {TIMESTEP_FS / 1000}
fix md all nve
dump f all custom 1000000 forces.dump id fx fy fz
dump_modify f sort id format float %.10g
thermo_style custom step pe
thermo_modify line yaml format float %.12g
thermo {steps}
run {steps}
"""


def by_seireact_lmp(folder: Path, steps: int) -> dict[str, Any]:
    """The embedded engine, through its own front door."""
    import torch

    from aiida_seireact.formats.jobs.lmp import LmpJob
    from aiida_seireact.programs import lmp

    load, models = torch._inductor.aoti_load_package, []

    def timed(path: str) -> TimedModel:
        models.append(TimedModel(load(path)))
        return models[-1]

    torch._inductor.aoti_load_package = timed
    (folder / "in.lammps").write_text(script(steps))
    lmp.run(folder / "in.lammps", "log.embedded", LmpJob(compress="none"), folder, lambda line: None)
    return {**models[0].seconds_a_step(), **told_by_lammps(folder, "log.embedded")}


def by_lmp(folder: Path, steps: int) -> dict[str, Any]:
    """LAMMPS itself with our pair style, one rank."""
    from aiida_seireact.programs import pair_style

    style = pair_style.build(progress=lambda line: None)
    told = {}
    for name, count in (("warm", WARM_UP), ("log.native", steps)):
        (folder / "in.native").write_text(script(count))
        command = "\n".join([*style.exports, f"exec '{style.lmp}' -in in.native -log {name}"])
        subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True)
        text = (folder / name).read_text()
        loop, share = re.search(r"Loop time of (\S+)", text), re.search(r"([\d.]+)% CPU use", text)
        assert loop is not None
        assert share is not None
        told[name] = float(loop[1]) * float(share[1]) / 100
    return {"whole": (told["log.native"] - told["warm"]) / (steps - WARM_UP), **told_by_lammps(folder, "log.native")}


def told_by_lammps(folder: Path, log: str) -> dict[str, Any]:
    """Return first and last energy, and forces of the first step."""
    from aiida_seireact.formats.thermo import read_thermo

    lines = (folder / "forces.dump").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("ITEM: ATOMS")) + 1
    n_atoms = int(lines[3])
    energies = read_thermo(folder / log)["PotEng"]
    np.save(folder / f"{log}.npy", np.loadtxt(lines[start : start + n_atoms], usecols=(1, 2, 3), ndmin=2))
    return {"energies": [energies[0], energies[-1]], "forces": f"{log}.npy"}


def by_ase(folder: Path, steps: int) -> dict[str, Any]:
    """ASE's velocity Verlet with nequip's calculator."""
    from ase import units
    from ase.io.lammpsdata import read_lammps_data
    from ase.md.verlet import VelocityVerlet
    from nequip.integrations.ase import NequIPCalculator

    atoms = read_lammps_data(folder / "structure.data", atom_style="atomic", units="metal", sort_by_id=True)
    atoms.pbc = True
    calculator = NequIPCalculator.from_compiled_model(
        str(folder / ASE_MODEL), device="cpu", chemical_species_to_atom_type_map=True
    )
    calculator.model = timed = TimedModel(calculator.model)
    atoms.calc = calculator
    first = atoms.get_potential_energy()
    np.save(folder / "ase.npy", atoms.get_forces())
    VelocityVerlet(atoms, timestep=TIMESTEP_FS * units.fs).run(steps)
    return {**timed.seconds_a_step(), "energies": [first, atoms.get_potential_energy()], "forces": "ase.npy"}


ENGINES: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "ASE": by_ase,
    "seireact-lmp": by_seireact_lmp,
    "lmp": by_lmp,
}


if __name__ == "__main__":
    where = Path(sys.argv[2]).resolve()
    os.chdir(where)  # LAMMPS reads and writes where it runs
    print(json.dumps(ENGINES[sys.argv[1]](where, int(sys.argv[3]))))
