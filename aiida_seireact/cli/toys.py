"""The smallest piece of real work for each program: argon and lithium, and no file from outside."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones

from aiida_seireact.formats.frames import Frames

SPECIES = "Ar"


@dataclass(frozen=True)
class Toy:
    """Files to write, arguments of the program, and the program whose folder lies beside."""

    files: Callable[[], dict[str, bytes]]
    arguments: str = "job.json"
    after: str | None = None
    """The program that has to work before, since its result is used (``../<name>/…``)."""
    does: str = field(default="")


def _argon(seed: int, *, labelled: bool) -> Atoms:
    atoms = bulk(SPECIES, "fcc", a=5.3, cubic=True)
    atoms.positions += np.random.default_rng(seed).normal(0.0, 0.15, atoms.positions.shape)
    atoms.info.update(config_type="toy", group=f"toy_{seed}")
    if labelled:
        calculator = LennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True)
        calculator.calculate(atoms, ["energy", "forces", "stress"])
        atoms.calc = calculator
    return atoms


def _lithium(seed: int) -> Atoms:
    atoms = bulk("Li", "bcc", a=3.41, cubic=True) * (3, 3, 3)
    atoms.positions += np.random.default_rng(seed).normal(0.0, 0.1, atoms.positions.shape)
    return atoms


def _frames(seeds: range, *, labelled: bool) -> bytes:
    return _packed([_argon(seed, labelled=labelled) for seed in seeds], labelled=labelled)


def _packed(images: list[Atoms], *, labelled: bool = False) -> bytes:
    frames = Frames.from_atoms(images, labels="required" if labelled else "ignore", settings_hash="toy" * labelled)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.npz"
        frames.save(path)
        return path.read_bytes()


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def _label() -> dict[str, bytes]:
    job = {"task": "label", "calculator": {"name": "lj"}, "frames": "frames.npz"}
    return {"job.json": _json(job), "frames.npz": _frames(range(2), labelled=False)}


def _flare() -> dict[str, bytes]:
    settings = {
        "temperature_k": 20.0,
        "steps": 3,
        "gp": {"cutoff_ang": 4.5, "n_max": 3, "l_max": 1, "first_atoms": 2, "optimise_at": []},
    }
    job = {"settings": settings, "labels": ["labels.npz"], "start": "start.npz"}
    return {
        "job.json": _json(job),
        "labels.npz": _frames(range(2), labelled=True),
        "start.npz": _frames(range(2, 3), labelled=False),
    }


def _train() -> dict[str, bytes]:
    tiny = {
        "max_epochs": 1,
        "num_scalar_features": 4,
        "num_tensor_features": 2,
        "radial_chemical_embed_dim": 4,
        "scalar_embed_mlp_hidden_layers_width": 4,
        "allegro_mlp_hidden_layers_width": 4,
        "readout_mlp_hidden_layers_width": 4,
    }
    job = {"train": "train.npz", "val": "val.npz", "settings": tiny, "shifts": {SPECIES: 0.0}}
    return {
        "job.json": _json(job),
        "train.npz": _frames(range(4), labelled=True),
        "val.npz": _frames(range(4, 6), labelled=True),
    }


def _compile() -> dict[str, bytes]:
    return {"job.json": _json({"model": "../train/model.nequip.zip", "target": "pair_allegro"})}


LAMMPS_INPUT = f"""units metal
atom_style atomic
newton on
boundary p p p
lattice fcc 5.3
region box block 0 2 0 2 0 2
create_box 1 box
create_atoms 1 box
mass 1 39.95
pair_style allegro
pair_coeff * * ../compile/model.nequip.pt2 {SPECIES}
velocity all create 30.0 1
timestep 0.001
fix 1 all nve
thermo 1
run 2
"""


def _select() -> dict[str, bytes]:
    job = {
        "runs": {"argon": {"files": ["run.npz"], "learned": 2, "held_out": 1}},
        "gps": {"argon": "../flare/sgp.npz"},
        "n_blocks": 3,
        "gap_frames": 0,
    }
    return {"job.json": _json(job), "run.npz": _frames(range(6), labelled=False)}


def _validate() -> dict[str, bytes]:
    forces = {"test": "errors", "of": "force", "of_rms": True, "target": {"max": 0.5}}
    job = {
        "model": "../flare/sgp.npz",
        "kind": "sgp",
        "held_out": "test.npz",
        "scorecard": {"lines": {"forces": forces}},
    }
    return {"job.json": _json(job), "test.npz": _frames(range(3, 5), labelled=True)}


def _curate() -> dict[str, bytes]:
    job = {"frames": ["frames.npz"], "filter": {"min_distance_ang": 2.0}, "thin": {"count": 3, "seed": 1}}
    return {"job.json": _json(job), "frames.npz": _frames(range(6), labelled=True)}


def _sample() -> dict[str, bytes]:
    classes = [{"kind": "bulk", "of": "LiCl", "count": 2}, {"kind": "amorphous", "of": "LiCl", "count": 1}]
    return {"job.json": _json({"plan": {"classes": classes, "budget": 2}})}


def _classify() -> dict[str, bytes]:
    job = {
        "trajectory": {"files": ["run.npz"]},
        "references": {"Li": {"files": ["reference.npz"]}},
        "spec": {"species": ["Li"], "centre": "Li", "n_max": 3, "l_max": 2},
        "n_landmarks": 200,
        "n_references": 50,
        "maxk": 20,
    }
    run, reference = (_packed([_lithium(seed) for seed in seeds]) for seeds in (range(5), range(5, 8)))
    return {"job.json": _json(job), "run.npz": run, "reference.npz": reference}


def _analyse() -> dict[str, bytes]:
    job = {"trajectory": {"files": ["run.npz"]}, "rdf": {"r_max_ang": 4.0}, "msd": None}
    return {"job.json": _json(job), "run.npz": _packed([_lithium(seed) for seed in range(4)])}


def _build() -> dict[str, bytes]:
    recipe = {
        "phases": {"LiCl": {"name": "LiCl"}, "Li": {"name": "Li"}},
        "slabs": [
            {"phase": "LiCl", "hkl": [1, 0, 0], "matrix": [[2, 0], [0, 2]], "layers": 2},
            {"phase": "Li", "hkl": [1, 0, 0], "matrix": [[2, 0], [0, 2]], "layers": 4},
        ],
        "lattice_of": "LiCl",
    }
    return {"job.json": _json({"recipe": recipe})}


TOYS = {
    "label": Toy(_label, does="labels two frames with a Lennard-Jones potential"),
    "flare": Toy(_flare, does="learns two frames by FLARE and runs three steps of MD"),
    "train": Toy(_train, does="trains a tiny model for one epoch and packages it"),
    "compile": Toy(_compile, after="train", does="compiles that model"),
    "lmp": Toy(
        lambda: {"in.lammps": LAMMPS_INPUT.encode()},
        arguments="-in in.lammps",
        after="compile",
        does="runs two steps of MD with it",
    ),
    "select": Toy(_select, after="flare", does="chooses three frames by what that GP does not know"),
    "validate": Toy(_validate, after="flare", does="measures the errors of that GP on two frames"),
    "curate": Toy(_curate, does="keeps three of six frames"),
    "sample": Toy(_sample, does="draws three frames of LiCl and chooses two"),
    "classify": Toy(_classify, does="sorts the environments of five frames of lithium"),
    "analyse": Toy(_analyse, does="follows four frames of lithium"),
    "build": Toy(_build, does="builds LiCl on lithium"),
}
